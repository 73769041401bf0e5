/** Finds the transcript to fork: that of the parent session, or a later one that contains its history. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { SessionNotFoundError } from '../../events/errors/call.ts'
import { defined } from '../../events/json.ts'
import { openForAppending, readAgentFile } from '../../workspaces/agent-file.ts'
import { withDescriptors } from '../../workspaces/descriptors.ts'
import { removeFrom } from '../../workspaces/lifecycle.ts'
import type { Call } from '../runner.ts'
import { numberAt, parseRecord, stringAt } from '../stream/untrusted-json.ts'
import { containedReader, costReader, idReader, type TurnStart } from './transcript-reading.ts'
import { eachLine, isReadable, listTranscripts } from './transcripts.ts'

export interface SessionOrigin {
  /** The session to fork. */
  readonly sessionId: string
  /** The line to fork at; null: its end. */
  readonly at: string | null
  /** Its transcript. */
  readonly path: string
}

type ForkingCall = Pick<Call, 'sessionId' | 'parentSessionId' | 'directories'>

/** What a call forks; null if it starts a new chain, or if no transcript contains its parent session. */
export async function sessionOrigin(call: ForkingCall): Promise<SessionOrigin | null> {
  const found = await findOrigin(call)
  return found === 'unreadable' ? null : found
}

/**
 * As {@link sessionOrigin}, before the CLI reads it. Throws {@link SessionNotFoundError} for a transcript that cannot
 * be read: the CLI would wait for a pipe for ever, or use up the memory.
 */
export async function originToFork(call: ForkingCall): Promise<SessionOrigin | null> {
  const found = await findOrigin(call)
  if (found !== 'unreadable') return found
  throw new SessionNotFoundError({ said: `the transcript of session ${call.parentSessionId} cannot be read` })
}

async function findOrigin(call: ForkingCall): Promise<SessionOrigin | 'unreadable' | null> {
  const { parentSessionId: parent, directories } = call
  if (parent === null) return null
  const files = await listTranscripts(directories.home)
  const own = files.find((file) => file.sessionId === parent)
  if (own && (await isReadable(own.path))) return { sessionId: parent, at: null, path: own.path }

  const answer = (await readAnswers(directories.home)).get(parent)
  const candidates: (SessionOrigin & { readonly length: number })[] = []
  if (answer !== undefined)
    for (const { sessionId, path } of files) {
      if (sessionId === call.sessionId || sessionId === parent) continue
      const length = await lengthIfContaining(path, answer.line)
      if (length !== null) candidates.push({ sessionId, at: answer.line, path, length })
    }
  // The shortest is fastest to read; ties are broken by id.
  candidates.sort((one, other) => one.length - other.length || (one.sessionId < other.sessionId ? -1 : 1))
  return candidates[0] ?? (own ? 'unreadable' : null)
}

async function lengthIfContaining(path: string, line: string): Promise<number | null> {
  const contained = containedReader(new Set([line]))
  let length = 0
  const wasRead = await eachLine(path, (text) => {
    length += text.length + 1
    contained.add(text)
  })
  return wasRead && contained.result().size > 0 ? length : null
}

/**
 * Where the turn of a call begins that has a transcript, `own`. A fork leaves its parent unchanged, so it begins after
 * what was forked. That may have been removed since, after the call was answered; then it begins after the parent's
 * answer in the call's own transcript.
 */
export async function turnStart(call: ForkingCall, own: string): Promise<TurnStart> {
  const origin = await sessionOrigin(call)
  const answer = (await readAnswers(call.directories.home)).get(call.parentSessionId ?? '')
  if (origin === null && answer === undefined) return { before: new Set(), costBefore: 0 }
  const ids = idReader(origin === null ? answer?.line : (origin.at ?? undefined))
  await eachLine(origin?.path ?? own, ids.add)
  return { before: ids.result(), costBefore: await costBefore(call) }
}

/**
 * What the history before a call cost, as far as known. A session that is forked at an earlier line begins with the cost of
 * the whole transcript all the same (2.1.332). Which transcript that was, the record of the answer knows best: by now another
 * one may be the shortest.
 */
export async function costBefore(call: ForkingCall): Promise<number> {
  const answers = await readAnswers(call.directories.home)
  const recorded = answers.get(call.sessionId)?.costBeforeUsd
  if (recorded !== undefined) return recorded
  const origin = await sessionOrigin(call)
  if (origin === null) return answers.get(call.parentSessionId ?? '')?.chainCostUsd ?? 0
  const cost = costReader()
  await eachLine(origin.path, cost.add)
  return cost.result() ?? 0
}

/**
 * Which transcript line ends which session: the way back to a session whose own transcript was removed. The CLI copies a
 * session's lines, ids included, into every fork of it, but 2.1.197 does not record which session they come from. So we do,
 * in some 120 bytes per answer.
 */
const NAME = 'answers.ndjson'
const answersFile = (home: string) => join(home, NAME)

/** Half a million answers. What is larger, or not a file at all, was made by the agent, and begins anew. */
const LARGEST = 64 * 2 ** 20

/** How a session ended. */
export interface SessionAnswer {
  /** The id of the line that holds the answer. */
  readonly line: string
  /** What the chain has cost up to and including this session, if known. */
  readonly chainCostUsd: number | null
  /** What the chain had cost before this session, if it was forked at an earlier turn of another one. */
  readonly costBeforeUsd?: number
}

/** In the order of the answers. Lines that are incomplete or malformed are skipped: a crash may have cut the last one. */
export async function readAnswers(home: string): Promise<ReadonlyMap<string, SessionAnswer>> {
  const text = (await readAgentFile(answersFile(home), LARGEST)) ?? ''
  return new Map(
    text.split('\n').flatMap((entry) => {
      const record = parseRecord(entry)
      const [session, line] = [stringAt(record, 'session'), stringAt(record, 'line')]
      if (session === null || line === null || !UUID.test(line)) return []
      const costBeforeUsd = numberAt(record, 'costBeforeUsd') ?? undefined
      return [[session, defined({ line, chainCostUsd: numberAt(record, 'chainCostUsd'), costBeforeUsd })]]
    }),
  )
}

/** Durable when it resolves: transcripts are removed on the strength of it. */
export async function recordAnswer(home: string, session: string, answer: SessionAnswer): Promise<void> {
  if ((await readAnswers(home)).get(session)?.line === answer.line) return
  await using file = (await openForAppending(answersFile(home), LARGEST)) ?? (await createAnswers(home))
  await file.write(`${JSON.stringify({ session, ...answer })}\n`)
  await file.datasync()
}

async function createAnswers(home: string) {
  await removeFrom(home, NAME)
  return withDescriptors(() => open(answersFile(home), 'ax', 0o600))
}

/** The id is passed on a command line. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
