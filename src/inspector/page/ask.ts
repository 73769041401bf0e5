/** Asks the server. */
import type { Answers } from '../view.ts'

export type Query = Readonly<Record<string, string | number>>

/** Rejects with what the server says is wrong. Empty words are not sent. */
export async function ask<What extends keyof Answers>(what: What, query: Query): Promise<Answers[What]> {
  const words = Object.entries(query).filter(([, value]) => value !== '')
  const address = `/api/${what}?${new URLSearchParams(words.map(([name, value]) => [name, String(value)]))}`
  const response = await fetch(address, { credentials: 'same-origin' })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer?.error?.message ?? `The inspector answered ${response.status}.`)
  return answer
}

/** One question at a time: while one is on its way, only the newest of those that come is kept. */
export function latest(work: () => Promise<void>): () => void {
  let going = false
  let again = false
  const run = async () => {
    if (going) {
      again = true
      return
    }
    going = true
    do {
      again = false
      await work()
    } while (again)
    going = false
  }
  return () => void run()
}
