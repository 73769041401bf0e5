/** What is wrong with a store, one thing at a time, and the report that all of it makes. */

/**
 * `file`: LevelDB's own checks, or a missing file. `record`: a fact that is not what was written. `chain`: one that does
 * not follow the one before it. `gap`: facts that are missing. `index`: what leads to the facts. `head`, `store`: the
 * files of that name. `blob`: a long body.
 */
export type FindingKind = 'file' | 'record' | 'chain' | 'gap' | 'index' | 'head' | 'store' | 'blob'

export interface Finding {
  readonly kind: FindingKind
  /** Of the fact; null where none can be named. */
  readonly position: number | null
  readonly stream: string | null
  /** Of the entry in the database. */
  readonly key: string | null
  readonly file: string
  readonly problem: string
}

/** What a verification found in a store. */
export interface VerifyReport {
  /** Whether nothing is wrong. */
  readonly ok: boolean
  /** null when its file cannot be read. */
  readonly storeId: string | null
  /** The facts that are there and are what was written. */
  readonly facts: number
  readonly streams: number
  /** The bodies that facts refer to. */
  readonly blobs: number
  readonly findings: readonly Finding[]
  /** What is no damage, and worth a word: traces of a killed process, bodies that nobody refers to. */
  readonly notes: readonly string[]
}

type FindingPlace = Partial<Pick<Finding, 'position' | 'stream' | 'key'>>

/** Collects findings; what one check knows of a place helps another. */
export class Findings {
  readonly #findings: Finding[] = []
  readonly notes: string[] = []

  add(kind: FindingKind, file: string, problem: string, place: FindingPlace = {}): void {
    this.#findings.push({ kind, position: null, stream: null, key: null, ...place, file, problem })
  }

  /** Whether anything was found on facts themselves: what follows from them is then off as well. */
  get factsAreDamaged(): boolean {
    return this.#findings.some(({ kind }) => kind === 'record' || kind === 'gap' || kind === 'chain')
  }

  /** All of them. `streamAt` tells whose fact was at a position, as far as the index knows. */
  list(streamAt: (position: number) => string | undefined): Finding[] {
    return this.#findings.map((finding) =>
      finding.stream === null && finding.position !== null
        ? { ...finding, stream: streamAt(finding.position) ?? null }
        : finding,
    )
  }
}

/** `position 5`, `positions 5 to 9`. */
export const range = (what: string, from: number, to: number) =>
  from === to ? `${what} ${from}` : `${what}s ${from} to ${to}`
