/**
 * A program that reads a damaged database and writes what it finds to two files. It is a separate process because LevelDB
 * may abort it. Arguments: `files` or `leveldb`, the directory to read, the directory to write to.
 */
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import {
  type CommitEntry,
  decodeIndexValue,
  decodeRecord,
  type HeadEntry,
  KEY_PREFIX,
  nameIn,
  numberIn,
  type PointersEntry,
  recordKey,
  STORE_KEY,
  type StoreEntry,
  streamOfPointers,
} from '../../level/entries.ts'
import { entriesAfterRepair, entriesInFiles, type SalvagedEntry } from './salvaged-entries.ts'
import {
  type Knowledge,
  LINES_FILE,
  type SalvagedLine,
  VALUES_FILE,
  type ValueSpan,
} from './salvaged-line.ts'

const [mode = '', source = '', target = ''] = process.argv.slice(2)

/** What an index entry tells, by the first letter of its key. */
const KNOWLEDGE: Readonly<Record<string, (key: string, content: unknown) => Knowledge | null>> = {
  m: (key, content) =>
    key === STORE_KEY ? { kind: 'store', storeId: (content as StoreEntry).storeId } : null,
  s: (key, content) => ({
    kind: 'pointers',
    stream: streamOfPointers(key),
    last: numberIn(key),
    positions: content as PointersEntry,
  }),
  h: (key, content) => {
    const { version, position } = content as HeadEntry
    return { kind: 'head', stream: nameIn(key), version, position }
  },
  c: (_, content) => ({ kind: 'commit', ...(content as CommitEntry) }),
}

/** For example on a full disk. The parent process reports what is on stderr. */
function fail(error: Error): never {
  process.stderr.write(error.message)
  process.exit(1)
}

class Output {
  readonly #lines: WriteStream
  readonly #values: WriteStream
  #offset = 0

  constructor(directory: string) {
    this.#lines = createWriteStream(join(directory, LINES_FILE), { mode: 0o600 })
    this.#values = createWriteStream(join(directory, VALUES_FILE), { mode: 0o600 })
    for (const stream of [this.#lines, this.#values]) stream.on('error', fail)
  }

  async value(value: Buffer): Promise<ValueSpan> {
    const span = { offset: this.#offset, length: value.length }
    this.#offset += value.length
    if (!this.#values.write(value)) await once(this.#values, 'drain')
    return span
  }

  async line(line: SalvagedLine): Promise<void> {
    if (!this.#lines.write(`${JSON.stringify(line)}\n`)) await once(this.#lines, 'drain')
  }

  async end(): Promise<void> {
    await Promise.all([finished(this.#lines.end()), finished(this.#values.end())])
  }
}

async function salvageEntry({ key, value, sequence, file }: SalvagedEntry, output: Output): Promise<void> {
  // Removals are ignored: the log only grows.
  if (value === null) return
  if (key.startsWith(KEY_PREFIX.record)) return salvageRecord({ key, value, sequence, file }, output)
  const knowledge = KNOWLEDGE[key[0] ?? '']
  if (key[1] !== '!' || !knowledge) return
  try {
    const known = knowledge(key, decodeIndexValue(key, value.toString('utf8'), file))
    if (known) await output.line(known)
  } catch {
    // A damaged index entry tells nothing.
  }
}

async function salvageRecord(
  { key, value, sequence, file }: SalvagedEntry & { readonly value: Buffer },
  output: Output,
): Promise<void> {
  const position = numberIn(key)
  try {
    if (key !== recordKey(position)) throw new Error('its key is not valid')
    const decoded = decodeRecord({ storeId: '', path: file }, position, value.toString('utf8'))
    const { recorded, hash, previousHash, note } = decoded
    const { stream, version, type } = recorded
    const link = { position, sequence, hash, previousHash }
    const fact = { stream, version, type, noted: note !== null }
    await output.line({ kind: 'record', ...link, ...fact, file, value: await output.value(value) })
  } catch (error) {
    // A damaged value as LevelDB returns it is worth less than the original in the files.
    if (mode === 'leveldb') return
    const { details } = error as { details?: { problem?: string } }
    const problem = details?.problem ?? (error as Error).message
    await output.line({ kind: 'damaged', key, problem, file, value: await output.value(value) })
  }
}

const output = new Output(target)
if (mode === 'files') {
  for await (const entry of entriesInFiles(source)) await salvageEntry(entry, output)
} else {
  const copy = join(target, 'copy')
  await cp(source, copy, { recursive: true })
  for await (const entry of entriesAfterRepair(copy)) await salvageEntry(entry, output)
  await rm(copy, { recursive: true })
}
await output.end()
