/** Searches: by type and stream through the index alone, by text through the log, one piece per request. */
import { Mailbox } from '../../actors/engine/mailbox.ts'
import type { Recorded } from '../../events/envelope.ts'
import type { EventStore } from '../../store/event-store.ts'
import { type Column, counts } from './columns.ts'
import type { LogIndex } from './index.ts'
import { readLogEntries } from './reading.ts'
import { hasTexts, textsOf } from './texts.ts'
import { toneOfType } from './tones.ts'

export interface Filter {
  /** Anywhere in the fact; case does not matter. */
  readonly text: string
  /** A type, `problems` for all types that report one, or `texts` for those with prompts and answers: only these are searched. */
  readonly type: string
  readonly stream: string
}

export const isEmpty = ({ text, type, stream }: Filter): boolean =>
  text === '' && type === '' && stream === ''

/** Facts that one request searches for a text; the next request continues. */
const FACTS_PER_REQUEST = 4000
const CHARACTERS_PER_REQUEST = 64_000_000

export class Matches {
  readonly #filter: Filter
  readonly #index: LogIndex
  readonly #store: EventStore
  readonly positions = counts()
  /** The last position that has been searched. */
  searchedTo = 0
  readonly #pieces = new Mailbox()

  constructor(filter: Filter, index: LogIndex, store: EventStore) {
    this.#filter = filter
    this.#index = index
    this.#store = store
  }

  /** Continues to the end of the index, or as far as one request may go. */
  advance(): Promise<void> {
    return this.#pieces.post(() => this.#advance())
  }

  async #advance(): Promise<void> {
    const { text } = this.#filter
    const head = this.#index.position
    const to = text === '' ? head : Math.min(head, this.searchedTo + FACTS_PER_REQUEST)
    const candidates = this.#candidates(this.searchedTo + 1, to)
    if (text === '') for (const position of candidates) this.positions.push(position)
    else if (!(await this.#read(candidates, text.toLowerCase()))) return
    this.searchedTo = to
  }

  /** Whether all of them were read. */
  async #read(candidates: readonly number[], text: string): Promise<boolean> {
    const [first, last] = [candidates[0], candidates.at(-1)]
    if (first === undefined || last === undefined) return true
    const { type } = this.#filter
    let left = CHARACTERS_PER_REQUEST
    const wanted = candidates.length === last - first + 1 ? null : new Set(candidates)
    for await (const { position, recorded } of readLogEntries(this.#store, first, last)) {
      if (!recorded || (wanted && !wanted.has(position))) continue
      const texts =
        type === 'texts' ? (await textsOf(this.#store, recorded)).map(([one]) => one) : [whole(recorded)]
      if (texts.some((one) => one.toLowerCase().includes(text))) this.positions.push(position)
      for (const { length } of texts) left -= length
      this.searchedTo = position
      if (left < 0) return false
    }
    return true
  }

  #candidates(from: number, to: number): readonly number[] {
    const { type, stream } = this.#filter
    const { table } = this.#index
    const accepts = table.types.all.map((name) =>
      type === ''
        ? true
        : type === 'problems'
          ? toneOfType(name) === 'bad'
          : type === 'texts'
            ? hasTexts(name)
            : name === type,
    )
    const track = stream === '' ? undefined : this.#index.track(stream)
    const found: number[] = []
    const consider = (position: number) => {
      if (accepts[table.typeNumber(position)]) found.push(position)
    }
    if (track) {
      const { positions } = track
      for (let at = positions.countUpTo(from - 1); at < positions.length && positions.at(at) <= to; at++) {
        consider(positions.at(at))
      }
    } else if (stream === '') {
      for (let position = from; position <= to; position++) consider(position)
    }
    return found
  }
}

const whole = ({ type, stream, data, correlationId }: Recorded): string =>
  `${type} ${stream} ${correlationId} ${JSON.stringify(data)}`

const KEPT_SEARCHES = 6

/** A cache of the last few searches, so that a page can step through the matches. */
export class Searches {
  readonly #known = new Map<string, Matches>()
  readonly #index: LogIndex
  readonly #store: EventStore

  constructor(index: LogIndex, store: EventStore) {
    this.#index = index
    this.#store = store
  }

  /** Advances a search and returns its matches; null if the filter is empty, so that all facts match. */
  async find(filter: Filter): Promise<Matches | null> {
    if (isEmpty(filter)) return null
    const key = JSON.stringify([filter.text, filter.type, filter.stream])
    const matches = this.#known.get(key) ?? new Matches(filter, this.#index, this.#store)
    this.#known.delete(key)
    this.#known.set(key, matches)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT_SEARCHES) break
      this.#known.delete(oldest)
    }
    await matches.advance()
    return matches
  }
}

/** The position of the match that is `by` matches further than a position; null if there is none. */
export function matchFrom(positions: Column<Uint32Array>, position: number, by: number): number | null {
  const upTo = positions.countUpTo(position)
  const isMatch = positions.at(upTo - 1) === position && upTo > 0
  const ordinal = by > 0 ? upTo - 1 + by : upTo - (isMatch ? 1 : 0) + by
  return ordinal >= 0 && ordinal < positions.length ? positions.at(ordinal) : null
}
