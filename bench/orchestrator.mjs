// The overhead of a task besides the model, as CPU time of this process with a runner that answers at once; and the cost
// of opening with many agents.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { Orchestrator, memoryStore } = await import(new URL('../dist/index.js', import.meta.url).href)
const { scriptedRunner } = await import(new URL('../dist/entry-points/testing.js', import.meta.url).href)

export const name = 'orchestrator'

const AGENTS = 64
const TASKS = 40
const ROUNDS = 5

export async function run() {
  return [
    await taskRow('in memory', () => memoryStore()),
    await taskRow('on LevelDB', () => undefined),
    await openRow(),
    await loadRow(),
  ]
}

async function taskRow(where, makeStore) {
  const cpu = []
  for (let round = 0; round < ROUNDS; round++) cpu.push(await cpuOfTasks(makeStore()))
  return {
    what: `own CPU of one no-op task, ${AGENTS} agents at once, ${where}`,
    value: Math.round(median(cpu)),
    unit: 'µs',
  }
}

async function cpuOfTasks(store) {
  const baseDir = await mkdtemp(join(tmpdir(), 'bench-orchestrator-'))
  const runner = scriptedRunner({ reply: () => 'done' })
  const orchestrator = await Orchestrator.open({ baseDir, runner, ...(store ? { store } : {}) })
  try {
    const ids = Array.from({ length: AGENTS }, (_, index) => `agent-${index}`)
    const agents = await Promise.all(ids.map((id) => orchestrator.createAgent({ id, systemPrompt: 'x' })))
    const work = (tasks) =>
      Promise.all(
        agents.map(async (agent) => {
          for (let task = 0; task < tasks; task++) await agent.ask('go')
        }),
      )
    await work(10)
    const before = process.cpuUsage()
    await work(TASKS)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / (AGENTS * TASKS)
  } finally {
    await orchestrator.close()
    await rm(baseDir, { recursive: true })
  }
}

/** Opening with 10,000 agents, compared with 100: agents are not loaded until they are used. */
async function openRow() {
  const [few, many] = [await withAgents(100), await withAgents(10_000)]
  try {
    const times = { few: [], many: [] }
    for (let round = 0; round < 9; round++) {
      times.few.push(await timedOpen(few))
      times.many.push(await timedOpen(many))
    }
    const [baseline, value] = [median(times.few), median(times.many)]
    return {
      what: 'opening with 10,000 agents, compared with 100',
      value: Number(value.toFixed(1)),
      unit: 'ms',
      baseline: Number(baseline.toFixed(1)),
      ratio: Number((baseline / value).toFixed(2)),
    }
  } finally {
    for (const baseDir of [few, many]) await rm(baseDir, { recursive: true })
  }
}

/** Loading one agent of 1,000 facts from its last snapshot, compared with folding it from its first fact. */
async function loadRow() {
  const baseDir = await mkdtemp(join(tmpdir(), 'bench-orchestrator-'))
  const runner = scriptedRunner({ reply: () => 'done' })
  const first = await Orchestrator.open({ baseDir, runner })
  const agent = await first.createAgent({ id: 'a', systemPrompt: 'x' })
  while (agent.version < 1000) await agent.ask('go')
  await first.close()
  const times = { with: [], without: [] }
  for (let round = 0; round < 15; round++) {
    for (const which of ['with', 'without']) {
      const orchestrator = await Orchestrator.open({ baseDir, runner })
      const { snapshots } = orchestrator.store
      const saved = await snapshots.load('agent/a')
      if (which === 'without') await snapshots.clear()
      const begin = performance.now()
      await orchestrator.agent('a')
      times[which].push(performance.now() - begin)
      await snapshots.save('agent/a', saved)
      await orchestrator.close()
    }
  }
  await rm(baseDir, { recursive: true })
  const [baseline, value] = [median(times.without), median(times.with)]
  return {
    what: 'loading an agent of 1,000 facts from its snapshot, compared with from its first fact',
    value: Number(value.toFixed(2)),
    unit: 'ms',
    baseline: Number(baseline.toFixed(2)),
    ratio: Number((baseline / value).toFixed(1)),
    floor: 10,
  }
}

async function withAgents(count) {
  const baseDir = await mkdtemp(join(tmpdir(), 'bench-orchestrator-'))
  const orchestrator = await Orchestrator.open({ baseDir, runner: scriptedRunner(), maxAgents: count })
  for (let index = 0; index < count; index++) {
    await orchestrator.createAgent({ id: `agent-${index}`, systemPrompt: 'x' })
  }
  await orchestrator.close()
  // Opened once more, so that LevelDB has compacted its write-ahead log into tables, which happens only once.
  await timedOpen(baseDir)
  return baseDir
}

async function timedOpen(baseDir) {
  const begin = performance.now()
  const orchestrator = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
  const time = performance.now() - begin
  await orchestrator.close()
  return time
}

const median = (values) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)]
