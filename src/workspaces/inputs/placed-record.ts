/**
 * What is known of an agent's workspace: each entry that tasks placed there, as it was placed. It lies in the agent's
 * home, so that what the agent changes can be told from what it was given. Without it, nothing counts as placed.
 */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { dirname } from 'node:path/posix'
import { codeOf } from '../../events/errors/phrases.ts'
import { checkTarget } from '../../events/task-input.ts'
import { readAgentFile } from '../agent-file.ts'
import { type Directory, openDirectory } from './directory.ts'
import { writeNewFile } from './file-copy.ts'
import { removeEntry } from './removal.ts'
import type { Survey, SurveyedEntry } from './survey.ts'

/** A target and the survey of what goes there. */
export interface PlacedTree {
  readonly target: string
  readonly survey: Survey
}

export interface PlacedRecord {
  readonly survey: Survey
  /** What is being placed, in order: some of it may be in place. */
  readonly pending: readonly PlacedTree[]
  /** By target: the placing that placed it last. */
  readonly placedBy: ReadonlyMap<string, string>
  /** By target: where the placing of this name kept what it replaced. */
  readonly kept: { readonly placing: string; readonly at: ReadonlyMap<string, string> }
}

const NOTHING: PlacedRecord = {
  survey: new Map(),
  pending: [],
  placedBy: new Map(),
  kept: { placing: '', at: new Map() },
}

/** The survey after something was placed: it replaces everything below its target. */
export function withPlaced(survey: Survey, { target, survey: placed }: PlacedTree): Survey {
  const after = new Map([...survey].filter(([path]) => path !== target && !path.startsWith(`${target}/`)))
  for (const [path, entry] of placed) after.set(path, entry)
  // The directories above it are made where they are missing.
  for (let above = dirname(target); above !== '.'; above = dirname(above))
    if (!after.has(above)) after.set(above, { kind: 'directory', bytes: 0, sha256: '' })
  return after
}

export const RECORD_NAME = 'placed.json'
/** Room for some hundred thousand entries, which are parsed at once. */
const LARGEST_RECORD = 32 * 1024 * 1024

/** An unreadable record counts as none, so what is in the workspace is not overwritten. The agent can write what it likes. */
export async function readPlacedRecord(home: string): Promise<PlacedRecord> {
  const text = await readAgentFile(join(home, RECORD_NAME), LARGEST_RECORD)
  if (text === null) return NOTHING
  try {
    const { survey, pending, placedBy, kept } = JSON.parse(text) as RecordFile
    return {
      survey: surveyOf(survey),
      pending: pending.map((tree) => ({ target: targetOf(tree.target), survey: surveyOf(tree.survey) })),
      placedBy: new Map(placedBy.map(([target, placing]) => [targetOf(target), String(placing)])),
      kept: {
        placing: String(kept.placing),
        at: new Map(kept.at.map(([target, place]) => [targetOf(target), pathOf(place)])),
      },
    }
  } catch {
    return NOTHING
  }
}

/** Replaces the record at once, by way of the staging directory. */
export async function writePlacedRecord(
  home: string,
  staging: Directory,
  { survey, pending, placedBy, kept }: PlacedRecord,
): Promise<void> {
  const content: RecordFile = {
    survey: rowsOf(survey),
    pending: pending.map((tree) => ({ target: tree.target, survey: rowsOf(tree.survey) })),
    placedBy: [...placedBy],
    kept: { placing: kept.placing, at: [...kept.at] },
  }
  await writeNewFile(staging, RECORD_NAME, JSON.stringify(content))
  await using parent = await openDirectory(home, staging.addressing)
  const replace = () => rename(staging.at(RECORD_NAME), parent.at(RECORD_NAME))
  await replace().catch(async (error) => {
    if (codeOf(error) !== 'EISDIR') throw error
    // An agent has made a directory of that name.
    await removeEntry(parent, RECORD_NAME)
    await replace()
  })
}

type Row = readonly [path: string, kind: SurveyedEntry['kind'], bytes: number, sha256: string]

/** The record as JSON. */
interface RecordFile {
  readonly survey: readonly Row[]
  readonly pending: readonly { readonly target: string; readonly survey: readonly Row[] }[]
  readonly placedBy: readonly (readonly [string, string])[]
  readonly kept: { readonly placing: string; readonly at: readonly (readonly [string, string])[] }
}

const surveyOf = (rows: readonly Row[]): Survey =>
  new Map(rows.map(([path, kind, bytes, sha256]) => [pathOf(path), { kind, bytes, sha256 }]))

const targetOf = (target: string) => checkTarget(target, RECORD_NAME)

/** A path that cannot lead out of the workspace. Unlike a target, it may have any name: an agent or a repository chose it. */
function pathOf(path: string): string {
  if (path.split('/').some((step) => NO_STEPS.includes(step))) throw new Error('it is no path of a workspace')
  return path
}

const NO_STEPS = ['', '.', '..']

const rowsOf = (survey: Survey): readonly Row[] =>
  [...survey].map(([path, { kind, bytes, sha256 }]) => [path, kind, bytes, sha256])
