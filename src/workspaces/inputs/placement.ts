/**
 * Places a task's input in its agent's workspace: all of it is made ready before any of it is placed, and none of it is
 * placed over what the agent has changed, unless the caller says so.
 */

import { hash, randomUUID } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path/posix'
import type { Clock } from '../../clock.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { InputChangedError } from '../../events/errors/workspace.ts'
import {
  type CheckedMaterial,
  checkMaterial,
  type Material,
  type PlacedInput,
  withoutCredentials,
} from '../../events/task-input.ts'
import { identityOf } from '../../store/directory.ts'
import type { AgentDirectories } from '../directories.ts'
import { changesAt, describeChanges } from './changes.ts'
import {
  type Addressing,
  type Directory,
  lstatIfThere,
  openDirectory,
  systemAddressing,
} from './directory.ts'
import type { CopyContext, PlacingStep } from './file-copy.ts'
import { about } from './file-problems.ts'
import type { Inherited } from './git-command.ts'
import { DEFAULT_INPUT_LIMITS, type InputLimits, inputAllowance } from './limits.ts'
import { stageFile, stageFolder } from './local.ts'
import {
  type PlacedRecord,
  type PlacedTree,
  readPlacedRecord,
  withPlaced,
  writePlacedRecord,
} from './placed-record.ts'
import { putInPlace } from './replacement.ts'
import { stageRepo } from './repo.ts'
import { openStaging } from './staging.ts'
import { type Survey, surveyTree } from './survey.ts'

export interface PlaceInputsOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
  /**
   * Names what the input is placed for: a task, or a run. What was placed for it is not placed again over the agent's
   * changes: a later step of the run works on them. Default: a name of its own.
   */
  readonly placing?: string
  /**
   * Whether what the agent has changed at a target is moved aside, and kept beside it. Default: what the material says,
   * or false.
   */
  readonly replace?: boolean
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

/** An input that is ready to be placed. */
interface StagedInput extends PlacedTree {
  readonly input: PlacedInput
  /** Its name in the staging directory. */
  readonly name: string
  /** Names this placing of this source. */
  readonly placing: string
  /** What becomes of the entry that is at the target. */
  readonly found: 'unchanged' | 'kept' | 'left'
}

/**
 * Copies files and folders and clones repositories into the existing workspace, and returns what was placed, in the
 * order files, folders, repos. *Contract:* run one at a time per agent. Nothing is written outside the agent's two
 * directories, whatever links exist or appear; in a source, no link is followed except the source itself. Everything is
 * staged, and every target is checked, before the workspace changes.
 *
 * A target that is as it was placed is replaced. One that the agent has changed is refused, or kept beside the new one
 * if `replace` says so. The check and the placement stand up to a crash at any point: placed again, the same input is
 * not taken for the agent's work.
 *
 * Throws InvalidInputError, InputNotFoundError, InputKindError, InputTooLargeError, InputChangedError, CloneError,
 * CloneTimeoutError, WorkspaceError, or the signal's reason. `retryable` says whether trying again may help.
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
  const { placing = randomUUID(), replace = checked.replace } = options
  await using staging = await openStaging(directories, addressing)
  const inputs = await stageAll(checked, directories, staging.directory, options)
  const record = await settledRecord(
    await readPlacedRecord(directories.home),
    directories.workspace,
    addressing,
  )
  const refs = new Map(repos.map(({ target, ref }) => [target, ref]))
  const trees = await surveyed(inputs, staging.directory, ({ kind, source, target }) =>
    hash('sha256', JSON.stringify([placing, kind, source, refs.get(target)])),
  )
  const staged = await checkTargets(trees, record, directories.workspace, addressing, replace)
  const keptAt = await placesToKeep(staged, directories.workspace, addressing)
  const save = (next: PlacedRecord) => writePlacedRecord(directories.home, staging.directory, next)
  const kept = {
    placing,
    at: record.kept.placing === placing ? new Map([...record.kept.at, ...keptAt]) : keptAt,
  }
  const order = staged.filter(({ found }) => found !== 'left')
  if (order.length > 0) await save({ ...record, kept, pending: order })
  for (const { input, name, target } of order) {
    signal.throwIfAborted()
    const keepAs = keptAt.get(target)
    await putInPlace({
      staging: staging.directory,
      name,
      isDirectory: input.kind !== 'file',
      workspace: directories.workspace,
      target,
      ...(keepAs === undefined ? {} : { keepAs: basename(keepAs) }),
      onStep,
    })
  }
  if (order.length > 0) {
    const survey = order.reduce(withPlaced, record.survey)
    await save({ survey, pending: [], placedBy: order.reduce(withPlacing, record.placedBy), kept })
  }
  return inputs.map((input) => {
    const isLeft = staged.some(({ target, found }) => target === input.target && found === 'left')
    const keptInput = kept.at.get(input.target)
    if (isLeft) return { ...input, left: true }
    return keptInput === undefined ? input : { ...input, kept: keptInput }
  })
}

/** What is staged, in the order in which it is placed: outer targets first, since placing one replaces all below it. */
async function surveyed(
  inputs: readonly PlacedInput[],
  staging: Directory,
  placingOf: (input: PlacedInput) => string,
): Promise<readonly Omit<StagedInput, 'found'>[]> {
  const trees: Omit<StagedInput, 'found'>[] = []
  for (const [index, input] of inputs.entries()) {
    const { target } = input
    const name = stagedName(index)
    const survey = await surveyTree(staging, name, target)
    trees.push({ input, name, target, survey, placing: placingOf(input) })
  }
  return trees.sort((one, other) => depth(one.target) - depth(other.target))
}

/** Decides what becomes of what is at each target. Throws InputChangedError. */
async function checkTargets(
  trees: readonly Omit<StagedInput, 'found'>[],
  record: PlacedRecord,
  workspace: string,
  addressing: Addressing,
  replace: boolean,
): Promise<readonly StagedInput[]> {
  // What is the same as the new input cannot be lost.
  const known = [record.survey, trees.reduce(withPlaced, record.survey)]
  return about(workspace, async () => {
    await using directory = await openDirectory(workspace, addressing)
    const staged: StagedInput[] = []
    for (const tree of trees) {
      const { target } = tree
      const moves = staged.some(({ target: outer, found }) => found === 'kept' && isBelow(target, outer))
      const changes = moves ? null : await fewestChanges(directory, target, known)
      if (changes === null) staged.push({ ...tree, found: 'unchanged' })
      else if (record.placedBy.get(target) === tree.placing) staged.push({ ...tree, found: 'left' })
      else if (replace) staged.push({ ...tree, found: 'kept' })
      else throw new InputChangedError({ target, changes: record.survey.has(target) ? changes : null })
    }
    return staged
  })
}

/** The record after a placement that a crash or an error may have ended: with as much of it as is in place. */
async function settledRecord(
  record: PlacedRecord,
  workspace: string,
  addressing: Addressing,
): Promise<PlacedRecord> {
  const { pending } = record
  if (pending.length === 0) return record
  return about(workspace, async () => {
    await using directory = await openDirectory(workspace, addressing)
    for (let count = pending.length; ; count -= 1) {
      const last = pending[count - 1]
      // Most often it tells, and without a survey of all that came before it.
      if (last && (await changesAt(directory, last.target, last.survey))?.length !== 0) continue
      const placed = pending.slice(0, count)
      const survey = placed.reduce(withPlaced, record.survey)
      const changes = await Promise.all(placed.map(({ target }) => changesAt(directory, target, survey)))
      if (changes.some((one) => one === null || one.length > 0)) continue
      const next = pending[count]
      // Its predecessor may have been removed already, and the directories above it made.
      const isMissing = next && (await changesAt(directory, next.target, survey)) === null
      return {
        ...record,
        survey: isMissing ? withPlaced(survey, { target: next.target, survey: new Map() }) : survey,
        pending: [],
      }
    }
  })
}

/** The changes since what was placed, in words; null if what is at the target is no one's work. */
async function fewestChanges(
  workspace: Directory,
  target: string,
  known: readonly Survey[],
): Promise<string | null> {
  let first: string | undefined
  for (const survey of known) {
    const changes = await changesAt(workspace, target, survey)
    if (changes === null || changes.length === 0) return null
    first ??= describeChanges(target, changes)
  }
  return first ?? null
}

/** Which placing placed each target, after one more. */
function withPlacing(
  placedBy: ReadonlyMap<string, string>,
  { target, placing }: StagedInput,
): ReadonlyMap<string, string> {
  const others = [...placedBy].filter(([other]) => !isBelow(other, target))
  return new Map([...others, [target, placing]])
}

/** Where what is replaced is kept: beside its target, under a name that is free. */
async function placesToKeep(
  staged: readonly StagedInput[],
  workspace: string,
  addressing: Addressing,
): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>()
  for (const { target, found } of staged) {
    if (found !== 'kept') continue
    places.set(target, await about(workspace, () => freeName(workspace, target, addressing)))
  }
  return places
}

/** Leaves room for the number in a name of 255 bytes. */
const LONGEST_KEPT_NAME = 50

async function freeName(workspace: string, target: string, addressing: Addressing): Promise<string> {
  const name = [...basename(target)].slice(0, LONGEST_KEPT_NAME).join('')
  await using directory = await openDirectory(workspace, addressing)
  for (let number = 1; ; number += 1) {
    const free = join(dirname(target), `${name}.replaced-${number}`)
    if ((await lstatIfThere(directory.at(free))) === null) return free
  }
}

async function stageAll(
  { files, folders, repos }: CheckedMaterial,
  directories: AgentDirectories,
  staging: Directory,
  options: PlaceInputsOptions,
): Promise<PlacedInput[]> {
  const excluded = [directories.workspace, directories.home, ...(options.exclude ?? [])]
  const shared = {
    allowance: inputAllowance({ ...DEFAULT_INPUT_LIMITS, ...options.limits }),
    signal: options.signal,
    exclude: await identitiesOf(excluded),
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
    await refuseOwn(folder.source, excluded)
    staged.push(await stageFolder(folder, staging, next(), copyContext(folder.source)))
  }
  for (const repo of repos) {
    const { url } = withoutCredentials(repo)
    staged.push(await stageRepo(repo, staging, next(), copyContext(url), repoContext))
  }
  return staged
}

/** A folder that contains one of these is copied without it; of one that is or lies in it, nothing would be left. */
async function refuseOwn(source: string, excluded: readonly string[]): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => null)
  const folder = await real(source)
  for (const own of await Promise.all(excluded.map(real))) {
    if (folder === null || own === null || !`${folder}/`.startsWith(`${own}/`)) continue
    throw new InvalidInputError({
      what: `The folder ${source}`,
      problem: `it ${folder === own ? 'is' : 'lies in'} ${own}, where the agents and their log are`,
      hint: 'Copy what you need to another folder, and pass that one.',
    })
  }
}

const stagedName = (index: number) => `input-${index}`
const isBelow = (target: string, outer: string) => target.startsWith(`${outer}/`)
const depth = (target: string) => target.split('/').length

async function identitiesOf(paths: readonly string[]): Promise<ReadonlySet<string>> {
  const stats = await Promise.all(paths.map((path) => lstatIfThere(path)))
  return new Set(stats.flatMap((one) => (one ? [identityOf(one)] : [])))
}
