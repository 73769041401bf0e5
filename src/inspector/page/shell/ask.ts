/** Requests to the server. */
import type { Answers } from '../../view.ts'

export type Query = Readonly<Record<string, string | number>>

/** Sends a query, without its empty values. Rejects with the server's error message. */
export async function ask<What extends keyof Answers>(
  what: What,
  query: Query,
  signal: AbortSignal | null = null,
): Promise<Answers[What]> {
  const given = Object.entries(query).filter(([, value]) => value !== '')
  const url = `/api/${what}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`
  const response = await fetch(url, { credentials: 'same-origin', signal })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer?.error?.message ?? `The inspector answered ${response.status}.`)
  return answer
}

/** Runs one request at a time. Any number of calls while one is running lead to one more run after it. */
export function latest(work: () => Promise<void>): () => void {
  let running = false
  let again = false
  const run = async () => {
    if (running) {
      again = true
      return
    }
    running = true
    do {
      again = false
      await work()
    } while (again)
    running = false
  }
  return () => void run()
}
