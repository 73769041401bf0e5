/** Repositories made for a test, with this machine's git and none of its settings. */

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { linuxProcessTable } from '../../../src/claude/process/table.ts'
import { HOME_MARKER } from '../../../src/workspaces/directories.ts'
import type { World } from './world.ts'

const run = promisify(execFile)

export const GIT_ENVIRONMENT = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'author',
  GIT_AUTHOR_EMAIL: 'author@example.org',
  GIT_COMMITTER_NAME: 'author',
  GIT_COMMITTER_EMAIL: 'author@example.org',
}

export interface Repository {
  readonly path: string
  git(...args: readonly string[]): Promise<string>
  write(path: string, content: string | Buffer): Promise<void>
  /** Commits everything, and returns the hash. */
  commit(): Promise<string>
}

export async function git(directory: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', args, { cwd: directory, env: GIT_ENVIRONMENT })
  return stdout.trim()
}

/** An empty repository. */
export async function emptyRepository(
  world: World,
  name = 'repo',
  ...options: string[]
): Promise<Repository> {
  const path = world.source(name)
  await mkdir(path, { recursive: true })
  await git(path, 'init', '--quiet', '--initial-branch=main', ...options)
  return {
    path,
    git: (...args) => git(path, ...args),
    async write(file, content) {
      await mkdir(dirname(join(path, file)), { recursive: true })
      await writeFile(join(path, file), content)
    },
    async commit() {
      await git(path, 'add', '--all')
      await git(path, 'commit', '--quiet', '--message=change')
      return git(path, 'rev-parse', 'HEAD')
    },
  }
}

/** A repository with one commit of one file. */
export async function repository(
  world: World,
  name = 'repo',
): Promise<Repository & { readonly first: string }> {
  const repo = await emptyRepository(world, name)
  await repo.write('README.md', 'read me')
  return { ...repo, first: await repo.commit() }
}

/** The processes of this world that still run. */
export async function processesOf({ directories }: World): Promise<number[]> {
  const running: number[] = []
  for (const { pid, ended } of await linuxProcessTable.entries()) {
    const environment = await linuxProcessTable.environment(pid)
    if (!ended && environment?.get(HOME_MARKER) === directories.home) running.push(pid)
  }
  return running
}

/** What `git mktree` makes of these lines. */
export const makeTree = (directory: string, entries: readonly string[]): Promise<string> =>
  gitWithInput(directory, ['mktree'], `${entries.join('\n')}\n`)

/** A tree of one entry, whatever its name: git itself would reject some. */
export const literalTree = (directory: string, mode: string, name: string, hash: string): Promise<string> =>
  gitWithInput(
    directory,
    ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'],
    Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(hash, 'hex')]),
  )

async function gitWithInput(
  directory: string,
  args: readonly string[],
  input: string | Buffer,
): Promise<string> {
  const started = run('git', args, { cwd: directory, env: GIT_ENVIRONMENT })
  started.child.stdin?.end(input)
  return (await started).stdout.trim()
}
