/** Removes transcripts that nothing needs any more, so that an agent's home grows as its conversation does.
 *
 * A forked session's transcript holds the whole history before it: keeping one for each turn would take the square of
 * what was said. */
import { readFile, rm } from 'node:fs/promises'
import type { Call } from './runner.ts'
import { noteAnswer, readAnswers } from './session-answers.ts'
import { holdsLine, sessionOrigin } from './session-origin.ts'
import { lastAnswer } from './transcript-reading.ts'
import { listTranscripts, readTranscript } from './transcripts.ts'

/**
 * To be called when a call was answered. Kept are its transcript; the one it was forked from, for a process that dies
 * before anybody has written down how the call ended; and every answered session that neither of them holds, for that
 * is the end of another branch. All else is either held by them, or was left by a call that failed: an agent does one
 * thing at a time.
 */
export async function pruneTranscripts(call: Call): Promise<void> {
  const { home } = call.directories
  const own = await readTranscript(home, call.sessionId)
  const answer = own === null ? null : lastAnswer(own)
  if (own === null || answer === null) return
  await noteAnswer(home, call.sessionId, answer)

  const origin = await sessionOrigin(call)
  const kept = [own, ...(origin === null ? [] : [origin.text])]
  const answers = await readAnswers(home)
  for (const { sessionId, path } of await listTranscripts(home)) {
    if (sessionId === call.sessionId || sessionId === origin?.sessionId) continue
    const end = answers.get(sessionId) ?? lastAnswer(await readFile(path, 'utf8'))
    if (end !== null && !kept.some((text) => holdsLine(text, end))) continue
    if (end !== null) await noteAnswer(home, sessionId, end)
    await rm(path)
  }
}
