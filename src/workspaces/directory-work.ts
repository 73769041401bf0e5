/** What every runner does with an agent's directories, whichever program works in them. */

import { type Clock, systemClock } from '../clock.ts'
import type { Material, PlacedInput } from '../events/material.ts'
import type { AgentDirectories } from './directories.ts'
import { type PlaceInputsOptions, placeInputs } from './inputs/placement.ts'
import { prepareDirectories, removeDirectories } from './lifecycle.ts'

/** How files, folders and repositories of tasks are placed. */
export type InputOptions = Pick<PlaceInputsOptions, 'limits' | 'allowLocalRepos'>

/** The part of `AgentRunner` that concerns an agent's directories. */
export interface DirectoryWork {
  readonly allowsLocalRepos: boolean
  /** Creates them. */
  prepare(directories: AgentDirectories): Promise<void>
  /** Places a task's files, folders and repositories in the workspace. */
  place(
    directories: AgentDirectories,
    material: Material,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly PlacedInput[]>
  /** Deletes them. */
  discard(directories: AgentDirectories): Promise<void>
}

export function directoryWork({
  clock = systemClock,
  inputs = {},
}: {
  readonly clock?: Clock | undefined
  readonly inputs?: InputOptions | undefined
}): DirectoryWork {
  return {
    allowsLocalRepos: inputs.allowLocalRepos ?? false,
    prepare: prepareDirectories,
    async place(directories, material, { signal }) {
      await prepareDirectories(directories)
      // The log and the other agents are never input, whichever folder contains them.
      const exclude = directories.base === undefined ? [] : [directories.base]
      return placeInputs(directories, material, { ...inputs, signal, clock, exclude })
    },
    discard: removeDirectories,
  }
}
