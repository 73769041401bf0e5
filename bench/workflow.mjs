// The CPU cost of a durable step, with a runner that answers at once; its throughput compared with LangGraph.js and its
// SQLite checkpointer on the same two-step task; and the cost of resuming a long run, compared with reading its facts.
//
// The targets are at most 150 µs a step, and 20 times the steps of LangGraph.js. Neither is reached yet (see
// docs/decisions/0009-how-runs-resume.md), so those rows have ratios but no floors.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadLangGraph, withTwoStepTask } from './langgraph/lang-graph.mjs'

const dist = process.env.BENCH_DIST ?? new URL('../dist', import.meta.url).href
const { Orchestrator, mapReduce, parallel, pool, sequential } = await import(`${dist}/index.js`)

export const name = 'workflow'

/** The target for this process's CPU time per step, in µs. */
const STEP_CPU_TARGET = 150
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

/** 256 steps in flight, in one run and in 256 runs. */
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
      what: `own CPU of one no-op step, ${IN_FLIGHT} in flight ${shape} (target: at most ${STEP_CPU_TARGET} µs)`,
      value: Math.round(value),
      unit: 'µs',
      baseline: STEP_CPU_TARGET,
      ratio: round(STEP_CPU_TARGET / value, 2),
    })
  }
  return rows
}

/** The first run does not count: it compiles the code. */
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
    ['theirs', 'with its defaults, which do not wait for the disk'],
    ['synced', 'waiting for the disk as we do'],
  ].map(([which, how]) => {
    const baseline = Math.round(median(found[which]))
    const compared = `${what}, compared with LangGraph.js with SQLite, durability sync, ${how} (target: 20 times)`
    return { what: compared, value, unit: 'steps/s', baseline, ratio: round(value / baseline, 1) }
  })
}

/** Runs some tasks first, so that the code is compiled; then measures, 16 tasks at a time. */
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

/** Resuming a run of 1,000 finished steps that was stopped in the next one. */
async function resumeRow() {
  const times = { reading: [], resuming: [] }
  const pieces = Array.from({ length: FINISHED_STEPS }, (_, index) => `piece ${index}`)
  const pattern = sequential([mapReduce({ split: () => pieces, map: pool('worker', { size: 16 }) }), 'last'])
  for (let round = 0; round < RESUMES; round++) {
    const baseDir = await mkdtemp(join(tmpdir(), 'bench-resume-'))
    await leaveUnfinished(baseDir, pattern)
    const orchestrator = await Orchestrator.open({ baseDir, runner, resume: 'on-demand' })
    times.reading.push(await timed(() => readRun(orchestrator.store)))
    times.resuming.push(await timed(() => resume(orchestrator, pattern)))
    await orchestrator.close()
    await rm(baseDir, { recursive: true })
  }
  const [baseline, value] = [median(times.reading), median(times.resuming)]
  return {
    what: `resuming a run of ${FINISHED_STEPS} finished steps, compared with reading its facts (target: at most 5 times as long, and 1 s)`,
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

/** The run has resumed when the first step without an answer is asked again. */
async function resume(orchestrator, pattern) {
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

/** Answers at once and keeps no list of calls, which would dominate the measurement. */
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
