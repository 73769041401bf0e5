/** What the page can ask, and how it is answered. Every parameter is checked and bounded before anything is read. */
import { InvalidInputError } from '../events/errors/usage.ts'
import type { EventStore } from '../store/event-store.ts'
import { actorAt } from './actor.ts'
import { bodyView, factLines, factView } from './facts.ts'
import type { LogIndex } from './index/index.ts'
import { actorRows, logView, namesView, timeAt, totals } from './index/moment.ts'
import { type Filter, type Matches, matchFrom, type Searches } from './index/search.ts'
import { overview, timeline } from './index/timeline.ts'
import type { FactPage, MomentView } from './view.ts'

export interface Inspected {
  readonly store: EventStore
  readonly index: LogIndex
  readonly searches: Searches
}

export type PageAnswer = (inspected: Inspected, parameters: Parameters) => Promise<unknown>

/** By path. Each of them only reads. */
export const ANSWERS: Readonly<Record<string, PageAnswer>> = {
  '/api/moment': moment,
  '/api/facts': facts,
  '/api/body': ({ store }, asked) =>
    bodyView(store, asked.number('position', 1), asked.text('path', 500), asked.number('offset', 0)),
  '/api/timeline': async ({ index }, asked) => {
    const head = Math.max(1, index.position)
    const from = Math.min(asked.number('from', 1), head)
    return timeline(index, {
      from,
      to: Math.min(head, Math.max(from, asked.number('to', head))),
      axis: asked.text('axis') === 'time' ? 'time' : 'order',
      columns: Math.min(MOST_COLUMNS, Math.max(1, asked.number('columns', 800))),
      text: asked.text('actors'),
      lanes: Math.min(MOST_LANES, asked.number('lanes', MOST_LANES)),
      firstLane: asked.number('lane', 0),
    })
  },
  '/api/names': async ({ index }) => namesView(index),
  '/api/overview': async ({ store, index }, asked) => {
    const columns = Math.min(MOST_COLUMNS, Math.max(1, asked.number('columns', 400)))
    return overview(index, Math.max(1, await store.head()), columns)
  },
}

const MOST_COLUMNS = 4000
const MOST_LANES = 100
const MOST_LINES = 300

async function moment({ store, index, searches }: Inspected, asked: Parameters): Promise<MomentView> {
  const head = await store.head()
  const matches = await searches.find(asked.filter())
  const step = asked.signed('step')
  const from = Math.min(asked.number('at', index.position), index.position)
  const within = asked.text('within')
  const position =
    step === 0 ? from : ((await stepped(searches, matches, within, from, step, index.position)) ?? from)
  const stream = asked.text('actor') || (index.trackAt(position)?.name ?? '')
  const { actors, more } = actorRows(index, position, asked.text('actors'))
  return {
    position,
    at: timeAt(index, position),
    log: logView(index, store.storeId, head),
    actors,
    moreActors: more,
    totals: totals(index, position),
    fact: position === 0 ? null : await factView(store, index, position),
    actor: stream === '' ? null : await actorAt(store, index, stream, position, asked.text('history') !== ''),
    ordinal: (matches ? matches.positions.countUpTo(position) : position) - 1,
  }
}

/** The next or the previous fact: of those that match, of one stream, or of those that went wrong. */
async function stepped(
  searches: Searches,
  matches: Matches | null,
  within: string,
  from: number,
  step: number,
  last: number,
): Promise<number | null> {
  const narrower =
    within === 'problems'
      ? await searches.find({ text: '', type: 'problems', stream: '' })
      : within !== ''
        ? await searches.find({ text: '', type: '', stream: within })
        : matches
  return narrower
    ? matchFrom(narrower.positions, from, step)
    : Math.min(last, Math.max(Math.min(1, last), from + step))
}

/** A page of the facts that match: by where the first of them stands among them. */
async function facts({ store, index, searches }: Inspected, asked: Parameters): Promise<FactPage> {
  const matches = await searches.find(asked.filter())
  // What is not filtered can be read before the index has come to it.
  const total = matches ? matches.positions.length : await store.head()
  const offset = Math.min(asked.number('offset', 0), total)
  const count = Math.min(asked.number('limit', 100), MOST_LINES, total - offset)
  const positions = Array.from({ length: count }, (_, row) =>
    matches ? matches.positions.at(offset + row) : offset + row + 1,
  )
  const lines = await factLines(store, index, positions)
  return { total, searchedTo: matches?.searchedTo ?? total, offset, lines }
}

const LONGEST_WORD = 200

/** The query of a request. Throws InvalidInputError. */
export class Parameters {
  readonly #query: URLSearchParams

  constructor(query: URLSearchParams) {
    this.#query = query
  }

  text(name: string, longest = LONGEST_WORD): string {
    const text = this.#query.get(name) ?? ''
    if (text.length <= longest) return text
    throw new InvalidInputError({ what: name, problem: `it is longer than ${longest} characters` })
  }

  /** A whole number from 0 on. */
  number(name: string, otherwise: number): number {
    const text = this.#query.get(name)
    if (text === null) return otherwise
    if (/^\d{1,15}$/.test(text)) return Number(text)
    throw new InvalidInputError({ what: name, problem: 'it is not a whole number from 0 on' })
  }

  signed(name: string): number {
    const text = this.#query.get(name) ?? '0'
    if (/^-?\d{1,9}$/.test(text)) return Number(text)
    throw new InvalidInputError({ what: name, problem: 'it is not a whole number' })
  }

  filter(): Filter {
    return { text: this.text('text'), type: this.text('type'), stream: this.text('stream') }
  }
}
