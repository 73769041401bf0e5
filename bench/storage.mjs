// The bytes on disk of a conversation and of a run, compared with their text, which does not compress.
import { randomBytes } from 'node:crypto'
import { answering } from './kit/answers.mjs'
import { bytesIn, dist, row, sized, withDirectory } from './kit/measuring.mjs'

const { Orchestrator, sequential } = await import(`${dist}/index.js`)

export const name = 'storage'

const TURNS = sized(400, 40)
/** The prompt and the answer, together 2 KB. */
const HALF = 1024
/** The log may hold its text twice, and half of it again. */
const AT_MOST = 2.5

const text = () => randomBytes(HALF).toString('base64').slice(0, HALF)
const runner = answering({ text })

const SHAPES = {
  'asks of one agent': async (orchestrator) => {
    const agent = await orchestrator.agent('a')
    for (let turn = 0; turn < TURNS; turn++) await agent.ask(text())
  },
  // The prompt of a step is the answer of the one before it.
  'a sequential run': (orchestrator) =>
    orchestrator.run(sequential(Array.from({ length: TURNS }, () => 'a')), text()),
}

export async function run() {
  const rows = []
  for (const [shape, work] of Object.entries(SHAPES))
    rows.push(await withDirectory((baseDir) => size(baseDir, shape, work)))
  return rows
}

async function size(baseDir, shape, work) {
  const open = () => Orchestrator.open({ baseDir, runner })
  const orchestrator = await open()
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'You work.' })
  await work(orchestrator)
  await orchestrator.close()
  // Opened once more, so that LevelDB has compacted its write-ahead log into tables, which happens only once.
  await (await open()).close()
  const bytes = TURNS * 2 * HALF
  return row({
    what: `storage of ${TURNS} turns of 2 KB, ${shape}, compared with their text (at most ${AT_MOST} times as much)`,
    value: (await bytesIn(baseDir)) / 1024,
    unit: 'KB',
    baseline: bytes / 1024,
    goal: 1 / AT_MOST,
  })
}
