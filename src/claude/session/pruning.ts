/** Removes transcripts that nothing needs any more, so that an agent's home grows as its conversation does.
 *
 * A forked session's transcript holds the whole history before it: keeping one for each turn would take the square of
 * what was said. */
import { readFile, rm } from 'node:fs/promises'
import type { Call } from '../runner.ts'
import { noteAnswer, readAnswers, type SessionAnswer } from './answers.ts'
import { holdsLine, sessionOrigin } from './origin.ts'
import { costState, lastAnswer } from './transcript-reading.ts'
import { listTranscripts, readTranscript, type TranscriptFile } from './transcripts.ts'

/**
 * To be called when a call was answered. Kept are its transcript, and that of every answered session whose history
 * stands in none of the others: the end of another branch. All else is either held by them, or was left by a call that
 * failed, as an agent does one thing at a time.
 *
 * The parent stays while it is small, as it is what one most often goes back to. A large one goes as well, though our
 * process may die before the log says how the call ended: what was answered need not be asked again, and what recovery
 * asks of the parent is noted.
 */
export async function pruneTranscripts(call: Call): Promise<void> {
  const { home } = call.directories
  const own = await readTranscript(home, call.sessionId)
  const answer = own === null ? null : answerOf(own)
  if (own === null || answer === null) return
  await noteAnswer(home, call.sessionId, answer)

  const origin = await sessionOrigin(call)
  const kept = new Set(await removeUnanswered(home))
  for (const transcript of kept) {
    const { sessionId, path, text, end } = transcript
    if (sessionId === call.sessionId) continue
    if (sessionId === origin?.sessionId && text.length <= SMALL) continue
    if (![...kept].some((other) => other !== transcript && holdsLine(other.text, end.line))) continue
    await noteAnswer(home, sessionId, end)
    await rm(path)
    kept.delete(transcript)
  }
}

interface AnsweredTranscript extends TranscriptFile {
  readonly text: string
  readonly end: SessionAnswer
}

/** Removes what failed calls have left, and returns the others. */
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

/** In characters. With more than this, keeping the parent would be most of what a conversation takes. */
const SMALL = 256 * 1024

function answerOf(transcript: string): SessionAnswer | null {
  const line = lastAnswer(transcript)
  return line === null ? null : { line, chainCostUsd: costState(transcript) }
}
