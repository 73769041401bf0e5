// The CPU cost of a durable step, with a runner that answers at once, also in a long run; and the cost of resuming a run,
// compared with reading its facts.
import { answering, textOf } from './kit/answers.mjs'
import { cpuOf, dist, least, median, row, sized, timed, withDirectory } from './kit/measuring.mjs'
import { withTeam } from './kit/team.mjs'

const { Orchestrator, mapReduce, parallel, pool, sequential } = await import(`${dist}/index.js`)

export const name = 'workflow'

/** What this process should spend at most on a step, in µs. */
const STEP_CPU_GOAL = 100
const IN_FLIGHT = sized(256, 32)
const STEPS = 10
const CPU_ROUNDS = sized(5, 1)
const RUNS = sized({ short: 1000, long: 20_000 }, { short: 100, long: 1000 })
const RUN_ROUNDS = sized(3, 1)
const FINISHED_STEPS = sized(1000, 100)
const RESUMES = sized(9, 2)

export const run = async () => [...(await cpuRows()), await longRunRow(), await resumeRow()]

/** The same steps in one run, and in as many runs as are in flight. */
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
    for (let round = 0; round < CPU_ROUNDS; round++)
      cpu.push(
        await withTeam(IN_FLIGHT, async (orchestrator, agents) => {
          // The first run compiles the code.
          await work(orchestrator, agents)
          return await cpuOf(() => work(orchestrator, agents))
        }),
      )
    rows.push(
      row({
        what: `own CPU of a step, ${IN_FLIGHT} in flight ${shape}, compared with the goal`,
        value: (median(cpu) * 1000) / (IN_FLIGHT * STEPS),
        unit: 'µs',
        baseline: STEP_CPU_GOAL,
        goal: 1,
      }),
    )
  }
  return rows
}

/** A step must not cost more because its run has many answers. */
async function longRunRow() {
  // All of them together are the result of the run.
  const runner = answering({ text: (number) => textOf(number, 200) })
  const cpuOfRun = (steps) => {
    const work = async (orchestrator, [agent]) => {
      const split = ({ prompt }) => Array.from({ length: Number(prompt) }, (_, index) => `piece ${index}`)
      const pattern = mapReduce({ split, map: pool(agent, { size: 16 }) })
      await orchestrator.run(pattern, String(RUNS.short))
      let done = 0
      const cpu = await cpuOf(async () => {
        done = (await orchestrator.run(pattern, String(steps))).metadata.steps
      })
      if (done !== steps) throw new Error(`${done} of ${steps} steps were done`)
      return cpu / steps
    }
    return withTeam(1, work, runner)
  }
  const cpu = { short: [], long: [] }
  for (let round = 0; round < RUN_ROUNDS; round++)
    for (const length of ['short', 'long']) cpu[length].push(await cpuOfRun(RUNS[length]))
  return row({
    what: `own CPU of a step in a run of ${RUNS.long} distinct answers, compared with one of ${RUNS.short} (at most 1.2 times as much)`,
    value: least(cpu.long) * 1000,
    unit: 'µs',
    baseline: least(cpu.short) * 1000,
    goal: 0.83,
  })
}

/** Resuming a run that was stopped in the step after its finished ones. */
async function resumeRow() {
  const times = { reading: [], resuming: [] }
  const pieces = Array.from({ length: FINISHED_STEPS }, (_, index) => `piece ${index}`)
  const pattern = sequential([mapReduce({ split: () => pieces, map: pool('worker', { size: 16 }) }), 'last'])
  for (let round = 0; round < RESUMES; round++) {
    await withDirectory(async (baseDir) => {
      await leaveUnfinished(baseDir, pattern)
      const orchestrator = await Orchestrator.open({ baseDir, runner: answering(), resume: 'on-demand' })
      times.reading.push(await timed(() => readRun(orchestrator.store)))
      times.resuming.push(await timed(() => resume(orchestrator, pattern)))
      await orchestrator.close()
    })
  }
  return row({
    what: `resuming a run of ${FINISHED_STEPS} finished steps, compared with reading its facts and answers (at most 3 times as long)`,
    value: median(times.resuming),
    unit: 'ms',
    baseline: median(times.reading),
    digits: 1,
    goal: 0.33,
    floor: 0.2,
  })
}

async function leaveUnfinished(baseDir, pattern) {
  const orchestrator = await Orchestrator.open({ baseDir, runner: answering({ stuckAt: 'last' }) })
  for (const id of ['worker', 'last']) await orchestrator.createAgent({ id, systemPrompt: 'You work.' })
  const run = orchestrator.run(pattern, 'go', { id: 'r1' })
  run.then(undefined, () => {})
  for await (const { agent } of run) if (agent === 'last') break
  await orchestrator.close()
}

async function readRun(store) {
  let facts = 0
  for await (const _ of store.read('run/r1')) facts++
  // The answers are in the streams of the agents.
  for await (const { stream } of store.streams({ prefix: 'agent/' }))
    for await (const _ of store.read(stream)) facts++
  if (facts < 4 * FINISHED_STEPS) throw new Error(`the run has only ${facts} facts`)
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
