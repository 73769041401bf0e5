/** Files that a user names for what a command writes: one with content is overwritten only if the user wants that. */
import { statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { InvalidInputError } from '../events/errors/usage.ts'

/** Throws InvalidInputError if the folder of a file that an option names is not there. */
export async function checkFolder(option: string, file: string): Promise<void> {
  const folder = dirname(resolve(file))
  const found = await stat(folder).catch(() => null)
  if (found?.isDirectory()) return
  const problem = `there is no folder ${folder}`
  throw new InvalidInputError({ what: `${option} ${file}`, problem, hint: 'Make it, or name another file.' })
}

export interface OverwriteOptions {
  readonly force?: boolean
}

/** Throws InvalidInputError. Pipes and devices are written to, and so is an empty file. */
export function refuseToOverwrite(file: string, force = false): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (force || !found?.isFile() || found.size === 0) return
  throw new InvalidInputError({
    what: file,
    problem: 'it already exists',
    hint: 'Name another file, or add --force to overwrite it.',
  })
}
