/** LevelDB's tables (`.ldb` files): blocks of sorted entries, an index of the blocks, a filter, and a footer. */
import type { FileHandle } from 'node:fs/promises'
import { openPlainFile } from '../directory.ts'
import { BLOCK_TRAILER, type BlockEntry, blockContent, blockEntries } from './block.ts'
import { ByteReader } from './byte-reader.ts'
import { type Entry, REMOVAL, VALUE } from './entry.ts'
import { INTERNAL_KEY_TRAILER } from './manifest.ts'

/** The bytes after the last block: the handles of the index and of the filters, and a magic number. */
export const TABLE_FOOTER = 48
const MAGIC = 0xdb4775248b80fb57n

export interface BlockHandle {
  readonly offset: number
  /** Without the trailer. */
  readonly size: number
}

/** A block of entries, whose keys are greater than the previous separator and at most its own. */
export class DataBlock implements BlockHandle {
  readonly offset: number
  readonly size: number
  readonly #key: Buffer
  readonly #previous: DataBlock | undefined
  #separator: string | undefined

  constructor({ offset, size }: BlockHandle, key: Buffer, previous: DataBlock | undefined) {
    this.offset = offset
    this.size = size
    this.#key = key
    this.#previous = previous
  }

  /** Decoded when it is asked for: a table has hundreds of blocks, and few of them are looked at, but those often. */
  get separator(): string {
    this.#separator ??= this.#key.toString('latin1', 0, Math.max(0, this.#key.length - INTERNAL_KEY_TRAILER))
    return this.#separator
  }

  get after(): string {
    return this.#previous?.separator ?? ''
  }
}

export interface TableDamage {
  readonly offset: number
  readonly problem: string
}

export interface TableLayout {
  readonly blocks: readonly DataBlock[]
  /** What is wrong with the rest of the table: the index, the filters, the footer, gaps. */
  readonly damage: readonly TableDamage[]
}

export interface ReadBlock {
  readonly entries: readonly Entry[]
  readonly problem: string | null
}

export class TableFile implements AsyncDisposable {
  readonly size: number
  readonly #file: FileHandle

  private constructor(file: FileHandle, size: number) {
    this.#file = file
    this.size = size
  }

  static async open(path: string): Promise<TableFile> {
    const file = await openPlainFile(path)
    try {
      return new TableFile(file, (await file.stat()).size)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Lists the blocks of entries, and checks every byte of the file outside them. */
  async layout(): Promise<TableLayout> {
    const damage: TableDamage[] = []
    const footer = await this.bytes(Math.max(0, this.size - TABLE_FOOTER), TABLE_FOOTER)
    const handles = footerHandles(footer)
    if (handles === null) {
      return {
        blocks: [],
        damage: [{ offset: Math.max(0, this.size - TABLE_FOOTER), problem: 'its end is damaged' }],
      }
    }
    const check = async (handle: BlockHandle, what: string) => {
      const { bytes, problem } = blockContent(await this.#stored(handle))
      const { entries, intact } = blockEntries(bytes)
      if (problem !== null || !intact) {
        damage.push({ offset: handle.offset, problem: `${what}: ${problem ?? 'it is malformed'}` })
      }
      return entries
    }
    const blocks = dataBlocks(await check(handles.index, 'its index of blocks'))
    const filters: BlockHandle[] = []
    for (const { value } of await check(handles.meta, 'its list of filters')) {
      const handle = handleIn(value)
      if (handle === null) continue
      filters.push(handle)
      const { problem } = blockContent(await this.#stored(handle))
      if (problem !== null) damage.push({ offset: handle.offset, problem: `its filter: ${problem}` })
    }
    const gap = firstGap([...blocks, ...filters, handles.meta, handles.index], this.size - TABLE_FOOTER)
    if (gap !== null) damage.push({ offset: gap, problem: 'its blocks do not cover it' })
    return { blocks, damage }
  }

  async bytes(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)))
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, offset)
    return bytes.subarray(0, bytesRead)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close()
  }

  #stored({ offset, size }: BlockHandle): Promise<Buffer> {
    return this.bytes(offset, size + BLOCK_TRAILER)
  }
}

/** The entries of a block as stored, with its trailer. */
export function readEntries(stored: Buffer): ReadBlock {
  const { bytes, problem } = blockContent(stored)
  const { entries, intact } = blockEntries(bytes)
  const found: Entry[] = []
  for (const { key, value } of entries) {
    const entry = entryOf(key, value)
    if (entry) found.push(entry)
  }
  const wellFormed = intact && found.length === entries.length
  return { entries: found, problem: problem ?? (wellFormed ? null : 'an entry in it is malformed') }
}

function entryOf(internalKey: Buffer, value: Buffer): Entry | null {
  const end = internalKey.length - INTERNAL_KEY_TRAILER
  if (end < 0) return null
  const kind = internalKey[end]
  if (kind !== VALUE && kind !== REMOVAL) return null
  const sequence = internalKey.readUIntLE(end + 1, 6)
  return { key: internalKey.toString('latin1', 0, end), sequence, value: kind === VALUE ? value : null }
}

/** Whether bytes are a footer but for some bits. The beginning of a block is nothing like the magic number. */
export function resemblesFooter(bytes: Buffer): boolean {
  const different = bytes.readBigUInt64LE(TABLE_FOOTER - 8) ^ MAGIC
  return different.toString(2).replaceAll('0', '').length <= 16
}

function footerHandles(footer: Buffer): { readonly meta: BlockHandle; readonly index: BlockHandle } | null {
  if (footer.length < TABLE_FOOTER || footer.readBigUInt64LE(TABLE_FOOTER - 8) !== MAGIC) return null
  try {
    const reader = new ByteReader(footer.subarray(0, TABLE_FOOTER - 8))
    const meta = { offset: reader.varint(), size: reader.varint() }
    const index = { offset: reader.varint(), size: reader.varint() }
    const padding = footer.subarray(reader.offset, TABLE_FOOTER - 8)
    return padding.every((byte) => byte === 0) ? { meta, index } : null
  } catch {
    return null
  }
}

function handleIn(value: Buffer): BlockHandle | null {
  try {
    const reader = new ByteReader(value)
    return { offset: reader.varint(), size: reader.varint() }
  } catch {
    return null
  }
}

function dataBlocks(entries: readonly BlockEntry[]): DataBlock[] {
  const blocks: DataBlock[] = []
  for (const { key, value } of entries) {
    const handle = handleIn(value)
    if (handle !== null) blocks.push(new DataBlock(handle, key, blocks.at(-1)))
  }
  return blocks
}

/** The first byte that belongs to no block, or to two; null if each belongs to exactly one. */
function firstGap(handles: readonly BlockHandle[], end: number): number | null {
  let next = 0
  for (const { offset, size } of handles.toSorted((a, b) => a.offset - b.offset)) {
    if (offset !== next) return Math.min(next, offset)
    next = offset + size + BLOCK_TRAILER
  }
  return next === end ? null : next
}
