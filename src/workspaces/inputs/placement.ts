/** Places a task's input in its agent's workspace: all of it is made ready before any of it is placed. */

import type { Clock } from '../../clock.ts'
import type { Material, PlacedInput } from '../../events/material.ts'
import { type CheckedMaterial, checkMaterial, withoutCredentials } from '../../events/material.ts'
import type { AgentDirectories } from '../directories.ts'
import { type Addressing, type Directory, identityOf, lstatIfThere, systemAddressing } from './directory.ts'
import type { CopyContext, PlacingStep } from './file-copy.ts'
import type { Inherited } from './git-command.ts'
import { DEFAULT_INPUT_LIMITS, type InputLimits, inputAllowance } from './limits.ts'
import { stageFile, stageFolder } from './local.ts'
import { putInPlace } from './replacement.ts'
import { stageRepo } from './repo.ts'
import { openStaging } from './staging.ts'

export interface PlaceInputsOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Missing limits default to {@link DEFAULT_INPUT_LIMITS}. */
  readonly limits?: Partial<InputLimits>
  /** The environment from which git's allowlist is taken. Default: our own. */
  readonly environment?: Inherited
  /** Whether local repositories may be cloned, by path or file:// URL. Default: false. */
  readonly allowLocalRepos?: boolean
  /** Directories that are never copied, such as the base directory. The agent's own are always excluded. */
  readonly exclude?: readonly string[]
  /** For tests: called at every point where another process could interfere. */
  readonly onStep?: (step: PlacingStep) => void | Promise<void>
  /** For tests: as on another platform. */
  readonly addressing?: Addressing
}

/**
 * Copies files and folders and clones repositories into the existing workspace, and returns what was placed, in the
 * order files, folders, repos. Placing the same target again replaces it. *Contract:* run one at a time per agent.
 * Nothing is written outside the agent's two directories, whatever links exist or appear; in a source, no link is
 * followed except the source itself. Everything is staged before the workspace changes.
 *
 * Throws InvalidInputError, InputNotFoundError, InputKindError, InputTooLargeError, CloneError, CloneTimeoutError,
 * WorkspaceError, or the signal's reason. `retryable` says whether trying again may help.
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
  // Outer targets first, since placing one replaces everything below it.
  const order = [...staged.entries()].sort(([, one], [, other]) => depth(one.target) - depth(other.target))
  for (const [index, { kind, target }] of order) {
    signal.throwIfAborted()
    await putInPlace({
      staging: staging.directory,
      name: stagedName(index),
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
    allowance: inputAllowance({ ...DEFAULT_INPUT_LIMITS, ...options.limits }),
    signal: options.signal,
    exclude: await identitiesOf([...[directories.workspace, directories.home], ...(options.exclude ?? [])]),
    onStep: options.onStep ?? (() => {}),
  }
  const copyContext = (source: string): CopyContext => ({ ...shared, source })
  const repoContext = {
    home: directories.home,
    inherited: options.environment ?? process.env,
    clock: options.clock,
  }
  const staged: PlacedInput[] = []
  const next = () => stagedName(staged.length)
  for (const file of files) staged.push(await stageFile(file, staging, next(), copyContext(file.source)))
  for (const folder of folders) {
    staged.push(await stageFolder(folder, staging, next(), copyContext(folder.source)))
  }
  for (const repo of repos) {
    const { url } = withoutCredentials(repo)
    staged.push(await stageRepo(repo, staging, next(), copyContext(url), repoContext))
  }
  return staged
}

const stagedName = (index: number) => `input-${index}`
const depth = (target: string) => target.split('/').length

async function identitiesOf(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const stats = await Promise.all(paths.map((path) => lstatIfThere(path)))
  return new Set(stats.flatMap((one) => (one ? [identityOf(one)] : [])))
}
