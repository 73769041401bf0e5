// The CPU cost of one ask, with a runner that answers at once; of opening with many agents, compared with few; and of loading
// an agent from its snapshot, compared with folding it.
import { answering } from './kit/answers.mjs'
import { cpuOf, dist, median, row, sized, timed, withDirectory } from './kit/measuring.mjs'

const { levelStore, memoryStore, Orchestrator } = await import(`${dist}/index.js`)

export const name = 'orchestrator'

/** What this process should spend at most on an ask, in µs. */
const ASK_CPU_GOAL = 60
const AGENTS = sized(64, 16)
const ASKS = sized(40, 5)
const ROUNDS = sized(5, 1)
const OPENED = sized({ few: 1000, many: 1_000_000 }, { few: 100, many: 5000 })
const OPENINGS = sized(9, 3)
const FACTS = sized(1000, 100)
const LOADINGS = sized(15, 3)

export const run = async () => [
  await askRow('in memory', () => memoryStore()),
  await askRow('on LevelDB', () => undefined),
  await openRow(),
  await loadRow(),
]

async function askRow(where, makeStore) {
  const cpu = []
  for (let round = 0; round < ROUNDS; round++) cpu.push(await cpuOfAsks(makeStore()))
  return row({
    what: `own CPU of one ask, ${AGENTS} agents at once, ${where}, compared with the goal`,
    value: median(cpu) * 1000,
    unit: 'µs',
    baseline: ASK_CPU_GOAL,
    goal: 1,
  })
}

const cpuOfAsks = (store) =>
  withDirectory(async (baseDir) => {
    const orchestrator = await Orchestrator.open({ baseDir, runner: answering(), ...(store && { store }) })
    try {
      const ids = Array.from({ length: AGENTS }, (_, index) => `agent-${index}`)
      const agents = await Promise.all(
        ids.map((id) => orchestrator.createAgent({ id, systemPrompt: 'You work.' })),
      )
      const work = (asks) =>
        Promise.all(
          agents.map(async (agent) => {
            for (let ask = 0; ask < asks; ask++) await agent.ask('go')
          }),
        )
      await work(10)
      return (await cpuOf(() => work(ASKS))) / (AGENTS * ASKS)
    } finally {
      await orchestrator.close()
    }
  })

/** Agents are not loaded until they are used. */
const openRow = () =>
  withDirectory(async (directory) => {
    const times = { few: [], many: [] }
    for (const [which, count] of Object.entries(OPENED)) await makeAgents(`${directory}/${which}`, count)
    for (let round = 0; round < OPENINGS; round++)
      for (const which of ['few', 'many']) times[which].push(await timedOpen(`${directory}/${which}`))
    return row({
      what: `opening with ${OPENED.many} agents after a clean close, compared with ${OPENED.few} (at most twice as long)`,
      value: median(times.many),
      unit: 'ms',
      baseline: median(times.few),
      digits: 1,
      goal: 0.5,
    })
  })

/** Writes what creating them one by one would have written. */
async function makeAgents(baseDir, count) {
  const orchestrator = await Orchestrator.open({ baseDir, runner: answering() })
  await orchestrator.createAgent({ id: 'agent-0', systemPrompt: 'You work.' })
  const { store } = orchestrator
  const facts = []
  for await (const fact of store.read('agent/agent-0')) facts.push(fact)
  let summary = null
  for await (const head of store.streams({ prefix: 'agent/' })) summary = head.summary
  await orchestrator.close()
  const log = await levelStore(baseDir)
  for (let made = 1; made < count; made += 1000) {
    const numbers = Array.from({ length: Math.min(1000, count - made) }, (_, index) => made + index)
    await Promise.all(numbers.map((number) => log.append(`agent/agent-${number}`, facts, { summary })))
  }
  await log[Symbol.asyncDispose]()
  // Opened once more, so that LevelDB has compacted its write-ahead log into tables, which happens only once.
  await timedOpen(baseDir)
}

async function timedOpen(baseDir) {
  let orchestrator
  const time = await timed(async () => {
    orchestrator = await Orchestrator.open({ baseDir, runner: answering() })
  })
  await orchestrator.close()
  return time
}

/** Loading one agent from its last snapshot, compared with folding it from its first fact. */
const loadRow = () =>
  withDirectory(async (baseDir) => {
    const runner = answering()
    const first = await Orchestrator.open({ baseDir, runner })
    const agent = await first.createAgent({ id: 'a', systemPrompt: 'You work.' })
    while (agent.version < FACTS) await agent.ask('go')
    await first.close()
    const times = { with: [], without: [] }
    for (let round = 0; round < LOADINGS; round++) {
      for (const which of ['with', 'without']) {
        const orchestrator = await Orchestrator.open({ baseDir, runner })
        const { snapshots } = orchestrator.store
        const saved = await snapshots.load('agent/a')
        if (which === 'without') await snapshots.clear()
        times[which].push(await timed(() => orchestrator.agent('a')))
        await snapshots.save('agent/a', saved)
        await orchestrator.close()
      }
    }
    return row({
      what: `loading an agent of ${FACTS} facts from its snapshot, compared with from its first fact`,
      value: median(times.with),
      unit: 'ms',
      baseline: median(times.without),
      digits: 2,
      floor: 10,
    })
  })
