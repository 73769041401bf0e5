/** Loads patterns that a module exports, and checks that they are patterns. */
import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EMPTY } from 'rxjs'
import { codeOf, systemProblem } from '../events/errors/phrases.ts'
import { NotAFileError } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { nameHint } from '../events/nearest-name.ts'
import type { Pattern } from '../patterns/pattern.ts'
import { readPlainFile } from '../store/directory.ts'

/** What a module exports, and the hash of its content. */
interface LoadedModule {
  readonly exports: Readonly<Record<string, unknown>>
  readonly sha256: string
}

/** Loads a module as it is now. Its code runs with all rights of this process. Throws InvalidInputError. */
export async function loadModule(file: string): Promise<LoadedModule> {
  const sha256 = await hashOfModule(file)
  const path = resolve(file)
  const address = pathToFileURL(path)
  // Node loads an address once, a CommonJS module by its path, and the file may have changed since.
  address.search = sha256
  delete createRequire(import.meta.url).cache[path]
  try {
    return { exports: (await import(address.href)) as Record<string, unknown>, sha256 }
  } catch (cause) {
    const problem = `the module cannot be loaded: ${(cause as Error).message.split('\n', 1)[0]}`
    const hint = 'It must be JavaScript that this Node can run, and import what it needs.'
    throw new InvalidInputError({ what: file, problem, hint }, { cause })
  }
}

/** The hash of its content. Throws InvalidInputError. */
export const hashOfModule = async (file: string): Promise<string> => hash('sha256', await contentOf(file))

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readPlainFile(file)
  } catch (cause) {
    const isMissing = codeOf(cause) === 'ENOENT'
    const unread = isMissing ? 'there is no such module' : `it cannot be read: ${systemProblem(cause)}`
    const problem = cause instanceof NotAFileError ? `it is ${cause.details.kind}, not a file` : unread
    throw new InvalidInputError({ what: file, problem }, { cause })
  }
}

/** The pattern that a module exports under this name. Throws InvalidInputError if there is none. */
export function exportedPattern(
  file: string,
  module: Readonly<Record<string, unknown>>,
  name: string,
): Pattern {
  const found = module[name]
  if (found === undefined) {
    const names = Object.keys(module)
    const problem = `it exports no ${JSON.stringify(name)}`
    const hint = names.length === 0 ? 'It exports nothing.' : nameHint(name, names)
    throw new InvalidInputError({ what: file, problem, hint })
  }
  if (isPattern(found)) return found
  throw new InvalidInputError({
    what: file,
    problem: `its export ${JSON.stringify(name)} is not a pattern`,
    hint: 'A pattern is a function that takes ask and returns an RxJS operator: see docs/workflows.md.',
  })
}

/** Tries the function with an empty `ask`: a pattern asks nothing before it gets a task. */
function isPattern(value: unknown): value is Pattern {
  if (typeof value !== 'function') return false
  try {
    return typeof (value as Pattern)(() => EMPTY) === 'function'
  } catch {
    return false
  }
}
