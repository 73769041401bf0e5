/** A folder for one test: an agent's directories, a place for sources, and a place that must not be written to. */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import type { ClaudeAgentError } from '../../../src/events/errors/base.ts'
import type { Material, PlacedInput } from '../../../src/events/task-input.ts'
import type { AgentDirectories } from '../../../src/workspaces/directories.ts'
import { RECORD_NAME } from '../../../src/workspaces/inputs/placed-record.ts'
import { type PlaceInputsOptions, placeInputs } from '../../../src/workspaces/inputs/placement.ts'

export interface World {
  readonly root: string
  readonly directories: AgentDirectories
  /** In the workspace. */
  at(path: string): string
  /** The directory of the sources. */
  source(path: string): string
  outside(path: string): string
  /** Writes a file among the sources, creating the directories around it. */
  give(path: string, content?: string): Promise<string>
  place(material: Material, options?: Partial<PlaceInputsOptions>): Promise<readonly PlacedInput[]>
  /** The error that placement ends with; afterwards, nothing may be left over. */
  refusal(material: Material, options?: Partial<PlaceInputsOptions>): Promise<ClaudeAgentError>
}

export async function makeWorld(): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'claude-inputs-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const directories = { workspace: join(root, 'agents/a/workspace'), home: join(root, 'agents/a/home') }
  for (const path of [directories.workspace, directories.home, join(root, 'source'), join(root, 'outside')]) {
    await mkdir(path, { recursive: true })
  }
  await writeFile(join(root, 'outside/precious'), 'precious')
  const world: World = {
    root,
    directories,
    at: (path) => join(directories.workspace, path),
    source: (path) => join(root, 'source', path),
    outside: (path) => join(root, 'outside', path),
    async give(path, content = path) {
      const file = world.source(path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content)
      return file
    },
    place: (material, options = {}) =>
      placeInputs(directories, material, {
        signal: new AbortController().signal,
        clock: systemClock,
        ...options,
      }),
    async refusal(material, options) {
      const error = await world.place(material, options).then(
        () => expect.unreachable('it was placed'),
        (reason: ClaudeAgentError) => reason,
      )
      await expectNothingLeft(world)
      return error
    },
  }
  return world
}

/** What placing leaves in the home, without the record of what was placed. */
export const leftInHome = async ({ directories: { home } }: World): Promise<string[]> =>
  (await readdir(home)).filter((name) => name !== RECORD_NAME)

/** Nothing half-placed in the home, and the outside unchanged. */
export async function expectNothingLeft(world: World): Promise<void> {
  expect(await leftInHome(world)).toEqual([])
  expect(await readdir(world.outside('.'))).toEqual(['precious'])
  expect(existsSync(world.outside('precious'))).toBe(true)
}
