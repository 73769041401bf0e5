/** Everything that can still be read of a damaged store, collected from a separate process. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { RepairFailed } from '../../../events/errors/store.ts'
import { makeDirectory } from '../../directory.ts'
import type { CommitEntry } from '../../level/entries.ts'
import {
  type DamagedRecord,
  LINES_FILE,
  type SalvagedLine,
  type SalvagedRecord,
  VALUES_FILE,
  type ValueSpan,
} from './salvaged-line.ts'

/** `files` parses the files directly; `leveldb` has LevelDB repair a copy of them. */
export type SalvageMode = 'files' | 'leveldb'

/** A found entry, and the file that has its value. */
export interface Found<Line> {
  readonly line: Line
  readonly values: FileHandle
}

/** The records that were found, and what the index tells about those that were not. */
export class Salvage implements AsyncDisposable {
  readonly records: Found<SalvagedRecord>[] = []
  readonly damaged: Found<DamagedRecord>[] = []
  /** The fact at each position, according to the index. */
  readonly pointers = new Map<number, { readonly stream: string; readonly version: number }>()
  /** The last known version of each stream. */
  readonly versions = new Map<string, number>()
  readonly commits: CommitEntry[] = []
  storeId: string | null = null
  /** The largest position found anywhere. */
  last = 0
  readonly #files: FileHandle[] = []

  /** Reads the directory of a log, with a folder for intermediate files. Throws {@link RepairFailed} if the process fails. */
  async read(mode: SalvageMode, log: string, folder: string): Promise<void> {
    await makeDirectory(folder)
    await runProcess([mode, log, folder], folder)
    const values = await open(join(folder, VALUES_FILE), 'r')
    this.#files.push(values)
    const lines = createReadStream(join(folder, LINES_FILE))
    for await (const text of createInterface({ input: lines, crlfDelay: Number.POSITIVE_INFINITY })) {
      this.#add(JSON.parse(text) as SalvagedLine, values)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await file.close()
  }

  #add(line: SalvagedLine, values: FileHandle): void {
    switch (line.kind) {
      case 'record':
        this.records.push({ line, values })
        this.#notePosition(line.position)
        break
      case 'damaged':
        this.damaged.push({ line, values })
        break
      case 'store':
        this.storeId ??= line.storeId
        break
      case 'pointers':
        for (const [index, position] of line.positions.entries()) {
          const version = line.last - line.positions.length + 1 + index
          this.pointers.set(position, { stream: line.stream, version })
          this.#notePosition(position)
        }
        this.#noteVersion(line.stream, line.last)
        break
      case 'head':
        this.#notePosition(line.position)
        this.#noteVersion(line.stream, line.version)
        break
      case 'commit':
        this.#notePosition(line.first + line.count - 1)
        this.commits.push(line)
    }
  }

  #notePosition(position: number): void {
    this.last = Math.max(this.last, position)
  }

  #noteVersion(stream: string, version: number): void {
    this.versions.set(stream, Math.max(this.versions.get(stream) ?? 0, version))
  }
}

export async function readValue(values: FileHandle, { offset, length }: ValueSpan): Promise<string> {
  const bytes = Buffer.alloc(length)
  await values.read(bytes, 0, length, offset)
  return bytes.toString('utf8')
}

/** Node cannot run this TypeScript, so from the sources the built program is started. */
const PROGRAM = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../../dist/store/care/repair/salvage-process.js'
    : './salvage-process.js',
  import.meta.url,
)

async function runProcess(args: readonly string[], folder: string): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(PROGRAM), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  let stderr = ''
  for await (const chunk of child.stderr.setEncoding('utf8')) stderr = `${stderr}${chunk}`.slice(-2000)
  const [code, signal] = await ended
  if (code === 0) return
  const problem = `the process reading it ended with ${signal ?? `code ${code}`}: ${stderr.trim()}`
  throw new RepairFailed({ path: folder, problem })
}
