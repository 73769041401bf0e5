/** Finds the `claude` command and checks that its version is supported. */
import { access, constants, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { BinaryNotFoundError, CliIncompatibleError } from '../events/errors/call.ts'
import { oneLine } from '../events/redaction.ts'
import { spawnWhenPossible } from '../workspaces/descriptors.ts'
import { formatVersion, isAtLeast, MINIMUM_VERSION, parseVersion, type Version } from './version.ts'

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
  const candidates = requested
    ? [...(requested.includes('/') ? [resolve(directory, requested)] : onPath(requested, environment.PATH))]
    : [
        ...onPath('claude', environment.PATH),
        ...installed([import.meta.url, join(directory, 'package.json')]),
      ]

  const unusable: string[] = []
  for (const path of new Set(candidates)) {
    if (!(await isExecutable(path))) continue
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

const quoted = (output: string) => JSON.stringify(oneLine(output, 120) || 'nothing')

/** Where a program of this name would be, by the PATH. */
export const onPath = (name: string, path = ''): string[] =>
  path
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => resolve(directory, name))

/**
 * The native program of an installed package. The package's own `bin` is a stub if npm was not allowed to run install
 * scripts, so the package for this platform is resolved directly.
 */
function installed(from: readonly string[]): string[] {
  const names = platformPackages(process.platform, process.arch, usesMusl())
  return from.flatMap((start) => {
    const wrapper = resolved(start, '@anthropic-ai/claude-code/package.json')
    const locations = wrapper === null ? [start] : [wrapper, start]
    return locations.flatMap((location) =>
      names.flatMap((name) => {
        const manifest = resolved(location, `${name}/package.json`)
        return manifest === null
          ? []
          : [join(dirname(manifest), process.platform === 'win32' ? 'claude.exe' : 'claude')]
      }),
    )
  })
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
