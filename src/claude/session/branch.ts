/** Copies a session of one agent so that another can continue it. The original files are not changed. */
import { mkdir, open, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { configDirectory } from '../environment.ts'
import { recordAnswer, type SessionOrigin, Sessions, sessionOrigin } from './origin.ts'
import { containedReader, containsLine } from './transcript-reading.ts'
import { eachLine } from './transcripts.ts'

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
  // The CLI derives the directory from its working directory like this; 2.1.330 also searches all others.
  const project = (await realpath(to.workspace)).replace(/[^A-Za-z0-9]/g, '-')
  const folder = join(configDirectory(to.home), 'projects', project)
  const answers = await new Sessions(from).answers()
  const contained = containedReader(new Set([...answers.values()].map(({ line }) => line)))
  for (let left = TRIES; left > 0; left -= 1) {
    const origin = await sessionOrigin({ sessionId: '', parentSessionId: sessionId, directories: from })
    if (origin === null) return
    await mkdir(folder, { recursive: true, mode: 0o700 })
    if (await copyUpTo(origin, join(folder, `${origin.sessionId}.jsonl`), contained.add)) break
  }
  const copied = new Sessions(to)
  for (const [session, answer] of answers) {
    if (contained.result().has(answer.line)) await recordAnswer(copied, session, answer)
  }
}

/** Whether it was copied: not if it has disappeared meanwhile. */
async function copyUpTo(origin: SessionOrigin, path: string, seen: (line: string) => void): Promise<boolean> {
  await using copy = await open(path, 'wx', 0o600)
  let text = ''
  let isOver = false
  const write = async () => {
    const piece = text
    text = ''
    if (piece !== '') await copy.writeFile(piece)
  }
  const add = (line: string) => {
    if (isOver) return
    text += `${line}\n`
    seen(line)
    isOver = origin.at !== null && containsLine(line, origin.at)
  }
  const wasRead = await eachLine(origin.path, add, write)
  await write()
  if (!wasRead) await rm(path)
  return wasRead
}
