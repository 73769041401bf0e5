/** The snapshots of a log as a whole: they go along with its copies, and are checked with it. */
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GitNotInstalled, WorkspaceError } from '../../events/errors/workspace.ts'
import { snapshotsPath } from '../directories.ts'
import { gitOutcome, gitPieces } from './git.ts'
import { FilesRepository } from './repository.ts'

/** What is kept: all snapshots are reachable from these refs. */
export interface KeptSnapshots {
  readonly refs: readonly (readonly [ref: string, commit: string])[]
  /** Commits of a user whose history is not here. */
  readonly shallow: readonly string[]
}

export const REF = /^refs\/[a-z]+\/[\w./-]+$/
export const COMMIT = /^[0-9a-f]{40}$/

const repositoryOf = (baseDir: string) => new FilesRepository(snapshotsPath(baseDir))

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

/** What the log in a base directory keeps; null if there never was a snapshot. Throws GitNotInstalled. */
export async function keptSnapshots(baseDir: string): Promise<KeptSnapshots | null> {
  const repository = repositoryOf(baseDir)
  if (!existsSync(repository.path)) return null
  const refs = await repository.git(['for-each-ref', '--format=%(refname) %(objectname)'])
  const shallow = await readFile(join(repository.path, 'shallow'), 'utf8').catch(() => '')
  return {
    refs: linesOf(refs.toString()).map((line) => line.split(' ') as [string, string]),
    shallow: linesOf(shallow),
  }
}

/** What of it is whole, and the refs of which something is missing. Reads no contents. */
export async function wholeSnapshots(
  baseDir: string,
  kept: KeptSnapshots,
): Promise<{ readonly whole: KeptSnapshots; readonly broken: readonly string[] }> {
  const walk = ['rev-list', '--quiet', '--objects', '--missing=print', '--stdin']
  const isWhole = async (commits: readonly string[]) => {
    const input = [Buffer.from(commits.map((commit) => `${commit}\n`).join(''))]
    // It prints what is missing, and fails if that is a commit.
    const missing = await repositoryOf(baseDir).answer(walk, { input })
    return missing?.length === 0
  }
  if (await isWhole(kept.refs.map(([, commit]) => commit))) return { whole: kept, broken: [] }
  const refs: KeptSnapshots['refs'][number][] = []
  const broken: string[] = []
  for (const [ref, commit] of kept.refs)
    if (await isWhole([commit])) refs.push([ref, commit])
    else broken.push(ref)
  return { whole: { ...kept, refs }, broken }
}

/** All that they consist of, as a pack of git, in pieces. */
export function packedSnapshots(baseDir: string, { refs }: KeptSnapshots): AsyncIterable<Buffer> {
  const input = [Buffer.from(refs.map(([, commit]) => `${commit}\n`).join(''))]
  const command = ['pack-objects', '--quiet', '--revs', '--stdout', '--delta-base-offset']
  return gitPieces(command, { repository: repositoryOf(baseDir).path, input })
}

/**
 * Makes the repository of snapshots of a new log, or adds them to that of the log that it replaces in its base directory.
 * Throws WorkspaceError if the pack is damaged or the directory has other snapshots, and GitNotInstalled.
 */
export async function unpackSnapshots(
  baseDir: string,
  { refs, shallow }: KeptSnapshots,
  pack: AsyncIterable<Buffer>,
): Promise<void> {
  const repository = repositoryOf(baseDir)
  const present = await keptSnapshots(baseDir)
  await repository.prepare()
  const cut = new Set([...(present?.shallow ?? []), ...shallow])
  if (cut.size > 0) await writeFile(join(repository.path, 'shallow'), `${[...cut].join('\n')}\n`)
  await repository.git(['index-pack', '--stdin'], { input: pack })
  const known = new Map(present?.refs)
  const missing = refs.filter(([ref, commit]) => known.get(ref) !== commit)
  const other = missing.find(([ref]) => known.has(ref))
  if (other) {
    const problem = `it has another snapshot under ${other[0]}`
    const hint = 'Restore into a base directory of no other log.'
    throw new WorkspaceError({ path: repository.path, problem, hint })
  }
  const input = [Buffer.from(missing.map(([ref, commit]) => `create ${ref} ${commit}\n`).join(''))]
  await repository.git(['update-ref', '--stdin'], { input })
}

/** Lets go of what came before these commits. What a kill leaves of it is removed the next time. Throws GitNotInstalled. */
export async function cutSnapshots(baseDir: string, commits: readonly string[]): Promise<void> {
  const repository = repositoryOf(baseDir)
  if (existsSync(repository.path)) await repository.cut(commits)
}

/** What is wrong with the snapshots. `commits`: those that must be there. Reads all objects of the repository. */
export async function snapshotProblems(
  baseDir: string,
  commits: readonly string[],
): Promise<{ readonly missing: ReadonlySet<string>; readonly others: readonly string[] }> {
  const repository = repositoryOf(baseDir)
  if (!existsSync(repository.path)) return { missing: new Set(commits), others: [] }
  const input = [Buffer.from(commits.map((commit) => `${commit}\n`).join(''))]
  const found = await repository.git(['cat-file', '--batch-check=%(objectname) %(objecttype)'], { input })
  const missing = linesOf(found.toString())
    .filter((line) => !line.endsWith(' commit'))
    .map((line) => line.split(' ', 1)[0] as string)
  const { problem, stdout, stderr } = await gitOutcome(['fsck', '--no-dangling', '--no-progress'], {
    repository: repository.path,
  })
  if (problem instanceof GitNotInstalled) throw problem
  const said = problem ? linesOf(`${stdout}${stderr}`).filter((line) => !OPINION.test(line)) : []
  return { missing: new Set(missing), others: said }
}

/** What git thinks of files that agents have written is no damage. */
const OPINION = /^(?:warning|error) in \w+ [0-9a-f]+: |^notice: /
