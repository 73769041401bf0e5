/** What every runner does with the directories of an agent, whatever program works in them. */

import type { AgentRunner } from '../claude/runner.ts'
import { type Clock, systemClock } from '../clock.ts'
import { type PlaceInputsOptions, placeInputs } from './inputs/place-inputs.ts'
import { prepareDirectories, removeDirectories } from './workspace.ts'

/** How tasks' files, folders and repositories are placed. */
export type InputOptions = Pick<PlaceInputsOptions, 'limits' | 'allowLocalRepos'>

/** The part of a runner that has to do with directories. */
export function directoryWork({
  clock = systemClock,
  inputs = {},
}: {
  readonly clock?: Clock | undefined
  readonly inputs?: InputOptions | undefined
}): Required<Pick<AgentRunner, 'prepare' | 'place' | 'discard' | 'allowsLocalRepos'>> {
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
