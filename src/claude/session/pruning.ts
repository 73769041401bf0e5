/**
 * Removes transcripts that are no longer needed, so that an agent's home grows linearly with its conversation.
 *
 * A fork's transcript contains the whole history before it: keeping one per turn would take quadratic space.
 */
import { readFile, rm } from 'node:fs/promises'
import type { Call } from '../runner.ts'
import { readAnswers, recordAnswer, type SessionAnswer } from './answers.ts'
import { containsLine, sessionOrigin } from './origin.ts'
import { costState, lastAnswer } from './transcript-reading.ts'
import { listTranscripts, readTranscript, type TranscriptFile } from './transcripts.ts'

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
  const own = await readTranscript(home, call.sessionId)
  const answer = own === null ? null : answerOf(own)
  if (own === null || answer === null) return
  await recordAnswer(home, call.sessionId, answer)

  const origin = await sessionOrigin(call)
  const kept = new Set(await removeUnanswered(home))
  for (const transcript of kept) {
    const { sessionId, path, text, end } = transcript
    if (sessionId === call.sessionId) continue
    if (sessionId === origin?.sessionId && text.length <= SMALL_TRANSCRIPT) continue
    if (![...kept].some((other) => other !== transcript && containsLine(other.text, end.line))) continue
    await recordAnswer(home, sessionId, end)
    await rm(path)
    kept.delete(transcript)
  }
}

interface AnsweredTranscript extends TranscriptFile {
  readonly text: string
  readonly end: SessionAnswer
}

/** Removes the transcripts of failed calls, and returns the others. */
async function removeUnanswered(home: string): Promise<AnsweredTranscript[]> {
  const answers = await readAnswers(home)
  const answered: AnsweredTranscript[] = []
  for (const file of await listTranscripts(home)) {
    const text = await readFile(file.path, 'utf8')
    const end = answers.get(file.sessionId) ?? answerOf(text)
    if (end === null) await rm(file.path)
    else answered.push({ ...file, text, end })
  }
  return answered
}

/** In characters. Beyond this, the parent's transcript would be most of what a conversation takes. */
const SMALL_TRANSCRIPT = 256 * 1024

function answerOf(transcript: string): SessionAnswer | null {
  const line = lastAnswer(transcript)
  return line === null ? null : { line, chainCostUsd: costState(transcript) }
}
