/** The `head` file beside the log: the last position that was written. The log cannot lose its end unnoticed. */
import { closeSync, fdatasync, fstatSync, openSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import type { Clock } from '../../clock.ts'
import { StoreDamaged } from '../../events/errors/store.ts'
import type { Logger } from '../../logger.ts'
import { isMissing } from '../directory.ts'
import type { LogEnd } from './batch-plan.ts'

/** How long the file may lag behind on disk. It only ever lags: the log is on disk before it is written. */
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
  #cancelSync: (() => void) | null = null

  constructor(parts: HeadFileParts) {
    this.#parts = parts
    this.#file = openSync(parts.path, 'r+')
  }

  /** Whether it was removed, and so the store with it: what is written then goes into files that nobody can open. */
  get isGone(): boolean {
    return fstatSync(this.#file).nlink === 0
  }

  /** Notes where the log ends now. It is written in a moment: nobody whose facts are in the log has to wait for it. */
  note(end: LogEnd): void {
    if (this.#end === null) setImmediate(() => this.#write())
    this.#end = end
  }

  async close(): Promise<void> {
    this.#write()
    this.#cancelSync?.()
    await promisify(fdatasync)(this.#file).catch(() => {})
    closeSync(this.#file)
  }

  /** Takes microseconds: it goes to the system's cache, which outlives this process. */
  #write(): void {
    if (this.#end === null) return
    const { storeId, clock, logger, path } = this.#parts
    try {
      writeSync(this.#file, headFileText({ storeId, ...this.#end }), 0)
    } catch (error) {
      // The facts are in the log, and this file may lag behind it.
      logger.warn({ file: path, error: (error as Error).message }, 'The head file could not be written')
    }
    this.#end = null
    this.#cancelSync ??= clock.after(SYNC_AFTER_MS, () => {
      this.#cancelSync = null
      // Should it fail, so will the next write to the log, and that is told.
      fdatasync(this.#file, () => {})
    })
  }
}

/** One line of a fixed length, so that it is overwritten in place. */
export function headFileText({ storeId, position, hash }: HeadFileContent): string {
  const line = `${storeId} ${String(position).padStart(16, '0')} ${hash}`
  return `${line} ${checksum(line)}\n`
}

/** null when there is no such file. */
export async function readHeadFile(path: string, baseDir: string): Promise<HeadFileContent | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (isMissing(cause)) return null
    throw new StoreDamaged({ path: baseDir, file: path, problem: 'its head cannot be read' }, { cause })
  }
  const [storeId, position, hash, sum] = text.trimEnd().split(' ')
  if (!storeId || !position || !hash || sum !== checksum(`${storeId} ${position} ${hash}`)) {
    throw new StoreDamaged({ path: baseDir, file: path, problem: 'its head is corrupted' })
  }
  return { storeId, position: Number(position), hash }
}

const checksum = (text: string) => crc32(text).toString(16).padStart(8, '0')
