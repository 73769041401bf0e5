/** Patterns from code: what a module exports, loaded and looked at before it is believed to be one. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EMPTY } from 'rxjs'
import { InvalidInputError } from '../events/errors/usage.ts'
import { nameHint } from '../events/nearest-name.ts'
import type { Pattern } from '../patterns/pattern.ts'

/** Loads a module: its code runs, with all that the process may do. Throws InvalidInputError. */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>
  } catch (cause) {
    const problem = `the module cannot be loaded: ${(cause as Error).message.split('\n', 1)[0]}`
    const hint = 'It must be JavaScript that this Node can run, and import what it needs.'
    throw new InvalidInputError({ what: file, problem, hint }, { cause })
  }
}

/** Throws InvalidInputError for what is not exported, or is no pattern. */
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
    problem: `its export ${JSON.stringify(name)} is no pattern`,
    hint: 'A pattern is a function that takes ask and gives an RxJS operator: see docs/workflows.md.',
  })
}

/** Tried with an `ask` that nobody answers: a pattern asks only when it is given a task. */
function isPattern(value: unknown): value is Pattern {
  if (typeof value !== 'function') return false
  try {
    return typeof (value as Pattern)(() => EMPTY) === 'function'
  } catch {
    return false
  }
}
