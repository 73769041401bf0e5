/**
 * Takes the secrets of a call out of what it has left: its transcript, from which what a server has said would be sent again
 * with each further call, copied to forks and stored for other machines; and its output.
 */
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import type { Concealment } from '../../events/secrets/concealment.ts'
import { outputFiles } from '../process/call-output.ts'
import type { Call } from '../runner.ts'
import { parseRecord } from '../stream/untrusted-json.ts'
import { copyTranscript } from './branch.ts'
import { Sessions } from './origin.ts'
import { eachLine } from './transcripts.ts'

/** Its process has ended: nothing writes these any more. */
export async function concealFiles(
  { callId, sessionId, directories: { home } }: Pick<Call, 'callId' | 'sessionId' | 'directories'>,
  secrets: Concealment,
): Promise<void> {
  if (secrets.isEmpty) return
  const transcript = await new Sessions(home).transcriptOf(sessionId)
  for (const path of [transcript?.path, outputFiles(home, callId).stdout])
    if (path !== undefined) await concealLines(path, secrets)
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
