/** What shared code does at the end of each file of tests. Its modules are loaded once for many files, and so would be a hook. */
import { setImmediate } from 'node:timers/promises'

const ends: (() => Promise<unknown>)[] = []

export function atEndOfFile(end: () => Promise<unknown>): void {
  ends.push(end)
}

export const endFile = () => Promise.all(ends.map((end) => end()))

/** What is going on at the end of a file may need so many turns. */
const MOST_TURNS = 1000

/** A loop that goes on takes a core from all files that come after in this process. Rejects if there is one. */
export async function nothingSpins(): Promise<void> {
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    await setImmediate()
    if (!process.getActiveResourcesInfo().includes('Immediate')) return
  }
  throw new Error('A loop of this file still waits for something on each turn. Await it, or let it end.')
}
