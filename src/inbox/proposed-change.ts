/** What a tool call that waits would change in a file of its agent, as a patch against the file as it is now. */
import { lstat, realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'
import { codeOf } from '../events/errors/phrases.ts'
import { visible, visibleName } from '../events/hidden-characters.ts'
import { isJsonObject, type Json, type JsonObject } from '../events/json.ts'
import { agentDirectories } from '../workspaces/directories.ts'
import { readFileAt } from '../workspaces/files/tree-files.ts'
import { openDirectory } from '../workspaces/inputs/directory.ts'
import type { InboxEntry, ProposedChange } from './entry.ts'
import { linePatch, type PatchLine } from './line-patch.ts'

/** In bytes. A larger file is not compared. */
const LARGEST_FILE = 1024 * 1024
/** In characters. An agent can ask for more than fits into memory with a few words. */
const LARGEST_RESULT = 2 * LARGEST_FILE
/** In characters, of all texts that the edits of a call search one after the other. */
const MOST_SEARCHED = 8 * LARGEST_FILE
const MOST_LINES = 400
const LONGEST_LINE = 1000

/**
 * Reads only, and only in the workspace: no link is followed, no pipe waited for. null if the entry is about no such change.
 *
 * @param baseDir Where agents live; undefined if that is not known.
 */
export async function proposedChange(
  { agent, tool, input }: Pick<InboxEntry, 'agent' | 'tool' | 'input'>,
  baseDir: string | undefined,
): Promise<ProposedChange | null> {
  if (agent === null || tool === null || baseDir === undefined || !Object.hasOwn(CHANGES, tool)) return null
  const changed = CHANGES[tool as keyof typeof CHANGES]
  if (!isJsonObject(input) || typeof input.file_path !== 'string') return null
  const { workspace } = agentDirectories(baseDir, agent)
  const written = resolve(workspace, input.file_path)
  const told = { patch: [], moreLines: 0 }
  let path = relative(workspace, written)
  try {
    // The base directory may be named through a link.
    if (isOutside(path)) path = relative(await realpath(workspace), written)
    if (isOutside(path)) throw new NotCompared('The file is outside of the workspace, so it is not compared.')
    const before = await textAt(workspace, path)
    const patch = linePatch(before ?? '', checkSize(changed(input, before)))
    const problem = patch.length === 0 ? 'Nothing would change.' : null
    const shown = patch.slice(0, MOST_LINES).map(shownLine)
    return { ...told, path: shownPath(path), patch: shown, moreLines: patch.length - shown.length, problem }
  } catch (error) {
    const isKnown = error instanceof NotCompared
    return {
      ...told,
      path: shownPath(path),
      problem: isKnown ? error.message : `The file cannot be read (${codeOf(error)}).`,
    }
  }
}

const isOutside = (path: string) =>
  path === '' || path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)

const shownPath = (path: string) => visibleName(path.slice(0, LONGEST_LINE))

/** Why there is no patch, as a sentence. */
class NotCompared extends Error {}

function shownLine([kind, text]: PatchLine): PatchLine {
  const isCut = text.length > LONGEST_LINE
  return [kind, `${visible(text.slice(0, LONGEST_LINE))}${isCut ? `… (${text.length} characters)` : ''}`]
}

/** null for a new file. Throws NotCompared. */
async function textAt(workspace: string, path: string): Promise<string | null> {
  await using root = await openDirectory(workspace)
  const steps = Buffer.from(path.split(sep).join('/')).toString('latin1')
  const content = await readFileAt(root, steps, LARGEST_FILE)
  if (content === 'left') throw new NotCompared('The file is too large to be compared.')
  if (content === null) {
    if (await isFree(workspace, path)) return null
    throw new NotCompared('This is not a regular file, so it is not compared.')
  }
  if (content.mode === '120000') throw new NotCompared('This is a link, so it is not compared.')
  if (content.bytes.includes(0)) throw new NotCompared('The file is binary, so it is not compared.')
  return content.bytes.toString('utf8')
}

/** Whether nothing is there, and only directories are on the way. */
async function isFree(workspace: string, path: string): Promise<boolean> {
  let at = workspace
  for (const step of path.split(sep)) {
    at = join(at, step)
    const stats = await lstat(at).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    })
    if (!stats) return true
    if (!stats.isDirectory()) return false
  }
  return false
}

/** The text that a call makes of the one that is there. They throw NotCompared. */
const CHANGES = {
  Write: ({ content }) => textOf(content),
  Edit: (input, before) => edited(input, before),
  MultiEdit: ({ edits }, before) => {
    if (!Array.isArray(edits)) throw new NotCompared('The call names no edits.')
    let left = MOST_SEARCHED
    return (
      edits.reduce<string | null>((text, edit) => {
        left -= text?.length ?? 0
        if (left < 0) throw new NotCompared('The call has too many edits to be compared.')
        return edited(isJsonObject(edit) ? edit : {}, text)
      }, before) ?? ''
    )
  },
} as const satisfies Record<string, (input: JsonObject, before: string | null) => string>

function edited({ old_string, new_string, replace_all }: JsonObject, before: string | null): string {
  const [from, to] = [textOf(old_string), textOf(new_string)]
  if (from === '') {
    if (before !== null && before !== '')
      throw new NotCompared('The file is not empty, so the call would fail.')
    return to
  }
  // The tool finds text whatever its lines end with.
  const isWindows = before?.includes('\r\n') && !before.includes(from)
  const [found, made] = isWindows ? [from, to].map((text) => text.replace(/\r?\n/g, '\r\n')) : [from, to]
  const parts = (before ?? '').split(found ?? '')
  if (parts.length === 1) throw new NotCompared('The text to replace is not in the file now.')
  if (parts.length > 2 && replace_all !== true)
    throw new NotCompared(
      `The text to replace is in the file ${parts.length - 1} times, so the call would fail.`,
    )
  checkSize(made ?? '', parts.length - 1)
  return parts.join(made)
}

/** Of a text that is there this many times. Returns it. */
function checkSize(text: string, times = 1): string {
  if (text.length * times <= LARGEST_RESULT) return text
  throw new NotCompared('What the call would write is too large to be compared.')
}

function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value
  throw new NotCompared('The call has no text to write.')
}
