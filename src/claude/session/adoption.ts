/** Adopts a session of Claude Code, or a transcript: finds it, checks it, and copies it for an agent. The original is only read. */
import { lstat, readdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { systemProblem } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { isSessionId } from '../arguments.ts'
import type { Variables } from '../login/account.ts'
import type { SessionFile } from '../runner.ts'
import { parseRecord, stringAt } from '../stream/untrusted-json.ts'
import { copyTranscript, transcriptFolder } from './branch.ts'
import { Sessions } from './origin.ts'
import { hasAnswer } from './pruning.ts'
import {
  costReader,
  isMessage,
  isPrompt,
  isSaid,
  type LineReader,
  type TranscriptEnd,
} from './transcript-reading.ts'
import { eachLine, LARGEST_TRANSCRIPT } from './transcripts.ts'

/**
 * The transcript of a session, or one in a file. A session is looked for where Claude Code keeps those of this user. Throws
 * InvalidInputError for what is no whole transcript with a turn.
 */
export async function findSession(
  session: string,
  environment: Variables = process.env,
): Promise<SessionFile> {
  return readSession(isSessionId(session) ? await pathOf(session, environment) : resolve(session))
}

async function pathOf(sessionId: string, environment: Variables): Promise<string> {
  const configured = environment.CLAUDE_CONFIG_DIR ?? join(environment.HOME ?? homedir(), '.claude')
  const projects = resolve(configured, 'projects')
  const found: string[] = []
  for (const project of await readdir(projects).catch(() => [])) {
    const path = join(projects, project, `${sessionId}.jsonl`)
    if (await lstat(path).catch(() => null)) found.push(path)
  }
  const [path, other] = found
  if (path !== undefined && other === undefined) return path
  const what = `Session ${sessionId}`
  if (path === undefined)
    throw new InvalidInputError({
      what,
      problem: `Claude Code has none in ${projects}`,
      hint: 'Give the path of its transcript, a .jsonl file. If Claude Code keeps its files elsewhere, set CLAUDE_CONFIG_DIR.',
    })
  throw new InvalidInputError({
    what,
    problem: `several projects have one of this id: ${found.join(', ')}`,
    hint: 'Give the path of one of these files.',
  })
}

const HINT = 'Claude Code keeps its transcripts in ~/.claude/projects/PROJECT/SESSION.jsonl.'

async function readSession(path: string): Promise<SessionFile> {
  const refused = (problem: string, hint = HINT) => new InvalidInputError({ what: path, problem, hint })
  const found = await lstat(path).catch((cause: unknown) => {
    throw new InvalidInputError({ what: path, problem: systemProblem(cause), hint: HINT }, { cause })
  })
  if (found.isSymbolicLink()) throw refused('it is a link', 'Give the path of the file itself.')
  if (!found.isFile()) throw refused(found.isDirectory() ? 'it is a directory' : 'it is not a file')
  if (found.size > LARGEST_TRANSCRIPT)
    throw refused(`it is larger than ${LARGEST_TRANSCRIPT / 2 ** 20} MiB, the most that can be adopted`)
  const reader = sessionReader()
  if (!(await eachLine(path, reader.add))) throw refused('it cannot be read', 'Check its permissions.')
  const { sessionId, turns, isWhole } = reader.result()
  const name = basename(path, '.jsonl')
  const id = isSessionId(name) ? name : sessionId
  if (sessionId === null || id === null) throw refused('it is not a transcript of Claude Code')
  if (!isWhole) {
    const hint = 'If the session is running, end it first. If the file was cut off, remove its last line.'
    throw refused('its last line is incomplete', hint)
  }
  if (turns === 0) throw refused('it has no turn: no prompt of it was answered')
  return { path, sessionId: id, turns }
}

interface ReadSession {
  /** null if it has no message with one. */
  readonly sessionId: string | null
  readonly turns: number
  /** Whether its last line is complete. */
  readonly isWhole: boolean
  /** The last line of the model, and what all of it cost, if known. */
  readonly end: TranscriptEnd
}

function sessionReader(): LineReader<ReadSession> {
  let sessionId: string | null = null
  let turns = 0
  let isAsked = false
  let isWhole = true
  let said: string | null = null
  const cost = costReader()
  return {
    add(text) {
      cost.add(text)
      if (text.trim() === '') return
      const line = parseRecord(text)
      isWhole = line !== null
      const uuid = stringAt(line, 'uuid')
      if (line === null || uuid === null || line.isSidechain === true || !isMessage(line)) return
      const id = stringAt(line, 'sessionId')
      if (id !== null && isSessionId(id)) sessionId = id
      if (isPrompt(line)) isAsked = true
      if (!isSaid(line)) return
      said = uuid
      if (isAsked) turns += 1
      isAsked = false
    },
    result: () => ({ sessionId, turns, isWhole, end: { line: said, chainCostUsd: cost.result() } }),
  }
}

/** Copies the transcript into the home of an agent, which can then fork it. */
export async function adoptSession({ path, sessionId }: SessionFile, to: AgentDirectories): Promise<void> {
  const copy = join(await transcriptFolder(to), `${sessionId}.jsonl`)
  await rm(copy, { force: true })
  const reader = sessionReader()
  const wasCopied = await copyTranscript({ path, sessionId, at: null }, copy, reader.add)
  const { end } = reader.result()
  if (!wasCopied || !hasAnswer(end))
    throw new InvalidInputError({ what: path, problem: 'it changed while it was read', hint: HINT })
  // Its last turn may have no end, as that of a failed call: it is kept all the same.
  await new Sessions(to.home).record(sessionId, end)
}
