/** The requests of the page and their handlers. Every parameter is validated and bounded before anything is read. */
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkId } from '../events/ids.ts'
import type { EventStore } from '../store/event-store.ts'
import { accountsAt, actorAt } from './actor.ts'
import { conversationAt } from './conversation.ts'
import { bodyView, factLines, factView } from './facts.ts'
import type { FilesRequest, InspectedFiles } from './files.ts'
import { searchTexts } from './found-texts.ts'
import type { LogIndex } from './index/index.ts'
import { actorRows, logView, namesView, timeAt, totals } from './index/moment.ts'
import { type Filter, type Matches, matchFrom, type Searches } from './index/search.ts'
import { overview, timeline } from './index/timeline.ts'
import { runPage, stepPage, stepView } from './run.ts'
import { actorsPage, summary } from './summary.ts'
import type { FactPage, MomentView } from './view.ts'

export interface Inspected {
  readonly store: EventStore
  readonly index: LogIndex
  readonly searches: Searches
  readonly files: InspectedFiles
}

export type RequestHandler = (
  inspected: Inspected,
  parameters: RequestParameters,
  /** Aborts when no client waits for the answer. */
  signal: AbortSignal,
) => Promise<unknown>

/** The handlers by path. All of them only read. */
export const HANDLERS: Readonly<Record<string, RequestHandler>> = {
  '/api/moment': moment,
  '/api/facts': facts,
  '/api/body': ({ store }, parameters) =>
    bodyView(
      store,
      parameters.number('position', 1),
      parameters.text('path', 500),
      parameters.number('offset', 0),
    ),
  '/api/timeline': async ({ index }, parameters) => {
    const head = Math.max(1, index.position)
    const from = Math.min(parameters.number('from', 1), head)
    return timeline(index, {
      from,
      to: Math.min(head, Math.max(from, parameters.number('to', head))),
      axis: parameters.text('axis') === 'time' ? 'time' : 'order',
      columns: Math.min(MOST_COLUMNS, Math.max(1, parameters.number('columns', 800))),
      text: parameters.text('actors'),
      stream: parameters.text('stream'),
      withRemoved: parameters.text('removed') !== '',
      lanes: Math.min(MOST_LANES, parameters.number('lanes', MOST_LANES)),
      firstLane: parameters.number('lane', 0),
    })
  },
  '/api/files': ({ files, index }, parameters, signal) => files.list(filesRequest(index, parameters), signal),
  '/api/file': ({ files, index }, parameters, signal) => files.file(filesRequest(index, parameters), signal),
  '/api/changes': ({ files, index }, parameters, signal) =>
    files.changes(filesRequest(index, parameters), signal),
  '/api/run': ({ store, index }, parameters) =>
    runPage(store, index, parameters.id('id'), parameters.number('at', 0)),
  '/api/steps': ({ store, index }, parameters) =>
    stepPage(store, index, parameters.id('run'), parameters.number('from', 0)),
  '/api/step': ({ store, index }, parameters) =>
    stepView(store, index, parameters.id('run'), parameters.number('position', 0)),
  '/api/conversation': ({ store, index }, parameters) =>
    conversationAt(
      store,
      index,
      parameters.id('id'),
      parameters.number('at', 0),
      parameters.number('before', 0),
    ),
  '/api/summary': async ({ store, index }, parameters) => summary(store, index, parameters.instants('days')),
  '/api/actors': async ({ index }, parameters) =>
    actorsPage(
      index,
      parameters.text('kind'),
      parameters.text('text'),
      parameters.text('status'),
      parameters.number('offset', 0),
    ),
  '/api/search': ({ store, index, searches }, parameters) =>
    searchTexts(store, index, searches, parameters.text('q'), parameters.number('offset', 0)),
  '/api/names': async ({ index }) => namesView(index),
  '/api/overview': async ({ store, index }, parameters) => {
    const columns = Math.min(MOST_COLUMNS, Math.max(1, parameters.number('columns', 400)))
    return overview(index, Math.max(1, await store.head()), columns)
  },
}

const filesRequest = (index: LogIndex, parameters: RequestParameters): FilesRequest => ({
  stream: parameters.text('actor'),
  position: Math.min(parameters.number('at', index.position), index.position),
  text: parameters.text('text'),
  key: parameters.text('key'),
  isAll: parameters.text('all') !== '',
})

const MOST_COLUMNS = 4000
const MOST_LANES = 100
const MOST_LINES = 300

async function moment(
  { store, index, searches }: Inspected,
  parameters: RequestParameters,
): Promise<MomentView> {
  const head = await store.head()
  const matches = await searches.find(parameters.filter())
  const step = parameters.signed('step')
  const from = Math.min(parameters.number('at', index.position), index.position)
  const within = parameters.text('within')
  const position =
    step === 0 ? from : ((await stepped(searches, matches, within, from, step, index.position)) ?? from)
  const stream = parameters.text('actor') || (index.trackAt(position)?.name ?? '')
  const { actors, more } = actorRows(index, position, parameters.text('actors'))
  return {
    position,
    at: timeAt(index, position),
    log: logView(index, store.storeId, head),
    actors,
    moreActors: more,
    totals: totals(index, position),
    accounts: await accountsAt(store, index, position),
    fact: position === 0 ? null : await factView(store, index, position),
    actor:
      stream === '' ? null : await actorAt(store, index, stream, position, parameters.text('history') !== ''),
    ordinal: (matches ? matches.positions.countUpTo(position) : position) - 1,
  }
}

/** The position `step` facts further: among the matches, within one stream, or among the problems. */
async function stepped(
  searches: Searches,
  matches: Matches | null,
  within: string,
  from: number,
  step: number,
  last: number,
): Promise<number | null> {
  const facts =
    within === 'problems'
      ? await searches.find({ text: '', type: 'problems', stream: '' })
      : within !== ''
        ? await searches.find({ text: '', type: '', stream: within })
        : matches
  return facts
    ? matchFrom(facts.positions, from, step)
    : Math.min(last, Math.max(Math.min(1, last), from + step))
}

/** One page of the matching facts, from an offset. */
async function facts(
  { store, index, searches }: Inspected,
  parameters: RequestParameters,
): Promise<FactPage> {
  const matches = await searches.find(parameters.filter())
  // Without a filter, facts can be read before the index has reached them.
  const total = matches ? matches.positions.length : await store.head()
  const offset = Math.min(parameters.number('offset', 0), total)
  const count = Math.min(parameters.number('limit', 100), MOST_LINES, total - offset)
  const positions = Array.from({ length: count }, (_, row) =>
    matches ? matches.positions.at(offset + row) : offset + row + 1,
  )
  const lines = await factLines(store, index, positions)
  return { total, searchedTo: matches?.searchedTo ?? total, offset, lines }
}

const LONGEST_WORD = 200

/** The query of a request. Each accessor throws InvalidInputError for a value it does not accept. */
export class RequestParameters {
  readonly #query: URLSearchParams

  constructor(query: URLSearchParams) {
    this.#query = query
  }

  text(name: string, longest = LONGEST_WORD): string {
    const text = this.#query.get(name) ?? ''
    if (text.length <= longest) return text
    throw new InvalidInputError({ what: name, problem: `it is longer than ${longest} characters` })
  }

  /** The id of an actor. */
  id(name: string): string {
    return checkId(name, this.text(name))
  }

  /** A whole number of at least 0. */
  number(name: string, fallback: number): number {
    const text = this.#query.get(name)
    if (text === null) return fallback
    if (/^\d{1,15}$/.test(text)) return Number(text)
    throw new InvalidInputError({ what: name, problem: 'it is not a whole number of at least 0' })
  }

  /** Instants in ms since the epoch, ascending. */
  instants(name: string): readonly number[] {
    const text = this.text(name, 1000)
    const instants = text === '' ? [] : text.split(',').map(Number)
    if (/^(\d{1,15}(,\d{1,15})*)?$/.test(text) && instants.every((ms, at) => ms >= (instants[at - 1] ?? 0)))
      return instants
    throw new InvalidInputError({ what: name, problem: 'they are not ascending instants in ms' })
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
