/** What every runner does with the directories of an agent, whatever program works in them. */

import { type Clock, systemClock } from '../clock.ts'
import type { Material, PlacedInput } from '../events/material.ts'
import type { AgentDirectories } from './directories.ts'
import { type PlaceInputsOptions, placeInputs } from './inputs/place-inputs.ts'
import { prepareDirectories, removeDirectories } from './workspace.ts'

/** How tasks' files, folders and repositories are placed. */
export type InputOptions = Pick<PlaceInputsOptions, 'limits' | 'allowLocalRepos'>

/** What a runner does with the directories of an agent. */
export interface DirectoryWork {
  readonly allowsLocalRepos: boolean
  /** Makes them. */
  prepare(directories: AgentDirectories): Promise<void>
  /** Brings a task's files, folders and repositories into the workspace. */
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
      // The log and the other agents are nobody's material, whatever folder they lie in.
      const leaveOut = directories.base === undefined ? [] : [directories.base]
      return placeInputs(directories, material, { ...inputs, signal, clock, leaveOut })
    },
    discard: removeDirectories,
  }
}
