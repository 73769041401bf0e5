/** Folds a whole log in one pass, all streams side by side, in the order of positions. */
import type { AnyKind } from '../actors/engine/definition.ts'
import { type PlainFold, type PlainState, plainFold } from '../actors/engine/fold.ts'
import { foldFact } from '../actors/engine/history.ts'
import type { Recorded } from '../events/envelope.ts'
import { defined } from '../events/json.ts'
import type { EventStore } from '../store/event-store.ts'
import { factPages, type PagedFact } from '../store/level/reader.ts'
import { kindOf } from './kinds.ts'

/** One stream during the fold. */
export interface FoldedStream {
  readonly stream: string
  /** undefined if the kind is unknown: such a stream has no state. */
  readonly kind: AnyKind | undefined
  readonly fold: PlainFold
  version: number
  position: number
  state: PlainState
}

/** What to fold, and what to do after each fact. */
export interface FoldLogOptions {
  readonly to?: number
  /** Only this stream. */
  readonly stream?: string
  /** Called after each fact. `isExpected`: whether the machine has a transition for it in its state. */
  readonly onFact?: (fact: PagedFact, folded: FoldedStream, isExpected: boolean) => void | Promise<void>
}

/** The states of all streams, by name. Snapshots are not used, and nothing is read twice. */
export async function foldLog(
  store: EventStore,
  kinds: readonly AnyKind[],
  { to, stream, onFact }: FoldLogOptions = {},
): Promise<ReadonlyMap<string, FoldedStream>> {
  const streams = new Map<string, FoldedStream>()
  for await (const page of factPages(store, defined({ to }))) {
    for (const fact of page) {
      const { recorded } = fact
      if (stream !== undefined && recorded.stream !== stream) continue
      const folded = streams.get(recorded.stream) ?? begin(streams, recorded.stream, kinds)
      const isExpected = step(folded, recorded)
      const done = onFact?.(fact, folded, isExpected)
      if (done) await done
    }
  }
  return streams
}

function step(folded: FoldedStream, recorded: Recorded): boolean {
  folded.version = recorded.version
  folded.position = recorded.position
  if (!folded.kind) return true
  const next = foldFact(folded.fold.transition, folded.state, folded.kind, recorded)
  if (next === undefined) return false
  folded.state = next
  return true
}

const STATELESS: PlainState = { value: null, context: null }
const NO_FOLD: PlainFold = { initial: STATELESS, transition: (state) => state }

function begin(streams: Map<string, FoldedStream>, stream: string, kinds: readonly AnyKind[]): FoldedStream {
  const kind = kindOf(stream, kinds)
  const fold = kind ? plainFold(kind.fold) : NO_FOLD
  const folded = { stream, kind, fold, version: 0, position: 0, state: fold.initial }
  streams.set(stream, folded)
  return folded
}
