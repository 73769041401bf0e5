/** Users' own actors: spawned by kind and id, and resumed from the log. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import type { AnyKind } from '../engine/definition.ts'
import type { ActorRef, OwnKind } from './definition.ts'
import { OwnActorRef, type OwnEnvironment } from './ref.ts'

export class OwnActors {
  readonly #environment: OwnEnvironment
  readonly #kinds = new Map<string, OwnKind>()
  readonly #refs = new Map<string, OwnActorRef<never, unknown, AnyStateMachine>>()

  constructor(environment: OwnEnvironment, kinds: readonly OwnKind[] = []) {
    this.#environment = environment
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
    const stream = streamName(kind.kind, id)
    const known = this.#refs.get(stream) as OwnActorRef<C, R, M> | undefined
    const ref = known ?? new OwnActorRef(kind, id, this.#environment)
    if (!known) this.#refs.set(stream, ref as never)
    await ref.start()
    return ref
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
    await Promise.all([...this.#refs.values()].map((ref) => ref.stop('shutdown')))
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
