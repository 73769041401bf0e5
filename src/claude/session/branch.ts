/** Copies a session of one agent so that another can continue it. The original files are not changed. */

import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { configDirectory } from '../environment.ts'
import { readAnswers, recordAnswer } from './answers.ts'
import { containsLine, type SessionOrigin, sessionOrigin } from './origin.ts'

/** A call answered meanwhile may remove the transcript; by then, another one contains its history. */
const TRIES = 3

/**
 * Copies the transcript that contains the session, up to the session's end. Every turn in the copy can be resumed as
 * well. If no transcript is left, nothing is copied, and the conversation is restored from the log.
 */
export async function branchSession(
  sessionId: string,
  from: AgentDirectories,
  to: AgentDirectories,
): Promise<void> {
  const origin = await originOf(sessionId, from)
  if (origin === null) return
  const history = upToLine(origin)
  // The CLI derives the directory from its working directory like this; 2.1.330 also searches all others.
  const project = (await realpath(to.workspace)).replace(/[^A-Za-z0-9]/g, '-')
  const folder = join(configDirectory(to.home), 'projects', project)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, `${origin.sessionId}.jsonl`), history, { mode: 0o600, flag: 'wx' })
  for (const [session, answer] of await readAnswers(from.home)) {
    if (containsLine(history, answer.line)) await recordAnswer(to.home, session, answer)
  }
}

async function originOf(sessionId: string, directories: AgentDirectories): Promise<SessionOrigin | null> {
  for (let left = TRIES; ; left--) {
    try {
      return await sessionOrigin({ sessionId: '', parentSessionId: sessionId, directories })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || left === 1) throw error
    }
  }
}

function upToLine({ text, at }: SessionOrigin): string {
  if (at === null) return text
  const lines = text.split('\n')
  const end = lines.findIndex((line) => containsLine(line, at))
  return `${lines.slice(0, end + 1).join('\n')}\n`
}
