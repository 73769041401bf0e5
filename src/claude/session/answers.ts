/**
 * Records which transcript line ends which session: the way back to a session whose own transcript was removed.
 *
 * The CLI copies a session's lines, ids included, into every fork of it, but 2.1.197 does not record which session
 * they come from. So we do, in some 120 bytes per answer.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { defined } from '../../events/json.ts'
import { openForAppending, readAgentFile } from '../../workspaces/agent-file.ts'
import { withDescriptors } from '../../workspaces/descriptors.ts'
import { removeFrom } from '../../workspaces/lifecycle.ts'
import { numberAt, parseRecord, stringAt } from '../stream/untrusted-json.ts'

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
