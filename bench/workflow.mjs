// What a durable step costs this process (a script answers at once), next to LangGraph.js with its SQLite checkpointer on
// the same two-step task, and what it costs to go on with a long run, next to reading its facts.
//
// What is asked for is at most 150 µs a step, and 20 times the steps of LangGraph.js. Neither is reached yet (see
// docs/decisions/0009-how-runs-resume.md): those rows have ratios and no floors.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadLangGraph, withTwoStepTask } from './langgraph/lang-graph.mjs'

const dist = process.env.BENCH_DIST ?? new URL('../dist', import.meta.url).href
const { Orchestrator, mapReduce, parallel, pool, sequential } = await import(`${dist}/index.js`)

export const name = 'workflow'

/** The most that a step should cost of this process's own CPU, in µs. */
const MOST_STEP_CPU = 150
const IN_FLIGHT = 256
const STEPS = 10
const CPU_ROUNDS = 5
const COMPARED_IN_FLIGHT = 16
const COMPARED_TASKS = 400
const COMPARED_ROUNDS = 3
const FINISHED_STEPS = 1000
const RESUMES = 9

export async function run() {
  return [...(await cpuRows()), ...(await comparedRows()), await resumeRow()]
}

/** 256 steps in flight, of one run, and of 256 runs. */
async function cpuRows() {
  const chain = (agent) => sequential(Array.from({ length: STEPS }, () => agent))
  const shapes = {
    'in one run': (orchestrator, agents) => orchestrator.run(parallel(agents.map(chain)), 'go'),
    'in as many runs': (orchestrator, agents) =>
      Promise.all(agents.map((agent) => orchestrator.run(chain(agent), 'go'))),
  }
  const rows = []
  for (const [shape, work] of Object.entries(shapes)) {
    const cpu = []
    for (let round = 0; round < CPU_ROUNDS; round++) cpu.push(await cpuOfSteps(work))
    const value = median(cpu)
    rows.push({
      what: `own CPU of one no-op step, ${IN_FLIGHT} in flight ${shape} (asked for: at most ${MOST_STEP_CPU} µs)`,
      value: Math.round(value),
      unit: 'µs',
      baseline: MOST_STEP_CPU,
      ratio: round(MOST_STEP_CPU / value, 2),
    })
  }
  return rows
}

/** The first time is not counted: the code has to be compiled. */
async function cpuOfSteps(work) {
  let cpu = 0
  await withTeam(IN_FLIGHT, async (orchestrator, agents) => {
    await work(orchestrator, agents)
    const before = process.cpuUsage()
    await work(orchestrator, agents)
    const { user, system } = process.cpuUsage(before)
    cpu = (user + system) / (IN_FLIGHT * STEPS)
  })
  return cpu
}

async function comparedRows() {
  const found = { own: [], theirs: [], synced: [] }
  const langGraph = await loadLangGraph()
  for (let round = 0; round < COMPARED_ROUNDS; round++) {
    await withTeam(2 * COMPARED_IN_FLIGHT, async (orchestrator, agents) => {
      const task = (lane) => orchestrator.run(sequential([agents[2 * lane], agents[2 * lane + 1]]), 'go')
      found.own.push(await stepsPerSecond(task))
    })
    if (!langGraph) continue
    for (const which of ['theirs', 'synced']) {
      await withTwoStepTask(langGraph, { synced: which === 'synced' }, async (task) => {
        found[which].push(await stepsPerSecond(task))
      })
    }
  }
  const value = Math.round(median(found.own))
  const what = `two-step tasks, ${COMPARED_IN_FLIGHT} in flight`
  if (!langGraph) return [{ what: `${what} (LangGraph.js is not installed)`, value, unit: 'steps/s' }]
  return [
    ['theirs', 'as it comes: it does not wait for the disk'],
    ['synced', 'waiting for the disk as we do'],
  ].map(([which, how]) => {
    const baseline = Math.round(median(found[which]))
    const compared = `${what}, next to LangGraph.js with SQLite, durability sync, ${how} (asked for: 20 times)`
    return { what: compared, value, unit: 'steps/s', baseline, ratio: round(value / baseline, 1) }
  })
}

/** Some tasks first, for the code to be compiled; then so many, 16 at a time. */
async function stepsPerSecond(task) {
  const work = async (tasks) => {
    let begun = 0
    const doSome = async (_, lane) => {
      while (begun++ < tasks) await task(lane)
    }
    await Promise.all(Array.from({ length: COMPARED_IN_FLIGHT }, doSome))
  }
  await work(COMPARED_TASKS / 4)
  return (2 * COMPARED_TASKS * 1000) / (await timed(() => work(COMPARED_TASKS)))
}

/** A run of 1,000 answered steps that was stopped in the one after them. */
async function resumeRow() {
  const times = { reading: [], resuming: [] }
  const pieces = Array.from({ length: FINISHED_STEPS }, (_, index) => `piece ${index}`)
  const pattern = sequential([mapReduce({ split: () => pieces, map: pool('worker', { size: 16 }) }), 'last'])
  for (let round = 0; round < RESUMES; round++) {
    const baseDir = await mkdtemp(join(tmpdir(), 'bench-resume-'))
    await leaveUnfinished(baseDir, pattern)
    const orchestrator = await Orchestrator.open({ baseDir, runner, resume: 'on-demand' })
    times.reading.push(await timed(() => readRun(orchestrator.store)))
    times.resuming.push(await timed(() => goOn(orchestrator, pattern)))
    await orchestrator.close()
    await rm(baseDir, { recursive: true })
  }
  const [baseline, value] = [median(times.reading), median(times.resuming)]
  return {
    what: `until a run of ${FINISHED_STEPS} finished steps is where it was, next to reading its facts (asked for: at most 5 times as long, and 1 s)`,
    value: round(value, 1),
    unit: 'ms',
    baseline: round(baseline, 1),
    ratio: round(baseline / value, 2),
    // At most 5 times as long.
    floor: 0.2,
  }
}

async function leaveUnfinished(baseDir, pattern) {
  const start = (call, options) => (call.agent === 'last' ? stuck(options) : runner.start())
  const orchestrator = await Orchestrator.open({ baseDir, runner: { ...runner, start } })
  for (const id of ['worker', 'last']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  const run = orchestrator.run(pattern, 'go', { id: 'r1' })
  run.then(undefined, () => {})
  for await (const { agent } of run) if (agent === 'last') break
  await orchestrator.close()
}

async function readRun(store) {
  let facts = 0
  for await (const _ of store.read('run/r1')) facts++
  if (facts < 2 * FINISHED_STEPS) throw new Error(`the run has only ${facts} facts`)
}

/** It is where it was when the first step that has no answer yet is asked again. */
async function goOn(orchestrator, pattern) {
  let reused = 0
  const run = orchestrator.runs.resume('r1', pattern)
  run.then(undefined, () => {})
  for await (const { state } of run) {
    if (state === 'scheduled') break
    reused++
  }
  if (reused !== FINISHED_STEPS) throw new Error(`${reused} steps were reused`)
}

async function withTeam(size, work) {
  const baseDir = await mkdtemp(join(tmpdir(), 'bench-workflow-'))
  const orchestrator = await Orchestrator.open({ baseDir, runner, maxAgents: size })
  try {
    const agents = Array.from({ length: size }, (_, index) => `agent-${index}`)
    await Promise.all(agents.map((id) => orchestrator.createAgent({ id, systemPrompt: 'x' })))
    await work(orchestrator, agents)
  } finally {
    await orchestrator.close()
    await rm(baseDir, { recursive: true })
  }
}

/** Answers at once and remembers nothing: a list of all calls would be the largest part of what is measured. */
const runner = {
  async *start() {
    yield { type: 'result', result: answer }
  },
  recover: async () => ({ outcome: 'unsent' }),
}
const answer = {
  text: 'done',
  costUsd: 0,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 },
  durationMs: 0,
  turns: 1,
  model: null,
  permissionDenials: [],
}

async function* stuck({ signal }) {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

async function timed(action) {
  const begin = performance.now()
  await action()
  return performance.now() - begin
}

const median = (values) => values.sort((one, other) => one - other)[Math.floor(values.length / 2)]
const round = (number, digits) => Number(number.toFixed(digits))
