/**
 * What the inspector knows of a log without reading it again: for each fact a row of numbers, for each stream where its
 * facts stand. So the page can be set to any moment without a fold: each actor's last row up to there is its state.
 * It is made by going through the log once, with the folds that the actors themselves use, and then follows it.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { AnyKind } from '../../actors/engine/definition.ts'
import type { Recorded } from '../../events/envelope.ts'
import type { EventStore } from '../../store/event-store.ts'
import { factPages } from '../../store/level/fact-pages.ts'
import type { BrokenPlace } from '../view.ts'
import { brokenRange } from './reading.ts'
import { FactTable, nothingMeasured } from './table.ts'
import { BROKEN } from './tones.ts'
import { StreamTrack } from './track.ts'

/** Requests get their turn after so many facts. */
const FACTS_A_TURN = 100
const REMEMBERED_BROKEN_PLACES = 1000

export class LogIndex {
  readonly table = new FactTable()
  readonly tracks: StreamTrack[] = []
  readonly broken: BrokenPlace[] = []
  /** Why it does not follow the log any more. */
  ended: string | null = null
  readonly #byName = new Map<string, StreamTrack>()
  readonly #listeners = new Set<() => void>()
  readonly #kinds: readonly AnyKind[]

  constructor(kinds: readonly AnyKind[]) {
    this.#kinds = kinds
  }

  /** The last position that it has. */
  get position(): number {
    return this.table.length
  }

  /** Calls back whenever it has grown. Returns how to stop that. */
  observe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Goes through the log, and then with it, until aborted. Never rejects: what goes wrong for good is in `ended`. */
  async follow(store: EventStore, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.ended === null) {
      try {
        for await (const page of factPages(store, { after: this.position })) {
          for (const { recorded } of page) await this.#see(recorded)
          if (signal.aborted) return
        }
        for await (const recorded of store.follow({ after: this.position, signal })) await this.#see(recorded)
        if (!signal.aborted) this.#end('The log was closed.')
      } catch (error) {
        if (!signal.aborted) await this.#stumble(error, store)
      }
    }
  }

  track(stream: string): StreamTrack | undefined {
    return this.#byName.get(stream)
  }

  /** undefined for a place that cannot be read, or that is not there. */
  trackAt(position: number): StreamTrack | undefined {
    const number = position >= 1 && position <= this.position ? this.table.stream(position) : null
    return number === null ? undefined : this.tracks[number]
  }

  problemAt(position: number): string {
    return this.broken.find((place) => place.position === position)?.problem ?? 'It cannot be read.'
  }

  async #see(recorded: Recorded): Promise<void> {
    this.#add(recorded)
    this.#tell()
    if (recorded.position % FACTS_A_TURN === 0) await turn()
  }

  #add(recorded: Recorded): void {
    const { stream, position, version, type, at } = recorded
    while (this.position < position - 1) this.#addBroken('It is missing.')
    let track = this.#byName.get(stream)
    if (!track) {
      track = new StreamTrack(stream, this.tracks.length, this.#kinds)
      this.tracks.push(track)
      this.#byName.set(stream, track)
    }
    this.table.push({ stream: track.number, version, type, atMs: Date.parse(at), ...track.see(recorded) })
  }

  #addBroken(problem: string): void {
    if (this.broken.length < REMEMBERED_BROKEN_PLACES) {
      this.broken.push({ position: this.position + 1, problem })
    }
    const nothing = { stream: null, version: 0, status: '', atMs: 0, measures: nothingMeasured }
    this.table.push({ type: BROKEN, ...nothing })
  }

  /** Steps over what cannot be read, or gives up where the log itself is gone. */
  async #stumble(error: unknown, store: EventStore): Promise<void> {
    try {
      const { to, problem } = brokenRange(error, this.position + 1)
      const end = Math.min(to, await store.head())
      if (this.position >= end) throw error
      while (this.position < end) this.#addBroken(problem)
      this.#tell()
    } catch {
      this.#end(error instanceof Error ? error.message : String(error))
    }
  }

  #end(problem: string): void {
    this.ended = problem
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
