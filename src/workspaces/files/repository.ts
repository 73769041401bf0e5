/**
 * A git repository of ours for the files of agents: bare, beside the log, never the user's.
 *
 * Nothing but git runs in it: no configuration of the user or of a repository is read, and no hook, filter, helper, editor,
 * pager or prompt is started. What is in it when a call of git returns is on the disk.
 */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { spawnWhenPossible } from '../descriptors.ts'

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
  ...['core.fsync=committed', 'core.fsyncMethod=batch', 'core.bigFileThreshold=8m'],
  ...['gc.auto=0', 'maintenance.auto=false', 'fastimport.unpackLimit=1000', 'advice.detachedHead=false'],
].flatMap((setting) => ['-c', setting])

const ENVIRONMENT: Readonly<Record<string, string>> = {
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  // A missing object of a partial clone is an error, and not a connection.
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: '',
}

/** No attribute of a tree rewrites the bytes of a file. */
const ATTRIBUTES = '* -text -filter -ident -eol -working-tree-encoding -diff\n'

export interface GitCall {
  /** Sent to its standard input. */
  readonly input?: Iterable<Buffer> | AsyncIterable<Buffer>
  /** The tree that it works on, with an index of that tree. */
  readonly tree?: WorkingTree
  readonly signal?: AbortSignal
}

export interface WorkingTree {
  readonly directory: string
  readonly index: string
}

export class FilesRepository {
  readonly path: string

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

  /** What git prints. Throws WorkspaceError if git fails, or is missing. */
  async git(command: readonly string[], { input, tree, signal }: GitCall = {}): Promise<Buffer> {
    const { execa } = await import('execa')
    const start = () =>
      execa('git', [...SETTINGS, ...command], {
        cwd: this.path,
        env: {
          PATH: process.env.PATH,
          HOME: this.path,
          ...ENVIRONMENT,
          GIT_DIR: this.path,
          ...(tree && { GIT_WORK_TREE: tree.directory, GIT_INDEX_FILE: tree.index }),
        },
        extendEnv: false,
        preferLocal: false,
        ...(input ? { stdin: input as AsyncIterable<Buffer> } : { stdin: 'ignore' as const }),
        encoding: 'buffer',
        maxBuffer: Number.POSITIVE_INFINITY,
        reject: false,
        ...(signal && { cancelSignal: signal }),
        windowsHide: true,
      })
    const { child } = await spawnWhenPossible(start, signal ? { signal } : {})
    const { exitCode, stdout, stderr, cause } = await child
    if (exitCode === 0) return Buffer.from(stdout as Uint8Array)
    signal?.throwIfAborted()
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new WorkspaceError(
      isMissing
        ? { path: this.path, problem: 'git is not installed', hint: 'Install git 2.36 or later.' }
        : { path: this.path, problem: `git ${command[0]} failed: ${lastLine(stderr as Uint8Array)}` },
      { cause },
    )
  }
}

function lastLine(stderr: Uint8Array): string {
  const lines = Buffer.from(stderr).toString().trim().split('\n')
  return lines.at(-1) ?? ''
}
