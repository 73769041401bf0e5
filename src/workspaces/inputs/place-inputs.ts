/** Places a task's material in the workspace of its agent. Until all of it is there to be placed, none is. */

import type { Clock } from '../../clock.ts'
import { type CheckedMaterial, checkMaterial, withoutCredentials } from '../../events/input-checks.ts'
import type { Material, PlacedInput } from '../../events/material.ts'
import type { AgentDirectories } from '../directories.ts'
import { type Addressing, type Directory, identityOf, lstatIfThere, systemAddressing } from './directory.ts'
import type { Copying, PlacingStep } from './file-copy.ts'
import type { Inherited } from './git-command.ts'
import { DEFAULT_INPUT_LIMITS, type InputLimits, inputBudget } from './input-limits.ts'
import { stageFile, stageFolder } from './local-inputs.ts'
import { putInPlace } from './replacement.ts'
import { stageRepo } from './repo-input.ts'
import { openStaging } from './staging.ts'

export interface PlaceInputsOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  /** What is not given is as in {@link DEFAULT_INPUT_LIMITS}. */
  readonly limits?: Partial<InputLimits>
  /** What git may inherit from, by its allow-list: our own environment unless told. */
  readonly environment?: Inherited
  /** Whether repositories of this machine may be cloned: by a path, or by a file:// URL. */
  readonly allowLocalRepos?: boolean
  /** Directories that no folder brings along, such as the base directory; the agent's own never come along. */
  readonly leaveOut?: readonly string[]
  /** For tests: called at the moments at which somebody else could swap something. */
  readonly onStep?: (step: PlacingStep) => void | Promise<void>
  /** For tests: as on another platform. */
  readonly addressing?: Addressing
}

/**
 * Copies files and folders and clones repositories into the workspace, which exists already, and tells what lies there
 * now, in the order files, folders, repos. Placing the same again replaces what is there. *Contract:* one at a time for
 * an agent; nothing is written outside its two directories, whatever links there are or come to be; nothing of a
 * source is read through a link but the source itself. Everything is made ready before the workspace sees any of it.
 *
 * Throws InvalidInputError, InputNotFoundError, InputKindError, InputTooLargeError, CloneError, CloneTimeoutError,
 * WorkspaceError, or the reason of the signal. `retryable` says which may work next time.
 */
export async function placeInputs(
  directories: AgentDirectories,
  material: Material,
  options: PlaceInputsOptions,
): Promise<readonly PlacedInput[]> {
  const checked = checkMaterial(material, { allowLocalRepos: options.allowLocalRepos ?? false })
  const { files, folders, repos } = checked
  if (files.length + folders.length + repos.length === 0) return []
  options.signal.throwIfAborted()
  const { signal, addressing = systemAddressing, onStep = () => {} } = options
  await using staging = await openStaging(directories, addressing)
  const staged = await stageAll(checked, directories, staging.directory, options)
  // What lies around another goes first, as it replaces all that is there.
  const order = [...staged.entries()].sort(([, one], [, other]) => depth(one.target) - depth(other.target))
  for (const [at, { kind, target }] of order) {
    signal.throwIfAborted()
    await putInPlace({
      staging: staging.directory,
      name: nameOf(at),
      isDirectory: kind !== 'file',
      workspace: directories.workspace,
      target,
      onStep,
    })
  }
  return staged
}

async function stageAll(
  { files, folders, repos }: CheckedMaterial,
  directories: AgentDirectories,
  staging: Directory,
  options: PlaceInputsOptions,
): Promise<PlacedInput[]> {
  const shared = {
    budget: inputBudget({ ...DEFAULT_INPUT_LIMITS, ...options.limits }),
    signal: options.signal,
    leaveOut: await identitiesOf([...[directories.workspace, directories.home], ...(options.leaveOut ?? [])]),
    onStep: options.onStep ?? (() => {}),
  }
  const copying = (source: string): Copying => ({ ...shared, source })
  const context = {
    home: directories.home,
    inherited: options.environment ?? process.env,
    clock: options.clock,
  }
  const staged: PlacedInput[] = []
  const next = () => nameOf(staged.length)
  for (const file of files) staged.push(await stageFile(file, staging, next(), copying(file.source)))
  for (const folder of folders) {
    staged.push(await stageFolder(folder, staging, next(), copying(folder.source)))
  }
  for (const repo of repos) {
    const { url } = withoutCredentials(repo)
    staged.push(await stageRepo(repo, staging, next(), copying(url), context))
  }
  return staged
}

const nameOf = (at: number) => `input-${at}`
const depth = (target: string) => target.split('/').length

async function identitiesOf(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const stats = await Promise.all(paths.map((path) => lstatIfThere(path)))
  return new Set(stats.flatMap((one) => (one ? [identityOf(one)] : [])))
}
