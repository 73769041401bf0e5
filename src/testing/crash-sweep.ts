/** Stops the world at every append of a scenario, and checks that the next world comes to the same end. */
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

/** What every sweep can be told. */
export interface SweepOptions {
  /** What the agents answer. It must depend on the call's prompt and agent alone, or on its task. Default: the prompt. */
  readonly reply?: ScriptedRunnerOptions['reply']
  /** Makes a new store for each crash. Default: one in memory. */
  readonly store?: () => EventStore | Promise<EventStore>
  /** See {@link OrchestratorOptions}. */
  readonly resume?: OrchestratorOptions['resume']
}

/** A workflow that is run, and run again under the same id after the crash. */
export interface PatternSweep extends SweepOptions {
  readonly agents: readonly (string | AgentOptions)[]
  readonly pattern: Pattern
  readonly input: string | TaskInput
}

/** Anything else. It is run once more from its beginning after the crash, so it must use ids of its own for its tasks and
 * runs, and make only those agents that are not there. What it returns is compared. */
export interface ScenarioSweep extends SweepOptions {
  readonly scenario: (orchestrator: Orchestrator) => Promise<unknown>
}

/** What a sweep tried, and what came of it. */
export interface SweepReport {
  /** How many appends the scenario makes. There were twice as many crashes. */
  readonly appends: number
  /** How many calls were in flight in a crash, by what the next world was told of them. */
  readonly recovered: Readonly<Record<Recovered['outcome'], number>>
  /** What came of it, with each crash and without. */
  readonly result: unknown
}

/** One world from its beginning to its crash or its end. */
export interface Life {
  readonly scenario: ScenarioSweep['scenario']
  readonly store: EventStore
  readonly memory: CallMemory
  readonly options: SweepOptions
  /** When it begins, in ms since the epoch. */
  readonly startAt: number
  readonly crash?: CrashPoint
}

export interface Lived {
  readonly crashed: boolean
  /** Of a world that did not crash. */
  readonly result?: unknown
  readonly appends: readonly string[]
  readonly endedAt: number
}

const BEGINNING = Date.UTC(2026, 0, 1)
const RUN = 'swept'
/** So often the event loop goes round with nothing to do before a scenario counts as stuck. */
const MOST_IDLE_TURNS = 100_000

/**
 * For every append of a scenario: stops the world right before it, and right after it; then opens the same store in a new
 * world, which goes on without a crash. Throws unless the result is the same as without any crash, no step and no task was
 * answered twice, each task ended in exactly one way, the log has no gap, and each state is what its facts fold to.
 *
 * Time is virtual. What the runner had finished when the world was stopped, it knows: see `recover` in `AgentRunner`.
 *
 * @example
 * await crashSweep({ agents: ['a', 'b'], pattern: sequential(['a', 'b']), input: 'go' })
 */
export async function crashSweep(options: PatternSweep | ScenarioSweep): Promise<SweepReport> {
  const scenario = 'scenario' in options ? options.scenario : scenarioOf(options)
  const recovered = { answered: 0, failed: 0, unanswered: 0, unsent: 0 }
  const untouched = await sweepOnce(scenario, options)
  for (let append = 1; append <= untouched.appends.length; append++) {
    for (const when of ['before', 'after'] as const) {
      try {
        const { result, memory } = await sweepOnce(scenario, options, { append, when })
        assert.deepEqual(result, untouched.result, 'the result is another one')
        for (const outcome of Object.keys(recovered) as Recovered['outcome'][])
          recovered[outcome] += memory.told[outcome]
      } catch (cause) {
        const where = `right ${when} append ${append}, ${untouched.appends[append - 1]}`
        throw new Error(`After a crash ${where}: ${(cause as Error).message}`, { cause })
      }
    }
  }
  return { appends: untouched.appends.length, recovered, result: untouched.result }
}

/** With a crash, in one world and the next; without, in one. */
async function sweepOnce(
  scenario: ScenarioSweep['scenario'],
  options: SweepOptions,
  crash?: CrashPoint,
): Promise<Lived & { readonly memory: CallMemory }> {
  const store = await (options.store?.() ?? memoryStore())
  try {
    const memory = new CallMemory()
    const life = { scenario, store, memory, options }
    const first = await live({ ...life, startAt: BEGINNING, ...(crash && { crash }) })
    const last = first.crashed ? await live({ ...life, startAt: first.endedAt }) : first
    await checkLog(store)
    await checkAnsweredOnce(store, memory.answered)
    return { ...last, memory }
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

/** Lives one life: the scenario runs, and time passes whenever nothing else happens. */
export async function live({ scenario, store, memory, options, startAt, crash }: Life): Promise<Lived> {
  const world = new MortalStore(store, crash)
  const clock = virtualClock(startAt)
  const { reply = ({ prompt }) => prompt, resume = 'at-once' } = options
  const life = async () => {
    const runner = rememberingRunner(memory, world, clock, reply)
    const orchestrator = await Orchestrator.open({
      store: world.store,
      runner,
      clock,
      resume,
      random: () => 1,
    })
    const result = await scenario(orchestrator)
    await orchestrator.recover()
    await checkReplay(orchestrator)
    await orchestrator.close()
    return { crashed: false, result }
  }
  const over = world.crashed.then(() => ({ crashed: true }))
  let ended = false
  const end = Promise.race([life(), over]).finally(() => {
    ended = true
  })
  end.catch(() => {})
  for (let idle = 0; !ended; idle++) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (ended || world.busy) idle = 0
    else if (clock.nextAt !== null) await clock.advance(clock.nextAt - clock.now())
    else if (idle > MOST_IDLE_TURNS) throw new Error('the scenario waits for something that does not happen')
  }
  const outcome = await end
  await world.settled()
  return { ...outcome, appends: world.appends, endedAt: clock.now() }
}

/** Makes the agents that are missing, and runs the workflow. Nothing of it may be left behind. */
function scenarioOf({ agents, pattern, input }: PatternSweep): ScenarioSweep['scenario'] {
  return async (orchestrator) => {
    const known = new Set((await orchestrator.agents()).map(({ id }) => id))
    for (const agent of agents) {
      const options = typeof agent === 'string' ? { id: agent, systemPrompt: `You are ${agent}.` } : agent
      if (!known.has(options.id)) await orchestrator.createAgent(options)
    }
    const { success, results, errors, metadata } = await orchestrator.run(pattern, input, { id: RUN })
    const left = (await orchestrator.agents()).map(({ id, queue }) => ({ id, queue }))
    const open = (await orchestrator.runs.show(RUN)).taken.filter(({ state }) => state === 'scheduled')
    return { success, finalOutput: metadata.finalOutput, results, errors, left, open }
  }
}
