/**
 * Takes the secrets of a call out of what the CLI has written for it: its output; its transcript, from which what a server has
 * said would be sent again with each further call, copied to forks and stored for other machines; the transcripts of its
 * subagents; results of tools that are too long for a conversation; and what servers have printed. What else programs write in
 * the home is theirs.
 */
import { randomUUID } from 'node:crypto'
import { lstat, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Concealment } from '../../events/secrets/concealment.ts'
import { configDirectory } from '../environment.ts'
import { outputFiles } from '../process/call-output.ts'
import type { Call } from '../runner.ts'
import { secretsFile } from '../servers.ts'
import { parseRecord } from '../stream/untrusted-json.ts'
import { copyTranscript } from './branch.ts'
import { eachLine, entriesIn } from './transcripts.ts'

/** Its process has ended, so nothing writes these any more. One file that cannot be rewritten is told once all others are. */
export async function concealFiles(
  call: Pick<Call, 'callId' | 'sessionId' | 'directories'>,
  secrets: Concealment,
): Promise<void> {
  if (secrets.isEmpty) return
  const problems: unknown[] = []
  for await (const path of filesOf(call))
    await concealLines(path, secrets).catch((error: unknown) => problems.push(error))
  if (problems.length > 0) throw problems[0]
}

async function* filesOf({
  callId,
  sessionId,
  directories: { home },
}: Pick<Call, 'callId' | 'sessionId' | 'directories'>): AsyncGenerator<string> {
  yield outputFiles(home, callId).stdout
  for (const project of await foldersIn(join(configDirectory(home), 'projects'))) {
    yield join(project, `${sessionId}.jsonl`)
    yield* filesBelow(join(project, sessionId))
  }
  // Those of earlier calls were concealed then.
  const since = (await changedAt(secretsFile(home))) ?? 0
  for await (const path of filesBelow(join(home, '.cache', 'claude-cli-nodejs')))
    if (((await changedAt(path)) ?? 0) >= since) yield path
}

/** In ms. null if it cannot be found out. */
const changedAt = (path: string) =>
  lstat(path).then(
    ({ ctimeMs }) => ctimeMs,
    () => null,
  )

/** No link is followed. */
async function foldersIn(directory: string): Promise<readonly string[]> {
  const entries = await entriesIn(directory)
  return entries.flatMap((entry) => (entry.isDirectory() ? [join(directory, entry.name)] : []))
}

/** The CLI has its files two levels below. */
const DEEPEST = 8

async function* filesBelow(directory: string, depth = 0): AsyncGenerator<string> {
  for (const entry of await entriesIn(directory)) {
    const path = join(directory, entry.name)
    if (entry.isFile()) yield path
    else if (entry.isDirectory() && depth < DEEPEST) yield* filesBelow(path, depth + 1)
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
