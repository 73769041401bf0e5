/**
 * Removes transcripts that are no longer needed, so that an agent's home grows linearly with its conversation.
 *
 * A fork's transcript contains the whole history before it: keeping one per turn would take quadratic space.
 */
import { rm, stat } from 'node:fs/promises'
import type { Call } from '../runner.ts'
import type { SessionAnswer, Sessions } from './origin.ts'
import { containedReader, type TranscriptEnd } from './transcript-reading.ts'
import { eachLine, type TranscriptFile } from './transcripts.ts'

/**
 * Call this once a call is answered. It keeps the call's transcript, and that of every answered session that no other
 * transcript contains: the tip of another branch. Everything else is either contained in those or was left by a
 * failed call, since an agent runs one call at a time.
 *
 * Only the transcripts of this call and of the answer before it can contain another: what an earlier one contained was
 * removed when that was new. So only these two are read, however many tips are kept.
 *
 * The parent is kept while it is small, being the most likely to be resumed. A large parent is removed even though we
 * may die before the call's outcome is logged: an answered call is not repeated, and all that recovery needs of the
 * parent has been recorded.
 */
export async function pruneTranscripts(call: Call, sessions: Sessions): Promise<void> {
  const own = await sessions.transcriptOf(call.sessionId)
  const end = own ? await sessions.end(own) : null
  if (own === undefined || !hasAnswer(end)) return
  await sessions.record(call.sessionId, { ...end, ...(await costAtFork(call, sessions)) })

  const others = await answered(sessions, own)
  if (others.length === 0) return
  const before = [...(await sessions.answers()).keys()].findLast((session) => session !== call.sessionId)
  const newest = [
    { path: own.path, line: end.line },
    ...others.filter(({ sessionId }) => sessionId === before),
  ]
  const ends = new Set(others.map(({ line }) => line))
  const superseded = new Set<string>()
  for (const { path, line } of newest) {
    const contained = containedReader(ends)
    if (!(await eachLine(path, contained.add))) continue
    for (const other of contained.result()) if (other !== line) superseded.add(other)
  }
  for (const other of others) {
    if (!superseded.has(other.line)) continue
    if (other.sessionId === call.parentSessionId && (await isSmall(other))) continue
    await rm(other.path)
  }
}

/** Of a fork at an earlier line; of any other, the parent's answer tells it. */
async function costAtFork(call: Call, sessions: Sessions): Promise<Pick<SessionAnswer, 'costBeforeUsd'>> {
  const origin = await sessions.origin(call)
  return origin === null || origin.at === null ? {} : { costBeforeUsd: await sessions.costBefore(call) }
}

interface AnsweredTranscript extends TranscriptFile, Pick<SessionAnswer, 'line'> {}

/** Removes the transcripts of failed calls, and returns the others. What cannot be read is left alone. */
async function answered(sessions: Sessions, own: TranscriptFile): Promise<readonly AnsweredTranscript[]> {
  const found: AnsweredTranscript[] = []
  const answers = await sessions.answers()
  for (const file of await sessions.files()) {
    if (file === own) continue
    const known = answers.get(file.sessionId)
    const end = known ?? (await sessions.end(file))
    if (end === null) continue
    if (!hasAnswer(end)) await rm(file.path)
    else {
      if (known === undefined) await sessions.record(file.sessionId, end)
      found.push({ ...file, line: end.line })
    }
  }
  return found
}

export const hasAnswer = (end: TranscriptEnd | null): end is SessionAnswer =>
  end !== null && end.line !== null

/** In bytes. Beyond this, the parent's transcript would be most of what a conversation takes. */
const SMALL_TRANSCRIPT = 256 * 1024

const isSmall = async ({ path }: TranscriptFile) => (await stat(path)).size <= SMALL_TRANSCRIPT
