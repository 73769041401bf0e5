/**
 * Runs git so that nothing but git runs: no configuration of the user or of the system is read, and no hook, monitor, filter,
 * helper, editor, pager or prompt is started. The configuration of a repository may be hostile: what it could start is
 * overridden here, or not done at all (nothing is checked out, cleaned or fetched by git).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants, existsSync } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DiskFullError } from '../../events/errors/call.ts'
import { codeOf } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { GitNotInstalled, WorkspaceError } from '../../events/errors/workspace.ts'
import { isLack, spawnWhenPossible, withDescriptors } from '../descriptors.ts'
import { absoluteEntries } from '../directories.ts'
import { UNCONFIGURED } from '../inputs/git-command.ts'

const SETTINGS = [
  // The bytes as they are, under the names that they have.
  ...['core.symlinks=true', 'core.fileMode=true', 'core.autocrlf=false', 'core.ignoreCase=false'],
  ...[
    'core.protectNTFS=false',
    'core.protectHFS=false',
    'core.quotePath=false',
    'core.precomposeUnicode=false',
  ],
  ...['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.untrackedCache=false'],
  ...['core.attributesFile=/dev/null', 'core.excludesFile=/dev/null', 'core.pager=cat', 'credential.helper='],
  ...['core.fsync=committed,reference', 'core.fsyncMethod=batch', 'core.bigFileThreshold=8m'],
  ...['pack.threads=1', 'pack.windowMemory=64m'],
  ...['gc.auto=0', 'maintenance.auto=false', 'fastimport.unpackLimit=1', 'advice.detachedHead=false'],
].flatMap((setting) => ['-c', setting])

const ENVIRONMENT: Readonly<Record<string, string>> = {
  ...UNCONFIGURED,
  GIT_LITERAL_PATHSPECS: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  // A missing object of a partial clone is an error, and not a connection.
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: '',
}

export type GitInput = AsyncIterable<Buffer> | Iterable<Buffer>

export interface GitCall {
  /** The repository: the only one that git looks at. */
  readonly repository: string
  /** Where it runs. Default: the repository. */
  readonly directory?: string
  /** Sent to its standard input. */
  readonly input?: GitInput
  /** The tree that it works on, with an index of that tree; default: that of the repository. */
  readonly tree?: Pick<WorkingTree, 'directory'> & Partial<WorkingTree>
  /** The objects of another repository that can be read as well. */
  readonly reading?: string
  /** Settings that override those of the repository. */
  readonly settings?: Readonly<Record<string, string>>
  /** Whether exit code 1 is an answer as well. */
  readonly mayBeOne?: boolean
  /** Who commits, and when. Without it, nothing can be committed. */
  readonly by?: Author
  readonly signal?: AbortSignal
  /** Called at once when it runs. */
  readonly onStart?: (pid: number) => void
}

export interface Author {
  readonly author: string
  readonly at: Date
}

export interface WorkingTree {
  readonly directory: string
  readonly index: string
}

/** What git prints. Throws WorkspaceError if git fails, and GitNotInstalled. */
export async function git(command: readonly string[], call: GitCall): Promise<Buffer> {
  const { problem, stdout } = await gitOutcome(command, call)
  if (problem) throw problem
  return stdout
}

/**
 * What git prints; null if it says by its exit code that there is nothing. One that was killed has not answered. Throws
 * WorkspaceError then, and GitNotInstalled.
 */
export async function gitAnswer(command: readonly string[], call: GitCall): Promise<Buffer | null> {
  const { problem, stdout } = await gitOutcome(command, call)
  if (!problem) return stdout
  if (problem instanceof WorkspaceError && !problem.retryable) return null
  throw problem
}

/** What git says, also if it finds a problem. Its output is bytes, all of them: a pack may end in what looks like a line feed. */
export async function gitOutcome(
  command: readonly string[],
  call: GitCall,
): Promise<Ended & { readonly stdout: Buffer }> {
  const { child, ended } = await started(command, call)
  const pieces: Buffer[] = []
  child.stdout?.on('data', (piece) => pieces.push(piece))
  return { ...(await ended), stdout: Buffer.concat(pieces) }
}

/** What git prints, in pieces as they come: for what may be larger than memory. Throws like {@link git}. */
export async function* gitPieces(command: readonly string[], call: GitCall): AsyncGenerator<Buffer> {
  const { child, ended } = await started(command, call)
  try {
    for await (const piece of child.stdout ?? []) yield piece as Buffer
  } finally {
    if (!child.stdout?.readableEnded) child.kill()
    // Once it is ended, another one may begin.
    await ended
  }
  const { problem } = await ended
  if (problem) throw problem
}

/** Reads pieces line by line, or so many bytes at a time. */
export class PieceReader {
  readonly #pieces: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Without its end; what is left if there is none. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(10)
      if (end >= 0) return String((await this.take(end + 1)).subarray(0, end))
      const { done, value } = await this.#pieces.next()
      if (done) return String(await this.take(this.#rest.length))
      this.#rest = Buffer.concat([this.#rest, value])
    }
  }

  /** Fewer at the end. */
  async take(count: number): Promise<Buffer> {
    const parts = [this.#rest]
    for (let left = count - this.#rest.length; left > 0; ) {
      const { done, value } = await this.#pieces.next()
      if (done) break
      parts.push(value)
      left -= value.length
    }
    const all = parts.length === 1 ? this.#rest : Buffer.concat(parts)
    this.#rest = all.subarray(count)
    return all.subarray(0, count)
  }
}

/** How git has ended. */
interface Ended {
  /** Why it did not do what it was to do; null if it did. */
  readonly problem: unknown
  readonly stderr: Buffer
}

/** Starts git, and notes how it ends, from its first moment on. */
async function started(command: readonly string[], call: GitCall) {
  const {
    repository,
    directory = repository,
    input,
    tree,
    reading,
    by,
    settings = {},
    signal,
    onStart,
  } = call
  const start = () => {
    const child = spawn('git', [...SETTINGS, ...command], {
      cwd: directory,
      env: {
        PATH: absoluteEntries(process.env.PATH ?? ''),
        HOME: '/nonexistent',
        ...ENVIRONMENT,
        GIT_DIR: repository,
        ...(by && identityOf(by)),
        ...(tree && { GIT_WORK_TREE: tree.directory }),
        ...(tree?.index && { GIT_INDEX_FILE: tree.index }),
        ...settingsOf(settings),
        // In quotes, so that a path with a colon is one path.
        ...(reading !== undefined && { GIT_ALTERNATE_OBJECT_DIRECTORIES: JSON.stringify(reading) }),
      },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      windowsHide: true,
    })
    if (child.pid !== undefined) onStart?.(child.pid)
    return { child, ended: endOf(child, command, call) }
  }
  return (await spawnWhenPossible(start, signal ? { signal } : {})).child
}

/** Git has ended before it read all that it was sent: it says itself why. */
const UNREAD = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']

async function endOf(child: ChildProcess, command: readonly string[], call: GitCall): Promise<Ended> {
  const { input, signal, mayBeOne } = call
  const said: Buffer[] = []
  let cause: unknown
  let unreadable: unknown
  const end = () => child.kill()
  const fail = (error: unknown) => {
    cause ??= error
    end()
  }
  let killed: NodeJS.Signals | null = null
  const closed = new Promise<number | null>((resolve) => {
    child.once('close', (code, by) => {
      killed = by
      resolve(code)
    })
    child.on('error', (error) => {
      fail(error)
      if (child.pid === undefined) resolve(null)
    })
  })
  child.stdout?.on('error', fail)
  child.stderr?.on('error', fail).on('data', (piece) => said.push(piece))
  const sent = child.stdin && pipeline(input ?? [], child.stdin)
  const allSent = sent?.catch((error) => {
    // What is read may fail after git has ended: these are two problems.
    const problems: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    unreadable = problems.find((problem) => !UNREAD.includes(codeOf(problem)))
    if (unreadable !== undefined) end()
  })
  signal?.addEventListener('abort', end, { once: true })
  if (signal?.aborted) end()
  const exitCode = await closed
  await allSent
  signal?.removeEventListener('abort', end)
  const stderr = Buffer.concat(said)
  const isFine = !cause && (exitCode === 0 || (exitCode === 1 && mayBeOne))
  const failed = isFine ? null : problemOf(command, call, stderr.toString(), { cause, killed })
  return { problem: signal?.aborted ? signal.reason : (unreadable ?? failed), stderr }
}

/** As the system says it to git. */
const NO_ROOM = /No space left on device|Disk quota exceeded/

function problemOf(
  [name]: readonly string[],
  { repository, directory = repository }: GitCall,
  stderr: string,
  { cause, killed }: { readonly cause: unknown; readonly killed: NodeJS.Signals | null },
): Error {
  // Without the directory that it is to run in, it cannot start either.
  const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
  if (isMissing && existsSync(directory)) return new GitNotInstalled({ path: repository }, { cause })
  // Whatever it is for is done again: it was not git that ended it, or a git that it started.
  const by = killed ?? /died of (signal \d+)/.exec(stderr)?.[1]
  if (by !== undefined) {
    const problem = `git ${name} was killed (${by})`
    return new WorkspaceError({ path: repository, problem, retryable: true }, { cause })
  }
  if (NO_ROOM.test(stderr)) return new DiskFullError({ said: repository }, { cause })
  const lines = stderr.trim().split('\n')
  const problem = `git ${name} failed: ${lines.findLast((line) => line.startsWith('fatal: ')) ?? lines.at(-1)}`
  return new WorkspaceError({ path: repository, problem }, { cause })
}

/** In the environment, where a name may hold an equals sign. */
function settingsOf(settings: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(settings)
  const named = pairs.flatMap(([name, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, name],
    [`GIT_CONFIG_VALUE_${at}`, value],
  ])
  return { GIT_CONFIG_COUNT: String(pairs.length), ...Object.fromEntries(named) }
}

/** Whether refs can be elsewhere than in files of their own: packed, or in tables. */
export const hasOtherRefs = (repository: string): boolean =>
  ['packed-refs', 'reftable'].some((name) => existsSync(join(repository, name)))

/**
 * What a small file of a repository says; null if there is none, or it cannot be read. Agents write there as well: a pipe in place
 * of it would hold one of the few threads that read files, for ever.
 *
 * @throws InvalidInputError for a pipe, and for what is too large to be from git
 */
export async function textOfGit(path: string, largest = LARGEST_TEXT): Promise<string | null> {
  const opened = await withDescriptors(() => open(path, READ)).catch((error) => {
    if (isLack(error)) throw error
    return null
  })
  if (opened === null) return null
  await using file = opened
  const stats = await file.stat()
  if (stats.isDirectory()) return null
  if (stats.isFile() && stats.size <= largest) return await file.readFile('utf8')
  throw stats.isFile() ? notOfGit(path, 'is too large') : pipeOf(path)
}

/** The commits where the history of a clone ends, although they have parents: those of `git clone --depth`. */
export async function shallowCommits(common: string): Promise<readonly string[]> {
  const text = (await textOfGit(join(common, 'shallow'), LARGEST_SHALLOW)) ?? ''
  return text.split('\n').filter(Boolean)
}

/** The error for a pipe, whose writer git would wait for. */
const pipeOf = (path: string) => notOfGit(path, 'is a pipe')

const notOfGit = (path: string, problem: string) =>
  new InvalidInputError({
    what: path,
    problem: `it ${problem}`,
    hint: 'Somebody made it to stop programs that read it. Remove it.',
  })

/** What the file of a ref says; null if it has none, and nothing if it cannot be read. Throws like {@link textOfGit}. */
export async function looseRef(repository: string, ref: string): Promise<string | null> {
  const path = join(repository, ref)
  const text = await textOfGit(path)
  if (text !== null) return text
  const stats = await lstat(path).catch((error) => NO_FILE.includes(codeOf(error)))
  return stats === true || (stats !== false && stats.isDirectory()) ? null : ''
}

const NO_FILE = ['ENOENT', 'ENOTDIR']
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
/** In bytes. */
const LARGEST_TEXT = 64 * 1024
/** One line for each end of a history: with many merges, that may be thousands. */
const LARGEST_SHALLOW = 16 * 1024 * 1024

/** The author of an agent's commits, as `name <name@claude-agents>`. */
export const signatureOf = ({ author, at }: Author): string => {
  const { name, email, date } = signed(author, at)
  return `${name} <${email}> ${date}`
}

function identityOf({ author, at }: Author): Readonly<Record<string, string>> {
  const { date } = signed(author, at)
  return { ...authorVariables(author), GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date }
}

/** What tells git who commits. */
export function authorVariables(author: string): Readonly<Record<string, string>> {
  const { name, email } = signed(author)
  return {
    ...{ GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email },
    ...{ GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email },
  }
}

const signed = (author: string, at = new Date(0)) => ({
  name: author,
  email: `${author}@claude-agents`,
  date: `${Math.floor(at.getTime() / 1000)} +0000`,
})
