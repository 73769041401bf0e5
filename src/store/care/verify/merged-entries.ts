/** The database as a reader of LevelDB should see it: the newest entry of each key, in order, merged from all files. */
import type { Entry } from '../../files/entry.ts'
import { byKeyThenNewest, type EntrySource, type SortedEntries } from './entry-source.ts'

export interface StoredEntry {
  readonly key: string
  readonly value: string
  readonly file: string
}

export async function* mergedEntries(
  sources: readonly EntrySource[],
  prefix: string,
): AsyncGenerator<StoredEntry, void, undefined> {
  const waiting = sources
    .flatMap((source) => {
      const entries = source.entries(prefix)
      return entries ? [{ file: source.file, ...entries }] : []
    })
    .sort((a, b) => (a.from < b.from ? -1 : 1))
  const open: Cursor[] = []
  let last: string | null = null
  for (;;) {
    let next = smallest(open)
    // Most tables do not overlap, so only a few need to be open at a time.
    for (let first = waiting[0]; first && !(next && next.key < first.from); first = waiting[0]) {
      waiting.shift()
      const cursor = await Cursor.open(first)
      if (cursor) open.push(cursor)
      next = smallest(open)
    }
    if (!next) return
    const { entry, file } = next
    if (entry.key !== last && entry.value !== null) {
      yield { key: entry.key, value: entry.value.toString('utf8'), file }
    }
    last = entry.key
    if (!next.step() && !(await next.load())) open.splice(open.indexOf(next), 1)
  }
}

/** A position in one source. It always points at an entry. */
class Cursor {
  readonly file: string
  readonly #pieces: AsyncIterator<readonly Entry[]>
  #piece: readonly Entry[] = []
  #index = 0

  private constructor(file: string, pieces: AsyncIterator<readonly Entry[]>) {
    this.file = file
    this.#pieces = pieces
  }

  /** null if the source is empty. */
  static async open({ file, pieces }: SortedEntries & { file: string }): Promise<Cursor | null> {
    const cursor = new Cursor(file, pieces[Symbol.asyncIterator]())
    return (await cursor.load()) ? cursor : null
  }

  get entry(): Entry {
    return this.#piece[this.#index] as Entry
  }

  get key(): string {
    return this.entry.key
  }

  /** Moves to the next loaded entry; false if there is none. */
  step(): boolean {
    return ++this.#index < this.#piece.length
  }

  /** Loads the next piece; false if there is none. */
  async load(): Promise<boolean> {
    for (;;) {
      const { value, done } = await this.#pieces.next()
      if (done) return false
      this.#piece = value
      this.#index = 0
      if (this.#piece.length > 0) return true
    }
  }
}

function smallest(cursors: readonly Cursor[]): Cursor | undefined {
  let best: Cursor | undefined
  for (const cursor of cursors) {
    if (!best || byKeyThenNewest(cursor.entry, best.entry) < 0) best = cursor
  }
  return best
}
