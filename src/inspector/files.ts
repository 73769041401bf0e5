/**
 * The files of an agent at a position of the log, and what has changed them. The log says which snapshots; git reads them, one
 * process for each kind of request, and none for a page that has gone.
 */

import { createHash } from 'node:crypto'
import { StoredCopies } from '../actors/agent/moving/copies.ts'
import type { AgentContext } from '../actors/agent/state.ts'
import type { PlainState } from '../actors/engine/fold.ts'
import { Mailbox } from '../actors/engine/mailbox.ts'
import { systemClock } from '../clock.ts'
import { agentFacts, NO_FILES } from '../events/agent-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { WorkspaceError } from '../events/errors/workspace.ts'
import { visible, visibleName } from '../events/hidden-characters.ts'
import { defined } from '../events/json.ts'
import type { PatchLine } from '../inbox/line-patch.ts'
import type { EventStore } from '../store/event-store.ts'
import { agentDirectories, snapshotsPath } from '../workspaces/directories.ts'
import type { SnapshotFile } from '../workspaces/files/git-output.ts'
import { filesOperations } from '../workspaces/files/operations.ts'
import { type FilePath, readable } from '../workspaces/files/paths.ts'
import { type DifferencePiece, SnapshotReader } from '../workspaces/files/snapshot-reader.ts'
import { thisPlace } from '../workspaces/place.ts'
import type { LogIndex } from './index/index.ts'
import { foldTo, type StreamTrack } from './index/track.ts'
import type { ChangeLine, ChangesView, FileLine, FilesAt, FilesView, FileView } from './view.ts'

/** Whether the fact at a position tells of changes to an agent's files. */
export function changesFiles(index: LogIndex, position: number): boolean {
  const files = index.trackAt(position)?.files
  const type = index.table.type(position)
  if (type === 'FilesSaved' || type === 'FilesCommitted') return !!files
  return !!files && lastIn(files.changes, position) === position
}

/** What the log has of an agent's files at a position, where its state is this one; null if it has nothing. */
export function filesAt(
  index: LogIndex,
  { files }: StreamTrack,
  position: number,
  state: PlainState | undefined,
): FilesAt | null {
  const snapshot = files ? newestSnapshot(state) : NO_FILES
  if (!files || snapshot === NO_FILES) return null
  const isHere = index.trackAt(position)?.files === files && changesFiles(index, position)
  return { snapshot, changes: isHere ? position : lastIn(files.changes, position) }
}

const lastIn = (positions: StreamTrack['positions'], upTo: number): number | null =>
  positions.at(positions.countUpTo(upTo) - 1) || null

/** As an agent's state has them. */
interface KnownFiles {
  readonly config?: { readonly workspace?: { readonly commit?: string } } | null
  readonly files?: { readonly commit: string; readonly before?: string }
}

const filesIn = (state: PlainState | undefined): KnownFiles => (state?.context ?? {}) as KnownFiles

function newestSnapshot(state: PlainState | undefined): string {
  const { files, config } = filesIn(state)
  return files?.commit ?? config?.workspace?.commit ?? NO_FILES
}

/** Between which snapshots the files were changed, and by what. */
interface ChangedBy extends Pick<ChangesView, 'by' | 'turn'> {
  readonly from: string
  readonly to: string
}

/** An answer, if it can be given. */
type Shown<View> = Omit<View, 'problem'>

/** What a page asks for. */
export interface FilesRequest {
  readonly stream: string
  readonly position: number
  /** Anywhere in the path; case does not matter. */
  readonly text: string
  /** The key of a file; empty for none. */
  readonly key: string
  /** Whether all changes since the agent began are wanted, and not only those of the position. */
  readonly isAll: boolean
}

const MOST_FILES = 500
const MOST_LINES = 2000
/** More are not counted. */
const MOST_COUNTED = 1_000_000
const LONGEST_LINE = 1000
const LARGEST_TEXT = 200_000

export class InspectedFiles {
  /** Where agents live; undefined if that is not known. */
  readonly baseDir: string | undefined
  readonly #store: EventStore
  readonly #index: LogIndex
  readonly #snapshots: SnapshotReader | null
  /** Of agents that live on other machines. */
  readonly #copies: StoredCopies | null
  readonly #turns = { list: new Mailbox(), file: new Mailbox(), changes: new Mailbox() }

  /** @param baseDir Where the files are saved; undefined if that is not known. */
  constructor(store: EventStore, index: LogIndex, baseDir: string | undefined) {
    this.#store = store
    this.#index = index
    this.baseDir = baseDir
    this.#snapshots = baseDir === undefined ? null : new SnapshotReader(snapshotsPath(baseDir))
    this.#copies = baseDir === undefined ? null : storedCopies(store, baseDir)
  }

  /** Removes the copies that were made. */
  async close(): Promise<void> {
    await this.#copies?.[Symbol.asyncDispose]()
  }

  /** The files at a position. */
  list(request: FilesRequest, signal: AbortSignal): Promise<FilesView> {
    const nothing: Shown<FilesView> = { total: 0, matching: 0, files: [] }
    return this.#answer('list', request, nothing, signal, async (snapshots) => {
      const snapshot = await this.#snapshotAt(request)
      const files: FileLine[] = []
      let [total, matching] = [0, 0]
      for await (const file of snapshots.files(snapshot, signal)) {
        total++
        if (!matches(file.path, request.text)) continue
        if (matching++ < MOST_FILES) files.push(fileLine(file))
      }
      return { total, matching, files }
    })
  }

  /** One file at a position. */
  file(request: FilesRequest, signal: AbortSignal): Promise<FileView> {
    const nothing: Shown<FileView> = { file: null, text: null, moreBytes: 0 }
    return this.#answer('file', request, nothing, signal, async (snapshots) => {
      const found = await this.#find(snapshots, request, signal)
      if (!found) return nothing
      const file = fileLine(found)
      if (file.kind === 'submodule') return { ...nothing, file }
      const bytes = await snapshots.beginning(found, LARGEST_TEXT, signal)
      return { file, text: textIn(bytes), moreBytes: Math.max(0, found.bytes - bytes.length) }
    })
  }

  async #find(
    snapshots: SnapshotReader,
    request: FilesRequest,
    signal: AbortSignal,
  ): Promise<SnapshotFile | null> {
    for await (const file of snapshots.files(await this.#snapshotAt(request), signal))
      if (keyOf(file.path) === request.key) return file
    return null
  }

  /** What the fact at a position has changed, or all since the agent began. */
  changes(request: FilesRequest, signal: AbortSignal): Promise<ChangesView> {
    const nothing: Shown<ChangesView> = { by: 'all', turn: null, ...noChanges() }
    return this.#answer('changes', request, nothing, signal, async (snapshots) => {
      const { from, to, by, turn } = request.isAll
        ? { ...(await this.#sinceBeginning(request)), by: 'all' as const, turn: null }
        : await this.#changedBy(request)
      const pieces = from === to ? [] : snapshots.difference(from, to, signal)
      return { by, turn, ...(await collected(pieces, request)) }
    })
  }

  async #sinceBeginning(request: FilesRequest): Promise<{ from: string; to: string }> {
    const to = await this.#snapshotAt(request)
    return { from: this.#index.track(request.stream)?.files?.beganAt(request.position) ?? NO_FILES, to }
  }

  async #changedBy({ stream, position }: FilesRequest): Promise<ChangedBy> {
    const track = this.#index.trackAt(position)
    if (track?.name !== stream || !changesFiles(this.#index, position))
      throw new InvalidInputError({ what: 'position', problem: 'its fact tells of no changes to files' })
    const version = this.#index.table.version(position)
    const before = await this.#stateAt({ stream, position: position - 1 }, version - 1)
    const turns = track.files?.turns.countUpTo(position) ?? 0
    for await (const recorded of this.#store.read(stream, { after: version - 1, to: version }))
      return changedBy(recorded, before, turns)
    return noSnapshot({ stream, position })
  }

  async #snapshotAt(request: FilesRequest): Promise<string> {
    const snapshot = newestSnapshot(await this.#stateAt(request))
    return snapshot === NO_FILES ? noSnapshot(request) : snapshot
  }

  async #stateAt(
    { stream, position }: Pick<FilesRequest, 'stream' | 'position'>,
    version = this.#versionAt(stream, position),
  ): Promise<PlainState | undefined> {
    const track = this.#index.track(stream)
    if (track?.actorKind !== 'agent')
      throw new InvalidInputError({ what: 'actor', problem: `there is no agent ${stream}` })
    if (track.damage && version >= track.damage.version)
      throw new WorkspaceError({ path: stream, problem: `its state is unknown. ${track.damage.problem}` })
    return version === 0 ? undefined : foldTo(this.#store, track, version)
  }

  #versionAt(stream: string, position: number): number {
    const last = this.#index.track(stream)?.lastUpTo(position) ?? 0
    return last === 0 ? 0 : this.#index.table.version(last)
  }

  /** Where the snapshots of an agent are: here, or in a copy of what the database has of one that lives on another machine. */
  async #snapshotsOf(stream: string, here: SnapshotReader): Promise<SnapshotReader> {
    const track = this.#index.track(stream)
    if (!track?.files?.isStored || track.damage) return here
    const state = await this.#stateAt({ stream, position: Number.POSITIVE_INFINITY })
    const context = state?.context as Partial<AgentContext> | undefined
    if (!context?.stored) return here
    const { stored, files } = context
    const agent = stream.slice('agent/'.length)
    const copy = await this.#copies?.of(agent, { stored, files }).catch((cause) => {
      if (!(cause instanceof InvalidInputError)) throw cause
      const problem = 'its files are not in the database'
      throw new WorkspaceError({ path: stream, problem, ...defined({ hint: cause.hint }) }, { cause })
    })
    return copy?.directories.snapshots === undefined ? here : new SnapshotReader(copy.directories.snapshots)
  }

  /** Reads when its turn comes. What cannot be read is said in words. */
  #answer<View>(
    kind: 'list' | 'file' | 'changes',
    { stream }: FilesRequest,
    nothing: View,
    signal: AbortSignal,
    read: (snapshots: SnapshotReader) => Promise<View>,
  ): Promise<View & { readonly problem: string | null }> {
    return this.#turns[kind].post(async () => {
      signal.throwIfAborted()
      if (!this.#snapshots) return { ...nothing, problem: NO_DIRECTORY }
      try {
        return { ...(await read(await this.#snapshotsOf(stream, this.#snapshots))), problem: null }
      } catch (error) {
        if (!(error instanceof ClaudeAgentError)) throw error
        if (error instanceof ClosedError || error instanceof InvalidInputError) throw error
        return { ...nothing, problem: visible(error.message) }
      }
    })
  }
}

const storedCopies = ({ blobs }: EventStore, baseDir: string) =>
  new StoredCopies({
    runner: { files: filesOperations(systemClock) },
    blobs,
    place: () => thisPlace(baseDir),
    directories: (agent) => agentDirectories(baseDir, agent),
  })

const NO_DIRECTORY =
  'The inspector was opened for a store without its base directory, where the files are saved. In code: inspector({ store, baseDir }).'

function noSnapshot({ stream, position }: Pick<FilesRequest, 'stream' | 'position'>): never {
  const problem = `no snapshot of its files was saved up to position ${position}`
  throw new WorkspaceError({ path: stream, problem })
}

function changedBy(recorded: Recorded, before: PlainState | undefined, turns: number): ChangedBy {
  const { type, data } = agentFacts.read(recorded)
  const newest = newestSnapshot(before)
  const begun = filesIn(before).files?.before ?? newest
  if (type === 'FilesSaved')
    return data.when === 'before'
      ? { by: 'hand', turn: null, from: newest, to: data.commit }
      : { by: 'call', turn: null, from: begun, to: data.commit }
  if (type === 'FilesRestored') {
    const by = data.because === 'call' ? 'failure' : data.because
    return { by, turn: null, from: data.from, to: data.commit }
  }
  return { by: 'turn', turn: type === 'CallSucceeded' ? turns : turns + 1, from: begun, to: newest }
}

/** Of a path, whatever its bytes are and however long it is. */
const keyOf = (path: FilePath): string => createHash('sha1').update(path, 'latin1').digest('hex')

const matches = (path: FilePath, text: string): boolean =>
  text === '' || readable(path).toLowerCase().includes(text.toLowerCase())

const KINDS_BY_MODE: Readonly<Record<string, FileLine['kind']>> = {
  '100755': 'program',
  '120000': 'link',
  '160000': 'submodule',
}

const fileLine = ({ path, mode, bytes }: SnapshotFile): FileLine => ({
  key: keyOf(path),
  path: visibleName(readable(path)),
  kind: KINDS_BY_MODE[mode] ?? 'file',
  bytes,
})

/** Where git looks for a zero byte, which text has not. */
const LOOKED_AT = 8000

/** null if it is not text. A character that is cut off at the end is left out. */
function textIn(bytes: Buffer): string | null {
  if (bytes.subarray(0, LOOKED_AT).includes(0)) return null
  return visible(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true }))
}

const noChanges = () => ({
  ...{ total: 0, added: 0, removed: 0, matching: 0, files: [] as ChangeLine[] },
  ...{ only: null as string | null, patch: [] as PatchLine[], moreLines: 0, isMore: false },
})

/** Of a difference of any size, the part that a page can show, and how much the rest is. */
async function collected(
  pieces: AsyncIterable<DifferencePiece> | Iterable<DifferencePiece>,
  { text, key }: FilesRequest,
): Promise<Omit<ChangesView, 'problem' | 'by' | 'turn'>> {
  const found = noChanges()
  const listed = new Map<FilePath, number>()
  let sections = 0
  /** The sections of the patch that are wanted. */
  let wanted = { from: 0, to: Number.POSITIVE_INFINITY }
  let section = -1
  let isHead = true
  for await (const piece of pieces) {
    if (piece.part === 'file') {
      found.total++
      if (key !== '' && found.only === null && keyOf(piece.path) === key) {
        found.only = key
        wanted = { from: sections, to: sections + piece.sections }
      }
      sections += piece.sections
      if (!matches(piece.path, text)) continue
      if (found.matching++ >= MOST_FILES) continue
      listed.set(piece.path, found.files.length)
      const path = visibleName(readable(piece.path))
      found.files.push({ key: keyOf(piece.path), path, status: piece.status, added: null, removed: null })
    } else if (piece.part === 'count') {
      const { path, added, removed } = piece
      found.added += added ?? 0
      found.removed += removed ?? 0
      const at = listed.get(path) ?? -1
      const line = found.files[at]
      if (line) found.files[at] = { ...line, added, removed }
    } else {
      if (piece.line.subarray(0, SECTION.length).equals(SECTION)) {
        section++
        isHead = true
      }
      if (section >= wanted.to) break
      if (piece.line[0] === AT) isHead = false
      if (section < wanted.from) continue
      if (found.patch.length < MOST_LINES) found.patch.push(patchLine(piece.line, isHead))
      else if (++found.moreLines >= MOST_COUNTED) return { ...found, isMore: true }
    }
  }
  return found
}

const SECTION = Buffer.from('diff --git ')
const AT = 64

const LINE_KINDS: Readonly<Record<string, PatchLine[0]>> = { '@': 'hunk', '+': 'added', '-': 'removed' }

/** Inside a section, its first character says what a line is: whatever a file has, it stands behind that. */
function patchLine(line: Buffer, isHead: boolean): PatchLine {
  const text = line.toString('utf8', 0, 4 * LONGEST_LINE)
  const isCut = line.length > 4 * LONGEST_LINE || text.length > LONGEST_LINE
  const shown = isCut ? `${visible(text.slice(0, LONGEST_LINE))}… (${line.length} bytes)` : visible(text)
  return [isHead ? 'head' : (LINE_KINDS[text[0] ?? ''] ?? 'same'), shown]
}
