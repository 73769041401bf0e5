/** A session of one agent, copied so that another agent can continue it. The first one's files stay as they are. */

import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { configDirectory } from '../environment.ts'
import { noteAnswer, readAnswers } from './answers.ts'
import { holdsLine, type SessionOrigin, sessionOrigin } from './origin.ts'

/** A call that is answered meanwhile may remove the transcript; what was in it then stands in another one. */
const TRIES = 3

/**
 * Copies the transcript that holds a session, up to the session's end. Every turn in it can be gone back to in the copy
 * as well. Where none is left there is nothing to copy: what was said is then taken from the log.
 */
export async function branchSession(
  sessionId: string,
  from: AgentDirectories,
  to: AgentDirectories,
): Promise<void> {
  const origin = await originOf(sessionId, from)
  if (origin === null) return
  const history = upToLine(origin)
  // The CLI looks where its working directory says, by this rule; 2.1.330 also everywhere else.
  const project = (await realpath(to.workspace)).replace(/[^A-Za-z0-9]/g, '-')
  const folder = join(configDirectory(to.home), 'projects', project)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, `${origin.sessionId}.jsonl`), history, { mode: 0o600, flag: 'wx' })
  for (const [session, answer] of await readAnswers(from.home)) {
    if (holdsLine(history, answer.line)) await noteAnswer(to.home, session, answer)
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
  const end = lines.findIndex((line) => holdsLine(line, at))
  return `${lines.slice(0, end + 1).join('\n')}\n`
}
