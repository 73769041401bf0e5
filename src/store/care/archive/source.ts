/** Where an archive comes from: a file or a stream, compressed or not, as lines of text. */
import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { InvalidArchive } from '../../../events/errors/archive.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'

/** An export or a backup as a stream of bytes. */
export interface ArchiveSource {
  /** For messages. */
  readonly name: string
  readonly bytes: AsyncIterable<Uint8Array>
}

/** Throws {@link InvalidInputError} where there is no such file. */
export async function archiveFile(path: string): Promise<ArchiveSource> {
  try {
    await access(path)
  } catch (cause) {
    throw new InvalidInputError(
      {
        what: path,
        problem: 'it cannot be read',
        hint: 'Name a file written by log backup or log export.',
      },
      { cause },
    )
  }
  return { name: path, bytes: createReadStream(path) }
}

/** The lines of an archive, without their ends. */
export async function* archiveLines({ name, bytes }: ArchiveSource): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let begun = ''
  try {
    for await (const chunk of plain(bytes)) {
      const pieces = decoder.decode(chunk, { stream: true }).split('\n')
      pieces[0] = begun + pieces[0]
      begun = pieces.pop() ?? ''
      yield* pieces
    }
  } catch (cause) {
    if (!(cause as NodeJS.ErrnoException).code) throw cause
    const problem = `it cannot be read completely (${(cause as Error).message})`
    throw new InvalidArchive({ file: name, line: null, position: null, problem }, { cause })
  }
  const rest = begun + decoder.decode()
  if (rest !== '') yield rest
}

/** How gzip begins; a line of JSON does not. */
const GZIP = 0x1f

async function* plain(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = bytes[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) return
  const all = rejoined(first.value, iterator)
  if (first.value[0] !== GZIP) return yield* all
  const gunzip = createGunzip()
  // What goes wrong on the way is thrown to whoever reads the other end.
  pipeline(all, gunzip, () => {})
  for await (const chunk of gunzip) yield chunk as Uint8Array
}

async function* rejoined(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first
  yield* { [Symbol.asyncIterator]: () => rest }
}
