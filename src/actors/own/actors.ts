/** Users' own actors: spawned by kind and id, resumed from the log, and in memory while something needs them. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { UndeliverableError } from '../../events/errors/actor.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import type { AnyKind } from '../engine/definition.ts'
import type { Exit } from '../engine/exit.ts'
import { Registry, type Residence } from '../engine/registry.ts'
import type { ActorRef, OwnKind } from './definition.ts'
import { OwnActorRef, type OwnEnvironment } from './ref.ts'

/** An actor that takes messages, for lists. */
export interface ReceivingActor {
  /** `KIND/ID`. */
  readonly address: string
  /** The state of its machine. */
  readonly status: string
  /** What its kind is for. */
  readonly description: string
}

/** How many actors of this process are remembered that may have ended. */
const MOST_EXITS = 10_000

export class OwnActors {
  readonly #environment: OwnEnvironment
  readonly #kinds = new Map<string, OwnKind>()
  /** Of the last ones that were spawned here: why they have ended, null for those that have not. By stream. */
  readonly #exits = new Map<string, Exit | null>()
  /** By stream. */
  readonly #here: Registry<OwnActorRef<never, unknown, AnyStateMachine>>

  constructor(environment: OwnEnvironment, kinds: readonly OwnKind[], residence: Residence) {
    this.#environment = environment
    this.#here = new Registry((stream) => this.#load(stream), environment.clock, residence)
    this.register(kinds)
  }

  /** The registered kinds. */
  get kinds(): readonly AnyKind[] {
    return [...this.#kinds.values()].map(({ definition }) => definition as unknown as AnyKind)
  }

  /** Registers kinds, so that their streams can be replayed and resumed. */
  register(kinds: readonly OwnKind[]): void {
    checkArgument('The kinds', kinds, 'a list')
    for (const kind of kinds) this.#register(kind)
  }

  /** The running actor with this id, started if necessary. Throws whatever loading throws. */
  async spawn<C, R, M extends AnyStateMachine>(
    kind: OwnKind<C, R, M>,
    id: string,
  ): Promise<ActorRef<C, R, SnapshotFrom<M>>> {
    this.#register(kind as unknown as OwnKind)
    return (await this.#here.get(streamName(kind.kind, id))) as never
  }

  /**
   * One that takes messages, by its stream: it is running, or the log has it and it has not ended in this process. Throws
   * UndeliverableError.
   */
  async receiver(stream: string): Promise<OwnActorRef<never, unknown, AnyStateMachine>> {
    const kind = stream.slice(0, stream.indexOf('/'))
    const refuse = (reason: string, hint = '') => {
      throw new UndeliverableError({ to: stream, reason, hint })
    }
    const own = this.#kinds.get(kind)
    if (!own)
      refuse(
        `this program has no kind of actor "${kind}"`,
        'An agent is named by its id alone. The kinds that a program has are in the option actors of Orchestrator.open.',
      )
    if (!own?.onMessage) refuse(`kind "${kind}" takes no messages: its definition has no onMessage`)
    const exit = this.#exits.get(stream)
    if (exit) refuse(`it has ended (${exit.reason}), and nothing has spawned it again`)
    if (exit === undefined && (await this.#environment.store.head(stream)) === 0)
      refuse('there is no such actor', 'Its program has to spawn it.')
    return this.#here.get(stream)
  }

  /** Those that take messages, by address. See {@link receiver}. */
  async receivers(): Promise<readonly ReceivingActor[]> {
    const found: ReceivingActor[] = []
    const kinds = [...this.#kinds.values()].filter(({ onMessage }) => onMessage)
    for (const { kind, description = '' } of kinds)
      for await (const { stream, summary } of this.#environment.store.streams({ prefix: `${kind}/` }))
        if (!this.#exits.get(stream))
          found.push({ address: stream, status: inWords(summary?.status), description })
    const addresses = new Set(found.map(({ address }) => address))
    // One that is running has no fact before its first message.
    for (const [stream, exit] of this.#exits) {
      const own = exit === null ? kinds.find(({ kind }) => stream.startsWith(`${kind}/`)) : undefined
      if (!own || addresses.has(stream)) continue
      const { status } = own.definition.summarize(own.definition.fold.initial)
      found.push({ address: stream, status: inWords(status), description: own.description ?? '' })
    }
    return found.sort((one, other) => (one.address < other.address ? -1 : 1))
  }

  /** Spawns the actors of registered kinds whose state has effects. */
  async resume(): Promise<void> {
    for (const kind of this.#kinds.values()) {
      const prefix = `${kind.kind}/`
      for await (const { stream } of this.#environment.store.streams({ prefix, open: true }))
        await this.spawn(kind, stream.slice(prefix.length))
    }
  }

  async close(): Promise<void> {
    this.#here.close()
    await Promise.all((await this.#here.known()).map((ref) => ref.stop('shutdown')))
  }

  async #load(stream: string): Promise<OwnActorRef<never, unknown, AnyStateMachine>> {
    const [kind = '', id = ''] = stream.split('/')
    const own = this.#kinds.get(kind) as OwnKind
    const ref: OwnActorRef<never, unknown, AnyStateMachine> = new OwnActorRef(
      own,
      id,
      this.#environment,
      () => this.#here.used(stream, ref),
      (exit) => this.#noteExit(stream, exit),
    )
    await ref.use()
    return ref
  }

  /** What is forgotten has its facts. */
  #noteExit(stream: string, exit: Exit | null): void {
    this.#exits.delete(stream)
    this.#exits.set(stream, exit)
    const [oldest = stream] = this.#exits.keys()
    if (this.#exits.size > MOST_EXITS) this.#exits.delete(oldest)
  }

  #register(kind: OwnKind): void {
    checkArgument('The kind', kind, 'an object')
    const known = this.#kinds.get(kind.kind)
    if (known && known !== kind)
      throw new InvalidInputError({
        what: `Kind "${kind.kind}"`,
        problem: 'it has two definitions',
        hint: 'Define it once, and use that everywhere.',
      })
    this.#kinds.set(kind.kind, kind)
  }
}

/** A machine without states has none to name. */
const inWords = (status = '{}') => (status === '{}' ? 'running' : status)
