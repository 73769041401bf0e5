/** What shared code does at the end of each file of tests. Its modules are loaded once for many files, and so would be a hook. */
const ends: (() => Promise<unknown>)[] = []

export function atEndOfFile(end: () => Promise<unknown>): void {
  ends.push(end)
}

export const endFile = () => Promise.all(ends.map((end) => end()))
