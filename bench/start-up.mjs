// The start-up time of the command for `--help`, `--version` and `agent list`, compared with an empty Node script; and the
// time to list many agents.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scriptedRunner } from '../dist/entry-points/testing.js'
import { Orchestrator } from '../dist/index.js'

export const name = 'start-up'

const ROUNDS = 21
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

export async function run() {
  const folder = await mkdtemp(join(tmpdir(), 'bench-start-up-'))
  const empty = join(folder, 'empty.mjs')
  await writeFile(empty, '')
  try {
    const few = join(folder, 'few')
    await makeAgents(few, 3)
    const commands = {
      // At most 1.4 times as long.
      '--help': { words: ['--help'], floor: 0.71 },
      '--version': { words: ['--version'], floor: 0.71 },
      // At most 4 times.
      'agent list': { words: ['--base-dir', few, 'agent', 'list'], floor: 0.25 },
    }
    const times = Object.fromEntries(['empty', ...Object.keys(commands)].map((command) => [command, []]))
    for (let round = 0; round < ROUNDS; round++) {
      times.empty.push(timed([empty]))
      for (const [command, { words }] of Object.entries(commands))
        times[command].push(timed([main, ...words]))
    }
    const baseline = median(times.empty)
    const rows = Object.entries(commands).map(([command, { floor }]) => {
      const value = median(times[command])
      return {
        what: `claude-agents ${command}, compared with an empty script`,
        value: Math.round(value),
        unit: 'ms',
        baseline: Math.round(baseline),
        ratio: Number((baseline / value).toFixed(2)),
        floor,
      }
    })
    return [...rows, await listing(folder)]
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** `agent list` of 10,000 agents, compared with 10. */
async function listing(folder) {
  const times = {}
  for (const count of [10, 10_000]) {
    const baseDir = join(folder, String(count))
    await makeAgents(baseDir, count)
    const rounds = Array.from({ length: 7 }, () => timed([main, '--base-dir', baseDir, 'agent', 'list']))
    times[count] = median(rounds)
  }
  return {
    what: 'agent list of 10,000 agents, compared with 10',
    value: Math.round(times[10_000]),
    unit: 'ms',
    baseline: Math.round(times[10]),
    ratio: Number((times[10] / times[10_000]).toFixed(2)),
    // At most 3 times as long.
    floor: 0.33,
  }
}

async function makeAgents(baseDir, count) {
  const runner = scriptedRunner()
  const orchestrator = await Orchestrator.open({ baseDir, maxAgents: count, runner, serve: false })
  const ids = Array.from({ length: count }, (_, index) => `agent-${index}`)
  await Promise.all(ids.map((id) => orchestrator.createAgent({ id, systemPrompt: 'You help.' })))
  await orchestrator.close()
}

function timed(argv) {
  const begin = performance.now()
  const { status } = spawnSync(process.execPath, argv, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`${argv.join(' ')} exited with ${status}`)
  return performance.now() - begin
}

const median = (values) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)]
