/**
 * The schedules: a prompt for an agent, or the input of a workflow, at the instants of a cron expression. They fire in a process
 * that drives them; what no process was there for is decided when the next one opens.
 */
import { setMaxListeners } from 'node:events'
import type { ActorEnvironment, EventSourcedActor } from '../actors/engine/actor.ts'
import { type Bodies, bodiesIn } from '../actors/engine/bodies.ts'
import type { EffectContext } from '../actors/engine/effects.ts'
import { failureOf } from '../actors/engine/exit.ts'
import { Life } from '../actors/engine/life.ts'
import { UnreadableStreams } from '../actors/engine/unreadable.ts'
import { untilState } from '../actors/engine/until-state.ts'
import { mayPass } from '../actors/engine/wish.ts'
import { instant } from '../clock.ts'
import { MailboxFullError } from '../events/errors/agent.ts'
import { callErrorFrom } from '../events/errors/recorded.ts'
import { ScheduleExistsError, ScheduleNotFoundError } from '../events/errors/run.ts'
import { ClosedError, InvalidIdError, InvalidInputError } from '../events/errors/usage.ts'
import type { JsonObject } from '../events/json.ts'
import { nearestName } from '../events/nearest-name.ts'
import { checkArgument, type KnownKeys, refuseUnknownKeys } from '../events/options/decoding.ts'
import { checkTaskInput } from '../events/task-input.ts'
import type { EventStore } from '../store/event-store.ts'
import { calendarOf, localTimezone } from './calendar.ts'
import { dueFacts, firingId, nextInstant } from './due.ts'
import { MISSED, type Missed, type ScheduleFact } from './facts.ts'
import {
  type Firing,
  type ScheduleContext,
  type ScheduleEffect,
  type ScheduleSnapshot,
  scheduleKind,
  type scheduleMachine,
} from './machine.ts'

/** What a schedule does, and when: one of `agent` and `workflow`. */
export interface ScheduleOptions {
  /** Five fields, as in crontab: `30 8 * * mon-fri`. Six begin with seconds, and seven end with years. Or `@daily`. */
  readonly cron: string
  /** The zone that the expression is in: `Europe/Berlin`. Default: that of this machine. */
  readonly timezone?: string
  /** The agent to ask, and what. */
  readonly agent?: string
  readonly prompt?: string
  /** The workflow to run, by its name or by a reference to it, and its input. */
  readonly workflow?: string | JsonObject
  readonly input?: string
  /**
   * What becomes of firings that no process was there for: `once` (the default) fires once for all of them, `skip` not at all,
   * and `all` for each, at most 100.
   */
  readonly missed?: Missed
}

/** A schedule in a list. */
export interface ScheduleInfo {
  readonly name: string
  readonly cron: string
  readonly timezone: string
  /** When it fires next, in UTC; null while it is paused, and when it never fires again. */
  readonly nextAt: string | null
  /** The instant of its last firing, in UTC; null if there was none. */
  readonly lastAt: string | null
  readonly paused: boolean
  /** The agent that is asked; null if a workflow is run. */
  readonly agent: string | null
  /** The name of the workflow; null if an agent is asked. */
  readonly workflow: string | null
  readonly missed: Missed
  /** Why its last firing began nothing; null if it did. */
  readonly failure: string | null
}

/** What a firing has begun: a task of an agent, or a run. */
export type FiredSchedule = { readonly name: string } & (
  | { readonly agent: string; readonly taskId: string }
  | { readonly runId: string }
)

export interface SchedulesEnvironment extends ActorEnvironment {
  /** Whether they fire by themselves. Otherwise only what is asked for by hand, or was announced before. */
  readonly drives: boolean
  /** Whether new work is accepted. */
  readonly isTaking: () => boolean
  /** Makes sure that there is such an agent. Throws AgentNotFoundError. */
  readonly checkAgent: (agent: string) => Promise<unknown>
  /** The reference to a workflow as any process finds it. Throws what building it does. */
  readonly checkWorkflow: (workflow: string | JsonObject) => Promise<JsonObject>
  /** Asks, under this id. Resolves when the task is in the log. */
  readonly ask: (agent: string, prompt: string, cause: FiringCause) => Promise<unknown>
  /** The same for a run. */
  readonly run: (workflow: JsonObject, input: string, cause: FiringCause) => Promise<unknown>
}

/** What leads to a task or a run. */
export interface FiringCause {
  readonly id: string
  /** The id of the fact. */
  readonly causationId: string
}

type ScheduleLife = Life<typeof scheduleMachine, ScheduleEffect>
type ScheduleActor = EventSourcedActor<typeof scheduleMachine, ScheduleEffect>

const STREAMS = `${scheduleKind.kind}/`

/** The clock may be set, and a machine may sleep: no wait is longer. */
const LONGEST_WAIT_MS = 60_000

/** Ids of runs follow from it, and have at most 64 characters. */
const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,46}$/
const NAME_RULE = 'a lower-case letter or digit, then at most 46 of a-z 0-9 _ -'
const LONGEST_CRON = 256

const OPTIONS_OF_SCHEDULES: KnownKeys<ScheduleOptions> = {
  ...{ cron: true, timezone: true, missed: true },
  ...{ agent: true, prompt: true, workflow: true, input: true },
}

export class Schedules {
  readonly #environment: SchedulesEnvironment
  readonly #bodies: Bodies
  readonly #lives = new Map<string, Promise<ScheduleLife>>()
  /** Those that are driven here even where others are not. */
  readonly #ours = new Set<string>()
  readonly #unreadable: UnreadableStreams
  readonly #closing = new AbortController()

  constructor(environment: SchedulesEnvironment) {
    this.#environment = environment
    this.#unreadable = new UnreadableStreams(environment.logger)
    this.#bodies = bodiesIn(environment.store)
    // Each that waits listens: Node would warn of a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  /** Throws InvalidIdError, InvalidInputError, ScheduleExistsError, AgentNotFoundError. */
  async add(name: string, options: ScheduleOptions): Promise<ScheduleInfo> {
    checkName(name)
    const { cron, timezone, missed, agent, workflow, text } = checked(options)
    const calendar = calendarOf(cron, timezone)
    const nextAt = nextInstant(calendar, this.#environment.clock.now())
    if (nextAt === null)
      throw new InvalidInputError({
        what: 'The cron expression',
        problem: `${JSON.stringify(cron)} never comes`,
        hint: 'No date from now on has its day, month and year.',
      })
    const { checkAgent, checkWorkflow } = this.#environment
    if (agent !== null) await checkAgent(agent)
    const reference = workflow === null ? null : await checkWorkflow(workflow)
    const body = await this.#bodies.write(text)
    const data = { cron, timezone, missed, agent, workflow: reference, text: body, nextAt }
    const life = await this.#life(name)
    await life.decide(({ value }) => {
      if (value !== 'absent') throw new ScheduleExistsError({ schedule: name })
      return [{ type: 'ScheduleAdded', data }]
    })
    return this.#info(name)
  }

  /** By name. */
  async list(): Promise<readonly ScheduleInfo[]> {
    const listed: ScheduleInfo[] = []
    for await (const one of schedulesOf(this.#environment.store, '')) listed.push(one)
    return listed.sort((one, another) => (one.name < another.name ? -1 : 1))
  }

  /** It fires no more until it is resumed. Throws ScheduleNotFoundError. */
  async pause(name: string): Promise<ScheduleInfo> {
    const life = await this.#known(name)
    await life.decide(({ value }) => (value === 'active' ? [{ type: 'SchedulePaused', data: {} }] : []))
    return this.#info(name)
  }

  /** It fires again from now on: what came while it was paused is not made up for. Throws ScheduleNotFoundError. */
  async resume(name: string): Promise<ScheduleInfo> {
    const life = await this.#known(name)
    await life.decide(({ value, context: { cron, timezone } }) => {
      if (value !== 'paused') return []
      const nextAt = nextInstant(calendarOf(cron, timezone), this.#environment.clock.now())
      return [{ type: 'ScheduleResumed', data: { nextAt } }]
    })
    return this.#info(name)
  }

  /** What it has begun continues. Throws ScheduleNotFoundError. */
  async remove(name: string): Promise<ScheduleInfo> {
    const life = await this.#known(name)
    const info = await this.#info(name)
    await life.decide(({ value }) => (value === 'absent' ? [] : [{ type: 'ScheduleRemoved', data: {} }]))
    return info
  }

  /**
   * Fires now, also if it is paused; its next instant stays. Resolves when the task or the run is in the log. Throws
   * ScheduleNotFoundError, and what asking or starting it does.
   */
  async run(name: string): Promise<FiredSchedule> {
    const { isTaking, clock } = this.#environment
    const life = await this.#known(name)
    if (!isTaking()) throw new ClosedError({ what: 'orchestrator' })
    const at = instant(clock.now())
    const [announced] = await life.decide(({ value, context }) => {
      if (value === 'absent') throw new ScheduleNotFoundError({ schedule: name, nearest: null })
      return [{ type: 'FiringAnnounced', data: { id: `${name}-run-${context.byHand + 1}`, at } }]
    })
    const id = String(announced?.data.id)
    const { agent } = life.snapshot.context
    await untilState(life, this.#closing.signal, (context) => !isPending(context, id))
    const { failure } = life.snapshot.context
    if (failure?.id === id) throw callErrorFrom(failure)
    return agent === null ? { name, runId: id } : { name, agent, taskId: id }
  }

  /** Drives those that have something to do. */
  async start(): Promise<void> {
    for await (const { stream } of this.#environment.store.streams({ prefix: STREAMS, open: true }))
      await this.#life(stream.slice(STREAMS.length))
  }

  /**
   * Drives those that are ours among the schedules that have something to do, with what other processes have written to them
   * since; and lets go of the others. Two processes may take one for theirs: an instant is decided once all the same.
   */
  async tend(isOurs: (name: string) => boolean): Promise<void> {
    const leaving = [...this.#ours].filter((name) => !isOurs(name))
    for (const name of leaving) {
      this.#ours.delete(name)
      const life = this.#lives.get(name)
      this.#lives.delete(name)
      await (await life)?.close()
    }
    for await (const { stream, version } of this.#environment.store.streams({
      prefix: STREAMS,
      open: true,
    })) {
      const name = stream.slice(STREAMS.length)
      if (!isOurs(name)) continue
      this.#ours.add(name)
      await this.#unreadable.unless({ stream, version }, async () => {
        const life = await this.#life(name)
        if (life.version < version) await life.refresh()
      })
    }
  }

  /** Resolves when what was announced has begun, or has failed to. */
  async settled(): Promise<void> {
    for await (const { stream, summary } of this.#environment.store.streams({ prefix: STREAMS, open: true }))
      if (summary?.info?.pending !== 0)
        await untilState(
          await this.#life(stream.slice(STREAMS.length)),
          this.#closing.signal,
          ({ pending }) => pending.length === 0,
        )
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const life of await Promise.allSettled(this.#lives.values()))
      if (life.status === 'fulfilled') await life.value.close()
  }

  async #life(name: string): Promise<ScheduleLife> {
    if (this.#closing.signal.aborted) throw new ClosedError({ what: 'orchestrator' })
    const known = this.#lives.get(name)
    if (known) return known
    const loading = Life.load(scheduleKind, name, this.#environment).then((life) => {
      life.start((actor) => (effect, running) => this.#perform(name, actor, effect, running))
      return life
    })
    this.#lives.set(name, loading)
    loading.catch(() => this.#lives.delete(name))
    return loading
  }

  /** Throws ScheduleNotFoundError. */
  async #known(name: string): Promise<ScheduleLife> {
    await this.#info(checkName(name))
    return this.#life(name)
  }

  async #info(name: string): Promise<ScheduleInfo> {
    for await (const one of schedulesOf(this.#environment.store, name)) if (one.name === name) return one
    const all = await this.list()
    const nearest = nearestName(
      name,
      all.map((one) => one.name),
    )
    throw new ScheduleNotFoundError({ schedule: name, nearest })
  }

  #perform(
    name: string,
    actor: ScheduleActor,
    effect: ScheduleEffect,
    running: EffectContext,
  ): Promise<void> {
    return effect.does === 'wait'
      ? this.#wait(name, effect.nextAt, actor, running)
      : this.#begin(effect.firing, actor, running)
  }

  /** Waits for the next instant, and decides what it leads to. */
  async #wait(name: string, nextAt: string, actor: ScheduleActor, running: EffectContext): Promise<void> {
    const { clock, drives, isTaking } = this.#environment
    const due = Date.parse(nextAt)
    let last = Number.POSITIVE_INFINITY
    while ((drives || this.#ours.has(name)) && isTaking() && running.isWanted) {
      const now = clock.now()
      // Before its time there is something to decide only at first, and once the clock was set back.
      const facts = now >= due || now < last ? dueFrom(name, nextAt, actor.snapshot.context, now) : []
      last = now
      if (facts.length > 0) {
        const isSame = ({ value, context: { nextAt: next, pending } }: ScheduleSnapshot) =>
          value === 'active' && next === nextAt && pending.length === 0
        await actor.decide((state) => (isSame(state) ? facts : []))
        this.#tellMissed(name, facts)
        return
      }
      await running.pause(Math.min(Math.max(due - now, 1), LONGEST_WAIT_MS))
    }
  }

  #tellMissed(schedule: string, facts: readonly ScheduleFact[]): void {
    for (const { type, data } of facts)
      if (type === 'FiringsMissed')
        this.#environment.logger.warn({ schedule, ...data }, 'firings were missed')
  }

  /** Begins what is announced, under its id, and records what came of it. */
  async #begin(firing: Firing, actor: ScheduleActor, running: EffectContext): Promise<void> {
    const { id, announced: causationId } = firing
    const { agent, workflow, text } = actor.snapshot.context
    const { ask, run, isTaking } = this.#environment
    // The next owner begins it.
    if (!isTaking()) return
    let fact: ScheduleFact = { type: 'FiringAccepted', data: { id } }
    try {
      const said = await this.#bodies.read(text)
      if (agent !== null) await ask(agent, said, { id, causationId })
      else await run(workflow ?? {}, said, { id, causationId })
    } catch (error) {
      if (!running.isWanted || error instanceof ClosedError) return
      if (mayPass(error) && !(error instanceof MailboxFullError)) throw error
      fact = { type: 'FiringFailed', data: { id, error: failureOf(error) } }
    }
    await actor.decide(({ context }) => (isPending(context, id) ? [fact] : []), { correlationId: id })
  }
}

const isPending = ({ pending }: ScheduleContext, id: string) => pending.some((firing) => firing.id === id)

/** Decided with the rules of its time zone, which may be gone. */
function dueFrom(
  name: string,
  nextAt: string,
  context: ScheduleContext,
  now: number,
): readonly ScheduleFact[] {
  try {
    return dueFacts(name, context, now)
  } catch (error) {
    return broken(name, nextAt, error)
  }
}

/** It fires no more. */
function broken(name: string, at: string, error: unknown): readonly ScheduleFact[] {
  const id = firingId(name, Date.parse(at))
  return [
    { type: 'FiringAnnounced', data: { id, at, nextAt: null } },
    { type: 'FiringFailed', data: { id, error: failureOf(error) } },
  ]
}

/** Throws InvalidIdError. */
function checkName(name: string): string {
  if (typeof name === 'string' && NAME_PATTERN.test(name)) return name
  throw new InvalidIdError({ what: 'schedule', id: String(name), rule: NAME_RULE })
}

/** Throws InvalidInputError. */
function checked(options: ScheduleOptions) {
  const refuse = (what: string, problem: string) => {
    throw new InvalidInputError({ what, problem })
  }
  checkArgument('The options of a schedule', options, 'an object')
  refuseUnknownKeys(options, OPTIONS_OF_SCHEDULES, { what: 'The options of a schedule', noun: 'option' })
  const { cron, timezone = localTimezone(), missed = 'once', agent, prompt, workflow, input } = options
  checkArgument('The cron expression', cron, 'a text')
  if (cron.length > LONGEST_CRON)
    refuse('The cron expression', `it is longer than ${LONGEST_CRON} characters`)
  checkArgument('The time zone', timezone, 'a text')
  if (!MISSED.includes(missed)) refuse('missed', `${JSON.stringify(missed)} is none of ${MISSED.join(', ')}`)
  if (workflow === null) refuse('The workflow', 'it is null')
  if ((agent === undefined) === (workflow === undefined))
    refuse('The schedule', 'it needs either an agent or a workflow')
  if (agent !== undefined) checkArgument('The agent', agent, 'a text')
  const [said, what, other, unfit] =
    agent === undefined ? [input, 'input', prompt, 'prompt'] : [prompt, 'prompt', input, 'input']
  if (other !== undefined)
    refuse(unfit, `it has no place beside ${agent === undefined ? 'a workflow' : 'an agent'}`)
  checkArgument(what, said, 'a text')
  const { prompt: text } = checkTaskInput(String(said))
  return { cron, timezone, missed, agent: agent ?? null, workflow: workflow ?? null, text }
}

/** The schedules of a log whose names begin so, from their summaries: the cost does not depend on how often they have fired. */
async function* schedulesOf(store: EventStore, begin: string): AsyncGenerator<ScheduleInfo> {
  for await (const { stream, summary } of store.streams({ prefix: `${STREAMS}${begin}` })) {
    if (!summary || summary.status === 'absent') continue
    const { pending: _, ...info } = summary.info as unknown as SummarizedSchedule
    const { cron, timezone, nextAt, lastAt, ...rest } = info
    const paused = summary.status === 'paused'
    yield { name: stream.slice(STREAMS.length), cron, timezone, nextAt, lastAt, paused, ...rest }
  }
}

type SummarizedSchedule = Omit<ScheduleInfo, 'name' | 'paused'> & { readonly pending: number }
