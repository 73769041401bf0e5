/** A tree of the user that has a branch checked out: whether the branch can move there, and moving it with its files. */
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { type GitCall, git, textOfGit } from './git.ts'
import { type EntryChange, entryChange } from './git-output.ts'
import type { FilesRepository } from './repository.ts'
import type { UserRepository } from './worktree.ts'

/** A tree of the user in which a branch is checked out. */
export interface CheckedOut {
  readonly directory: string
  /** Where git has its HEAD and its index. */
  readonly own: string
  /** Whether it is being rebased or bisected there. */
  readonly isBusy: boolean
}

/** From one commit to another one, which the repository of ours has. */
interface Movement {
  readonly tip: string
  readonly commit: string
}

/** Who moves branches, in their reflogs. */
export const OWN_NAME = 'claude-agents'

/** Files of git that name the branch that is being rebased or bisected. */
const UNDER_WAY = ['rebase-merge/head-name', 'rebase-apply/head-name', 'BISECT_START']

/** The tree that has a branch checked out, or will have it again; null if none has. */
export async function treeWith({ common, path }: UserRepository, branch: string): Promise<CheckedOut | null> {
  const list = ['worktree', 'list', '--porcelain', '-z']
  const records = (await git(list, { repository: common, directory: common })).toString().split('\0\0')
  for (const [at, record] of records.entries()) {
    const [named = '', ...lines] = record.split('\0')
    if (lines.includes('bare')) continue
    const given = named.replace(/^worktree /, '')
    // Where its repository is elsewhere, git does not know the main one.
    const directory = at > 0 || existsSync(join(given, '.git')) ? given : path
    if (!existsSync(directory)) continue
    const link = at === 0 ? '' : await textOf(join(directory, '.git'))
    const own = at === 0 ? common : resolve(directory, link.replace(/^gitdir: /, ''))
    const underWay = await Promise.all(UNDER_WAY.map((file) => textOf(join(own, file))))
    const isBusy = underWay.some((name) => name.replace(/^refs\/heads\//, '') === branch)
    if (isBusy || lines.includes(`branch refs/heads/${branch}`)) return { directory, own, isBusy }
  }
  return null
}

const textOf = async (file: string): Promise<string> => ((await textOfGit(file)) ?? '').trim()

/** Why a branch is not moved in the tree that has it checked out; null if it can be. */
export async function hindrance(
  { directory, isBusy }: CheckedOut,
  { tip, commit }: Movement,
  ours: FilesRepository,
  base: string,
): Promise<string | null> {
  if (isBusy) return 'a rebase or a bisection is under way there'
  if (!relative(base, directory).startsWith('..')) return 'that is the tree of an agent'
  const at = await inTree(directory)
  if (at.converts) return 'its files are converted by git'
  const status = [
    'status',
    '--porcelain',
    '-z',
    '--untracked-files=normal',
    '--ignore-submodules=dirty',
    '--no-renames',
  ]
  const changes = (await git(status, at)).toString().split('\0').slice(0, -1)
  // The base directory itself may be there, and not be ignored.
  const isOurs = (change: string) => resolve(directory, change.slice(3)) === base
  if (!changes.every(isOurs)) return 'not everything there is committed'
  const names = await ours.git(['diff-tree', '-r', '-z', '--name-only', '--no-renames', tip, commit])
  const ask = ['check-attr', '-z', '--stdin', ...CONVERSIONS]
  const answers = (await git(ask, { ...at, input: [names] })).toString().split('\0')
  const isConverted = answers.some(
    (value, index) => index % 3 === 2 && !['unspecified', 'unset'].includes(value),
  )
  return isConverted ? 'its files are converted by git' : null
}

/** Attributes that let the files of a tree differ from what is committed. */
const CONVERSIONS = ['filter', 'eol', 'ident', 'working-tree-encoding']

interface BroughtAlong extends Required<Pick<GitCall, 'onStart'>> {
  readonly target: string
  readonly commit: string
  readonly at: Date
}

/** Moves the branch that a clean tree has checked out, with its index and its files: all of it, or nothing. */
export async function bringAlong(
  directory: string,
  { target, commit, at, onStart }: BroughtAlong,
): Promise<void> {
  const { settings, ...tree } = await inTree(directory)
  const safely = ['--no-verify-signatures', '--no-autostash', '--no-overwrite-ignore', '--no-stat', '--quiet']
  await git(['merge', '--ff-only', ...safely, commit], {
    ...tree,
    ...{ onStart, by: { author: OWN_NAME, at } },
    settings: { ...settings, [`branch.${target}.mergeoptions`]: '' },
  })
}

/** How git is called in a tree of the user: no filter that its repository names is started. */
async function inTree(directory: string) {
  const place = { repository: join(directory, '.git'), directory, tree: { directory } }
  const listed = (await git(['config', '--list', '-z'], place)).toString().split('\0')
  const names = listed
    .map((line) => line.split('\n', 1)[0] ?? '')
    .filter((name) => name.startsWith('filter.'))
  const filters = names.map((name) => [name, name.endsWith('.required') ? 'false' : ''])
  const converts = listed.some((line) => /^core\.(autocrlf\n(true|input)|eol\ncrlf)$/i.test(line))
  const settings: Readonly<Record<string, string>> = {
    'status.submoduleSummary': 'false',
    'submodule.recurse': 'false',
    ...Object.fromEntries(filters),
  }
  return { ...place, settings, converts }
}

/** What git locks when it moves a branch, with its tree if it has one. */
export const locksOf = ({ common }: UserRepository, target: string, tree: CheckedOut | null) => [
  join(common, `refs/heads/${target}.lock`),
  ...(tree ? ['index.lock', 'HEAD.lock', 'ORIG_HEAD.lock'].map((name) => join(tree.own, name)) : []),
]

/**
 * Takes back what a git that was killed has done to the files and the index of a tree on its way. What is neither as before,
 * nor gone, nor the beginning of what was to come, the user has written since: it stays.
 */
export async function takeBack(
  { directory }: CheckedOut,
  { tip, commit }: Movement,
  ours: FilesRepository,
): Promise<void> {
  const listing = ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--no-abbrev', tip, commit]
  const raw = (await ours.git(listing)).toString('latin1').split('\0').slice(0, -1)
  const changes: (EntryChange & { readonly name: string })[] = []
  for (let at = 0; at + 1 < raw.length; at += 2)
    changes.push({ ...entryChange(raw[at] as string), name: raw[at + 1] as string })
  const lines: string[] = []
  const missing: string[] = []
  // First what was not there: it may be in the way of what was.
  for (const { from, to, name } of [...changes].sort(
    (one, other) => Number(!!one.from) - Number(!!other.from),
  )) {
    const found = fileAt(directory, name)
    const isBefore = from ? found?.mode === from.mode && oidOf(found.bytes) === from.oid : found === null
    if (!isBefore && ![from?.mode, to?.mode].includes(SUBMODULE)) {
      // A directory is none of its files.
      if (found && !(to && (await begins(ours, to.oid, found.bytes)))) continue
      if (from) missing.push(name)
      else removeAt(directory, name)
    }
    lines.push(`${from?.mode ?? '0'} ${from?.oid ?? '0'.repeat(40)}\t${name}\0`)
  }
  if (lines.length === 0) return
  const { settings, ...tree } = await inTree(directory)
  const input = (names: readonly string[]) => [Buffer.from(names.join(''), 'latin1')]
  const call = { ...tree, settings }
  await git(['update-index', '-z', '--index-info'], { ...call, input: input(lines) })
  const writing = ['checkout-index', '--force', '--index', '-z', '--stdin']
  await git(writing, { ...call, input: input(missing.map((name) => `${name}\0`)) })
}

const begins = async (ours: FilesRepository, oid: string, found: Buffer): Promise<boolean> =>
  (await ours.git(['cat-file', 'blob', oid])).subarray(0, found.length).equals(found)

const oidOf = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')

const bytesOf = (directory: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')])

const SUBMODULE = '160000'

/** null if nothing is there: what is behind a link, or an empty directory that git has left, is not there. */
function fileAt(directory: string, name: string): { readonly mode: string; readonly bytes: Buffer } | null {
  for (let at = dirname(name); at !== '.'; at = dirname(at))
    if (!lstatSync(bytesOf(directory, at), { throwIfNoEntry: false })?.isDirectory()) return null
  const path = bytesOf(directory, name)
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (!stats) return null
  if (stats.isSymbolicLink()) return { mode: '120000', bytes: readlinkSync(path, { encoding: 'buffer' }) }
  if (stats.isFile()) return { mode: stats.mode & 0o100 ? '100755' : '100644', bytes: readFileSync(path) }
  return stats.isDirectory() && readdirSync(path).length === 0 ? null : { mode: '', bytes: Buffer.from('\0') }
}

/** With the directories that were made for it. */
function removeAt(directory: string, name: string): void {
  rmSync(bytesOf(directory, name))
  try {
    for (let at = dirname(name); at !== '.'; at = dirname(at)) rmdirSync(bytesOf(directory, at))
  } catch {
    // It has other files.
  }
}
