/** Removes transcripts that nothing needs any more, so that an agent's home grows as its conversation does.
 *
 * A forked session's transcript holds the whole history before it: keeping one for each turn would take the square of
 * what was said. */
import { readFile, rm } from 'node:fs/promises'
import type { Call } from './runner.ts'
import { noteAnswer, readAnswers, type SessionAnswer } from './session-answers.ts'
import { holdsLine, sessionOrigin } from './session-origin.ts'
import { costState, lastAnswer } from './transcript-reading.ts'
import { listTranscripts, readTranscript } from './transcripts.ts'

/**
 * To be called when a call was answered. Kept are its transcript, and that of every answered session whose history
 * stands in none of the others: the end of another branch. All else is either held by them, or was left by a call that
 * failed, as an agent does one thing at a time.
 *
 * The parent goes as well, though our process may die before the log says how the call ended: what was answered need
 * not be asked again, and what recovery asks of the parent is noted.
 */
export async function pruneTranscripts(call: Call): Promise<void> {
  const { home } = call.directories
  const own = await readTranscript(home, call.sessionId)
  const answer = own === null ? null : answerOf(own)
  if (own === null || answer === null) return
  await noteAnswer(home, call.sessionId, answer)

  const origin = await sessionOrigin(call)
  const answers = await readAnswers(home)
  for (const { sessionId, path } of await listTranscripts(home)) {
    if (sessionId === call.sessionId) continue
    const end = answers.get(sessionId) ?? answerOf(await readFile(path, 'utf8'))
    const holders = sessionId === origin?.sessionId ? [own] : [own, origin?.text ?? '']
    if (end !== null && !holders.some((text) => holdsLine(text, end.line))) continue
    if (end !== null) await noteAnswer(home, sessionId, end)
    await rm(path)
  }
}

function answerOf(transcript: string): SessionAnswer | null {
  const line = lastAnswer(transcript)
  return line === null ? null : { line, chainCostUsd: costState(transcript) }
}
