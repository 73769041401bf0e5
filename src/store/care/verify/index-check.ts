/** Checks that the index on disk matches the facts up to its last checkpoint. */
import {
  type CheckpointEntry,
  checkpointKey,
  decodeIndexValue,
  type HeadEntry,
  headKey,
  nameIn,
  numberIn,
  openKey,
  type PointersEntry,
  streamOfPointers,
} from '../../level/entries.ts'
import { type Findings, range } from './finding.ts'
import type { StoredEntry } from './merged-entries.ts'
import type { CheckedStream, RecordCheck } from './record-check.ts'

type Entries = AsyncIterable<StoredEntry>

/** Decodes an index entry. A damaged one is reported and gives null. */
export function indexEntry<Content>(entry: StoredEntry, findings: Findings): Content | null {
  const { key, value, file } = entry
  try {
    return decodeIndexValue<Content>(key, value, file)
  } catch {
    findings.add('index', file, 'its checksum does not match', { key })
    return null
  }
}

/** Checks the chain of checkpoints, each of which names its predecessor. Returns the position of the last one. */
export async function checkCheckpoints(entries: Entries, path: string, findings: Findings): Promise<number> {
  const previous = new Map<number, number>()
  let last = 0
  for await (const entry of entries) {
    const position = numberIn(entry.key)
    const content = indexEntry<CheckpointEntry>(entry, findings)
    previous.set(position, content?.previous ?? 0)
    last = position
  }
  let linked = 0
  for (let position = last; position > 0; linked++) {
    const before = previous.get(position)
    if (before === undefined) {
      findings.add('index', path, `the checkpoint at position ${position} is missing`, {
        key: checkpointKey(position),
      })
      return last
    }
    position = before
  }
  if (linked < previous.size) findings.add('index', path, 'a checkpoint is missing between two others')
  return last
}

export class IndexCheck {
  readonly #path: string
  readonly #records: RecordCheck
  readonly #findings: Findings
  /** The stream of the fact at each position, according to the index. */
  readonly streamAt = new Map<number, string>()
  /** The streams whose pointers were checked. */
  readonly #checked = new Set<string>()

  constructor(path: string, records: RecordCheck, findings: Findings) {
    this.#path = path
    this.#records = records
    this.#findings = findings
  }

  async heads(entries: Entries): Promise<void> {
    const found = new Set<string>()
    for await (const entry of entries) {
      const stream = nameIn(entry.key)
      found.add(stream)
      const head = indexEntry<HeadEntry>(entry, this.#findings)
      const problem = head && headProblem(head, this.#indexed(stream), this.#findings.factsAreDamaged)
      if (problem) this.#findings.add('index', entry.file, problem, { stream, key: entry.key })
    }
    for (const [stream, { indexed }] of this.#records.streams) {
      if (indexed === null || found.has(stream)) continue
      this.#findings.add('index', this.#path, 'the head of the stream is missing', {
        stream,
        key: headKey(stream),
      })
    }
  }

  async open(entries: Entries): Promise<void> {
    const found = new Set<string>()
    for await (const entry of entries) {
      found.add(nameIn(entry.key))
      indexEntry(entry, this.#findings)
    }
    if (this.#findings.factsAreDamaged) return
    for (const [stream, { indexed }] of this.#records.streams) {
      const listed = found.delete(stream)
      if (listed === (indexed?.open ?? false)) continue
      const problem = listed
        ? 'it is listed as having work to do, but has none'
        : 'it has work to do, but is not listed'
      this.#findings.add('index', this.#path, problem, { stream, key: openKey(stream) })
    }
    for (const stream of found) {
      this.#findings.add('index', this.#path, 'it is listed as having work to do, but has no facts', {
        stream,
      })
    }
  }

  /** Checks the pointers of all streams, which are sorted by stream and version. */
  async pointers(entries: Entries): Promise<void> {
    let stream = ''
    let version = 0
    for await (const entry of entries) {
      const { key, file } = entry
      const name = streamOfPointers(key)
      if (name !== stream) this.#endOf(stream, version)
      if (name !== stream) version = 0
      stream = name
      const positions = indexEntry<PointersEntry>(entry, this.#findings)
      const last = numberIn(key)
      if (positions === null) {
        version = last
        continue
      }
      const first = last - positions.length + 1
      if (first !== version + 1) {
        this.#findings.add('index', file, `it omits ${range('version', version + 1, first - 1)}`, {
          stream,
          key,
        })
      }
      for (const [index, position] of positions.entries()) this.#point(entry, position, stream, first + index)
      version = last
    }
    this.#endOf(stream, version)
    for (const [name, { indexed }] of this.#records.streams) {
      if (indexed !== null && !this.#checked.has(name)) this.#endOf(name, 0)
    }
  }

  #endOf(stream: string, version: number): void {
    if (stream === '') return
    this.#checked.add(stream)
    const expected = this.#indexed(stream)?.version ?? 0
    if (version === expected || this.#findings.factsAreDamaged) return
    const problem = `it leads to ${version} of the ${expected} facts of the stream`
    this.#findings.add('index', this.#path, problem, { stream })
  }

  #point({ key, file }: StoredEntry, position: number, stream: string, version: number): void {
    this.streamAt.set(position, stream)
    const found = this.#records.at(position)
    // A missing or damaged fact has been reported already.
    if (!found || (found.stream === stream && found.version === version)) return
    const problem = `it has version ${version} at position ${position}, which holds version ${found.version} of ${found.stream}`
    this.#findings.add('index', file, problem, { stream, position, key })
  }

  #indexed(stream: string): CheckedStream['indexed'] {
    return this.#records.streams.get(stream)?.indexed ?? null
  }
}

function headProblem(
  head: HeadEntry,
  expected: CheckedStream['indexed'],
  factsAreDamaged: boolean,
): string | null {
  if (head.version !== (expected?.version ?? 0)) {
    return `the index has the stream at version ${head.version}, but its facts end at version ${expected?.version ?? 0}`
  }
  if (factsAreDamaged) return null
  if (head.position !== expected?.position) return 'the index has its last fact at another position'
  const summary = head.summary === null ? null : JSON.stringify(head.summary)
  return summary === expected.summary ? null : 'its summary is not the last one written'
}
