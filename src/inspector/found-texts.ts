/** The search in prompts and answers: each hit with the text around it. */

import type { Recorded } from '../events/envelope.ts'
import { visible } from '../events/hidden-characters.ts'
import type { EventStore } from '../store/event-store.ts'
import type { LogIndex } from './index/index.ts'
import { readLogEntries } from './index/reading.ts'
import type { Searches } from './index/search.ts'
import { textsOf } from './index/texts.ts'
import { brief } from './text.ts'
import type { SearchHit, SearchView } from './view.ts'

const HITS = 30
/** Characters on each side of a match. */
const AROUND = 100

/** The newest hits so far, from an offset. One request searches a piece of the log; the next continues. */
export async function searchTexts(
  store: EventStore,
  index: LogIndex,
  searches: Searches,
  text: string,
  offset: number,
): Promise<SearchView> {
  const matches = await searches.find({ text, type: 'texts', stream: '' })
  if (!matches || text === '') return { total: 0, searchedTo: index.position, head: index.position, hits: [] }
  const { positions, searchedTo } = matches
  const hits: SearchHit[] = []
  for (let at = positions.length - 1 - offset; at >= 0 && hits.length < HITS; at--) {
    const position = positions.at(at)
    for await (const { recorded } of readLogEntries(store, position, position)) {
      const hit = recorded && (await hitIn(store, index, recorded, text.toLowerCase()))
      if (hit) hits.push(hit)
    }
  }
  return { total: positions.length, searchedTo, head: await store.head(), hits }
}

async function hitIn(
  store: EventStore,
  index: LogIndex,
  recorded: Recorded,
  wanted: string,
): Promise<SearchHit | null> {
  const { position, version, at, stream } = recorded
  for (const [text, where] of await textsOf(store, recorded)) {
    const from = text.toLowerCase().indexOf(wanted)
    if (from < 0) continue
    const to = from + wanted.length
    const before = brief(text.slice(Math.max(0, from - AROUND), from), AROUND)
    const after = brief(text.slice(to, to + AROUND), AROUND)
    return {
      ...{ position, version, at, stream, where },
      label: index.track(stream)?.label ?? stream,
      before: `${from > AROUND ? '…' : ''}${before}${/\s$/.test(text.slice(0, from)) ? ' ' : ''}`,
      match: visible(text.slice(from, to)),
      after: `${/^\s/.test(text.slice(to, to + 1)) ? ' ' : ''}${after}${to + AROUND < text.length ? '…' : ''}`,
    }
  }
  return null
}
