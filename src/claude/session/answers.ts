/** Which line of a transcript ends which session: what leads back to a session whose own transcript is gone.
 *
 * The CLI copies the lines of a session into every session that is forked from it, under their own ids, but 2.1.197
 * does not say in them which session they come from. So that is noted, in a line of some 120 bytes for each answer. */
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { numberAt, parseRecord, stringAt } from '../stream/untrusted-json.ts'

const answersFile = (home: string) => join(home, 'answers.ndjson')

/** How a session ended. */
export interface SessionAnswer {
  /** The id of the line with the answer. */
  readonly line: string
  /** What the session cost with all before it, where that is counted. */
  readonly chainCostUsd: number | null
}

/** Whatever is not a session and a line is passed over: a crash may have cut the last one. */
export async function readAnswers(home: string): Promise<ReadonlyMap<string, SessionAnswer>> {
  const text = await readFile(answersFile(home), 'utf8').catch(() => '')
  return new Map(
    text.split('\n').flatMap((entry) => {
      const record = parseRecord(entry)
      const [session, line] = [stringAt(record, 'session'), stringAt(record, 'line')]
      if (session === null || line === null || !UUID.test(line)) return []
      return [[session, { line, chainCostUsd: numberAt(record, 'chainCostUsd') }] as const]
    }),
  )
}

/** Durable when it returns: transcripts are removed because this is known. */
export async function noteAnswer(home: string, session: string, answer: SessionAnswer): Promise<void> {
  if ((await readAnswers(home)).get(session)?.line === answer.line) return
  await using file = await open(answersFile(home), 'a', 0o600)
  await file.write(`${JSON.stringify({ session, ...answer })}\n`)
  await file.datasync()
}

/** It goes onto a command line. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
