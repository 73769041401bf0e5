/** Verifies a log by replaying it, and comparing the results with the recorded summaries, state hashes and snapshots. */
import type { AnyKind } from '../actors/engine/definition.ts'
import { savedState } from '../actors/engine/fold.ts'
import { foldName, stateDigest } from '../actors/engine/history.ts'
import type { Recorded } from '../events/envelope.ts'
import { describeError } from '../events/errors/base.ts'
import { canonicalJson, defined, type Json } from '../events/json.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { blobReferences } from '../store/blob-reference.ts'
import type { BlobReference } from '../store/blobs.ts'
import type { EventStore, StreamSummary } from '../store/event-store.ts'
import type { PagedFact } from '../store/level/reader.ts'
import type { Snapshot } from '../store/snapshots.ts'
import { type FoldedStream, foldLog } from './fold-log.ts'
import { KINDS } from './kinds.ts'

/** A place where the replay differs from what was recorded, or cannot continue. */
export interface Divergence {
  readonly stream: string
  readonly version: number
  readonly position: number
  /**
   * `fact`: the machine does not expect the fact in its state. `body`: a blob that it refers to is missing or damaged. The
   * others: the replay yields something else than what was recorded.
   */
  readonly what: 'fact' | 'body' | 'summary' | 'state' | 'snapshot'
  readonly recorded: Json
  readonly replayed: Json
}

/** A machine whose code has changed since the facts were recorded. It may fold to other states now, which is not damage. */
export interface ChangedMachine {
  readonly kind: string
  /** The two folds, by the beginnings of their fingerprints. */
  readonly recordedBy: string
  readonly now: string
  /** How many results of the old fold were compared, and how many of them differ now. */
  readonly compared: number
  readonly different: number
  /** The first difference. */
  readonly first: { readonly stream: string; readonly version: number } | null
}

/** What was replayed, what it was compared with, and where the two differ. */
export interface ReplayReport {
  /** Whether there are no divergences. */
  readonly ok: boolean
  readonly facts: number
  readonly streams: number
  /** How many recorded results the replay was compared with. */
  readonly compared: { readonly summaries: number; readonly states: number; readonly snapshots: number }
  /** The first divergence of each stream. */
  readonly divergences: readonly Divergence[]
  readonly changed: readonly ChangedMachine[]
  /** Streams of unknown kinds: their facts were read but not folded. */
  readonly unknown: readonly string[]
}

/** What to verify, and with which kinds of actors. */
export interface VerifyReplayOptions {
  /** Only this stream. */
  readonly stream?: string
  readonly kinds?: readonly AnyKind[]
}

/**
 * Replays the log offline and compares. Blobs are read too. Damaged facts throw, as on any read: CorruptRecord and
 * SequenceGap name the position.
 *
 * @example
 * await using store = await levelStore('copy-of-the-log')
 * const { ok, divergences } = await verifyReplay(store)
 */
export async function verifyReplay(
  store: EventStore,
  { stream, kinds = KINDS }: VerifyReplayOptions = {},
): Promise<ReplayReport> {
  checkArgument('The store', store, 'a store')
  const comparison = new Comparison(store)
  const streams = await foldLog(store, kinds, {
    ...defined({ stream }),
    onFact: (fact, folded, isExpected) => comparison.compareFact(fact, folded, isExpected),
  })
  await comparison.compareHeads(streams)
  return comparison.report(streams)
}

type Part = keyof ReplayReport['compared']

class Comparison {
  readonly #store: EventStore
  readonly #snapshots = new Map<string, Snapshot | undefined>()
  readonly #divergences = new Map<string, Divergence>()
  readonly #changed = new Map<string, { -readonly [K in keyof ChangedMachine]: ChangedMachine[K] }>()
  readonly #compared: Record<Part, number> = { summaries: 0, states: 0, snapshots: 0 }
  /** The version of each stream whose summary was compared last. */
  readonly #summarized = new Map<string, number>()
  #facts = 0

  constructor(store: EventStore) {
    this.#store = store
  }

  async compareFact({ recorded, note }: PagedFact, folded: FoldedStream, isExpected: boolean): Promise<void> {
    const { stream, version, id, data } = recorded
    this.#facts++
    for (const reference of blobReferences(data)) await this.#checkBody(folded, reference)
    if (!folded.kind) return
    if (!isExpected) {
      const recordedFact = { type: recorded.type }
      this.#diverge(
        folded,
        'fact',
        recordedFact,
        `not expected in state ${JSON.stringify(folded.state.value)}`,
      )
    }
    if (note?.summary) this.#compareSummary(folded, note.summary)
    if (version === 1) this.#snapshots.set(stream, await this.#store.snapshots.load(stream))
    const snapshot = this.#snapshots.get(stream)
    if (snapshot?.version !== version || snapshot.factId !== id) return
    this.#compare(folded, 'snapshots', 'snapshot', foldName(snapshot.fingerprint), snapshot.state, () =>
      savedState(folded.state),
    )
  }

  /** A store without notes on its facts still has the last summary of each stream. */
  async compareHeads(streams: ReadonlyMap<string, FoldedStream>): Promise<void> {
    for await (const { stream, version, summary } of this.#store.streams()) {
      const folded = streams.get(stream)
      if (!folded?.kind || !summary || folded.version !== version) continue
      if (this.#summarized.get(stream) === version) continue
      this.#compareSummary(folded, summary)
    }
  }

  report(streams: ReadonlyMap<string, FoldedStream>): ReplayReport {
    const divergences = [...this.#divergences.values()].sort((one, other) => one.position - other.position)
    return {
      ok: divergences.length === 0,
      facts: this.#facts,
      streams: streams.size,
      compared: this.#compared,
      divergences,
      changed: [...this.#changed.values()],
      unknown: [...streams.values()].flatMap(({ kind, stream }) => (kind ? [] : [stream])).sort(),
    }
  }

  async #checkBody(folded: FoldedStream, reference: BlobReference): Promise<void> {
    try {
      await this.#store.blobs.get(reference)
    } catch (error) {
      this.#diverge(folded, 'body', { ...reference }, describeError(error).message)
    }
  }

  #compareSummary(folded: FoldedStream, { fold, state, ...recorded }: StreamSummary): void {
    const { kind } = folded
    if (!kind) return
    this.#summarized.set(folded.stream, folded.version)
    const replayed = () => asFarAs(recorded, kind.summarize(folded.state as never))
    this.#compare(folded, 'summaries', 'summary', fold, recorded as unknown as Json, replayed)
    if (state !== undefined)
      this.#compare(folded, 'states', 'state', fold, state, () => stateDigest(folded.state))
  }

  #compare(
    folded: FoldedStream,
    part: Part,
    what: Divergence['what'],
    recordedBy: string | undefined,
    recorded: Json,
    fold: () => unknown,
  ): void {
    this.#compared[part]++
    const replayed = JSON.parse(JSON.stringify(fold())) as Json
    const isSame = canonicalJson(replayed) === canonicalJson(recorded)
    const now = foldName(folded.kind?.fingerprint ?? '')
    if (recordedBy !== undefined && recordedBy !== now) this.#noteChange(folded, recordedBy, now, isSame)
    else if (!isSame) this.#diverge(folded, what, recorded, replayed)
  }

  #noteChange(
    { kind, stream, version }: FoldedStream,
    recordedBy: string,
    now: string,
    isSame: boolean,
  ): void {
    const name = kind?.kind ?? ''
    const key = `${name} ${recordedBy}`
    const unseen = { kind: name, recordedBy, now, compared: 0, different: 0, first: null }
    const known = this.#changed.get(key) ?? unseen
    known.compared++
    if (!isSame) {
      known.different++
      known.first ??= { stream, version }
    }
    this.#changed.set(key, known)
  }

  #diverge(
    { stream, version, position }: Pick<Recorded, 'stream' | 'version' | 'position'>,
    what: Divergence['what'],
    recorded: Json,
    replayed: Json,
  ): void {
    if (!this.#divergences.has(stream))
      this.#divergences.set(stream, { stream, version, position, what, recorded, replayed })
  }
}

/** Summaries of earlier versions do not name the open call of an agent. */
function asFarAs(recorded: StreamSummary, { info, ...summary }: StreamSummary): StreamSummary {
  if (!info || !('call' in info) || 'call' in (recorded.info ?? {})) return defined({ ...summary, info })
  const { call: _, ...rest } = info
  return { ...summary, info: rest }
}
