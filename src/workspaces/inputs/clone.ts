/** Clones a repository into the staging directory, within limits of time and size that are kept while git runs. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, pause } from '../../clock.ts'
import { CloneError, CloneTimeoutError, InputTooLargeError } from '../../events/errors/workspace.ts'
import type { RepoLocation } from '../../events/repo-url.ts'
import { cloneFailure } from './clone-failure.ts'
import { diskUse } from './disk-use.ts'
import {
  cloneArguments,
  fetchArguments,
  gitEnvironment,
  type Inherited,
  inClone,
  initArguments,
} from './git-command.ts'
import { runGit } from './git-process.ts'
import type { InputAllowance } from './input-limits.ts'

export interface CloneRequest {
  readonly location: RepoLocation
  readonly ref: string | undefined
  /** An existing directory, and the name that the clone gets in it. */
  readonly directory: string
  readonly name: string
  readonly home: string
  readonly inherited: Inherited
  readonly budget: InputAllowance
  readonly signal: AbortSignal
  readonly clock: Clock
}

export interface Clone {
  readonly commit: string
  /** null when a tag or a commit was checked out. */
  readonly branch: string | null
}

/** Only a whole hash can be asked of a server. */
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i
/** How often one looks how large it has become. */
const LOOK_EVERY_MS = 200

/** Throws CloneError, CloneTimeoutError, InputTooLargeError, or the reason of the signal. Git has ended by then. */
export async function cloneRepo(request: CloneRequest): Promise<Clone> {
  const { location, budget, clock } = request
  const limitMs = budget.limits.cloneMs
  const stop = new AbortController()
  const forward = () => stop.abort(request.signal.reason)
  if (request.signal.aborted) forward()
  request.signal.addEventListener('abort', forward, { once: true })
  const cancelTimer = clock.after(limitMs, () =>
    stop.abort(new CloneTimeoutError({ url: location.url, limitMs })),
  )
  const done = new AbortController()
  const watching = watchSize(request, stop, done.signal)
  try {
    return await clone(request, stop.signal)
  } finally {
    cancelTimer()
    done.abort()
    request.signal.removeEventListener('abort', forward)
    await watching
  }
}

async function clone(request: CloneRequest, signal: AbortSignal): Promise<Clone> {
  const { location, ref, directory, name, home, inherited } = request
  const path = join(directory, name)
  const environment = gitEnvironment(location, { inherited, home, directory })
  const attempt = async (args: readonly string[], onLine?: (line: string) => void) => {
    const outcome = await runGit({
      arguments: args,
      environment,
      directory,
      signal,
      ...(onLine && { onLine }),
    })
    // Why we have ended it says more than how it ended.
    signal.throwIfAborted()
    return outcome
  }
  const git = async (args: readonly string[], onLine?: (line: string) => void) => {
    const outcome = await attempt(args, onLine)
    if (outcome.exitCode !== 0) throw cloneFailure(location, outcome)
  }

  if (ref !== undefined && COMMIT.test(ref)) {
    await git(initArguments(location, ref, path))
    await git(fetchArguments(location, ref, path))
    await git(inClone(location, path, ['update-ref', '--no-deref', 'HEAD', `${ref}^{commit}`]))
  } else {
    await git(cloneArguments(location, ref, path))
  }

  let commit = ''
  const resolved = await attempt(
    inClone(location, path, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']),
    (line) => {
      commit = line
    },
  )
  if (resolved.exitCode !== 0) throw new CloneError({ url: location.url, problem: 'empty' })
  await git(
    inClone(location, path, ['ls-tree', '-r', '-l', '--full-tree', 'HEAD']),
    await treeMeter(request, path),
  )
  await git(inClone(location, path, ['read-tree', '--reset', '-u', '--no-recurse-submodules', 'HEAD']))
  const head = await readFile(join(path, '.git/HEAD'), 'utf8')
  return { commit, branch: /^ref: refs\/heads\/(.+)$/m.exec(head)?.[1] ?? null }
}

/** Adds up what a checkout would write, before it writes anything: a few bytes fetched can stand for a full disk. */
async function treeMeter({ budget, location }: CloneRequest, path: string): Promise<(line: string) => void> {
  let bytes = await diskUse(path)
  let files = 0
  const tooLarge = (limitedBy: 'bytes' | 'files', limit: number) =>
    new InputTooLargeError({ source: location.url, limitedBy, limit })
  return (line) => {
    // "mode type hash size<tab>path"; a submodule has no size.
    bytes += Number(/^\d+ blob \S+\s+(\d+)\t/.exec(line)?.[1] ?? 0)
    files += 1
    if (bytes > budget.bytesLeft()) throw tooLarge('bytes', budget.limits.bytes)
    if (files > budget.filesLeft()) throw tooLarge('files', budget.limits.files)
  }
}

/** Git has no limit for what it fetches. */
async function watchSize(
  { location, directory, name, budget, clock }: CloneRequest,
  stop: AbortController,
  done: AbortSignal,
): Promise<void> {
  while (!done.aborted && !stop.signal.aborted) {
    await pause(clock, LOOK_EVERY_MS, done)
    if (done.aborted || (await diskUse(join(directory, name))) <= budget.bytesLeft()) continue
    stop.abort(
      new InputTooLargeError({ source: location.url, limitedBy: 'bytes', limit: budget.limits.bytes }),
    )
  }
}
