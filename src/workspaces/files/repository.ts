/** A git repository of ours for the files of agents: bare, beside the log, never the user's. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GitNotInstalled, SnapshotMissing } from '../../events/errors/workspace.ts'
import { type Author, type GitCall, git, gitPieces } from './git.ts'

/** No attribute of a tree rewrites the bytes of a file. */
const ATTRIBUTES = '* -text -filter -ident -eol -working-tree-encoding !diff\n'

/** More are packed. Some sixteen turns make so many. */
const MOST_LOOSE = 48
/** More are joined. */
const MOST_PACKS = 8

/** Where the snapshots of a base directory are. */
export const snapshotsIn = (base: string): string => join(base, 'files.git')

export class FilesRepository {
  readonly path: string
  readonly #borrowed = new Set<string>()

  constructor(path: string) {
    this.path = path
  }

  /** Creates it if it does not exist. */
  async prepare(): Promise<void> {
    if (existsSync(join(this.path, 'info', 'attributes'))) return
    await mkdir(this.path, { recursive: true, mode: 0o700 })
    await this.git(['init', '--quiet', '--bare', '--template='])
    await mkdir(join(this.path, 'info'), { recursive: true })
    // The last: a repository without it is not complete.
    await writeFile(join(this.path, 'info', 'attributes'), ATTRIBUTES)
  }

  /** Reads objects of a repository of the user, so that they are not copied. *Contract:* they are pinned there by a ref. */
  async borrow(objects: string): Promise<void> {
    await this.prepare()
    this.#borrowed.add(objects)
    const file = join(this.path, 'objects', 'info', 'alternates')
    await mkdir(join(this.path, 'objects', 'info'), { recursive: true })
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    // As git has it: a line in quotes may hold any path. One that a crash has cut off would swallow the next.
    const lines = text.split('\n').filter((line) => /^".*"$/.test(line))
    const line = JSON.stringify(objects)
    if (lines.includes(line)) return
    // Read and written without a pause: another agent may be borrowing from another repository.
    writeFileSync(`${file}.new`, [...lines, line, ''].join('\n'))
    renameSync(`${file}.new`, file)
  }

  /**
   * Copies what a commit has and the others have not, if a repository of the user has it too: git has not written it here
   * then, and there it may be removed. `some`: objects of it.
   */
  async own(commit: string, others: readonly string[], some: readonly string[]): Promise<void> {
    const isBorrowed = (oid: string) =>
      [...this.#borrowed].some((objects) => existsSync(join(objects, oid.slice(0, 2), oid.slice(2))))
    if (!some.some(isBorrowed)) return
    const input = [Buffer.from([commit, ...others.map((other) => `^${other}^{tree}`), ''].join('\n'))]
    await this.git(['pack-objects', '--quiet', '--revs', 'objects/pack/pack'], { input })
  }

  /** Throws SnapshotMissing if it is not there. */
  async assertHas(commit: string): Promise<void> {
    const found = existsSync(this.path) && this.git(['cat-file', '-e', `${commit}^{tree}`])
    if (!found) throw new SnapshotMissing({ path: this.path, commit })
    await found.catch((cause) => {
      throw cause instanceof GitNotInstalled
        ? cause
        : new SnapshotMissing({ path: this.path, commit }, { cause })
    })
  }

  /**
   * Packs the objects that lie about, once there are many. What that takes is bounded: only what is new is compared, and of
   * many packs only those of a similar size are joined. A kill leaves an unfinished pack, which the next one removes.
   * *Contract:* nothing else is done here meanwhile.
   */
  async tidy(): Promise<void> {
    const objects = join(this.path, 'objects')
    let loose = 0
    for (const name of await readdir(objects).catch(() => []))
      if (/^[0-9a-f]{2}$/.test(name)) loose += (await readdir(join(objects, name))).length
    if (loose < MOST_LOOSE) return
    const packs = await readdir(join(objects, 'pack'))
    for (const name of packs.filter((each) => /^\.?tmp/.test(each)))
      await rm(join(objects, 'pack', name), { force: true })
    await this.git(['repack', '-d', '-l', '-q'])
    if (packs.filter((name) => name.endsWith('.pack')).length >= MOST_PACKS)
      await this.git(['repack', '-d', '-l', '-q', '--geometric=2'])
  }

  async treeOf(commit: string): Promise<string> {
    return (await this.git(['rev-parse', '--verify', `${commit}^{tree}`])).toString().trim()
  }

  /** Makes a commit of a tree. */
  async commitTree(
    tree: string,
    parents: readonly string[],
    { message, by }: { readonly message: string; readonly by: Author },
  ): Promise<string> {
    const command = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-']
    return (await this.git(command, { input: [Buffer.from(message)], by })).toString().trim()
  }

  /** What git prints, in pieces as they come. */
  pieces(command: readonly string[], options: Pick<GitCall, 'input'>): AsyncGenerator<Buffer> {
    return gitPieces(command, { ...options, repository: this.path })
  }

  /** What git prints. What it wrote is on the disk. Throws WorkspaceError if git fails, and GitNotInstalled. */
  git(command: readonly string[], options: Omit<GitCall, 'repository' | 'directory'> = {}): Promise<Buffer> {
    return git(command, { ...options, repository: this.path })
  }
}
