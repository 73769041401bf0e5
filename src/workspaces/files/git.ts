/**
 * Runs git so that nothing but git runs: no configuration of the user or of the system is read, and no hook, monitor, filter,
 * helper, editor, pager or prompt is started. The configuration of a repository may be hostile: what it could start is
 * overridden here, or not done at all (nothing is checked out, cleaned or fetched by git).
 */
import { existsSync } from 'node:fs'
import { GitNotInstalled, WorkspaceError } from '../../events/errors/workspace.ts'
import { spawnWhenPossible } from '../descriptors.ts'
import { absoluteEntries, UNCONFIGURED } from '../inputs/git-command.ts'

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
  ...['gc.auto=0', 'maintenance.auto=false', 'fastimport.unpackLimit=1000', 'advice.detachedHead=false'],
].flatMap((setting) => ['-c', setting])

const ENVIRONMENT: Readonly<Record<string, string>> = {
  ...UNCONFIGURED,
  GIT_LITERAL_PATHSPECS: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  // A missing object of a partial clone is an error, and not a connection.
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: '',
}

export interface GitCall {
  /** The repository: the only one that git looks at. */
  readonly repository: string
  /** Where it runs. Default: the repository. */
  readonly directory?: string
  /** Sent to its standard input. */
  readonly input?: AsyncIterable<Buffer> | Iterable<Buffer>
  /** The tree that it works on, with an index of that tree; default: that of the repository. */
  readonly tree?: Pick<WorkingTree, 'directory'> & Partial<WorkingTree>
  /** The objects of another repository that can be read as well. */
  readonly reading?: string
  /** Settings that override those of the repository. */
  readonly settings?: Readonly<Record<string, string>>
  /** Whether exit code 1 is an answer as well. */
  readonly mayBeOne?: boolean
  /** Who commits, and when. Default: nobody can. */
  readonly by?: Author
  readonly signal?: AbortSignal
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

/** What git says, also if it finds a problem. */
export async function gitOutcome(
  command: readonly string[],
  call: GitCall,
): Promise<{ readonly problem: Error | null; readonly stdout: Buffer; readonly stderr: Buffer }> {
  const { child } = await started(command, call)
  const { exitCode, signal, stdout, stderr, cause } = await child
  call.signal?.throwIfAborted()
  const isFine = exitCode === 0 || (exitCode === 1 && call.mayBeOne)
  const problem = isFine ? null : problemOf(command, call, String(Buffer.from(stderr)), { signal, cause })
  return { problem, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) }
}

/** What git prints, in pieces as they come: for what may be larger than memory. Throws like {@link git}. */
export async function* gitPieces(command: readonly string[], call: GitCall): AsyncGenerator<Buffer> {
  const { child } = await started(command, call, { stdout: false })
  let isRead = false
  try {
    for await (const piece of child.stdout) yield piece as Buffer
    isRead = true
  } finally {
    // Once it is ended, another one may begin.
    if (!isRead) {
      child.kill()
      await child
    }
  }
  const { exitCode, signal, stderr, cause } = await child
  call.signal?.throwIfAborted()
  if (exitCode !== 0) throw problemOf(command, call, String(Buffer.from(stderr)), { signal, cause })
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

async function started(
  command: readonly string[],
  { repository, directory = repository, input, tree, reading, by, settings = {}, signal }: GitCall,
  buffer: { readonly stdout: boolean } = { stdout: true },
) {
  const { execa } = await import('execa')
  const start = () =>
    execa('git', [...SETTINGS, ...command], {
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
      extendEnv: false,
      preferLocal: false,
      ...(input ? { stdin: input as AsyncIterable<Buffer> } : { stdin: 'ignore' as const }),
      encoding: 'buffer',
      // The last byte of a pack may be one.
      stripFinalNewline: false,
      maxBuffer: Number.POSITIVE_INFINITY,
      buffer,
      reject: false,
      ...(signal && { cancelSignal: signal }),
      windowsHide: true,
    })
  return spawnWhenPossible(start, signal ? { signal } : {})
}

function problemOf(
  [name]: readonly string[],
  { repository, directory = repository }: GitCall,
  stderr: string,
  { signal, cause }: { readonly signal?: string | undefined; readonly cause?: unknown },
): Error {
  // Without the directory that it is to run in, it cannot start either.
  const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
  if (isMissing && existsSync(directory)) return new GitNotInstalled({ path: repository }, { cause })
  // Whatever it is for is done again: it was not git that ended it.
  if (signal !== undefined)
    return new WorkspaceError(
      { path: repository, problem: `git ${name} was killed (${signal})`, retryable: true },
      { cause },
    )
  const problem = `git ${name} failed: ${stderr.trim().split('\n').at(-1)}`
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
