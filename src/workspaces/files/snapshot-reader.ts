/**
 * Snapshots of the files of agents, read and nothing else: beside the process that works with them, or after it. What is
 * read is not kept, so it may be of any size.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { NO_FILES } from '../../events/agent-facts.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { gitPieces } from './git.ts'
import { entryChange, type LineCounts, lineCounts, type SnapshotFile, snapshotFile } from './git-output.ts'
import { type FilePath, fromTree } from './paths.ts'
import { COMMIT } from './snapshots.ts'

/** A piece of the difference between two snapshots: first each file, then how many lines of each, then the patch. */
export type DifferencePiece =
  | {
      readonly part: 'file'
      readonly path: FilePath
      readonly status: 'added' | 'changed' | 'removed'
      /** In how many sections the patch has it: two where a file becomes a link, or a link a file. */
      readonly sections: number
    }
  | ({ readonly part: 'count' } & LineCounts)
  | { readonly part: 'line'; readonly line: Buffer }

export class SnapshotReader {
  readonly #repository: string

  /** @param repository Where the snapshots are. */
  constructor(repository: string) {
    this.#repository = repository
  }

  /** The files of a snapshot, by path. Throws WorkspaceError. */
  async *files(commit: string, signal: AbortSignal): AsyncGenerator<SnapshotFile> {
    if (commit === NO_FILES) return
    const listing = this.#read(['ls-tree', '-r', '-z', '--long', objectName(commit)], signal)
    for await (const record of pieces(listing, () => NUL)) yield snapshotFile(record.toString('latin1'))
  }

  /**
   * The difference between two snapshots. Its patch has one section for each file, in the order of the files, that begins
   * with `diff --git`. Throws WorkspaceError.
   */
  async *difference(from: string, to: string, signal: AbortSignal): AsyncGenerator<DifferencePiece> {
    const command = [
      'diff-tree',
      '-r',
      '-z',
      '--raw',
      '--numstat',
      '-p',
      ...PLAIN,
      objectName(from),
      objectName(to),
    ]
    let entry: string | undefined
    let isPatch = false
    for await (const piece of pieces(this.#read(command, signal), () => (isPatch ? LINE_FEED : NUL))) {
      if (isPatch) yield { part: 'line', line: piece }
      else if (entry !== undefined) {
        yield { part: 'file', path: fromTree(piece.toString('latin1')), ...meaning(entry) }
        entry = undefined
      } else if (piece.length === 0) isPatch = true
      else if (piece[0] === COLON) entry = piece.toString('latin1')
      else yield { part: 'count', ...lineCounts(piece.toString('latin1')) }
    }
  }

  /** The beginning of a file. Throws WorkspaceError. */
  async beginning({ oid }: SnapshotFile, most: number, signal: AbortSignal): Promise<Buffer> {
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of this.#read(['cat-file', 'blob', objectName(oid)], signal)) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= most) break
    }
    return Buffer.concat(chunks).subarray(0, most)
  }

  async *#read(command: readonly string[], signal: AbortSignal): AsyncGenerator<Buffer> {
    const path = this.#repository
    if (!existsSync(join(path, 'HEAD')))
      throw new WorkspaceError({ path, problem: 'there are no snapshots here', hint: COPY })
    try {
      yield* gitPieces(command, { repository: path, signal })
    } catch (cause) {
      if (!(cause instanceof WorkspaceError) || cause.hint !== '') throw cause
      throw new WorkspaceError(
        { path, problem: `a snapshot cannot be read (${cause.details.problem})`, hint: GONE },
        { cause },
      )
    }
  }
}

const COPY = 'If the log was copied here, copy that directory as well.'
const GONE = 'Part of that directory is missing: bring it back from a backup.'

const PLAIN = ['--no-renames', '--no-ext-diff', '--no-textconv', '--no-color']
const [NUL, LINE_FEED, COLON] = [0, 10, 58]
/** A log may come from elsewhere: what it names could be an option of git. */
function objectName(name: string): string {
  if (COMMIT.test(name)) return name
  throw new WorkspaceError({ path: JSON.stringify(name), problem: 'this is not the name of a snapshot' })
}

function meaning(entry: string): Pick<DifferencePiece & { part: 'file' }, 'status' | 'sections'> {
  const { from, to, isOtherKind } = entryChange(entry)
  if (!from) return { status: 'added', sections: 1 }
  if (!to) return { status: 'removed', sections: 1 }
  return { status: 'changed', sections: isOtherKind ? 2 : 1 }
}

/** Cuts what is read at a byte, which may be another one after each piece. */
async function* pieces(output: AsyncIterable<Buffer>, separator: () => number): AsyncGenerator<Buffer> {
  let begun: Buffer[] = []
  for await (const chunk of output) {
    let from = 0
    for (let end = chunk.indexOf(separator()); end >= 0; end = chunk.indexOf(separator(), from)) {
      yield Buffer.concat([...begun, chunk.subarray(from, end)])
      begun = []
      from = end + 1
    }
    begun.push(chunk.subarray(from))
  }
  const rest = Buffer.concat(begun)
  if (rest.length > 0) yield rest
}
