/**
 * An agent's sessions: which transcript a call forks (the parent's, or a later one that contains its history), what that
 * cost, and which transcripts are removed once a call is answered.
 *
 * A fork's transcript contains the whole history before it: keeping one per turn would take quadratic space. So an agent's
 * home keeps few of them, and a record of which line ended which session: the way back to those whose own is gone.
 */
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SessionNotFoundError } from '../../events/errors/call.ts'
import { defined } from '../../events/json.ts'
import { openForAppending, readAgentFile } from '../../workspaces/agent-file.ts'
import { withDescriptors } from '../../workspaces/descriptors.ts'
import { removeFrom } from '../../workspaces/lifecycle.ts'
import { isSessionId } from '../arguments.ts'
import type { Call } from '../runner.ts'
import { numberAt, parseRecord, stringAt } from '../stream/untrusted-json.ts'
import {
  containedReader,
  costReader,
  eachLine,
  endReader,
  idReader,
  isReadable,
  listTranscripts,
  readTranscript,
  type TranscriptEnd,
  type TranscriptFile,
} from './transcripts.ts'

export interface SessionOrigin {
  /** The session to fork. */
  readonly sessionId: string
  /** The line to fork at; null: its end. */
  readonly at: string | null
  /** Its transcript. */
  readonly path: string
}

/** How a session ended. */
export interface SessionAnswer extends TranscriptEnd {
  readonly line: string
  /** What the chain had cost before this session, if it was forked at an earlier turn of another one. */
  readonly costBeforeUsd?: number
}

/** What the turn of a call comes after. */
export interface TurnStart {
  /** The ids of the lines before it: a fork's transcript begins with the history of its parent. */
  readonly before: ReadonlySet<string>
  /** What that history cost. */
  readonly costBefore: number
}

type ForkingCall = Pick<Call, 'sessionId' | 'parentSessionId'>

/** The sessions in an agent's home, as they are when first asked for: one look serves all that is asked of them at a time. */
export class Sessions {
  readonly #home: string
  readonly #ends = new Map<string, Promise<TranscriptEnd | null>>()
  #files: Promise<readonly TranscriptFile[]> | undefined
  #answers: Promise<ReadonlyMap<string, SessionAnswer>> | undefined

  constructor(home: string) {
    this.#home = home
  }

  files(): Promise<readonly TranscriptFile[]> {
    this.#files ??= listTranscripts(this.#home)
    return this.#files
  }

  async transcriptOf(sessionId: string): Promise<TranscriptFile | undefined> {
    return (await this.files()).find((file) => file.sessionId === sessionId)
  }

  /** null if it cannot be read. */
  end({ path }: Pick<TranscriptFile, 'path'>): Promise<TranscriptEnd | null> {
    const end = this.#ends.get(path) ?? readTranscript(path, endReader())
    this.#ends.set(path, end)
    return end
  }

  /** How sessions ended, in the order of their answers. */
  answers(): Promise<ReadonlyMap<string, SessionAnswer>> {
    this.#answers ??= readAnswers(this.#home)
    return this.#answers
  }

  /** Durable when it resolves: transcripts are removed on the strength of it. */
  async record(session: string, answer: SessionAnswer): Promise<void> {
    if ((await this.answers()).get(session)?.line === answer.line) return
    const file = await openAnswers(this.#home)
    try {
      await file.write(`${JSON.stringify({ session, ...answer })}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
  }

  /** What a call forks; null if it starts a new chain, or if no transcript contains its parent session. */
  async origin({ sessionId: own, parentSessionId: parent }: ForkingCall): Promise<SessionOrigin | null> {
    if (parent === null) return null
    const kept = await this.transcriptOf(parent)
    if (kept && (await isReadable(kept.path))) return { sessionId: parent, at: null, path: kept.path }
    const answer = (await this.answers()).get(parent)
    if (answer === undefined) return null
    const candidates: (SessionOrigin & { readonly length: number })[] = []
    for (const { sessionId, path } of await this.files()) {
      if (sessionId === own || sessionId === parent) continue
      const length = await lengthIfContaining(path, answer.line)
      if (length !== null) candidates.push({ sessionId, at: answer.line, path, length })
    }
    // The shortest is fastest to read; ties are broken by id.
    candidates.sort((one, other) => one.length - other.length || (one.sessionId < other.sessionId ? -1 : 1))
    return candidates[0] ?? null
  }

  /**
   * The same before the CLI reads it. Throws {@link SessionNotFoundError} for a transcript that cannot be read: the CLI
   * would wait for a pipe for ever, or use up the memory.
   */
  async originToFork(call: ForkingCall): Promise<SessionOrigin | null> {
    const { parentSessionId: parent } = call
    const origin = await this.origin(call)
    if (origin !== null || parent === null || !(await this.transcriptOf(parent))) return origin
    throw new SessionNotFoundError({ said: `the transcript of session ${parent} cannot be read` })
  }

  /**
   * Where the turn of a call begins that has a transcript, `own`. A fork leaves its parent unchanged, so it begins after
   * what was forked. That may have been removed since, after the call was answered; then it begins after the parent's
   * answer in the call's own transcript.
   */
  async turnStart(call: ForkingCall, own: string): Promise<TurnStart> {
    const origin = await this.origin(call)
    const answer = (await this.answers()).get(call.parentSessionId ?? '')
    if (origin === null && answer === undefined) return { before: new Set(), costBefore: 0 }
    const ids = idReader(origin === null ? answer?.line : (origin.at ?? undefined))
    const before = (await readTranscript(origin?.path ?? own, ids)) ?? new Set()
    return { before, costBefore: await this.costBefore(call) }
  }

  /**
   * What the history before a call cost, as far as known. A session that is forked at an earlier line begins with the cost
   * of the whole transcript all the same (2.1.332). Which transcript that was, the record of the answer knows best: by now
   * another one may be the shortest.
   */
  async costBefore(call: ForkingCall): Promise<number> {
    const answers = await this.answers()
    const recorded = answers.get(call.sessionId)?.costBeforeUsd
    if (recorded !== undefined) return recorded
    const origin = await this.origin(call)
    const atEnd = answers.get(call.parentSessionId ?? '')?.chainCostUsd
    // A transcript that ends with the parent's answer has the cost that was recorded with that.
    if (!origin || (origin.at === null && atEnd)) return atEnd ?? 0
    return (await readTranscript(origin.path, costReader())) ?? 0
  }
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
 * Call this once a call is answered. It keeps the call's transcript, and that of every answered session that no other
 * transcript contains: the tip of another branch. Everything else is either contained in those or was left by a
 * failed call, since an agent runs one call at a time.
 *
 * Only the transcripts of this call and of the answer before it can contain another: what an earlier one contained was
 * removed when that was new. So only these two are read, however many tips are kept.
 *
 * The parent is kept while it is small, being the most likely to be resumed. A large parent is removed even though we
 * may die before the call's outcome is logged: an answered call is not repeated, and all that recovery needs of the
 * parent has been recorded.
 */
export async function pruneTranscripts(call: Call, sessions: Sessions): Promise<void> {
  const own = await sessions.transcriptOf(call.sessionId)
  const end = own ? await sessions.end(own) : null
  if (own === undefined || !hasAnswer(end)) return
  await sessions.record(call.sessionId, { ...end, ...(await costAtFork(call, sessions)) })

  const others = await answered(sessions, own)
  if (others.length === 0) return
  const before = [...(await sessions.answers()).keys()].findLast((session) => session !== call.sessionId)
  const newest = [
    { path: own.path, line: end.line },
    ...others.filter(({ sessionId }) => sessionId === before),
  ]
  const ends = new Set(others.map(({ line }) => line))
  const superseded = new Set<string>()
  for (const { path, line } of newest) {
    const contained = (await readTranscript(path, containedReader(ends))) ?? []
    for (const other of contained) if (other !== line) superseded.add(other)
  }
  for (const other of others) {
    if (!superseded.has(other.line)) continue
    if (other.sessionId === call.parentSessionId && (await isSmall(other))) continue
    await rm(other.path)
  }
}

/** Of a fork at an earlier line; of any other, the parent's answer tells it. */
async function costAtFork(call: Call, sessions: Sessions): Promise<Pick<SessionAnswer, 'costBeforeUsd'>> {
  const origin = await sessions.origin(call)
  return origin === null || origin.at === null ? {} : { costBeforeUsd: await sessions.costBefore(call) }
}

interface AnsweredTranscript extends TranscriptFile, Pick<SessionAnswer, 'line'> {}

/** Removes the transcripts of failed calls, and returns the others. What cannot be read is left alone. */
async function answered(sessions: Sessions, own: TranscriptFile): Promise<readonly AnsweredTranscript[]> {
  const found: AnsweredTranscript[] = []
  const answers = await sessions.answers()
  for (const file of await sessions.files()) {
    if (file === own) continue
    const known = answers.get(file.sessionId)
    const end = known ?? (await sessions.end(file))
    if (end === null) continue
    if (!hasAnswer(end)) await rm(file.path)
    else {
      if (known === undefined) await sessions.record(file.sessionId, end)
      found.push({ ...file, line: end.line })
    }
  }
  return found
}

export const hasAnswer = (end: TranscriptEnd | null): end is SessionAnswer =>
  end !== null && end.line !== null

/** In bytes. Beyond this, the parent's transcript would be most of what a conversation takes. */
const SMALL_TRANSCRIPT = 256 * 1024

const isSmall = async ({ path }: TranscriptFile) => (await stat(path)).size <= SMALL_TRANSCRIPT

/**
 * Which transcript line ends which session: the way back to a session whose own transcript was removed. The CLI copies a
 * session's lines, ids included, into every fork of it, but 2.1.197 does not record which session they come from. So we do,
 * in some 120 bytes per answer.
 */
export const ANSWERS_NAME = 'answers.ndjson'

/** Half a million answers. What is larger, or not a file at all, was made by the agent, and begins anew. */
const LARGEST_ANSWERS = 64 * 2 ** 20

/** Lines that are incomplete or malformed are skipped: a crash may have cut the last one. */
async function readAnswers(home: string): Promise<ReadonlyMap<string, SessionAnswer>> {
  const text = (await readAgentFile(join(home, ANSWERS_NAME), LARGEST_ANSWERS)) ?? ''
  const answers = new Map<string, SessionAnswer>()
  for (const entry of text.split('\n')) {
    const record = parseRecord(entry)
    const [session, line] = [stringAt(record, 'session'), stringAt(record, 'line')]
    if (session === null || line === null || !isSessionId(line)) continue
    const costBeforeUsd = numberAt(record, 'costBeforeUsd') ?? undefined
    answers.set(session, defined({ line, chainCostUsd: numberAt(record, 'chainCostUsd'), costBeforeUsd }))
  }
  return answers
}

/** For appending. Whatever an agent has put in its place is removed. */
async function openAnswers(home: string): Promise<FileHandle> {
  const path = join(home, ANSWERS_NAME)
  const known = await openForAppending(path, LARGEST_ANSWERS)
  if (known !== null) return known
  await removeFrom(home, ANSWERS_NAME)
  return withDescriptors(() => open(path, 'ax', 0o600))
}
