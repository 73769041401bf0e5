/** The search in prompts and answers. */
import { useEffect, useState } from 'preact/hooks'
import type { SearchHit, SearchView } from '../../view.ts'
import { minute, number, several } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { addressOf, parameter } from '../shell/router.ts'

export function SearchPage() {
  const text = parameter('q').slice(0, 200)
  usePageTitle(text === '' ? 'Search' : `Search: ${text}`)
  const { found, problem, more } = useSearch(text)
  return (
    <section class="card list" aria-labelledby="search-title">
      <header>
        <h1 id="search-title">{text === '' ? 'Search' : `“${text}”`}</h1>
        <p class="extent" role="status">
          {text !== '' && found && extent(found)}
        </p>
      </header>
      {text === '' && (
        <p class="empty">Search for words in prompts and answers, with the field above or the key “/”.</p>
      )}
      {problem !== '' && <p class="notice bad">{problem}</p>}
      {found && text !== '' && found.total === 0 && found.searchedTo >= found.head && (
        <p class="empty">No prompt and no answer has this text.</p>
      )}
      <ol class="hits">
        {found?.hits.map((hit) => (
          <Hit key={hit.position} hit={hit} />
        ))}
      </ol>
      {found && found.hits.length < found.total && (
        <p class="more">
          <button type="button" class="button" onClick={more}>
            Show more
          </button>
        </p>
      )}
    </section>
  )
}

function extent({ total, searchedTo, head }: SearchView): string {
  const searched = searchedTo >= head ? '' : `, searched ${number(searchedTo)} of ${number(head)}`
  return `${several(total, 'match', 'matches')}${searched}`
}

function Hit({ hit }: { readonly hit: SearchHit }) {
  const { stream, label, where, at, version, before, match, after } = hit
  return (
    <li>
      <a href={stream.startsWith('run/') ? `/${stream}` : addressOf(`/${stream}`, { turn: version })}>
        <span class="about">
          <strong>{label}</strong> {where} <time dateTime={at}>{minute(at)}</time>
        </span>
        <span class="excerpt">
          {before}
          <mark>{match}</mark>
          {after}
        </span>
      </a>
    </li>
  )
}

const PAUSE_MS = 20

/** Each request searches one piece of the log: this goes on until all of it has been searched. */
function useSearch(text: string) {
  const [asked, setAsked] = useState<{
    readonly text: string
    readonly found: SearchView | null
    readonly problem: string
  }>({
    text: '',
    found: null,
    problem: '',
  })
  const current = asked.text === text ? asked : { text, found: null, problem: '' }
  useEffect(() => {
    if (text === '') return
    const leaving = new AbortController()
    const search = async () => {
      for (;;) {
        const found = await ask('search', { q: text }, leaving.signal)
        setAsked({ text, found, problem: '' })
        if (found.searchedTo >= found.head) return
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    }
    search().catch((error: Error) => {
      if (!leaving.signal.aborted) setAsked({ text, found: null, problem: error.message })
    })
    return () => leaving.abort()
  }, [text])
  const more = async () => {
    const { found } = current
    if (!found) return
    try {
      const next = await ask('search', { q: text, offset: found.hits.length })
      setAsked({ text, found: { ...next, hits: [...found.hits, ...next.hits] }, problem: '' })
    } catch (error) {
      setAsked({ ...current, problem: (error as Error).message })
    }
  }
  return { ...current, more }
}
