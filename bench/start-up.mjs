// The start-up time of the command for `--help`, `--version` and `agent list`, compared with an empty Node script; and the
// time to list many agents.
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scriptedRunner } from '../dist/entry-points/testing.js'
import { Orchestrator } from '../dist/index.js'
import { median, row, sized, withDirectory } from './kit/measuring.mjs'

export const name = 'start-up'

const ROUNDS = sized(21, 2)
const LISTED = sized({ few: 10, many: 10_000 }, { few: 10, many: 200 })
const LISTINGS = sized(7, 2)
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

export const run = () =>
  withDirectory(async (folder) => {
    const empty = join(folder, 'empty.mjs')
    await writeFile(empty, '')
    const few = join(folder, 'few')
    await makeAgents(few, 3)
    const commands = {
      // At most 1.4 times as long.
      '--help': { words: ['--help'], floor: 0.71 },
      '--version': { words: ['--version'], floor: 0.71 },
      // At most 4 times, and better 3.
      'agent list': { words: ['--base-dir', few, 'agent', 'list'], floor: 0.25, goal: 0.33 },
    }
    const times = Object.fromEntries(['empty', ...Object.keys(commands)].map((command) => [command, []]))
    for (let round = 0; round < ROUNDS; round++) {
      times.empty.push(started([empty]))
      for (const [command, { words }] of Object.entries(commands))
        times[command].push(started([main, ...words]))
    }
    const rows = Object.entries(commands).map(([command, { floor, goal }]) =>
      row({
        what: `claude-agents ${command}, compared with an empty script`,
        value: median(times[command]),
        unit: 'ms',
        baseline: median(times.empty),
        floor,
        ...(goal && { goal }),
      }),
    )
    return [...rows, await listing(folder)]
  })

async function listing(folder) {
  const times = {}
  for (const [which, count] of Object.entries(LISTED)) {
    const baseDir = join(folder, `listed-${which}`)
    await makeAgents(baseDir, count)
    const list = () => started([main, '--base-dir', baseDir, 'agent', 'list'])
    times[which] = median(Array.from({ length: LISTINGS }, list))
  }
  return row({
    what: `agent list of ${LISTED.many} agents, compared with ${LISTED.few}`,
    value: times.many,
    unit: 'ms',
    baseline: times.few,
    // At most 4 times as long as a few, of which nearly all is starting up.
    floor: 0.25,
  })
}

async function makeAgents(baseDir, count) {
  const runner = scriptedRunner()
  const orchestrator = await Orchestrator.open({ baseDir, maxAgents: count, runner, serve: false })
  const ids = Array.from({ length: count }, (_, index) => `agent-${index}`)
  await Promise.all(ids.map((id) => orchestrator.createAgent({ id, systemPrompt: 'You help.' })))
  await orchestrator.close()
}

function started(argv) {
  const begin = performance.now()
  const { status } = spawnSync(process.execPath, argv, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`${argv.join(' ')} exited with ${status}`)
  return performance.now() - begin
}
