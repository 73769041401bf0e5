/** The `claude` command: where it is, which version it has, and what that version can do. */
import { access, constants, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { BinaryNotFoundError, CliIncompatibleError } from '../events/errors/call.ts'
import { oneLine } from '../events/secrets/redaction.ts'
import { spawnWhenPossible } from '../workspaces/descriptors.ts'

export type Version = readonly [major: number, minor: number, patch: number]

export interface Program {
  readonly path: string
  readonly version: Version
}

export interface LocateOptions {
  /** The path or name the user asked for: no other is tried. */
  readonly path?: string | undefined
  /** Our own environment, for PATH and CLAUDE_AGENTS_CLAUDE_PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where else to look for an installed package, besides next to this file. */
  readonly directory?: string
  /** Asks a program for its version; tests replace it. */
  readonly ask?: (path: string) => Promise<string>
}

/**
 * The first usable program among: the path asked for, CLAUDE_AGENTS_CLAUDE_PATH, `claude` on the PATH, an installed
 * `@anthropic-ai/claude-code`. Throws {@link BinaryNotFoundError} or {@link CliIncompatibleError}.
 */
export async function locateProgram(options: LocateOptions): Promise<Program> {
  const { environment, directory = process.cwd(), ask = askVersion } = options
  const requested = options.path || environment.CLAUDE_AGENTS_CLAUDE_PATH
  const tried = new Set<string>()
  const unusable: string[] = []
  for (const path of candidates(requested, environment.PATH, directory)) {
    if (tried.has(path) || !(await isExecutable(path))) continue
    tried.add(path)
    const output = await ask(path)
    const version = parseVersion(output)
    if (version && isAtLeast(version, MINIMUM_VERSION)) return { path, version }
    unusable.push(
      version ? `${path} has version ${formatVersion(version)}` : `${path} says ${quoted(output)}`,
    )
  }
  if (unusable.length > 0) {
    const required = `version ${formatVersion(MINIMUM_VERSION)} or newer is required`
    throw new CliIncompatibleError({ said: `${unusable.join('; ')}; ${required}` })
  }
  throw new BinaryNotFoundError(requested ? { said: `there is no program at ${requested}` } : {})
}

/** Lazily: to resolve the packages takes longer than all of the PATH. */
function* candidates(requested: string | undefined, path: string | undefined, directory: string) {
  if (requested?.includes('/')) yield resolve(directory, requested)
  else yield* onPath(requested || 'claude', path)
  if (!requested) yield* installed([import.meta.url, join(directory, 'package.json')])
}

/** Locates the program once. A failure is not cached, so a new installation is found without a restart. */
export function programLocator(
  path: string | undefined,
  found: (program: Program) => void,
): () => Promise<Program> {
  let located: Promise<Program> | null = null
  const locate = async () => {
    try {
      const program = await locateProgram({ path, environment: process.env })
      found(program)
      return program
    } catch (error) {
      located = null
      throw error
    }
  }
  return () => {
    located ??= locate()
    return located
  }
}

/** The oldest version whose behaviour was measured. */
const MINIMUM_VERSION: Version = [2, 1, 197]

/** From this version on, the CLI records the system prompt with the session, and has the flag to turn that off. */
const SYSTEM_PROMPT_SNAPSHOTS: Version = [2, 1, 257]

/** The oldest version known to have a switch for file mentions alone. */
const FILE_MENTIONS_CAN_BE_OFF: Version = [2, 1, 330]

/** Parses the output of `claude --version`; null if it is not Claude Code's. */
function parseVersion(output: string): Version | null {
  const match = /^(\d+)\.(\d+)\.(\d+) \(Claude Code\)/.exec(output)
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : null
}

export const formatVersion = (version: Version): string => version.join('.')

export function isAtLeast(version: Version, minimum: Version): boolean {
  for (const [index, part] of version.entries()) {
    const least = minimum[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}

export const recordsSystemPrompts = (version: Version): boolean => isAtLeast(version, SYSTEM_PROMPT_SNAPSHOTS)

export const knowsFileMentions = (version: Version): boolean => isAtLeast(version, FILE_MENTIONS_CAN_BE_OFF)

const quoted = (output: string) => JSON.stringify(oneLine(output, 120) || 'nothing')

/** Where a program of this name would be, by the PATH. */
export const onPath = (name: string, path = ''): string[] =>
  path.split(delimiter).flatMap((directory) => (directory === '' ? [] : [resolve(directory, name)]))

/**
 * The native program of an installed package. The package's own `bin` is a stub if npm was not allowed to run install
 * scripts, so the package for this platform is resolved directly.
 */
function* installed(from: readonly string[]) {
  const names = platformPackages(process.platform, process.arch, usesMusl())
  const program = process.platform === 'win32' ? 'claude.exe' : 'claude'
  for (const start of from) {
    const wrapper = resolved(start, '@anthropic-ai/claude-code/package.json')
    for (const location of wrapper === null ? [start] : [wrapper, start])
      for (const name of names) {
        const manifest = resolved(location, `${name}/package.json`)
        if (manifest !== null) yield join(dirname(manifest), program)
      }
  }
}

/** The packages that hold the program for a platform, likeliest first. */
export function platformPackages(platform: string, architecture: string, musl: boolean): string[] {
  const name = `@anthropic-ai/claude-code-${platform}-${architecture}`
  if (platform !== 'linux') return [name]
  return musl ? [`${name}-musl`, name] : [name, `${name}-musl`]
}

/** Node's report includes the glibc version; without one, the system uses musl. */
function usesMusl(): boolean {
  if (process.platform !== 'linux') return false
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime === undefined
}

function resolved(from: string, name: string): string | null {
  try {
    return createRequire(from).resolve(name)
  } catch {
    return null
  }
}

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** An unrelated program might never exit. */
const VERSION_TIMEOUT_MS = 30_000

async function askVersion(path: string): Promise<string> {
  const { execa } = await import('execa')
  const { child } = await spawnWhenPossible(() =>
    execa(path, ['--version'], {
      reject: false,
      stdin: 'ignore',
      extendEnv: false,
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', DISABLE_AUTOUPDATER: '1' },
      timeout: VERSION_TIMEOUT_MS,
      maxBuffer: 10_000,
    }),
  )
  const { stdout, stderr, failed, originalMessage } = await child
  return stdout || stderr || (failed ? (originalMessage ?? '') : '')
}
