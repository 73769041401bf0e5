/** Files that a user names for what a command writes: one with content is overwritten only if the user wants that. */
import { statSync } from 'node:fs'
import { InvalidInputError } from '../events/errors/usage.ts'

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
