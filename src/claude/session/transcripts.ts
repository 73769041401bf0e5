/** Finds the transcripts of an agent's sessions, and reads them line by line. An agent can write them as well. */
import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { eachChunk, openAgentFile } from '../../workspaces/agent-file.ts'
import { withDescriptors } from '../../workspaces/descriptors.ts'
import { configDirectory } from '../environment.ts'
import { lineSplitter } from '../stream/line-splitter.ts'

export interface TranscriptFile {
  readonly sessionId: string
  readonly path: string
}

const EXTENSION = '.jsonl'

/** More is not a conversation that any model could continue, and counts as lost: the log has what was said. */
export const LARGEST_TRANSCRIPT = 512 * 2 ** 20

/** What a tool read may be longer, and is skipped. An answer is not. */
const LINES = { lineBytes: 64 * 2 ** 20, callBytes: Number.POSITIVE_INFINITY }

/** An agent has a few projects, and a transcript for each tip of its conversation. */
const MOST_ENTRIES = 10_000

/**
 * All transcripts of an agent, at projects/<mangled working directory>/<session id>.jsonl. Each agent has its own
 * directory, so listing it is safer than reproducing the CLI's mangling.
 */
export async function listTranscripts(home: string): Promise<readonly TranscriptFile[]> {
  const projects = join(configDirectory(home), 'projects')
  const found: TranscriptFile[] = []
  for (const project of await entriesIn(projects)) {
    // A link could lead to the transcripts of another agent.
    if (!project.isDirectory()) continue
    for (const { name } of await entriesIn(join(projects, project.name))) {
      if (!name.endsWith(EXTENSION)) continue
      found.push({ sessionId: name.slice(0, -EXTENSION.length), path: join(projects, project.name, name) })
    }
  }
  return found
}

/**
 * Reads a transcript, line by line, without holding it. Whether it could be read: a pipe, a link, a directory or a
 * file beyond the limit counts as lost.
 *
 * @param afterwards Called after some lines, and awaited: to write what was made of them.
 */
export async function eachLine(
  path: string,
  onLine: (line: string) => void,
  afterwards?: () => Promise<void>,
): Promise<boolean> {
  const lines = lineSplitter(LINES, () => 'skip')
  const wasRead = await eachChunk(path, LARGEST_TRANSCRIPT, (chunk) => {
    for (const line of lines.push(chunk)) onLine(line)
    return afterwards?.()
  })
  if (wasRead) for (const line of lines.end()) onLine(line)
  return wasRead
}

export async function isReadable(path: string): Promise<boolean> {
  await using file = await openAgentFile(path, LARGEST_TRANSCRIPT)
  return file !== null
}

/** Empty if it is missing, or anything but a directory. */
export async function entriesIn(directory: string): Promise<readonly Dirent[]> {
  const found: Dirent[] = []
  try {
    for await (const entry of await withDescriptors(() => opendir(directory))) {
      found.push(entry)
      if (found.length === MOST_ENTRIES) break
    }
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  }
  return found
}
