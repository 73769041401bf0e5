/**
 * The inspector's index of a log: a row of numbers for each fact, and for each stream the positions of its facts. It is
 * built in one pass over the log, with the actors' own folds, and then follows the log. So any moment can be shown without
 * a fold: each actor's last row up to that position is its state.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { AnyKind } from '../../actors/engine/definition.ts'
import type { Recorded } from '../../events/envelope.ts'
import type { EventStore } from '../../store/event-store.ts'
import { factPages } from '../../store/level/reader.ts'
import type { BrokenRecord } from '../view.ts'
import { brokenRange } from './reading.ts'
import { FactTable, nothingMeasured } from './table.ts'
import { UNREADABLE } from './tones.ts'
import { StreamTrack } from './track.ts'

/** The index yields to requests after this many facts. */
const FACTS_PER_TURN = 100
const MOST_BROKEN_RECORDS = 1000

export class LogIndex {
  readonly table = new FactTable()
  readonly tracks: StreamTrack[] = []
  readonly broken: BrokenRecord[] = []
  /** Why it has stopped following the log; null while it follows it. */
  ended: string | null = null
  readonly #byName = new Map<string, StreamTrack>()
  readonly #listeners = new Set<() => void>()
  readonly #kinds: readonly AnyKind[]

  constructor(kinds: readonly AnyKind[]) {
    this.#kinds = kinds
  }

  /** The last position in the index. */
  get position(): number {
    return this.table.length
  }

  /** Calls the listener whenever the index has grown or ended. Returns a function that unsubscribes it. */
  observe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads the log and then follows it until aborted. Never rejects: a permanent failure is in `ended`. */
  async follow(store: EventStore, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.ended === null) {
      try {
        for await (const page of factPages(store, { after: this.position })) {
          for (const { recorded } of page) await this.#add(recorded)
          if (signal.aborted) return
        }
        for await (const recorded of store.follow({ after: this.position, signal })) await this.#add(recorded)
        if (!signal.aborted) this.#end('The log was closed.')
      } catch (error) {
        if (!signal.aborted) await this.#skipBroken(error, store)
      }
    }
  }

  track(stream: string): StreamTrack | undefined {
    return this.#byName.get(stream)
  }

  /** The stream of the fact at a position; undefined if the record cannot be read or is not in the index. */
  trackAt(position: number): StreamTrack | undefined {
    const number = position >= 1 && position <= this.position ? this.table.stream(position) : null
    return number === null ? undefined : this.tracks[number]
  }

  async #add(recorded: Recorded): Promise<void> {
    this.#push(recorded)
    this.#notify()
    if (recorded.position % FACTS_PER_TURN === 0) await turn()
  }

  #push(recorded: Recorded): void {
    const { stream, position, version, type, at } = recorded
    while (this.position < position - 1) this.#pushBroken('It is missing.')
    let track = this.#byName.get(stream)
    if (!track) {
      track = new StreamTrack(stream, this.tracks.length, this.#kinds)
      this.tracks.push(track)
      this.#byName.set(stream, track)
    }
    this.table.push({ stream: track.number, version, type, atMs: Date.parse(at), ...track.add(recorded) })
  }

  #pushBroken(problem: string): void {
    if (this.broken.length < MOST_BROKEN_RECORDS) {
      this.broken.push({ position: this.position + 1, problem })
    }
    const nothing = { stream: null, version: 0, status: '', atMs: 0, measures: nothingMeasured, spentUsd: 0 }
    this.table.push({ type: UNREADABLE, ...nothing })
  }

  /** Skips the records that an error is about, or ends if it is about the log itself. */
  async #skipBroken(error: unknown, store: EventStore): Promise<void> {
    try {
      const { to, problem } = brokenRange(error, this.position + 1)
      const end = Math.min(to, await store.head())
      if (this.position >= end) throw error
      while (this.position < end) this.#pushBroken(problem)
      this.#notify()
    } catch {
      this.#end(error instanceof Error ? error.message : String(error))
    }
  }

  #end(problem: string): void {
    this.ended = problem
    this.#notify()
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}
