/**
 * The history of the files of one agent: its directory as commits under a ref of ours, and back from them.
 *
 * F1. A snapshot that was returned is on the disk, and reachable from the ref of its agent for as long as that is there.
 * F2. Saving changes nothing in the directory, nor in the user's repository. Restoring changes only what differs between the
 *     two snapshots, and what was there before is a snapshot first.
 * F3. What is ignored is neither saved nor touched.
 * F4. No link is followed, nothing but a file is read, and nothing of what an agent wrote is executed.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, existsSync, lstatSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pause, systemClock } from '../../clock.ts'
import { NO_FILES } from '../../events/agent-facts.ts'
import { codeOf } from '../../events/errors/phrases.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { type Directory, openDirectory, SWAPPED } from '../inputs/directory.ts'
import {
  type Author,
  type GitCall,
  type GitInput,
  PieceReader,
  signatureOf,
  type WorkingTree,
} from './git.ts'
import { type EntryChange, entryChange, type GitEntry, lineCounts, snapshotFile } from './git-output.ts'
import {
  caseClash,
  directoryOf,
  type FilePath,
  fastImportPath,
  fromTree,
  isInner,
  isRefusedLink,
  outerOf,
  readable,
  toTree,
} from './paths.ts'
import type { FilesRepository } from './repository.ts'
import {
  directoriesBelow,
  endPipes,
  type FileContent,
  type FileMode,
  FileWriter,
  filesBelow,
  foldsCase,
  isTemporary,
  kindAt,
  makeRepositoryAt,
  readFileAt,
  removeFileAt,
  stampOf,
} from './tree-files.ts'

/** A snapshot, and how it differs from the one before. */
export interface SavedFiles {
  readonly commit: string
  readonly tree: string
  /** How many files have other bytes or another mode, how many are new, and how many are gone. */
  readonly changed: number
  readonly added: number
  readonly removed: number
  /** Files that are neither saved nor touched, because they are too large, too many or of another user: the first ones. */
  readonly left?: readonly string[]
  /** How many these are, where not all are named. */
  readonly leftInAll?: number
}

/** How a file differs between two snapshots. */
export interface FileChange {
  readonly path: string
  readonly status: 'added' | 'changed' | 'removed'
  /** In lines; null if it is binary. */
  readonly added: number | null
  readonly removed: number | null
}

/** A file of a snapshot. */
export interface ListedFile {
  readonly path: string
  /** As git has it: `100644`, `100755`, `120000` for a link, `160000` for a submodule. */
  readonly mode: string
  readonly bytes: number
}

export interface HistoryPlace {
  readonly repository: FilesRepository
  /** The agent's name in the refs of the repository. */
  readonly agent: string
  /** Whose files these are. */
  readonly directory: string
  /**
   * In a working tree of git, what the repository ignores is left out. `excludes`: its file of further patterns. Default:
   * everything is saved.
   */
  readonly ignored?: { readonly excludes?: string }
  /** In bytes: what is larger is neither saved nor touched. Default: 100 MB. */
  readonly largest?: number
  /** How many files are saved; more are neither saved nor touched. Default: 100,000. */
  readonly most?: number
  /** The commit of the user that it begins from: however many files that has, they are saved. */
  readonly base?: string
}

/** A difference to the snapshot before. */
interface Change extends GitEntry {
  readonly path: FilePath
  readonly kind: 'added' | 'changed' | 'removed'
}

/** What a path is in two snapshots. */
interface Difference extends Pick<EntryChange, 'from' | 'to'> {
  readonly path: FilePath
}

/** A file of an inner repository when it was last saved. */
type Stamps = Readonly<Record<string, string>>

/** What is kept beside the index, of which it is a part. */
interface Mark {
  readonly commit: string
  readonly tree: string
  readonly stamps: Stamps
  /** The snapshot whose contents the index has; what has come and gone since is in it. Default: the commit. */
  readonly indexed?: string
}

/** The largest file that is saved, in bytes: one at a time is in memory. */
const LARGEST = 100 * 1024 * 1024
/** How many files are saved, without those of the base: what is known of each is in memory. */
const MOST_FILES = 100_000
/** How many of those that are left are named. */
const MOST_NAMED = 20
/** So many files that the index does not know by their times are compared by content; with more, it gets to know them. */
const MOST_UNKNOWN = 64
/** How long git may look at the files before we look for pipes that it waits for. */
const PATIENCE_MS = 1000
/** Where nothing can be seen. */
const UNSEEN = new Set<string | undefined>([...SWAPPED, 'EACCES', 'EPERM', 'ENAMETOOLONG'])
const NOTHING: GitEntry = { mode: '0', oid: '0'.repeat(40) }

export class FileHistory {
  readonly ref: string
  readonly #repository: FilesRepository
  readonly #directory: string
  readonly #own: string
  readonly #tree: WorkingTree
  readonly #listing: readonly string[]
  /** How git is told what is ignored; undefined if nothing is. */
  readonly #ignoring: readonly string[] | undefined
  readonly #largest: number
  readonly #most: number
  readonly #base: string | undefined
  #mark: Mark | undefined
  /** The commit of the repository's own that was looked at last. */
  #committed: Pick<Mark, 'commit' | 'tree'> | undefined
  /** What the index has, once it was read. */
  #known: KnownFiles | undefined
  /** What the last listing found that a killed restoring has left. */
  #leftOvers: FilePath[] = []
  /** Files that have other contents than in the index. */
  readonly #ahead = new Map<FilePath, GitEntry>()
  /** How many files of the index are known by content only. */
  #unknown = 0
  /** Of the last saving. */
  #left = new Set<FilePath>()

  constructor(place: HistoryPlace) {
    const { repository, agent, directory, ignored, largest = LARGEST, most = MOST_FILES, base } = place
    this.#largest = largest
    this.#most = most
    this.#base = base
    this.ref = `refs/agents/${agent}`
    this.#repository = repository
    this.#directory = directory
    this.#own = join(repository.path, 'agents', agent)
    this.#tree = { directory, index: join(this.#own, 'index') }
    const { excludes } = ignored ?? {}
    this.#ignoring = !ignored
      ? undefined
      : excludes === undefined
        ? []
        : ['-c', `core.excludesFile=${excludes}`]
    this.#listing = [
      ...['ls-files', '-z', '-t', '-d', '-m', '-o'],
      ...(ignored ? ['--exclude-standard'] : []),
      ...(excludes === undefined ? [] : [`--exclude-from=${excludes}`]),
    ]
  }

  get #isPrivate(): boolean {
    return this.#ignoring === undefined
  }

  /** Whether the directory has had the files that it begins from. Until then, what is in it is not the work of anybody. */
  get isLaidOut(): boolean {
    return existsSync(this.#sign) !== this.#isPrivate
  }

  /** Fills a directory that is new, or that a crash has left in part. Without a commit, it stays as it is. */
  async layOut(commit: string | undefined, by: Author): Promise<void> {
    if (commit !== undefined) await this.restore(commit, 'the files that it begins from', by)
    await this.#noteLayout(true)
  }

  /** To be called when the directory is gone. */
  forgetLayout(): Promise<void> {
    return this.#noteLayout(false)
  }

  async #noteLayout(isLaidOut: boolean): Promise<void> {
    await mkdir(this.#own, { recursive: true })
    await (isLaidOut === this.#isPrivate ? rm(this.#sign, { force: true }) : writeFile(this.#sign, ''))
  }

  /** A working tree is laid out before its first use. A directory of the agent's own is there, unless it was lost. */
  get #sign(): string {
    return join(this.#own, this.#isPrivate ? 'lost' : 'laid-out')
  }

  /** Saves the files as they are now. Without a change since the last snapshot, that one is returned. */
  async save(message: string, by: Author): Promise<SavedFiles> {
    await this.#takeBack(message, by)
    return this.#save(message, by)
  }

  /**
   * `told`: what was written or removed, which is not looked at again; of submodules, and of what is ignored again, that is
   * all that there is. `also`: what is ignored, and saved nevertheless.
   */
  async #save(
    message: string,
    by: Author,
    {
      told = [],
      also = [],
    }: { readonly told?: readonly Difference[]; readonly also?: readonly FilePath[] } = {},
  ): Promise<SavedFiles> {
    const before = await this.#current()
    await using root = await openDirectory(this.#directory)
    if (this.#isPrivate && before?.tree === NO_FILES && (await readdir(this.#directory)).length === 0)
      return { commit: before.commit, tree: before.tree, ...count([]) }
    const { known, suspects } = await this.#listed(before)
    const inner = await this.#innerFiles(root, known, suspects)
    const { stamps = {} } = before ?? {}
    const looked = new Set(suspects)
    for (const [path, stamp] of inner) if (stamps[path] !== stamp) looked.add(path)
    for (const path of known.inner) if (!inner.has(path)) looked.add(path)
    for (const { path } of told) looked.delete(path)
    this.#left = new Set(await this.#surplus(known, looked))
    for (const path of this.#left) looked.delete(path)
    for (const path of also) looked.add(path)
    const changes: Change[] = []
    const saved = before ?? { commit: '', tree: '' }
    const header = this.#commitHeader(message, by, before?.commit)
    const commands = this.#commands(root, known.files, looked, told, header, before === undefined, changes)
    // Where nothing is to be told, git need not be started.
    const first = await commands.next()
    if (first.done) return this.#outcome(saved, changes)
    const input = (async function* () {
      yield first.value
      yield* commands
    })()
    const output = await this.#import(input).catch(async (error) => {
      if ((await this.#repository.refAt(this.ref)) === (before?.commit ?? null)) throw error
      // A git of a process that was killed has come to its end meanwhile.
      return null
    })
    if (output === null) return this.#save(message, by, { told, also })
    const [commit = '', root040000 = ''] = output.toString().split('\n')
    const tree = / tree (\w+)/.exec(root040000)?.[1] ?? NO_FILES
    await this.#noteChanges(changes, { commit, tree, stamps: Object.fromEntries(inner) }).catch(() => {
      // The snapshot is there. What is kept beside it is made again by the next one.
      this.#mark = undefined
    })
    return this.#outcome({ commit, tree }, changes)
  }

  #outcome({ commit, tree }: Pick<Mark, 'commit' | 'tree'>, changes: readonly Change[]): SavedFiles {
    const left = [...this.#left].slice(0, MOST_NAMED).map(readable)
    return {
      ...{ commit, tree, ...count(changes) },
      ...(left.length > 0 && { left }),
      ...(this.#left.size > left.length && { leftInAll: this.#left.size }),
    }
  }

  /** The new files that there is no room for: the deepest ones, where packages and what was built lie. */
  async #surplus(known: KnownFiles, looked: ReadonlySet<FilePath>): Promise<readonly FilePath[]> {
    const fresh = [...looked].filter((path) => !known.files.has(path))
    const room = this.#most - known.files.size
    if (fresh.length <= room) return []
    const given = this.#base === undefined ? 0 : (await this.list(this.#base)).length
    const depth = (path: FilePath) => path.split('/').length
    return fresh.sort((one, other) => depth(one) - depth(other)).slice(Math.max(0, room + given))
  }

  /**
   * Brings the files back as they were. The present ones are saved first. If something is in the way, or the process is
   * killed, they are as before.
   *
   * @returns The snapshots before and after.
   */
  async restore(
    commit: string,
    message: string,
    by: Author,
  ): Promise<{ readonly before: SavedFiles; readonly after: SavedFiles }> {
    let before = await this.save(message, by)
    if (before.commit === commit) return { before, after: before }
    let differences = await this.#differences(before.commit, commit).catch(async (error) => {
      await this.#repository.assertHas(commit)
      throw error
    })
    const hidden = differences.flatMap(({ path, from, to }) =>
      !from && to && this.#statsOf(path) ? [path] : [],
    )
    if (hidden.length > 0) {
      before = await this.#save(message, by, { also: hidden })
      differences = await this.#differences(before.commit, commit)
    }
    await this.#refuseClash(differences)
    await writeFile(join(this.#own, 'restoring'), JSON.stringify({ from: before.commit, to: commit }))
    let after: SavedFiles
    try {
      after = await this.#apply(differences, message, by)
    } catch (error) {
      await this.#takeBack(message, by)
      throw error
    }
    await rm(join(this.#own, 'restoring'), { force: true })
    return { before, after }
  }

  /** Where two names become one file, the files are not those of the snapshot. Throws WorkspaceError. */
  async #refuseClash(differences: readonly Difference[]): Promise<void> {
    const paths = new Set(this.#known?.files.keys())
    for (const { path, to } of differences)
      if (to) paths.add(path)
      else paths.delete(path)
    const clash = caseClash(paths)
    if (!clash) return
    await using root = await openDirectory(this.#directory)
    if (!(await foldsCase(root))) return
    const [one, other] = clash.map(readable)
    const problem = `${one} and ${other} differ only in case, and its file system does not tell them apart`
    const hint = 'Rename one of them in the repository, or put the base directory on a file system that does.'
    throw new WorkspaceError({ path: this.#directory, problem, hint })
  }

  /** Undoes what a restoring has done that did not end. What was done since is saved first. */
  async #takeBack(message: string, by: Author): Promise<void> {
    const file = join(this.#own, 'restoring')
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text === '') return
    const { from, to } = JSON.parse(text) as { readonly from: string; readonly to: string }
    await this.#save(message, by)
    await using root = await openDirectory(this.#directory)
    for (const path of this.#leftOvers) await removeFileAt(root, path)
    await this.#apply(await this.#differences(to, from), message, by)
    await rm(file)
  }

  async #apply(all: readonly Difference[], message: string, by: Author): Promise<SavedFiles> {
    const left = this.#left
    const differences = all.filter(({ path }) => !left.has(path))
    await using root = await openDirectory(this.#directory)
    const ignored = await this.#ignoredAgain(root, differences)
    // What is in the way is removed first.
    for (const { path, to } of differences)
      if (to === undefined && !ignored.has(path)) await removeFileAt(root, path)
    const written = differences.flatMap(({ path, to }) => (to && !isSubmodule(to) ? [{ path, to }] : []))
    await this.#writeAll(root, written)
    const inner = written.flatMap(({ path }) => (isInner(path) ? [path] : []))
    for (const path of inner) if (/\.git\/HEAD$/i.test(path)) await makeRepositoryAt(root, directoryOf(path))
    // Git does not see those in repositories inside the files: what is known of them is their stamps.
    const told = differences.filter(({ path }) => !isInner(path))
    return this.#save(message, by, { told, also: inner })
  }

  /** Of what is gone after a restoring, that which is ignored then: F3. */
  async #ignoredAgain(root: Directory, differences: readonly Difference[]): Promise<ReadonlySet<FilePath>> {
    const rules = differences.filter(({ path }) => /(^|\/)\.gitignore$/.test(path))
    const gone = differences.filter(({ path, to }) => to === undefined && !isInner(path))
    if (this.#isPrivate || rules.length === 0 || gone.length === 0) return new Set()
    for (const { path, to } of rules) {
      if (to === undefined) await removeFileAt(root, path)
      else if (!isSubmodule(to))
        await this.#writeAll(root, [{ path, to }]).catch((error) => {
          // What is in its way is removed with the rest.
          if (!(error instanceof WorkspaceError) || error.retryable) throw error
        })
    }
    return this.#ignored(gone.map(({ path }) => path))
  }

  /** Which of these paths the repository ignores. */
  async #ignored(paths: readonly FilePath[]): Promise<ReadonlySet<FilePath>> {
    if (this.#ignoring === undefined || paths.length === 0) return new Set()
    // A path that is no pathspec: one with a step before it has no magic.
    const input = [Buffer.from(paths.map((path) => `./${path}\0`).join(''), 'latin1')]
    const asking = [
      '--no-literal-pathspecs',
      ...this.#ignoring,
      'check-ignore',
      '-z',
      '--stdin',
      '--no-index',
    ]
    // It says by its exit code that nothing is ignored.
    const found = await this.#inTree(asking, { input, mayBeOne: true })
    return new Set(fieldsOf(found).map((path) => path.slice('./'.length)))
  }

  /** null if nothing is there that can be seen: a directory may have become a file. */
  #statsOf(path: FilePath): BigIntStats | null {
    const bytes = Buffer.concat([Buffer.from(`${this.#directory}/`), Buffer.from(path, 'latin1')])
    try {
      return lstatSync(bytes, { bigint: true, throwIfNoEntry: false }) ?? null
    } catch (error) {
      if (UNSEEN.has(codeOf(error))) return null
      throw error
    }
  }

  /** Saves the files, and lets the next one of this name begin without any. What was saved stays reachable. */
  async end(message: string, by: Author): Promise<void> {
    const { commit, tree } = await this.save(message, by)
    if (tree !== NO_FILES) {
      const input = [Buffer.from(`${this.#commitHeader(message, by, commit)}deleteall\ndone\n`)]
      await this.#import(input)
    }
    this.#mark = undefined
    await rm(this.#own, { recursive: true, force: true })
  }

  #commitHeader(message: string, by: Author, from: string | undefined): string {
    return [
      `commit ${this.ref}\nmark :1\n`,
      `committer ${signatureOf(by)}\n`,
      `data ${Buffer.byteLength(message)}\n${message}\n`,
      from === undefined ? '' : `from ${from}\n`,
    ].join('')
  }

  async #writeAll(root: Directory, files: readonly { path: FilePath; to: GitEntry }[]): Promise<void> {
    if (files.length === 0) return
    const places = new Map<string, typeof files>()
    for (const file of files) places.set(file.to.oid, [...(places.get(file.to.oid) ?? []), file])
    await using writer = new FileWriter(root)
    for await (const [oid, bytes] of this.#contents(places.keys()))
      for (const { path, to } of places.get(oid) ?? [])
        await this.#write(writer, path, { mode: to.mode as FileMode, bytes })
  }

  async #write(writer: FileWriter, path: FilePath, content: FileContent): Promise<void> {
    await writer.write(path, content).catch((cause) => {
      if (!IN_THE_WAY.includes(codeOf(cause))) throw cause
      const problem = 'something that the repository ignores, or a pipe, is in the way'
      const hint = 'Move it away, then try again.'
      throw new WorkspaceError({ path: join(this.#directory, readable(path)), problem, hint }, { cause })
    })
  }

  /** A commit of the repository's own with the files of a snapshot; null if the parent has the same files. */
  async commit({ tree }: SavedFiles, parent: string, message: string, by: Author): Promise<string | null> {
    if (this.#committed?.commit !== parent) {
      const parentTree = await this.#repository.git(['rev-parse', '--verify', `${parent}^{tree}`])
      this.#committed = { commit: parent, tree: parentTree.toString().trim() }
    }
    if (this.#committed.tree === tree) return null
    const committing = ['commit-tree', tree, '-p', parent, '-F', '-']
    const made = await this.#repository.git(committing, { input: [Buffer.from(message)], by })
    this.#committed = { commit: made.toString().trim(), tree }
    return this.#committed.commit
  }

  /** How the files differ between two snapshots, by path. */
  async changes(from: string, to: string): Promise<readonly FileChange[]> {
    const { differences, counts: lines } = await this.#compared(from, to, '--numstat')
    const counts = new Map(lines.map((each) => [each.path, each]))
    return differences.map(({ path, from: was, to: is }) => {
      const { added = null, removed = null } = counts.get(path) ?? {}
      const status = was ? (is ? 'changed' : 'removed') : 'added'
      return { path: readable(path), status, added, removed }
    })
  }

  /** The files of a snapshot, by path. */
  async list(commit: string): Promise<readonly ListedFile[]> {
    const lines = fieldsOf(await this.#repository.git(['ls-tree', '-r', '-z', '--long', commit]))
    return lines.map(snapshotFile).map(({ path, mode, bytes }) => ({ path: readable(path), mode, bytes }))
  }

  /** The difference between two snapshots as `git diff` prints it. */
  async patch(from: string, to: string): Promise<string> {
    const options = ['-r', '-p', '--no-renames', '--no-ext-diff', '--no-textconv', '--full-index', '--binary']
    return (await this.#repository.git(['diff-tree', ...options, from, to])).toString()
  }

  /** The newest snapshot; undefined before the first. */
  async #current(): Promise<Mark | undefined> {
    if (this.#mark && (await this.#looseRef()) === this.#mark.commit) return this.#mark
    this.#known = undefined
    this.#ahead.clear()
    await this.#repository.prepare()
    await mkdir(this.#own, { recursive: true })
    const isThere = (await this.#repository.refAt(this.ref)) !== null
    const asking = ['for-each-ref', '--format=%(objectname) %(tree)', this.ref]
    const refs = isThere ? await this.#repository.git(asking) : ''
    const [commit = '', tree = ''] = refs.toString().trim().split(' ')
    if (commit === '') {
      await rm(this.#tree.index, { force: true })
      this.#mark = undefined
      return undefined
    }
    this.#mark = await readMark(join(this.#own, 'mark'))
    if (this.#mark?.commit === commit && existsSync(this.#tree.index)) return this.#mark
    // The index is not of this snapshot: it was left by a crash, or is not there at all.
    await rm(this.#tree.index, { force: true })
    await this.#indexing(['read-tree', commit])
    await this.#refresh()
    this.#mark = { commit, tree, stamps: {} }
    return this.#mark
  }

  /** The ref as its file has it, without starting git; null if it is not there, or packed. */
  async #looseRef(): Promise<string | null> {
    const text = await readFile(join(this.#repository.path, this.ref), 'utf8').catch(() => '')
    return text.trim() || null
  }

  /** What the index has, and what is newer. */
  async #readKnown({ commit, indexed = commit }: Mark): Promise<KnownFiles> {
    const known = new KnownFiles()
    for (const line of fieldsOf(await this.#inTree(['ls-files', '-z', '-s']))) {
      const tab = line.indexOf('\t')
      const [mode = '', oid = ''] = line.slice(0, tab).split(' ')
      known.note(fromTree(line.slice(tab + 1)), { mode, oid })
    }
    if (indexed === commit) return known
    for (const { path, to } of await this.#differences(indexed, commit)) {
      if (!to || isSubmodule(to) || isSame(known.files.get(path), to)) continue
      known.note(path, to)
      this.#ahead.set(path, to)
    }
    return known
  }

  /** What is known of the files, and those that may differ from it, or are new. */
  async #listed(mark: Mark | undefined): Promise<{ known: KnownFiles; suspects: Set<FilePath> }> {
    const known = this.#known ?? (mark ? await this.#readKnown(mark) : new KnownFiles())
    this.#known = known
    const suspects = new Set<FilePath>()
    this.#leftOvers = []
    for (const line of fieldsOf(await this.#inTree(this.#listing))) {
      const path = line.slice(2)
      if (line.startsWith('? ')) {
        if (isTemporary(path)) this.#leftOvers.push(path)
        else suspects.add(path)
      } else if (known.files.has(path)) suspects.add(path)
    }
    // Those that are as the index has them are not listed.
    for (const path of this.#ahead.keys()) if (!isInner(path)) suspects.add(path)
    return { known, suspects }
  }

  /** The files of repositories inside the files, which git does not list. Takes their directories out of the suspects. */
  async #innerFiles(
    root: Directory,
    known: KnownFiles,
    suspects: Set<FilePath>,
  ): Promise<Map<FilePath, string>> {
    const inner = new Map<FilePath, string>()
    const listed: FilePath[] = []
    for (const path of [...suspects]) {
      if (!path.endsWith('/')) continue
      suspects.delete(path)
      for await (const file of filesBelow(root, path.slice(0, -1)))
        if (isInner(file.path)) inner.set(file.path, file.stamp)
        else listed.push(file.path)
    }
    const ignored = await this.#ignored(listed)
    for (const path of listed) if (known.files.has(path) || !ignored.has(path)) suspects.add(path)
    for (const path of suspects) addParents(known.directories, path)
    for await (const directory of this.#isPrivate ? directoriesBelow(root) : known.directories) {
      const path = directory === '' ? '.git' : `${directory}/.git`
      const stats = this.#statsOf(path)
      if (stats?.isDirectory())
        for await (const file of filesBelow(root, path)) inner.set(file.path, file.stamp)
      else if (stats?.isFile() || stats?.isSymbolicLink()) inner.set(path, stampOf(stats))
    }
    return inner
  }

  /** What `git fast-import` is told. Notes the changes. Tells it nothing if there are none, unless it is the first snapshot. */
  async *#commands(
    root: Directory,
    known: ReadonlyMap<FilePath, GitEntry>,
    looked: ReadonlySet<FilePath>,
    told: readonly Difference[],
    header: string,
    isFirst: boolean,
    changes: Change[],
  ): AsyncGenerator<Buffer> {
    let begun = isFirst
    if (isFirst) yield Buffer.from(header)
    const tell = function* (line: string, bytes?: Buffer) {
      if (!begun) yield Buffer.from(header)
      begun = true
      yield Buffer.from(line, 'latin1')
      if (bytes) yield* [Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from('\n')]
    }
    // A file may have become a directory: what is gone is told first.
    for (const { path, to } of told) {
      if (to) continue
      changes.push({ path, kind: 'removed', ...NOTHING })
      yield* tell(`D ${fastImportPath(toTree(path))}\n`)
    }
    for (const { path, from, to } of told) {
      if (!to || isSame(known.get(path), to)) continue
      changes.push({ path, kind: from ? 'changed' : 'added', ...to })
      yield* tell(`M ${to.mode} ${to.oid} ${fastImportPath(toTree(path))}\n`)
    }
    for (const path of looked) {
      if (!known.has(path)) continue
      const kind = await kindAt(root, path)
      if (kind === 'file' || (kind === 'link' && !isRefusedLink(path))) continue
      changes.push({ path, kind: 'removed', ...NOTHING })
      yield* tell(`D ${fastImportPath(toTree(path))}\n`)
    }
    for (const path of looked) {
      const content = await readFileAt(root, path, this.#largest)
      if (content === 'left') this.#left.add(path)
      if (!content || content === 'left' || (content.mode === '120000' && isRefusedLink(path))) continue
      const { mode, bytes } = content
      const was = known.get(path)
      const oid = oidOf(bytes)
      if (isSame(was, { mode, oid })) continue
      changes.push({ path, kind: was ? 'changed' : 'added', mode, oid })
      yield* tell(`M ${mode} inline ${fastImportPath(toTree(path))}\n`, bytes)
    }
    if (begun) yield Buffer.from('get-mark :1\nls :1 ""\ndone\n')
  }

  /** Notes a snapshot. What has come or gone is noted in the index at once: of these, it tells what is ignored. */
  async #noteChanges(changes: readonly Change[], mark: Mark): Promise<void> {
    const indexed: [FilePath, GitEntry][] = []
    for (const { path, kind, mode, oid } of changes) {
      const file = { mode, oid }
      const isHere = kind === 'changed' && this.#known?.files.has(path) && !isSubmodule(file)
      this.#known?.note(path, kind === 'removed' ? null : file)
      if (isHere) this.#ahead.set(path, file)
      else {
        this.#ahead.delete(path)
        indexed.push([path, file])
        if (kind !== 'removed') this.#unknown += 1
      }
    }
    const isFull = this.#unknown + this.#ahead.size > MOST_UNKNOWN
    if (isFull) indexed.push(...this.#ahead)
    if (indexed.length > 0) await this.#index(indexed)
    if (isFull) {
      await this.#refresh()
      this.#ahead.clear()
    }
    const before = this.#mark ? (this.#mark.indexed ?? this.#mark.commit) : NO_FILES
    this.#mark = { ...mark, indexed: isFull ? mark.commit : before }
    await writeFile(join(this.#own, 'mark'), JSON.stringify(this.#mark))
  }

  async #index(entries: readonly (readonly [FilePath, GitEntry])[]): Promise<void> {
    const lines = entries.map(([path, { mode, oid }]) => `${mode} ${oid}\t${toTree(path)}\0`)
    const isGone = (line: string) => line.startsWith('0 ')
    // A file may have become a directory: what is gone is told first.
    const input = [...lines.filter(isGone), ...lines.filter((line) => !isGone(line))]
    const command = ['update-index', '-z', '--index-info']
    await this.#indexing(command, [Buffer.from(input.join(''), 'latin1')])
  }

  /** Lets git look at the files that it knows only by content. It says by its exit code that files differ. */
  async #refresh(): Promise<void> {
    await this.#unlock(this.#tree.index)
    await this.#inTree(['update-index', '-q', '--refresh']).catch(() => {})
    this.#unknown = 0
  }

  async #indexing(command: readonly string[], input: GitInput = []): Promise<void> {
    await this.#unlock(this.#tree.index)
    await this.#repository.git(command, { tree: this.#tree, input })
  }

  /** Moves the ref to what is imported. Returns what that prints. */
  async #import(input: GitInput): Promise<Buffer> {
    await this.#unlock(join(this.#repository.path, this.ref))
    return this.#repository.git(['fast-import', '--quiet', '--done'], { input })
  }

  /** Nothing else writes here, and one at a time: a lock is that of a git that was killed. */
  #unlock(file: string): Promise<void> {
    return rm(`${file}.lock`, { force: true })
  }

  /** A command that looks at the files. Git would wait, for ever, for the writer of a pipe that an agent made of these. */
  async #inTree(
    command: readonly string[],
    options: Pick<GitCall, 'input' | 'mayBeOne'> = {},
  ): Promise<Buffer> {
    const done = new AbortController()
    const looking = (async () => {
      for (;;) {
        await pause(systemClock, PATIENCE_MS, done.signal)
        if (done.signal.aborted) return
        await using root = await openDirectory(this.#directory)
        await endPipes(root, ['.gitignore', '.gitattributes'])
      }
    })().catch(() => {})
    try {
      return await this.#repository.git(command, { ...options, tree: this.#tree })
    } finally {
      done.abort()
      await looking
    }
  }

  async #differences(from: string, to: string): Promise<readonly Difference[]> {
    return (await this.#compared(from, to)).differences
  }

  /** The paths that differ, and after all of them how many lines of each, if that is asked. */
  async #compared(from: string, to: string, ...counting: readonly '--numstat'[]) {
    const options = ['--no-renames', '--no-abbrev', '--no-ext-diff', '--no-textconv', ...counting]
    const fields = fieldsOf(
      await this.#repository.git(['diff-tree', '-r', '-z', '--raw', ...options, from, to]),
    )
    const differences: Difference[] = []
    let at = 0
    for (; fields[at]?.startsWith(':'); at += 2) {
      const { from: was, to: is } = entryChange(fields[at] as string)
      differences.push({ path: fromTree(fields[at + 1] as string), from: was, to: is })
    }
    return { differences, counts: fields.slice(at).map(lineCounts) }
  }

  /** The contents of objects, one at a time: they may be larger than memory together. */
  async *#contents(oids: Iterable<string>): AsyncGenerator<readonly [oid: string, bytes: Buffer]> {
    const wanted = [...new Set(oids)]
    const input = [Buffer.from(wanted.map((oid) => `${oid}\n`).join(''))]
    const output = new PieceReader(this.#repository.pieces(['cat-file', '--batch'], { input }))
    for (const oid of wanted) {
      const [, type, size = ''] = (await output.line()).split(' ')
      if (type !== 'blob')
        throw new WorkspaceError({ path: this.#repository.path, problem: `the object ${oid} is missing` })
      yield [oid, await output.take(Number(size))]
      await output.take(1)
    }
  }
}

/** The files of an index, and what has to be looked at besides them. */
class KnownFiles {
  readonly files = new Map<FilePath, GitEntry>()
  /** Those in repositories inside the files. */
  readonly inner = new Set<FilePath>()
  /** The directories that files are in, or were. */
  readonly directories = new Set<FilePath>()

  /** null: it is gone. Submodules are none of the files. */
  note(path: FilePath, file: GitEntry | null): void {
    const isFile = file !== null && !isSubmodule(file)
    if (isFile) this.files.set(path, file)
    else this.files.delete(path)
    if (isFile && isInner(path)) this.inner.add(path)
    else this.inner.delete(path)
    if (isFile) addParents(this.directories, path)
  }
}

/** All that a path is in, but no directory inside a repository. */
function addParents(directories: Set<FilePath>, path: FilePath): void {
  for (let at = outerOf(path); at !== '' && !directories.has(at); at = directoryOf(at)) directories.add(at)
}

const IN_THE_WAY = ['EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'ELOOP']

const isSame = (one: GitEntry | undefined, other: GitEntry): boolean =>
  one?.mode === other.mode && one.oid === other.oid

const isSubmodule = (known: GitEntry | undefined): boolean => known?.mode === '160000'

const oidOf = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

const fieldsOf = (output: Buffer): string[] => output.toString('latin1').split('\0').slice(0, -1)

const count = (changes: readonly Change[]) => ({
  changed: changes.filter(({ kind }) => kind === 'changed').length,
  added: changes.filter(({ kind }) => kind === 'added').length,
  removed: changes.filter(({ kind }) => kind === 'removed').length,
})

async function readMark(file: string): Promise<Mark | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Mark
  } catch {
    return undefined
  }
}
