/**
 * That a worker lives, for itself and for the others: once a second it says so, hears what of its own something else has
 * claimed, and sees who of the others does the same. What it lost, or may have, it ends at once.
 */
import { type Clock, pause, steadyTime } from '../../clock.ts'
import type { Logger } from '../../logger.ts'
import type { WorkerTable } from '../worker-table.ts'
import type { ClaimedHere } from './claimed-here.ts'
import type { ClaimedLog } from './claims.ts'
import type { OtherLeases, OwnLease } from './lease.ts'
import { Lifelines } from './lifeline.ts'

interface PresenceEnvironment {
  readonly me: { readonly name: string; readonly epoch: number }
  readonly members: Pick<WorkerTable, 'beat' | 'others' | 'ended' | 'strays'>
  readonly log: Pick<ClaimedLog, 'tokens' | 'release'>
  readonly own: OwnLease
  readonly others: OtherLeases
  /** What lives in this worker. */
  readonly here: readonly Pick<ClaimedHere, 'lose' | 'loseStreams'>[]
  /** What the others are told: how many agents live here, and which runs wait, and why. */
  readonly told: () => { readonly agents: number; readonly waiting: Readonly<Record<string, string>> }
  readonly onReplaced: () => Promise<void>
  readonly onDrain: () => void
  readonly clock: Clock
  readonly logger: Logger
}

/** How often a worker says that it lives. */
export const BEAT_MS = 1000
/** How often it looks for claims that it does not know of. */
const STRAYS_MS = 10_000

export class Presence {
  readonly #environment: PresenceEnvironment
  readonly #lifelines = new Lifelines()
  /** By stream: what the last look has found. Each may be a claim that is on its way. */
  #strays: ReadonlyMap<string, string> = new Map()
  readonly #stop: readonly (() => Promise<void>)[]

  constructor(environment: PresenceEnvironment) {
    this.#environment = environment
    const { clock } = environment
    const warn = (what: string) => (error: unknown) => environment.logger.warn({ error }, what)
    this.#stop = [
      // Also the first that happens in a process that was frozen.
      every(clock, BEAT_MS, async () => this.#loseIfCutOff()),
      every(clock, BEAT_MS, () => this.#beat().catch(warn('the worker could not say that it lives'))),
      every(clock, BEAT_MS, () => this.#watch().catch(warn('the other workers could not be seen'))),
      every(clock, STRAYS_MS, () => this.#sweep().catch(warn('claims could not be looked for'))),
    ]
  }

  get isCutOff(): boolean {
    return this.#environment.own.isCutOff(this.#now())
  }

  /** For how long nothing was heard of the database, in ms. */
  get unheardMs(): number {
    return Math.round(this.#environment.own.unheardMs(this.#now()))
  }

  /** *Contract:* nothing lives here any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#stop.map((stop) => stop()))
    this.#lifelines[Symbol.dispose]()
  }

  #now(): number {
    return steadyTime(this.#environment.clock)
  }

  /** Others may have all of it soon. One whose end takes long holds up none of the others. */
  #loseIfCutOff(): void {
    if (this.isCutOff) this.#ended(this.#environment.here.map((here) => here.lose()))
  }

  #ended(losing: readonly Promise<void>[]): void {
    void Promise.all(losing).catch((error) =>
      this.#environment.logger.warn({ error }, 'the work of what was lost could not be ended'),
    )
  }

  /** Nothing in it waits for anything but the answer: one agent that ends slowly would look like a database that is silent. */
  async #beat(): Promise<void> {
    const { me, members, log, own, here, told, onReplaced, onDrain } = this.#environment
    const askedAt = this.#now()
    const asked = new Map(log.tokens)
    const { agents, waiting } = told()
    const { isReplaced, isDraining, lost } = await members.beat(me, agents, asked, waiting)
    if (isReplaced) own.end()
    // An answer that comes too late brings nothing back: others may have counted to the end meanwhile.
    this.#loseIfCutOff()
    own.answered(askedAt)
    if (isReplaced) await onReplaced()
    if (isDraining) onDrain()
    // What was claimed here once more meanwhile is not lost.
    const isLost = (stream: string) => log.tokens.get(stream) === asked.get(stream)
    this.#ended(here.map((each) => each.loseStreams(lost.filter(isLost))))
  }

  /** Sees the heartbeats of the other workers, and the ends of their processes. */
  async #watch(): Promise<void> {
    const { me, members, others } = this.#environment
    const askedAt = this.#now()
    const all = await members.others(me.epoch)
    const asked = { askedAt, answeredAt: this.#now() }
    others.keep(all.map(({ epoch }) => epoch))
    for (const { epoch, beat } of all) others.observe(epoch, beat, asked)
    this.#lifelines.hold(all)
    for (const epoch of this.#lifelines.ended) await members.ended(epoch)
  }

  /** Gives back what the database did not hear of, or did not keep. */
  async #sweep(): Promise<void> {
    const { me, members, log } = this.#environment
    const found = await members.strays(me.epoch, log.tokens.values())
    for (const { stream, token } of found)
      if (this.#strays.get(stream) === token && log.tokens.get(stream) !== token)
        await log.release(stream, token)
    this.#strays = new Map(found.map(({ stream, token }) => [stream, token]))
  }
}

/** Does something again and again. Returns what ends that, and resolves once it is not being done any more. */
export function every(clock: Clock, ms: number, work: () => Promise<void>): () => Promise<void> {
  const ending = new AbortController()
  const done = (async () => {
    while (!ending.signal.aborted) {
      await work()
      await pause(clock, ms, ending.signal)
    }
  })()
  return () => {
    ending.abort()
    return done
  }
}
