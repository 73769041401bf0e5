/** The operations on an agent's directories that all runners share, whichever program works in them. */

import { type Clock, systemClock } from '../clock.ts'
import type { Material, PlacedInput } from '../events/task-input.ts'
import type { Logger } from '../logger.ts'
import type { AgentDirectories } from './directories.ts'
import { type FilesOperations, filesOperations } from './files/operations.ts'
import { type PlaceInputsOptions, placeInputs } from './inputs/placement.ts'
import { prepareDirectories, removeDirectories } from './lifecycle.ts'

/** How files, folders and repositories of tasks are placed. */
export type InputOptions = Pick<PlaceInputsOptions, 'limits' | 'allowLocalRepos'>

/** How one task's material is placed. */
export type PlacingOptions = Pick<PlaceInputsOptions, 'signal' | 'placing' | 'replace' | 'limits'>

/** A runner's operations on an agent's directories. */
export interface DirectoryOperations {
  readonly allowsLocalRepos: boolean
  /** Creates them. */
  prepare(directories: AgentDirectories): Promise<void>
  /** Places a task's files, folders and repositories in the workspace. */
  place(
    directories: AgentDirectories,
    material: Material,
    options: PlacingOptions,
  ): Promise<readonly PlacedInput[]>
  /** Deletes them. */
  discard(directories: AgentDirectories): Promise<void>
  readonly files: FilesOperations
}

export function directoryOperations({
  clock = systemClock,
  inputs = {},
  logger,
}: {
  readonly clock?: Clock | undefined
  readonly logger?: Logger | undefined
  readonly inputs?: InputOptions | undefined
}): DirectoryOperations {
  return {
    allowsLocalRepos: inputs.allowLocalRepos ?? false,
    prepare: prepareDirectories,
    async place(directories, material, options) {
      await prepareDirectories(directories)
      // The log and the other agents are never input, whichever folder contains them.
      const exclude = directories.base === undefined ? [] : [directories.base]
      const limits = { ...inputs.limits, ...options.limits }
      return placeInputs(directories, material, { ...inputs, ...options, limits, clock, exclude })
    },
    discard: removeDirectories,
    files: filesOperations(clock, logger),
  }
}
