/**
 * A git repository of ours for the files of agents: bare, beside the log, never the user's.
 *
 * R1. It needs no other repository. What a snapshot shares with the user's repository is copied, so that nothing that is
 *     done there (garbage collected, moved, cloned anew) takes anything from an agent.
 * R2. Of the user's history it has the commits that agents began from and those that came after them. Where that begins,
 *     the history is cut off (`shallow`).
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SnapshotMissing } from '../../events/errors/workspace.ts'
import {
  type GitCall,
  type GitInput,
  git,
  gitAnswer,
  gitPieces,
  hasOtherRefs,
  looseRef,
  shallowCommits,
} from './git.ts'

/** No attribute of a tree rewrites the bytes of a file. */
const ATTRIBUTES = '* -text -filter -ident -eol -working-tree-encoding !diff\n'

/** Where a repository of the user has its objects and refs. */
type Source = { readonly common: string }

const QUOTED = /^"(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*"$/

/** More are joined. */
const MOST_PACKS = 8

export class FilesRepository {
  readonly path: string
  /** The refs that were kept last, so that looking again costs nothing. */
  readonly #kept = new Map<string, string>()
  /** What was begun last that takes a lock. */
  #last: Promise<void> = Promise.resolve()
  constructor(path: string) {
    this.path = path
  }

  /** Creates it if it does not exist. */
  async prepare(): Promise<void> {
    const attributes = join(this.path, 'info', 'attributes')
    if (existsSync(attributes)) return
    await mkdir(this.path, { recursive: true, mode: 0o700 })
    await this.#locking(['config', 'HEAD'], async () => {
      if (existsSync(attributes)) return
      await this.git(['init', '--quiet', '--bare', '--template='])
      await mkdir(join(this.path, 'info'), { recursive: true })
      // The last: a repository without it is not complete.
      await writeFile(attributes, ATTRIBUTES)
    })
  }

  /** Reads the objects of another repository as well. *Contract:* nothing that has to last depends on them. */
  async borrow(objects: string): Promise<void> {
    await this.prepare()
    const file = this.#alternates
    await mkdir(join(this.path, 'objects', 'info'), { recursive: true })
    const known = this.borrowed()
    if (known.includes(objects)) return
    // Read and written without a pause: another agent may be borrowing from another repository.
    writeFileSync(`${file}.new`, [...known, objects].map((path) => `${JSON.stringify(path)}\n`).join(''))
    renameSync(`${file}.new`, file)
  }

  /** Where it reads objects as well. */
  borrowed(): readonly string[] {
    const text = existsSync(this.#alternates) ? readFileSync(this.#alternates, 'utf8') : ''
    // As git has it: a line in quotes may hold any path. One that a crash has cut off would swallow the next.
    return text.split('\n').flatMap((line) => (QUOTED.test(line) ? [JSON.parse(line) as string] : []))
  }

  get #alternates(): string {
    return join(this.path, 'objects', 'info', 'alternates')
  }

  /** Says that what came before these commits is not here, and nothing else is missing. */
  cutOffAt(commits: readonly string[]): void {
    const now = this.#shallow()
    if (commits.length === now.length && commits.every((commit) => now.includes(commit))) return
    if (commits.length > 0) this.#writeShallow(commits)
    else rmSync(join(this.path, 'shallow'), { force: true })
  }

  /** Copies a commit of the user's repository with its files, and without its history, for as long as this repository exists. */
  async keepBase(commit: string, source: Source): Promise<void> {
    const ref = baseRef(commit)
    if (this.#kept.has(ref)) return
    await this.copy(commit, source)
    await this.setRef(ref, commit)
    this.#kept.set(ref, commit)
  }

  /** The same for as long as it is looked at. */
  async copy(commit: string, { common }: Source): Promise<void> {
    if (await this.#has(commit)) return
    const at = { repository: common, directory: common }
    const root = await git(['rev-parse', '--verify', `${commit}^{tree}`], at)
    const listing = ['ls-tree', '-r', '-t', '-z', '--format=%(objecttype) %(objectname)', commit]
    const below = (await git(listing, at)).toString().split('\0')
    const oids = below.flatMap((line) => (/^(blob|tree) /.test(line) ? [line.slice(5)] : []))
    this.#cutOff(commit)
    await this.#take([root.toString().trim(), ...oids, commit], common)
  }

  /**
   * Keeps under a ref what a branch of the user's repository is at, and all that came after the base. A commit that is no
   * longer part of it is kept beside it.
   *
   * @param madeAfter The commit was made here, after this one.
   */
  async keep(ref: string, commit: string, base: string, source: Source, madeAfter?: string): Promise<void> {
    if (this.#kept.get(ref) === commit) return
    const old = await this.refAt(ref)
    if (old !== null && old === madeAfter) await this.setRef(ref, commit)
    else if (old !== commit) {
      if (!this.#kept.has(baseRef(commit)) && !(await this.#has(commit)))
        await this.#copySince(commit, [base, ...(old === null ? [] : [old])], source)
      if (old !== null && !(await this.isAncestor(old, commit))) await this.keepBeside(ref, old)
      await this.setRef(ref, commit)
    }
    this.#kept.set(ref, commit)
  }

  /** Lets a ref continue from a commit that was made elsewhere. What it was at is kept beside it, unless that comes after it. */
  async continueFrom(ref: string, commit: string): Promise<void> {
    const old = await this.refAt(ref)
    this.#kept.delete(ref)
    if (old === commit) return
    if (old !== null && !(await this.isAncestor(old, commit))) await this.keepBeside(ref, old)
    await this.setRef(ref, commit)
  }

  /** Keeps a commit that a ref is not at any more. */
  keepBeside(ref: string, commit: string): Promise<void> {
    return this.setRef(leftRef(ref, commit), commit)
  }

  /** Removes a ref. The commit that it was at stays. */
  async leave(ref: string): Promise<void> {
    const old = await this.refAt(ref)
    this.#kept.delete(ref)
    if (old === null) return
    await this.keepBeside(ref, old)
    await this.setRef(ref, null)
  }

  /** null removes the ref. */
  setRef(ref: string, commit: string | null): Promise<void> {
    return this.#locking([ref, 'packed-refs'], async () => {
      await this.git(commit === null ? ['update-ref', '-d', ref] : ['update-ref', ref, commit])
    })
  }

  /** In turn, and nothing else writes here: a lock that is there is that of a git that was killed. */
  #locking(names: readonly string[], work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(async () => {
      for (const name of names) await rm(join(this.path, `${name}.lock`), { force: true })
      await work()
    })
    this.#last = turn.catch(() => {})
    return turn
  }

  /** null if there is no such ref. */
  async refAt(ref: string): Promise<string | null> {
    const loose = await looseRef(this.path, ref)
    if (loose) return loose.trim()
    if (loose === null && !hasOtherRefs(this.path)) return null
    const found = await this.git(['for-each-ref', '--format=%(objectname)', ref])
    return found.toString().trim() || null
  }

  /** Throws SnapshotMissing if it is not there. */
  async assertHas(commit: string): Promise<void> {
    if (!(await this.has(commit))) throw new SnapshotMissing({ path: this.path, commit })
  }

  isAncestor(commit: string, of: string): Promise<boolean> {
    return this.#says(['merge-base', '--is-ancestor', commit, of])
  }

  async has(commit: string): Promise<boolean> {
    return existsSync(this.path) && (await this.#says(['cat-file', '-e', `${commit}^{tree}`]))
  }

  /**
   * Joins packs, once there are many: each snapshot makes one. What that takes is bounded, because only those of a similar
   * size are joined. A kill leaves an unfinished pack, which the next one removes. *Contract:* nothing else is done here
   * meanwhile.
   */
  async tidy(): Promise<void> {
    const directory = join(this.path, 'objects', 'pack')
    const names = await readdir(directory).catch(() => [])
    const packs = names.filter((name) => name.endsWith('.pack')).length
    if (packs < MOST_PACKS) return
    for (const name of names.filter((each) => /^\.?tmp|\.keep$/.test(each)))
      await rm(join(directory, name), { force: true })
    await this.git(['repack', '-d', '-l', '-q', '--geometric=2'])
  }

  /** Removes what came before these commits, and all else that no ref leads to. *Contract:* nothing else is done here meanwhile. */
  async cut(commits: readonly string[]): Promise<void> {
    for (const commit of commits) if (await this.#has(commit)) this.#cutOff(commit)
    await this.git(['repack', '-a', '-d', '-l', '-q'])
    await this.git(['prune', '--expire=now'])
  }

  /**
   * All that commits consist of and what came before them, without what is part of `known`, as a pack of git; and where the
   * history of a user is cut off in it. One of no objects is possible.
   */
  async packed(
    commits: readonly string[],
    known: readonly string[],
  ): Promise<{ readonly shallow: readonly string[]; readonly pieces: AsyncGenerator<Buffer> }> {
    const cut = new Set(this.#shallow())
    const begins = cut.size === 0 ? '' : await this.git(['rev-list', '--max-parents=0', ...commits])
    const shallow = begins
      .toString()
      .split('\n')
      .filter((commit) => cut.has(commit))
    const input = [linesOf([...commits, ...known.map((commit) => `^${commit}`)])]
    const packing = ['pack-objects', '--quiet', '--revs', '--thin', '--stdout', '--delta-base-offset']
    return { shallow, pieces: this.pieces(packing, { input }) }
  }

  /** Takes in such a pack, whole or not at all. What it was made without has to be here. */
  async unpack(pack: GitInput, shallow: readonly string[]): Promise<void> {
    for (const commit of shallow) this.#cutOff(commit)
    await this.git(['index-pack', '--stdin', '--fix-thin'], { input: pack })
  }

  /** What git prints, in pieces as they come. */
  pieces(command: readonly string[], options: Pick<GitCall, 'input'>): AsyncGenerator<Buffer> {
    return gitPieces(command, { ...options, repository: this.path })
  }

  /** What git prints. What it wrote is on the disk. Throws WorkspaceError if git fails, and GitNotInstalled. */
  git(command: readonly string[], options: Omit<GitCall, 'repository' | 'directory'> = {}): Promise<Buffer> {
    return git(command, { ...options, repository: this.path })
  }

  /** What git prints; null if it says by its exit code that there is nothing. Throws if it was killed, and GitNotInstalled. */
  answer(
    command: readonly string[],
    options: Omit<GitCall, 'repository' | 'directory'> = {},
  ): Promise<Buffer | null> {
    return gitAnswer(command, { ...options, repository: this.path })
  }

  async #copySince(commit: string, known: readonly string[], source: Source): Promise<void> {
    const at = { repository: source.common, directory: source.common }
    const listing = ['rev-list', '--objects', '--boundary', '--ignore-missing', commit, '--not', ...known]
    const lines = (await git(listing, at)).toString('latin1').split('\n').filter(Boolean)
    for (const line of lines) if (line.startsWith('-')) await this.copy(line.slice(1), source)
    const oids = lines.flatMap((line) => (line.startsWith('-') ? [] : [line.split(' ', 1)[0] ?? '']))
    // Where the user's clone ends, there is no more to copy.
    const ends = new Set(await shallowCommits(source.common))
    for (const oid of oids) if (ends.has(oid) && !(await this.#has(oid))) this.#cutOff(oid)
    await this.#take(oids, source.common)
  }

  /** Copies objects, those that are missing here. */
  async #take(oids: readonly string[], common: string): Promise<void> {
    const asked = [linesOf(oids)]
    const found = (await this.git(['cat-file', '--batch-check=%(objectname)'], { input: asked })).toString()
    const missing = found
      .split('\n')
      .flatMap((line) => (line.endsWith(' missing') ? [line.slice(0, -8)] : []))
    if (missing.length === 0) return
    const packing = ['pack-objects', '--quiet', '--window=0', 'objects/pack/pack']
    await this.git(packing, { input: [linesOf(missing)], reading: join(common, 'objects') })
  }

  /** The commits whose history is not here. */
  #shallow(): readonly string[] {
    const file = join(this.path, 'shallow')
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  }

  /** Says that what came before a commit is not here. */
  #cutOff(commit: string): void {
    const known = this.#shallow()
    // Read and written without a pause: another agent may be doing the same.
    if (!known.includes(commit)) this.#writeShallow([...known, commit])
  }

  #writeShallow(commits: readonly string[]): void {
    const file = join(this.path, 'shallow')
    writeFileSync(`${file}.new`, linesOf(commits), { flush: true })
    renameSync(`${file}.new`, file)
  }

  #has(commit: string): Promise<boolean> {
    return this.#says(['cat-file', '-e', commit])
  }

  async #says(command: readonly string[]): Promise<boolean> {
    return (await this.answer(command)) !== null
  }
}

/** What keeps a commit that agents began from. */
const baseRef = (commit: string) => `refs/bases/${commit}`

/** Where a commit is kept that nothing continues from. */
const leftRef = (ref: string, commit: string) => `${ref.replace(/^refs\/\w+/, 'refs/left')}/${commit}`

const linesOf = (oids: readonly string[]): Buffer => Buffer.from(oids.map((oid) => `${oid}\n`).join(''))
