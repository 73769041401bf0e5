/** The findings of a verification, and its report. */

/**
 * `file`: a file that fails LevelDB's checksums, or is missing. `record`: a fact that is not what was written. `chain`: a
 * fact that does not follow the previous one. `gap`: missing facts. `index`: an index entry that disagrees with the facts.
 * `head`, `store`: the files `head` and `store.json`. `blob`: a missing or changed blob. `files`: a snapshot of an agent's
 * files that is missing or damaged; the log itself is not, and work can continue.
 */
export type FindingKind = 'file' | 'record' | 'chain' | 'gap' | 'index' | 'head' | 'store' | 'blob' | 'files'

export interface Finding {
  readonly kind: FindingKind
  /** The position of the fact; null if it concerns none. */
  readonly position: number | null
  readonly stream: string | null
  /** The key of the entry in the database; null if it concerns none. */
  readonly key: string | null
  readonly file: string
  readonly problem: string
}

/** What a verification found in a store. */
export interface VerifyReport {
  /** Whether there are no findings. */
  readonly ok: boolean
  /** null if `store.json` cannot be read. */
  readonly storeId: string | null
  /** The number of intact facts. */
  readonly facts: number
  readonly streams: number
  /** The number of blobs that facts refer to. */
  readonly blobs: number
  readonly findings: readonly Finding[]
  /** Remarks that are not damage: traces of a killed process, blobs that no fact refers to. */
  readonly notes: readonly string[]
}

type FindingPlace = Partial<Pick<Finding, 'position' | 'stream' | 'key'>>

/** Collects the findings of all checks. */
export class Findings {
  readonly #findings: Finding[] = []
  readonly notes: string[] = []

  add(kind: FindingKind, file: string, problem: string, place: FindingPlace = {}): void {
    this.#findings.push({ kind, position: null, stream: null, key: null, ...place, file, problem })
  }

  /** Whether facts themselves are damaged: what derives from them then disagrees as well, and is not reported. */
  get factsAreDamaged(): boolean {
    return this.#findings.some(({ kind }) => kind === 'record' || kind === 'gap' || kind === 'chain')
  }

  /** All findings, each with its stream if `streamAt` (from the index) knows it. */
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
