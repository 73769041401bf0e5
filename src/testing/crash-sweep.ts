/**
 * Crashes a scenario at every append, and checks that it then finishes with the same result.
 *
 * A scenario runs in incarnations: each one opens the store, and ends with the scenario or with the simulated crash.
 */
import assert from 'node:assert/strict'
import type { Recovered } from '../claude/runner.ts'
import type { AgentOptions } from '../events/options/agent.ts'
import type { TaskInput } from '../events/task-input.ts'
import { Orchestrator } from '../orchestrator.ts'
import type { OrchestratorOptions } from '../orchestrator-options.ts'
import type { Pattern } from '../patterns/pattern.ts'
import type { EventStore } from '../store/event-store.ts'
import { memoryStore } from '../store/memory-store.ts'
import { checkAnsweredOnce, checkLog, checkReplay } from './crash-checks.ts'
import { type CrashPoint, MortalStore } from './mortal-store.ts'
import { CallMemory, rememberingRunner } from './remembering-runner.ts'
import type { ScriptedRunnerOptions } from './scripted-runner.ts'
import { virtualClock } from './virtual-clock.ts'

/** Options of every sweep. */
export interface SweepOptions {
  /** What the agents answer. It must depend only on the call's agent and prompt, or on its task. Default: the prompt. */
  readonly reply?: ScriptedRunnerOptions['reply']
  /** Creates a new, empty store for each crash. Default: one in memory. */
  readonly store?: () => EventStore | Promise<EventStore>
  /** See {@link OrchestratorOptions}. */
  readonly resume?: OrchestratorOptions['resume']
  /** The kinds of actors of your own. */
  readonly actors?: NonNullable<OrchestratorOptions['actors']>
}

/** A workflow to run, and to run again under the same id after each crash. */
export interface PatternSweep extends SweepOptions {
  readonly agents: readonly (string | AgentOptions)[]
  readonly pattern: Pattern
  readonly input: string | TaskInput
}

/**
 * Any other scenario. It runs again from the beginning after each crash, so it must choose the ids of its tasks and runs
 * itself, and create only agents that do not exist. What it returns is compared.
 */
export interface ScenarioSweep extends SweepOptions {
  readonly scenario: (orchestrator: Orchestrator) => Promise<unknown>
}

/** What a sweep has tried, and the result. */
export interface SweepReport {
  /** The number of appends of the scenario. There were twice as many crashes. */
  readonly appends: number
  /** The number of calls that were in flight during a crash, by the outcome that recovery found. */
  readonly recovered: Readonly<Record<Recovered['outcome'], number>>
  /** The result of the scenario, which is the same with every crash and without. */
  readonly result: unknown
}

export interface Incarnation {
  readonly scenario: ScenarioSweep['scenario']
  readonly store: EventStore
  readonly memory: CallMemory
  readonly options: SweepOptions
  /** The time at its start, in ms since the epoch. */
  readonly startAt: number
  readonly crash?: CrashPoint
}

export interface IncarnationOutcome {
  readonly crashed: boolean
  /** The scenario's result, if it did not crash. */
  readonly result?: unknown
  readonly appends: readonly string[]
  readonly endedAt: number
}

const START = Date.UTC(2026, 0, 1)
const RUN_ID = 'swept'
/** Idle turns of the event loop after which a scenario counts as stuck: some seconds, for a busy machine that loads a module. */
const MOST_IDLE_TURNS = 3_000_000

/**
 * Runs a scenario twice for every append that it makes: once with a crash right before the append, once right after it.
 * After the crash the same store is opened again and the scenario finishes without another one. Throws unless the result
 * is the same as without a crash, no step or task was answered twice, each task has exactly one outcome, the log has no
 * gap, and each state equals the fold of its facts.
 *
 * Time is virtual. The runner remembers across the crash what became of its calls: see `recover` in `AgentRunner`.
 *
 * @example
 * await crashSweep({ agents: ['a', 'b'], pattern: sequential(['a', 'b']), input: 'go' })
 */
export async function crashSweep(options: PatternSweep | ScenarioSweep): Promise<SweepReport> {
  const scenario = 'scenario' in options ? options.scenario : scenarioOf(options)
  const recovered = { answered: 0, deferred: 0, failed: 0, unanswered: 0, unsent: 0 }
  const untouched = await sweepOnce(scenario, options)
  for (let append = 1; append <= untouched.appends.length; append++) {
    for (const when of ['before', 'after'] as const) {
      try {
        const { result, memory } = await sweepOnce(scenario, options, { append, when })
        assert.deepEqual(result, untouched.result, 'the result differs')
        for (const outcome of Object.keys(recovered) as Recovered['outcome'][])
          recovered[outcome] += memory.recalled[outcome]
      } catch (cause) {
        const where = `right ${when} append ${append}, ${untouched.appends[append - 1]}`
        throw new Error(`After a crash ${where}: ${(cause as Error).message}`, { cause })
      }
    }
  }
  return { appends: untouched.appends.length, recovered, result: untouched.result }
}

/** Runs a scenario to its end: in one incarnation or, with a crash, in two. */
async function sweepOnce(
  scenario: ScenarioSweep['scenario'],
  options: SweepOptions,
  crash?: CrashPoint,
): Promise<IncarnationOutcome & { readonly memory: CallMemory }> {
  const store = await (options.store?.() ?? memoryStore())
  try {
    const memory = new CallMemory()
    const incarnation = { scenario, store, memory, options }
    const first = await runIncarnation({ ...incarnation, startAt: START, ...(crash && { crash }) })
    const last = first.crashed ? await runIncarnation({ ...incarnation, startAt: first.endedAt }) : first
    await checkLog(store)
    await checkAnsweredOnce(store, memory.answered)
    return { ...last, memory }
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

/** Runs one incarnation: time advances to the next timer whenever nothing else can happen. */
export async function runIncarnation({
  scenario,
  store,
  memory,
  options,
  startAt,
  crash,
}: Incarnation): Promise<IncarnationOutcome> {
  const mortal = new MortalStore(store, crash ? { crash } : {})
  const clock = virtualClock(startAt)
  const { reply = ({ prompt }) => prompt, resume = 'at-once', actors = [] } = options
  const run = async () => {
    const runner = rememberingRunner(memory, mortal, clock, reply)
    const orchestrator = await Orchestrator.open({
      store: mortal.store,
      runner,
      clock,
      resume,
      actors,
      random: () => 1,
    })
    const result = await scenario(orchestrator)
    await orchestrator.recover()
    await checkReplay(orchestrator)
    await orchestrator.close()
    return { crashed: false, result }
  }
  const crashed = mortal.died.then(() => ({ crashed: true }))
  let ended = false
  const end = Promise.race([run(), crashed]).finally(() => {
    ended = true
  })
  end.catch(() => {})
  for (let idle = 0; !ended; idle++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (ended || mortal.busy) idle = 0
    else if (clock.nextAt !== null) await clock.advance(clock.nextAt - clock.now())
    else if (idle > MOST_IDLE_TURNS) throw new Error('the scenario is stuck: nothing is left to wait for')
  }
  const outcome = await end
  await mortal.settled()
  return { ...outcome, appends: mortal.appends, endedAt: clock.now() }
}

/** Creates the missing agents and runs the workflow. Queued tasks and open steps are part of the compared result. */
function scenarioOf({ agents, pattern, input }: PatternSweep): ScenarioSweep['scenario'] {
  return async (orchestrator) => {
    const known = new Set((await orchestrator.agents()).map(({ id }) => id))
    for (const agent of agents) {
      const options = typeof agent === 'string' ? { id: agent, systemPrompt: `You are ${agent}.` } : agent
      if (!known.has(options.id)) await orchestrator.createAgent(options)
    }
    const { success, results, errors, metadata } = await orchestrator.run(pattern, input, { id: RUN_ID })
    const left = (await orchestrator.agents()).map(({ id, queue }) => ({ id, queue }))
    const open = (await orchestrator.runs.show(RUN_ID)).taken.filter(({ state }) => state === 'scheduled')
    return { success, finalOutput: metadata.finalOutput, results, errors, left, open }
  }
}
