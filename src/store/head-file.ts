/** The `head` file beside the log: the last position that was written. The log cannot lose its end unnoticed. */
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import type { Clock } from '../clock.ts'
import { StoreDamaged } from '../events/store-errors.ts'
import type { LogEnd } from './batch-plan.ts'
import { isMissing } from './directory.ts'

/** How long the file may lag behind on disk. It only ever lags: the log is on disk before it is written. */
const SYNC_AFTER_MS = 1000

export interface HeadFileContent extends LogEnd {
  readonly storeId: string
}

export class HeadFile {
  readonly #file: number
  readonly #storeId: string
  readonly #clock: Clock
  #cancelSync: (() => void) | null = null

  constructor(path: string, storeId: string, clock: Clock) {
    this.#file = openSync(path, 'r+')
    this.#storeId = storeId
    this.#clock = clock
  }

  /** Takes microseconds: it goes to the system's cache, which outlives this process. */
  write(end: LogEnd): void {
    writeSync(this.#file, headFileText({ storeId: this.#storeId, ...end }), 0)
    this.#cancelSync ??= this.#clock.after(SYNC_AFTER_MS, () => {
      this.#cancelSync = null
      // A failure shows with the next write to the log; this file may lag.
      fdatasync(this.#file, () => {})
    })
  }

  async close(): Promise<void> {
    this.#cancelSync?.()
    await promisify(fdatasync)(this.#file).catch(() => {})
    closeSync(this.#file)
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
    throw new StoreDamaged({ path: baseDir, file: path, problem: 'its head is not what was written' })
  }
  return { storeId, position: Number(position), hash }
}

const checksum = (text: string) => crc32(text).toString(16).padStart(8, '0')
