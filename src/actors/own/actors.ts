/** Users' own actors: spawned by kind and id, resumed from the log, and in memory while something needs them. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import type { AnyKind } from '../engine/definition.ts'
import { Registry, type Residence } from '../engine/registry.ts'
import type { ActorRef, OwnKind } from './definition.ts'
import { OwnActorRef, type OwnEnvironment } from './ref.ts'

export class OwnActors {
  readonly #environment: OwnEnvironment
  readonly #kinds = new Map<string, OwnKind>()
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
    )
    await ref.use()
    return ref
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
