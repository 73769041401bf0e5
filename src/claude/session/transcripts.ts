/** The transcripts of an agent's sessions: finds them, reads them line by line, and knows their lines. An agent can write them as well. */
import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { eachChunk, openAgentFile } from '../../workspaces/agent-file.ts'
import { withDescriptors } from '../../workspaces/descriptors.ts'
import { configDirectory } from '../environment.ts'
import { lineSplitter } from '../stream/line-splitter.ts'
import {
  numberAt,
  parseRecord,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from '../stream/untrusted-json.ts'

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

/** A reader that is given a transcript line by line: it holds what it needs of them, not the lines. */
export interface LineReader<Result> {
  add(line: string): void
  result(): Result
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

/** What a reader makes of a transcript; null if that cannot be read. */
export async function readTranscript<Result>(
  path: string,
  reader: LineReader<Result>,
): Promise<Result | null> {
  return (await eachLine(path, reader.add)) ? reader.result() : null
}

export async function isReadable(path: string): Promise<boolean> {
  await using file = await openAgentFile(path, LARGEST_TRANSCRIPT)
  return file !== null
}

/** How a transcript ends. */
export interface TranscriptEnd {
  /** The id of the line that holds the answer; null if it ends in none. */
  readonly line: string | null
  /** What the chain has cost up to and including this session, if known. */
  readonly chainCostUsd: number | null
}

export function endReader(): LineReader<TranscriptEnd> {
  const cost = costReader()
  let answer: string | null = null
  return {
    add(line) {
      cost.add(line)
      const record = parseRecord(line)
      if (record === null || record.isSidechain === true || !isMessage(record)) return
      answer = isLastOfAnswer(record) ? stringAt(record, 'uuid') : null
    },
    result: () => ({ line: answer, chainCostUsd: cost.result() }),
  }
}

/** What the chain has cost up to this session, which newer versions record; null in older ones. */
export function costReader(): LineReader<number | null> {
  let cost: number | null = null
  return {
    add(line) {
      if (!line.includes('"cost-state"')) return
      const record = parseRecord(line)
      cost = stringAt(record, 'type') === 'cost-state' ? numberAt(record, 'totalCostUSD') : null
    },
    result: () => cost,
  }
}

/** The ids of all lines, up to and including the line `end` if it is given. */
export function idReader(end?: string): LineReader<ReadonlySet<string>> {
  const ids = new Set<string>()
  let isOver = false
  return {
    add(line) {
      if (isOver) return
      const id = stringAt(parseRecord(line), 'uuid')
      if (id !== null) ids.add(id)
      isOver = end !== undefined && containsLine(line, end)
    },
    result: () => ids,
  }
}

/** Text inside a line cannot match: its quotes are escaped. */
export const containsLine = (transcript: string, line: string): boolean =>
  transcript.includes(`"uuid":"${line}"`)

/** Which of these lines the transcript contains. */
export function containedReader(lines: ReadonlySet<string>): LineReader<ReadonlySet<string>> {
  const found = new Set<string>()
  const before = '"uuid":"'
  const length = 36
  return {
    add(text) {
      for (let at = text.indexOf(before); at !== -1; at = text.indexOf(before, at + before.length)) {
        const id = text.slice(at + before.length, at + before.length + length)
        if (lines.has(id) && text[at + before.length + length] === '"') found.add(id)
      }
    },
    result: () => found,
  }
}

export const isMessage = (line: UntrustedRecord) =>
  line.isMeta !== true && (stringAt(line, 'type') === 'user' || stringAt(line, 'type') === 'assistant')

/** A line of the user that is not a tool result. */
export function isPrompt(line: UntrustedRecord): boolean {
  if (stringAt(line, 'type') !== 'user' || line.isMeta === true) return false
  return !recordsAt(recordAt(line, 'message'), 'content').some(
    (block) => stringAt(block, 'type') === 'tool_result',
  )
}

/** A line of the model, whole or a part of an answer; not what the CLI says itself. */
export const isSaid = (line: UntrustedRecord): boolean =>
  stringAt(line, 'type') === 'assistant' &&
  line.isApiErrorMessage !== true &&
  line.aborted !== true &&
  stringAt(recordAt(line, 'message'), 'model') !== '<synthetic>'

/** These end an answer. Any other reason means that the model wanted a tool, or was cut off. */
const FINAL = new Set(['end_turn', 'stop_sequence'])

/** A line of the model that ends an answer. */
export const isLastOfAnswer = (line: UntrustedRecord): boolean =>
  isSaid(line) && FINAL.has(stringAt(recordAt(line, 'message'), 'stop_reason') ?? '')

export const timeOf = (line: UntrustedRecord) => Date.parse(stringAt(line, 'timestamp') ?? '') || 0
