/** A simulated world: one log, the calls that outlive their owners, and the lives of the process one after the other. */
import type { OwnKind } from '../../actors/own/definition.ts'
import type { Clock } from '../../clock.ts'
import { StoreReadOnly } from '../../events/errors/store.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { Pattern } from '../../patterns/pattern.ts'
import type { EventStore } from '../../store/event-store.ts'
import { memoryStore } from '../../store/memory-store.ts'
import { MortalStore } from '../mortal-store.ts'
import { behaviourOf } from './behaviour.ts'
import { LastingCalls } from './calls.ts'
import { FactLaws } from './fact-laws.ts'
import { SimulatedLife } from './life.ts'
import { Members } from './members.ts'
import { randomOf } from './random.ts'
import { Schedule } from './schedule.ts'
import type { Nesting, Script } from './script.ts'
import { Violation } from './violation.ts'

/** An actor of your own in a simulation: its kind, and a command made from a random number. */
export interface SimulatedActor {
  // biome-ignore lint/suspicious/noExplicitAny: kinds of any commands stand side by side
  readonly kind: OwnKind<any, any, any>
  readonly command: (random: number) => unknown
}

/** What a world is made of besides its script. */
export interface Subject {
  readonly workflows: Readonly<Record<string, Pattern>>
  readonly actors: Readonly<Record<string, SimulatedActor>>
  readonly answer: (agent: string, prompt: string) => string
  readonly check?: (orchestrator: Orchestrator) => Promise<void> | void
}

/** A reply that somebody got, or the tag of the error that came instead. */
export interface Received {
  readonly agent: string
  readonly task: string
  readonly text: string | null
  readonly tag: string | null
}

/** After so many steps without an end, something goes round in circles. */
const MOST_STEPS = 200_000
const START = Date.UTC(2026, 0, 1)

export class World {
  readonly script: Script
  readonly subject: Subject
  readonly store: EventStore
  readonly laws: FactLaws
  readonly calls: LastingCalls
  /** Everything that callers received, in order. */
  readonly received: Received[] = []
  /** The runs that were started, with their last pattern. */
  readonly runs = new Map<string, { readonly pattern: Nesting; readonly input: string }>()
  /** Commands to actors by number: whether they were acknowledged. */
  readonly told = new Map<number, { readonly actor: string; isAcknowledged: boolean | null }>()
  /** Messages by id: where they go, and whether that was acknowledged. */
  readonly sent = new Map<string, { readonly to: string; isAcknowledged: boolean }>()
  /** Writes of notes that were acknowledged. */
  readonly written: { readonly note: string; readonly write: number; readonly version: number }[] = []
  lives = 0
  life: SimulatedLife
  #broken: Violation | undefined
  #steps = 0
  #elapsed = 0
  #wall = START
  #fullUntil = 0

  constructor(script: Script, subject: Subject) {
    this.script = script
    this.subject = subject
    const clock: Clock = { now: () => this.#now(), after: () => () => {} }
    this.store = memoryStore({ storeId: 'simulated', clock })
    this.calls = new LastingCalls(
      (violation) => this.fail(violation),
      (call) => behaviourOf(call, subject.answer),
    )
    this.laws = new FactLaws((callId) => this.calls.all.get(callId)?.toldUsd ?? null)
    this.life = this.#begin()
  }

  /** How many times something went on, in all lives. */
  get steps(): number {
    return this.#steps
  }

  /** The first violation counts. It is thrown at the next step. */
  fail(violation: Violation): void {
    this.#broken ??= violation
  }

  /** Fails every append for a while. */
  fillDisk(ms: number): void {
    this.#fullUntil = this.elapsed + ms
  }

  /** No more faults. */
  calm(): void {
    this.#fullUntil = 0
    this.life.store.disarm()
  }

  get elapsed(): number {
    return this.#elapsed + (this.life?.schedule.time.monotonic() ?? 0)
  }

  /** Lets something go on. Returns false if nothing waits. */
  async step(): Promise<boolean> {
    const goesOn = await this.life.schedule.step()
    this.#steps += 1
    if (this.#broken) throw this.#broken
    if (this.#steps > MOST_STEPS) throw new Violation('nothing goes on for ever', `after ${MOST_STEPS} steps`)
    if (this.life.store.dead) await this.reopen()
    return goesOn
  }

  async pass(count: number): Promise<void> {
    for (let step = 0; step < count; step++) if (!(await this.step())) return
  }

  /** Lets everything go on until nothing waits any more. */
  async rest(): Promise<void> {
    while (await this.step());
  }

  /** Lets time pass, and what is due in it happen. */
  async wait(ms: number): Promise<void> {
    const { time } = this.life.schedule
    const until = time.monotonic() + ms
    const { life } = this
    while (life === this.life && time.monotonic() < until && (await this.step()));
    if (life === this.life && time.monotonic() < until) await time.advance(until - time.monotonic())
  }

  /** Resolves when the promise has settled, or the process has died. A promise that waits for nothing is a violation. */
  async drive(what: string, promise: Promise<unknown>): Promise<void> {
    let isSettled = false
    const settle = () => {
      isSettled = true
    }
    const { life } = this
    promise.then(settle, settle)
    while (!isSettled && life === this.life)
      if (!(await this.step()) && !isSettled && life === this.life)
        throw new Violation('nothing hangs', `${what} never ends`)
    if (life === this.life) await promise.catch(() => {})
  }

  /** Waits until the closing of the process has ended, if it was closed, and opens another one. */
  async reopenIfClosed(): Promise<void> {
    const { life } = this
    if (!life.isClosed) return
    await this.rest()
    if (life !== this.life) return
    life.checkAtRest('after closing')
    const { pending } = life.schedule
    if (pending > 0) throw new Violation('nothing is left after closing', `${pending} timers or calls`)
    await this.reopen()
  }

  /** The process dies, and another one opens the log. */
  async reopen(): Promise<void> {
    this.#end()
    await this.#leaveSnapshots()
    this.life = this.#begin()
  }

  #now(): number {
    return this.life ? this.life.schedule.time.now() : this.#wall
  }

  #end(): void {
    const { schedule, store } = this.life
    store.die()
    this.#elapsed += schedule.time.monotonic()
    this.#wall = schedule.time.now()
  }

  /** Now and then the next process is another version of the program, and finds snapshots of machines that it has not. */
  async #leaveSnapshots(): Promise<void> {
    const random = randomOf(this.script.seed, `snapshots ${this.lives}`)
    const state = { value: 'stopped', context: {} }
    for (const { stream, version, id: factId } of this.laws.last.values())
      if (random.chance(0.1))
        await this.store.snapshots.save(stream, { version, factId, fingerprint: 'of another machine', state })
  }

  #begin(): SimulatedLife {
    const { script } = this
    const number = ++this.lives
    const schedule = new Schedule(randomOf(script.seed, `schedule ${number}`), script.order, this.#wall)
    const store = new MortalStore(this.store, {
      turn: schedule.turn,
      refusal: () =>
        this.elapsed < this.#fullUntil
          ? new StoreReadOnly({ path: 'simulated', problem: 'no space left on device' })
          : undefined,
      written: (facts) => {
        try {
          this.laws.check(facts)
        } catch (error) {
          this.fail(error as Violation)
        }
      },
    })
    const runner = this.calls.runner({
      clock: schedule.clock,
      turn: schedule.turn,
      elapsed: () => this.elapsed,
    })
    const random = randomOf(script.seed, `chance ${number}`)
    let ids = 0
    const { agents, limits, sessionPersistence, budget } = script
    return new SimulatedLife({
      number,
      schedule,
      store,
      members: new Members(schedule.clock),
      broken: (violation) => this.fail(violation),
      options: {
        runner,
        clock: schedule.clock,
        random: random.next,
        newId: () => `${number}-${++ids}`,
        limits,
        sessionPersistence,
        agents,
        ...(budget ? { budget } : {}),
        actors: Object.values(this.subject.actors).map(({ kind }) => kind),
      },
    })
  }
}
