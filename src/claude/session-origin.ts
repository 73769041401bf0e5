/** Where a session is continued: its own transcript, or a later one that holds its history. */
import { readFile } from 'node:fs/promises'
import type { Call } from './runner.ts'
import { readAnswers } from './session-answers.ts'
import { listTranscripts } from './transcripts.ts'

export interface SessionOrigin {
  /** The session to fork. */
  readonly sessionId: string
  /** The line to fork it at; null is its end. */
  readonly at: string | null
  /** Its transcript. */
  readonly text: string
}

/**
 * What a call forks; null when it begins a new chain, or when the session it continues is nowhere to be found. Asked
 * again after the call it says the same, as a fork leaves its parent as it was.
 */
export async function sessionOrigin(
  call: Pick<Call, 'sessionId' | 'parentSessionId' | 'directories'>,
): Promise<SessionOrigin | null> {
  const { parentSessionId: parent, directories } = call
  if (parent === null) return null
  const files = await listTranscripts(directories.home)
  const own = files.find((file) => file.sessionId === parent)
  if (own) return { sessionId: parent, at: null, text: await readFile(own.path, 'utf8') }

  const line = (await readAnswers(directories.home)).get(parent)
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

/** Text inside a line cannot look like this: its quotes are escaped there. */
export const holdsLine = (transcript: string, line: string): boolean =>
  transcript.includes(`"uuid":"${line}"`)
