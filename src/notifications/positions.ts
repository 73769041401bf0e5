/** How far each receiver has been told, in a small file beside the log. Backups do not contain it: a copy begins anew. */
import { dirname, join } from 'node:path'
import type { Logger } from '../logger.ts'
import { isMissing, makeDirectory, readPlainFile, writeWholeFile } from '../store/directory.ts'
import { removeLeftOvers } from '../store/unfinished.ts'

/** The positions of receivers by their ids. A file or, in tests, a memory. */
export interface PositionsFile {
  read(): Promise<string | null>
  /** Atomic and durable. */
  write(text: string): Promise<void>
}

/** The file `notified` of a base directory. */
export function positionsFile(baseDir: string): PositionsFile {
  const path = join(baseDir, 'notified')
  return {
    async read() {
      await removeLeftOvers(path)
      return readPlainFile(path).then(String, (error) => {
        if (isMissing(error)) return null
        throw error
      })
    },
    async write(text) {
      await makeDirectory(dirname(path))
      await writeWholeFile(path, text)
    },
  }
}

/** How many positions a receiver may be ahead of the file while nothing was delivered: they are only read again. */
const MOST_UNWRITTEN = 1000

export class Positions {
  readonly #file: PositionsFile
  readonly #storeId: string
  readonly #logger: Logger
  readonly #positions: Map<string, number>
  readonly #written: Map<string, number>
  #writing: Promise<void> = Promise.resolve()
  #hasWarned = false

  private constructor(
    file: PositionsFile,
    { storeId, head, ids, logger }: PositionsOptions,
    known: ReadonlyMap<string, number>,
  ) {
    this.#file = file
    this.#storeId = storeId
    this.#logger = logger
    this.#written = new Map(known)
    this.#positions = new Map(known)
    for (const id of ids) this.#positions.set(id, Math.min(known.get(id) ?? head, head))
  }

  /** Receivers that the file does not know begin at `head`. One that is not among the ids keeps its position. */
  static async open(file: PositionsFile, options: PositionsOptions): Promise<Positions> {
    const known = positionsIn(await file.read(), options.storeId)
    if (known === null)
      options.logger.warn({}, 'the places of receivers cannot be read: they begin at the end of the log')
    const positions = new Positions(file, options, known ?? new Map())
    await positions.save()
    return positions
  }

  of(id: string): number {
    return this.#positions.get(id) ?? 0
  }

  /** Moves a receiver on. Resolves once that is durable, if something was delivered. */
  async advance(id: string, position: number, isDelivered: boolean): Promise<void> {
    this.#positions.set(id, position)
    if (isDelivered || position - (this.#written.get(id) ?? 0) >= MOST_UNWRITTEN) await this.save()
  }

  /** Never rejects: what cannot be written is written with the next one, or delivered again. */
  save(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const receivers = Object.fromEntries([...this.#positions].sort())
    if (Object.entries(receivers).every(([id, position]) => this.#written.get(id) === position)) return
    try {
      await this.#file.write(`${JSON.stringify({ storeId: this.#storeId, receivers })}\n`)
      for (const [id, position] of Object.entries(receivers)) this.#written.set(id, position)
    } catch (error) {
      if (!this.#hasWarned)
        this.#logger.warn(
          { error },
          'the places of receivers cannot be written: notifications may be repeated',
        )
      this.#hasWarned = true
    }
  }
}

interface PositionsOptions {
  readonly storeId: string
  /** The last position of the log. */
  readonly head: number
  readonly ids: readonly string[]
  readonly logger: Logger
}

/** The positions in the file, none if it is of another log; null if it cannot be understood. */
function positionsIn(text: string | null, storeId: string): ReadonlyMap<string, number> | null {
  if (text === null) return new Map()
  try {
    const found = JSON.parse(text)
    if (found.storeId !== storeId) return new Map()
    const positions = Object.entries(found.receivers).filter(
      (entry): entry is [string, number] => Number.isSafeInteger(entry[1]) && (entry[1] as number) >= 0,
    )
    return new Map(positions)
  } catch {
    return null
  }
}
