/**
 * Removes transcripts that are no longer needed, so that an agent's home grows linearly with its conversation.
 *
 * A fork's transcript contains the whole history before it: keeping one per turn would take quadratic space.
 */
import { rm } from 'node:fs/promises'
import type { Call } from '../runner.ts'
import { readAnswers, recordAnswer, type SessionAnswer } from './answers.ts'
import { sessionOrigin } from './origin.ts'
import { containedReader, costReader, lastAnswerReader } from './transcript-reading.ts'
import { eachLine, findTranscript, listTranscripts, type TranscriptFile } from './transcripts.ts'

/**
 * Call this once a call is answered. It keeps the call's transcript, and that of every answered session that no other
 * transcript contains: the tip of another branch. Everything else is either contained in those or was left by a
 * failed call, since an agent runs one call at a time.
 *
 * The parent is kept while it is small, being the most likely to be resumed. A large parent is removed even though we
 * may die before the call's outcome is logged: an answered call is not repeated, and all that recovery needs of the
 * parent has been recorded.
 */
export async function pruneTranscripts(call: Call): Promise<void> {
  const { home } = call.directories
  const path = await findTranscript(home, call.sessionId)
  const own = path === null ? null : await endOf(path)
  if (own === null || own === 'unreadable') return
  await recordAnswer(home, call.sessionId, own)

  const origin = await sessionOrigin(call)
  const kept = new Set(await withContents(await removeUnanswered(home)))
  for (const transcript of kept) {
    const { sessionId, path, length, end } = transcript
    if (sessionId === call.sessionId) continue
    if (sessionId === origin?.sessionId && length <= SMALL_TRANSCRIPT) continue
    if (![...kept].some((other) => other !== transcript && other.contains.has(end.line))) continue
    await recordAnswer(home, sessionId, end)
    await rm(path)
    kept.delete(transcript)
  }
}

interface AnsweredTranscript extends TranscriptFile {
  readonly end: SessionAnswer
}

/** Removes the transcripts of failed calls, and returns the others. What cannot be read is left alone. */
async function removeUnanswered(home: string): Promise<readonly AnsweredTranscript[]> {
  const answers = await readAnswers(home)
  const answered: AnsweredTranscript[] = []
  for (const file of await listTranscripts(home)) {
    const end = answers.get(file.sessionId) ?? (await endOf(file.path))
    if (end === null) await rm(file.path)
    else if (end !== 'unreadable') answered.push({ ...file, end })
  }
  return answered
}

/** In characters. Beyond this, the parent's transcript would be most of what a conversation takes. */
const SMALL_TRANSCRIPT = 256 * 1024

interface ReadTranscript extends AnsweredTranscript {
  readonly length: number
  /** Which ends of the others, and of itself, it contains. */
  readonly contains: ReadonlySet<string>
}

/** Reads each of them once, however many there are. */
async function withContents(transcripts: readonly AnsweredTranscript[]): Promise<readonly ReadTranscript[]> {
  const ends = new Set(transcripts.map(({ end }) => end.line))
  const read: ReadTranscript[] = []
  for (const transcript of transcripts) {
    const contained = containedReader(ends)
    let length = 0
    const wasRead = await eachLine(transcript.path, (line) => {
      length += line.length + 1
      contained.add(line)
    })
    if (wasRead) read.push({ ...transcript, length, contains: contained.result() })
  }
  return read
}

/** The answer that a transcript ends in; null if it ends in none. */
async function endOf(path: string): Promise<SessionAnswer | 'unreadable' | null> {
  const [answer, cost] = [lastAnswerReader(), costReader()]
  const wasRead = await eachLine(path, (text) => {
    answer.add(text)
    cost.add(text)
  })
  if (!wasRead) return 'unreadable'
  const line = answer.result()
  return line === null ? null : { line, chainCostUsd: cost.result() }
}
