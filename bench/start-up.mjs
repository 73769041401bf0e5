// How long the command takes to say what it can do, next to a Node script that does nothing.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const name = 'start-up'

const ROUNDS = 21
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

export async function run() {
  const folder = await mkdtemp(join(tmpdir(), 'bench-start-up-'))
  const empty = join(folder, 'empty.mjs')
  await writeFile(empty, '')
  try {
    const times = { empty: [], '--help': [], '--version': [] }
    for (let round = 0; round < ROUNDS; round++) {
      times.empty.push(timed([empty]))
      for (const word of ['--help', '--version']) times[word].push(timed([main, word]))
    }
    const baseline = median(times.empty)
    return ['--help', '--version'].map((word) => {
      const value = median(times[word])
      return {
        what: `claude-agents ${word}, next to an empty script`,
        value: Math.round(value),
        unit: 'ms',
        baseline: Math.round(baseline),
        ratio: Number((baseline / value).toFixed(2)),
        // At most 1.6 times as long.
        floor: 0.62,
      }
    })
  } finally {
    await rm(folder, { recursive: true })
  }
}

function timed(argv) {
  const begin = performance.now()
  const { status } = spawnSync(process.execPath, argv, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}`)
  return performance.now() - begin
}

const median = (values) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)]
