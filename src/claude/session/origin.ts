/** What a session continues: its parent's own transcript, or a later one that holds the parent's history. */
import { readFile } from 'node:fs/promises'
import type { Call } from '../runner.ts'
import { readAnswers } from './answers.ts'
import { costState } from './transcript-reading.ts'
import { listTranscripts } from './transcripts.ts'

export interface SessionOrigin {
  /** The session to fork. */
  readonly sessionId: string
  /** The line to fork it at; null is its end. */
  readonly at: string | null
  /** Its transcript. */
  readonly text: string
}

/** What a call forks; null when it begins a new chain, or when the session it continues is nowhere to be found. */
export async function sessionOrigin(
  call: Pick<Call, 'sessionId' | 'parentSessionId' | 'directories'>,
): Promise<SessionOrigin | null> {
  const { parentSessionId: parent, directories } = call
  if (parent === null) return null
  const files = await listTranscripts(directories.home)
  const own = files.find((file) => file.sessionId === parent)
  if (own) return { sessionId: parent, at: null, text: await readFile(own.path, 'utf8') }

  const line = (await readAnswers(directories.home)).get(parent)?.line
  if (line === undefined) return null
  const holders: SessionOrigin[] = []
  for (const { sessionId, path } of files) {
    if (sessionId === call.sessionId) continue
    const text = await readFile(path, 'utf8')
    if (holdsLine(text, line)) holders.push({ sessionId, at: line, text })
  }
  // The shortest is read fastest; the order decides when there are two.
  holders.sort(
    (one, other) => one.text.length - other.text.length || (one.sessionId < other.sessionId ? -1 : 1),
  )
  return holders[0] ?? null
}

/** What a call of which there is a transcript had before it. */
export interface SessionHistory {
  /** A transcript that holds it, and nothing of the call. */
  readonly text: string
  /** What it cost, as far as that is counted. */
  readonly costUsd: number
}

/**
 * As a fork leaves its parent as it was, this is what was forked. Once the call was answered that may be gone: then it
 * is what stands in the call's own transcript up to the parent's answer.
 */
export async function historyOf(
  call: Pick<Call, 'sessionId' | 'parentSessionId' | 'directories'>,
  own: string,
): Promise<SessionHistory> {
  const origin = await sessionOrigin(call)
  if (origin !== null) return { text: origin.text, costUsd: costState(origin.text) ?? 0 }
  const answer = (await readAnswers(call.directories.home)).get(call.parentSessionId ?? '')
  if (answer === undefined) return { text: '', costUsd: 0 }
  const lines = own.split('\n')
  const end = lines.findIndex((line) => holdsLine(line, answer.line))
  return { text: lines.slice(0, end + 1).join('\n'), costUsd: answer.chainCostUsd ?? 0 }
}

/** Text inside a line cannot look like this: its quotes are escaped there. */
export const holdsLine = (transcript: string, line: string): boolean =>
  transcript.includes(`"uuid":"${line}"`)
