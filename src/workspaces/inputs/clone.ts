/** Clones a repository into the staging directory, enforcing limits on time and size while git runs. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, pause } from '../../clock.ts'
import { CloneError, CloneTimeoutError, InputTooLargeError } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'
import type { RepoLocation } from '../../events/repo-url.ts'
import { readAgentFile } from '../agent-file.ts'
import { cloneFailure } from './clone-failure.ts'
import { lstatIfThere } from './directory.ts'
import {
  cloneArguments,
  fetchArguments,
  gitEnvironment,
  type Inherited,
  inClone,
  initArguments,
} from './git-command.ts'
import { runGit } from './git-process.ts'
import type { InputAllowance } from './limits.ts'

export interface CloneRequest {
  readonly location: RepoLocation
  readonly ref: string | undefined
  /** An existing directory, and the name of the clone in it. */
  readonly directory: string
  readonly name: string
  readonly home: string
  readonly inherited: Inherited
  readonly allowance: InputAllowance
  readonly signal: AbortSignal
  readonly clock: Clock
}

export interface Clone {
  readonly commit: string
  /** null if a tag or a commit was checked out. */
  readonly branch: string | null
}

/** A server accepts only a complete hash. */
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i
/** A HEAD names one branch. */
const LARGEST_HEAD = 64 * 1024
/** How often to measure the clone. */
const POLL_EVERY_MS = 200

/** Throws CloneError, CloneTimeoutError, InputTooLargeError, or the signal's reason. Git has ended by then. */
export async function cloneRepo(request: CloneRequest): Promise<Clone> {
  const { location, allowance, clock } = request
  const limitMs = allowance.limits.cloneMs
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
      ...{ arguments: args, environment, directory, signal },
      ...defined({ onLine }),
    })
    // Why we stopped git says more than how it exited.
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
  const head = (await readAgentFile(join(path, '.git/HEAD'), LARGEST_HEAD)) ?? ''
  return { commit, branch: /^ref: refs\/heads\/(.+)$/m.exec(head)?.[1] ?? null }
}

/** Adds up what a checkout would write before it writes anything: a few fetched bytes can expand to a full disk. */
async function treeMeter(
  { allowance, location }: CloneRequest,
  path: string,
): Promise<(line: string) => void> {
  let bytes = await diskUse(path)
  let files = 0
  const tooLarge = (limitedBy: 'bytes' | 'files', limit: number) =>
    new InputTooLargeError({ source: location.url, limitedBy, limit })
  return (line) => {
    // "mode type hash size<tab>path"; a submodule has no size.
    bytes += Number(/^\d+ blob \S+\s+(\d+)\t/.exec(line)?.[1] ?? 0)
    files += 1
    if (bytes > allowance.bytesLeft()) throw tooLarge('bytes', allowance.limits.bytes)
    if (files > allowance.filesLeft()) throw tooLarge('files', allowance.limits.files)
  }
}

/** Git cannot limit the size of a fetch. */
async function watchSize(
  { location, directory, name, allowance, clock }: CloneRequest,
  stop: AbortController,
  done: AbortSignal,
): Promise<void> {
  while (!done.aborted && !stop.signal.aborted) {
    await pause(clock, POLL_EVERY_MS, done)
    if (done.aborted || (await diskUse(join(directory, name))) <= allowance.bytesLeft()) continue
    stop.abort(
      new InputTooLargeError({ source: location.url, limitedBy: 'bytes', limit: allowance.limits.bytes }),
    )
  }
}

/** The total size of all files in bytes, while git writes them. Skips what disappears meanwhile; follows no link. */
async function diskUse(path: string): Promise<number> {
  let bytes = 0
  const paths = [Buffer.from(path)]
  for (let current = paths.pop(); current !== undefined; current = paths.pop()) {
    const stats = await lstatIfThere(current)
    if (!stats) continue
    if (!stats.isDirectory()) bytes += Number(stats.size)
    else
      for (const name of await readdir(current, { encoding: 'buffer' }).catch(() => []))
        paths.push(Buffer.concat([current, SEPARATOR, name]))
  }
  return bytes
}

const SEPARATOR = Buffer.from('/')
