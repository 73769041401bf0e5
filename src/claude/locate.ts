/** Finds the `claude` command, and makes sure that it is one that we know how to use. */
import { access, constants, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { BinaryNotFoundError, CliIncompatibleError } from '../events/errors/call.ts'
import { oneLine } from '../events/redaction.ts'
import { formatVersion, isAtLeast, MINIMUM_VERSION, parseVersion, type Version } from './version.ts'

export interface Program {
  readonly path: string
  readonly version: Version
}

export interface LocateOptions {
  /** The one that was asked for: no other is tried. */
  readonly path?: string | undefined
  /** Ours, with PATH and CLAUDE_AGENTS_CLAUDE_PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where to look for an installed package, besides next to this file. */
  readonly directory?: string
  /** Asks a program for its version; a test replaces it. */
  readonly ask?: (path: string) => Promise<string>
}

/**
 * The first usable one of: the path asked for, CLAUDE_AGENTS_CLAUDE_PATH, `claude` on the PATH, an installed
 * `@anthropic-ai/claude-code`. Throws {@link BinaryNotFoundError} or {@link CliIncompatibleError}.
 */
export async function locateProgram(options: LocateOptions): Promise<Program> {
  const { environment, directory = process.cwd(), ask = askVersion } = options
  const wanted = options.path || environment.CLAUDE_AGENTS_CLAUDE_PATH
  const candidates = wanted
    ? [...(wanted.includes('/') ? [resolve(directory, wanted)] : onPath(wanted, environment.PATH))]
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
    const needed = `at least ${formatVersion(MINIMUM_VERSION)} is needed`
    throw new CliIncompatibleError({ said: `${unusable.join('; ')}; ${needed}` })
  }
  throw new BinaryNotFoundError(wanted ? { said: `there is no program at ${wanted}` } : {})
}

const quoted = (output: string) => JSON.stringify(oneLine(output, 120) || 'nothing')

const onPath = (name: string, path = ''): string[] =>
  path
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => resolve(directory, name))

/**
 * The native program of an installed package. Its own `bin` is a stub where npm was not allowed to run the install
 * script, so the package of this platform is looked up directly.
 */
function installed(from: readonly string[]): string[] {
  const names = platformPackages(process.platform, process.arch, usesMusl())
  return from.flatMap((location) => {
    const wrapper = resolved(location, '@anthropic-ai/claude-code/package.json')
    const places = wrapper === null ? [location] : [wrapper, location]
    return places.flatMap((place) =>
      names.flatMap((name) => {
        const manifest = resolved(place, `${name}/package.json`)
        return manifest === null
          ? []
          : [join(dirname(manifest), process.platform === 'win32' ? 'claude.exe' : 'claude')]
      }),
    )
  })
}

/** The packages that hold the program for a platform, the likelier first. */
export function platformPackages(platform: string, architecture: string, musl: boolean): string[] {
  const name = `@anthropic-ai/claude-code-${platform}-${architecture}`
  if (platform !== 'linux') return [name]
  return musl ? [`${name}-musl`, name] : [name, `${name}-musl`]
}

/** Node's report names the version of glibc; without one the system uses musl. */
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

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** A program that is not what we think may never end by itself. */
const ANSWERS_WITHIN_MS = 30_000

async function askVersion(path: string): Promise<string> {
  const { execa } = await import('execa')
  const { stdout, stderr, failed, originalMessage } = await execa(path, ['--version'], {
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', DISABLE_AUTOUPDATER: '1' },
    timeout: ANSWERS_WITHIN_MS,
    maxBuffer: 10_000,
  })
  return stdout || stderr || (failed ? (originalMessage ?? '') : '')
}
