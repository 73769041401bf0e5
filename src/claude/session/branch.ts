/** Copies a session of one agent so that another can continue it. The original files are not changed. */
import { mkdir, open, realpath, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { configDirectory } from '../environment.ts'
import { type SessionOrigin, Sessions } from './sessions.ts'
import { containedReader, containsLine, eachLine } from './transcripts.ts'

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
  const answers = await new Sessions(from.home).answers()
  const contained = containedReader(new Set([...answers.values()].map(({ line }) => line)))
  for (let left = TRIES; left > 0; left -= 1) {
    const origin = await new Sessions(from.home).origin({ sessionId: '', parentSessionId: sessionId })
    if (origin === null) return
    const copy = join(await transcriptFolder(to), `${origin.sessionId}.jsonl`)
    if (await copyTranscript(origin, copy, contained.add)) break
  }
  const copied = new Sessions(to.home)
  for (const [session, answer] of answers) {
    if (contained.result().has(answer.line)) await copied.record(session, answer)
  }
}

/** Where the CLI looks for the transcripts of an agent. */
export async function transcriptFolder({ home, workspace }: AgentDirectories): Promise<string> {
  // The CLI derives the directory from its working directory like this; 2.1.330 also searches all others.
  const project = (await realpath(workspace)).replace(/[^A-Za-z0-9]/g, '-')
  const folder = join(configDirectory(home), 'projects', project)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return folder
}

/**
 * Whether it was copied: not if it has disappeared meanwhile.
 *
 * @param changed What a line becomes in the copy. Default: the same.
 */
export async function copyTranscript(
  origin: SessionOrigin,
  path: string,
  seen: (line: string) => void = () => {},
  changed: (line: string) => string = (line) => line,
): Promise<boolean> {
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
    text += `${changed(line)}\n`
    seen(line)
    isOver = origin.at !== null && containsLine(line, origin.at)
  }
  const wasRead = await eachLine(origin.path, add, write)
  await write()
  if (!wasRead) await rm(path)
  return wasRead
}
