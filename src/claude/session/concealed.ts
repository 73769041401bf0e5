/**
 * Takes the secrets of a call out of what it has left in its agent's home: the output; the transcript, from which what a server
 * has said would be sent again with each further call, copied to forks and stored for other machines; the transcripts of
 * subagents; results of tools that are too long for a conversation; and what the CLI notes about servers.
 */
import { randomUUID } from 'node:crypto'
import { lstat, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Concealment } from '../../events/secrets/concealment.ts'
import { secretsFile, serverDirectory } from '../servers.ts'
import { parseRecord } from '../stream/untrusted-json.ts'
import { copyTranscript } from './branch.ts'
import { eachLine, entriesIn } from './transcripts.ts'

/** The CLI's own files are at most 7 directories deep. */
const DEEPEST = 16

/**
 * Conceals them in every file of a home that was changed since the secrets were written there: which ones the CLI writes
 * differs from version to version. The call's process has ended, so nothing writes these any more.
 */
export async function concealFiles(home: string, secrets: Concealment): Promise<void> {
  if (secrets.isEmpty) return
  const since = (await changedAt(secretsFile(home))) ?? 0
  for await (const path of filesBelow(home, serverDirectory(home)))
    if (((await changedAt(path)) ?? 0) >= since) await concealLines(path, secrets)
}

/** When a file was last written, renamed or made, in ms; no program can set that. null if it cannot be found out. */
const changedAt = (path: string) =>
  lstat(path).then(
    ({ ctimeMs }) => ctimeMs,
    () => null,
  )

/** @param except A directory that is left out. */
async function* filesBelow(directory: string, except: string, depth = 0): AsyncGenerator<string> {
  for (const entry of await entriesIn(directory)) {
    const path = join(directory, entry.name)
    if (entry.isFile()) yield path
    // No link is followed.
    else if (entry.isDirectory() && path !== except && depth < DEEPEST)
      yield* filesBelow(path, except, depth + 1)
  }
}

async function concealLines(path: string, secrets: Concealment): Promise<void> {
  const concealed = (line: string): string => {
    const text = secrets.text(line)
    if (text === line) return line
    // A number stays what it is: only texts hold secrets.
    const record = parseRecord(line)
    return record ? JSON.stringify(secrets.json(record)) : text
  }
  let isClean = true
  await eachLine(path, (line) => {
    isClean &&= concealed(line) === line
  })
  if (isClean) return
  const draft = `${path}.${randomUUID()}`
  try {
    const origin = { path, sessionId: '', at: null }
    if (await copyTranscript(origin, draft, () => {}, concealed)) await rename(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
}
