/** The source of an archive: a file or a stream, compressed or plain, read as lines. */
import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { InvalidArchive } from '../../../events/errors/archive.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'

/** An export or a backup as a stream of bytes. */
export interface ArchiveSource {
  /** For error messages. */
  readonly name: string
  readonly bytes: AsyncIterable<Uint8Array>
}

/** @throws InvalidInputError if the file cannot be read */
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

/** The lines of an archive, without their line ends. */
export async function* sourceLines({ name, bytes }: ArchiveSource): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder()
  let partial = ''
  try {
    for await (const chunk of decompressed(bytes)) {
      const pieces = decoder.decode(chunk, { stream: true }).split('\n')
      pieces[0] = partial + pieces[0]
      partial = pieces.pop() ?? ''
      yield* pieces
    }
  } catch (cause) {
    if (!(cause as NodeJS.ErrnoException).code) throw cause
    const problem = `it cannot be read completely (${(cause as Error).message})`
    throw new InvalidArchive({ file: name, line: null, position: null, problem }, { cause })
  }
  const rest = partial + decoder.decode()
  if (rest !== '') yield rest
}

/** The first byte of a gzip file, and never of JSON. */
const GZIP = 0x1f

async function* decompressed(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = bytes[Symbol.asyncIterator]()
  const first = await iterator.next()
  if (first.done) return
  const all = rejoined(first.value, iterator)
  if (first.value[0] !== GZIP) return yield* all
  const gunzip = createGunzip()
  // The reader of `gunzip` gets any error.
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
