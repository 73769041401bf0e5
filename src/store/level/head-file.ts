/** The `head` file beside the log: the last written position, so that a lost tail is detected. */
import { closeSync, fdatasync, fstatSync, openSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import type { Clock } from '../../clock.ts'
import { NotAFileError, StoreDamaged } from '../../events/errors/store.ts'
import type { Logger } from '../../logger.ts'
import { isMissing, readPlainFile } from '../directory.ts'
import type { LogEnd } from './entries.ts'

/** How long the file on disk may lag behind. It never leads: the log is synced before this file is written. */
const SYNC_AFTER_MS = 1000

export interface HeadFileContent extends LogEnd {
  readonly storeId: string
}

export interface HeadFileParts {
  readonly path: string
  readonly storeId: string
  readonly clock: Clock
  readonly logger: Logger
}

export class HeadFile {
  readonly #parts: HeadFileParts
  readonly #file: number
  #end: LogEnd | null = null
  #isAbandoned = false
  #cancelSync: (() => void) | null = null

  constructor(parts: HeadFileParts) {
    this.#parts = parts
    this.#file = openSync(parts.path, 'r+')
  }

  /** Whether the file was removed or replaced: further writes would go to an unlinked one. */
  get isGone(): boolean {
    return fstatSync(this.#file).nlink === 0
  }

  /** Notes the new end of the log. The file is written later: appends, whose facts are durable already, do not wait. */
  note(end: LogEnd): void {
    if (this.#isAbandoned) return
    if (this.#end === null) setImmediate(() => this.#write())
    this.#end = end
  }

  /** Writes nothing more: the file may be another owner's by now. */
  abandon(): void {
    this.#end = null
    this.#isAbandoned = true
  }

  async close(): Promise<void> {
    this.#write()
    this.#cancelSync?.()
    await promisify(fdatasync)(this.#file).catch(() => {})
    closeSync(this.#file)
  }

  /** Takes microseconds: the write goes to the page cache, which survives this process. */
  #write(): void {
    if (this.#end === null) return
    const { storeId, clock, logger, path } = this.#parts
    try {
      writeSync(this.#file, headFileText({ storeId, ...this.#end }), 0)
    } catch (error) {
      // Harmless: the facts are in the log, and this file may lag behind it.
      logger.warn({ file: path, error: (error as Error).message }, 'Could not write the head file')
    }
    this.#end = null
    this.#cancelSync ??= clock.after(SYNC_AFTER_MS, () => {
      this.#cancelSync = null
      // If this fails, so will the next write to the log, which reports it.
      fdatasync(this.#file, () => {})
    })
  }
}

/** One line of fixed length, overwritten in place. */
export function headFileText({ storeId, position, hash }: HeadFileContent): string {
  const line = `${storeId} ${String(position).padStart(16, '0')} ${hash}`
  return `${line} ${checksum(line)}\n`
}

/** The content of a head file; null if there is none. */
export async function readHeadFile(path: string, baseDir: string): Promise<HeadFileContent | null> {
  let text: string
  try {
    text = (await readPlainFile(path)).toString('utf8')
  } catch (cause) {
    if (isMissing(cause)) return null
    if (cause instanceof NotAFileError) throw cause
    throw new StoreDamaged({ path: baseDir, file: path, problem: 'its head cannot be read' }, { cause })
  }
  const [storeId, position, hash, sum] = text.trimEnd().split(' ')
  if (!storeId || !position || !hash || sum !== checksum(`${storeId} ${position} ${hash}`)) {
    throw new StoreDamaged({ path: baseDir, file: path, problem: 'its head is corrupted' })
  }
  return { storeId, position: Number(position), hash }
}

const checksum = (text: string) => crc32(text).toString(16).padStart(8, '0')
