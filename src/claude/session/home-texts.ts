/** What the home of an agent has of its conversations, as texts that another machine can lay out; and back from them. */
import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAgentFile } from '../../workspaces/agent-file.ts'
import { RECORD_NAME } from '../../workspaces/inputs/placed-record.ts'
import { prepareDirectories, removeFrom } from '../../workspaces/lifecycle.ts'
import { isSessionId } from '../arguments.ts'
import type { HomeOperations, HomeText } from '../runner.ts'
import { transcriptFolder } from './branch.ts'
import { ANSWERS_NAME, Sessions } from './sessions.ts'
import { isReadable } from './transcripts.ts'

/** In bytes. The log has what was said in a larger one. */
const LARGEST_TEXT = 64 * 2 ** 20

const NOTES: readonly string[] = [ANSWERS_NAME, RECORD_NAME]

/** Stands for the id of its session in a transcript: a fork repeats the lines of its parent, under its own id. */
const OWN_ID = '\0'

export const homeOperations: HomeOperations = {
  async read(sessionId, { home }) {
    const notes: HomeText[] = []
    for (const name of NOTES) {
      const text = await wholeText(join(home, name))
      if (text !== null) notes.push({ name, text })
    }
    const origin = await originOf(sessionId, home)
    const text = origin && (await wholeText(origin.path))
    if (!origin || text === null || text.includes(OWN_ID)) return { session: null, notes }
    return { session: { name: origin.sessionId, text: text.replaceAll(origin.sessionId, OWN_ID) }, notes }
  },

  async write({ sessions, notes }, directories) {
    await prepareDirectories(directories)
    const folder = await transcriptFolder(directories)
    for (const { name, text } of sessions)
      if (isSessionId(name)) await replace(folder, `${name}.jsonl`, text.replaceAll(OWN_ID, name))
    for (const { name, text } of notes) if (NOTES.includes(name)) await replace(directories.home, name, text)
  },

  async has(sessionId, { home }) {
    const origin = await originOf(sessionId, home)
    return origin !== null && (await isReadable(origin.path))
  },
}

const originOf = (sessionId: string, home: string) =>
  new Sessions(home).origin({ sessionId: '', parentSessionId: sessionId })

/** null if it cannot be read, or is too large. */
const wholeText = (path: string): Promise<string | null> => readAgentFile(path, LARGEST_TEXT)

async function replace(directory: string, name: string, text: string): Promise<void> {
  const unfinished = join(directory, `${name}.${randomUUID()}.unfinished`)
  try {
    await writeFile(unfinished, text, { flag: 'wx', mode: 0o600, flush: true })
    const path = join(directory, name)
    await rename(unfinished, path).catch(async () => {
      // The agent has put a directory there.
      await removeFrom(directory, name)
      await rename(unfinished, path)
    })
  } finally {
    await rm(unfinished, { force: true })
  }
}
