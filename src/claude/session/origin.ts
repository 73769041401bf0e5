/** Finds the transcript to fork: that of the parent session, or a later one that contains its history. */
import { readFile } from 'node:fs/promises'
import type { Call } from '../runner.ts'
import { readAnswers } from './answers.ts'
import { costState } from './transcript-reading.ts'
import { listTranscripts } from './transcripts.ts'

export interface SessionOrigin {
  /** The session to fork. */
  readonly sessionId: string
  /** The line to fork at; null: its end. */
  readonly at: string | null
  /** The transcript. */
  readonly text: string
}

/** What a call forks; null if it starts a new chain, or if no transcript contains its parent session. */
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
  const candidates: SessionOrigin[] = []
  for (const { sessionId, path } of files) {
    if (sessionId === call.sessionId) continue
    const text = await readFile(path, 'utf8')
    if (containsLine(text, line)) candidates.push({ sessionId, at: line, text })
  }
  // The shortest is fastest to read; ties are broken by id.
  candidates.sort(
    (one, other) => one.text.length - other.text.length || (one.sessionId < other.sessionId ? -1 : 1),
  )
  return candidates[0] ?? null
}

/** The history that preceded a call which has a transcript. */
export interface SessionHistory {
  /** A transcript that contains the history, and nothing of the call. */
  readonly text: string
  /** What the history cost, as far as known. */
  readonly costUsd: number
}

/**
 * A fork leaves its parent unchanged, so this is the text that was forked. It may have been removed since, after the
 * call was answered; then it is the call's own transcript up to the parent's answer.
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
  const end = lines.findIndex((line) => containsLine(line, answer.line))
  return { text: lines.slice(0, end + 1).join('\n'), costUsd: answer.chainCostUsd ?? 0 }
}

/** Text inside a line cannot match: its quotes are escaped. */
export const containsLine = (transcript: string, line: string): boolean =>
  transcript.includes(`"uuid":"${line}"`)
