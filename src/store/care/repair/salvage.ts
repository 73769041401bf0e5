/** Everything that can still be read of a damaged store, found by a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { RepairFailed } from '../../../events/errors/store.ts'
import { makeDirectory } from '../../directory.ts'
import type { CommitEntry } from '../../level/index-value.ts'
import {
  type DamagedRecord,
  LINES_FILE,
  type SalvagedLine,
  type SalvagedRecord,
  VALUES_FILE,
  type ValuePlace,
} from './salvaged-line.ts'

/** `files` reads the files themselves; `leveldb` lets LevelDB repair a copy of them. */
export type SalvageMode = 'files' | 'leveldb'

/** Where a value that was found can be read again. */
export interface Found<Line> {
  readonly line: Line
  readonly values: FileHandle
}

/** What was found, and what the index tells of what was not. */
export class Salvage implements AsyncDisposable {
  readonly records: Found<SalvagedRecord>[] = []
  readonly damaged: Found<DamagedRecord>[] = []
  /** What the index says was at a position. */
  readonly pointers = new Map<number, { readonly stream: string; readonly version: number }>()
  /** The versions that streams are known to have reached. */
  readonly versions = new Map<string, number>()
  readonly commits: CommitEntry[] = []
  storeId: string | null = null
  /** The largest position that is mentioned anywhere. */
  last = 0
  readonly #files: FileHandle[] = []

  /** Reads a log's directory into a folder. Throws {@link RepairFailed} when the process does not come to an end. */
  async read(mode: SalvageMode, log: string, folder: string): Promise<void> {
    await makeDirectory(folder)
    await runProcess([mode, log, folder], folder)
    const values = await open(join(folder, VALUES_FILE), 'r')
    this.#files.push(values)
    const lines = createReadStream(join(folder, LINES_FILE))
    for await (const text of createInterface({ input: lines, crlfDelay: Number.POSITIVE_INFINITY })) {
      this.#take(JSON.parse(text) as SalvagedLine, values)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) await file.close()
  }

  #take(line: SalvagedLine, values: FileHandle): void {
    switch (line.kind) {
      case 'record':
        this.records.push({ line, values })
        this.#reaches(line.position)
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
          this.#reaches(position)
        }
        this.#knows(line.stream, line.last)
        break
      case 'head':
        this.#reaches(line.position)
        this.#knows(line.stream, line.version)
        break
      case 'commit':
        this.#reaches(line.first + line.count - 1)
        this.commits.push(line)
    }
  }

  #reaches(position: number): void {
    this.last = Math.max(this.last, position)
  }

  #knows(stream: string, version: number): void {
    this.versions.set(stream, Math.max(this.versions.get(stream) ?? 0, version))
  }
}

export async function readValue(values: FileHandle, { offset, length }: ValuePlace): Promise<string> {
  const bytes = Buffer.alloc(length)
  await values.read(bytes, 0, length, offset)
  return bytes.toString('utf8')
}

/** Node does not run TypeScript: from the sources, it is the built one that is started. */
const PROGRAM = new URL(
  import.meta.url.endsWith('.ts')
    ? '../../../../dist/store/care/repair/salvage-process.js'
    : './salvage-process.js',
  import.meta.url,
)

async function runProcess(words: readonly string[], folder: string): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(PROGRAM), ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close') as Promise<[number | null, string | null]>
  let said = ''
  for await (const chunk of child.stderr.setEncoding('utf8')) said = `${said}${chunk}`.slice(-2000)
  const [code, signal] = await ended
  if (code === 0) return
  const problem = `the process reading it ended with ${signal ?? `code ${code}`}: ${said.trim()}`
  throw new RepairFailed({ path: folder, problem })
}
