/** What a page asks the server: again when the question changes, and when the log has grown. */
import { useEffect, useState } from 'preact/hooks'
import type { Answers } from '../../view.ts'
import { ask, type Query } from './ask.ts'
import { indexed } from './state.ts'

/** The shortest time between two answers to the same question. */
const REFRESH_MS = 400

export interface Asked<Answer> {
  /** The last answer to this question; null until the first. */
  readonly answer: Answer | null
  /** Why there is none, or no newer one; empty if there is no problem. */
  readonly problem: string
}

/** The answer to a question, kept up to date; null asks nothing. */
export function useLiveAnswer<What extends keyof Answers>(
  what: What,
  query: Query | null,
): Asked<Answers[What]> {
  const question = query === null ? '' : `${what} ${JSON.stringify(query)}`
  const [asked, setAsked] = useState<Asked<Answers[What]> & { readonly question: string }>(NOTHING)
  useEffect(() => {
    if (query === null) return
    const leaving = new AbortController()
    let waiting: ReturnType<typeof setTimeout> | undefined
    let isAsking = false
    let isStale = false
    const refresh = async () => {
      isAsking = true
      isStale = false
      try {
        const answer = await ask(what, query, leaving.signal)
        if (!leaving.signal.aborted) setAsked({ question, answer, problem: '' })
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error)
        if (!leaving.signal.aborted)
          setAsked((last) => ({ question, answer: last.question === question ? last.answer : null, problem }))
      }
      isAsking = false
      if (isStale) later()
    }
    const later = () => {
      isStale = true
      if (isAsking || leaving.signal.aborted) return
      waiting ??= setTimeout(() => {
        waiting = undefined
        void refresh()
      }, REFRESH_MS)
    }
    void refresh()
    const at = indexed.peek()
    const stop = indexed.subscribe((now) => {
      if (now !== at) later()
    })
    return () => {
      leaving.abort()
      clearTimeout(waiting)
      stop()
    }
  }, [question])
  return asked.question === question ? asked : NOTHING
}

const NOTHING = { question: '', answer: null, problem: '' } as const
