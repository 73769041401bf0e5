/** Adopts a session of Claude Code, or a transcript: finds it, checks it, and copies it for an agent. The original is only read. */
import { lstat, readdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { systemProblem } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { isSessionId } from '../arguments.ts'
import type { Variables } from '../login.ts'
import type { SessionFile, TakenSession, TakenTurns, Usage } from '../runner.ts'
import { parseRecord, recordAt, stringAt } from '../stream/untrusted-json.ts'
import { addUsage, estimatedCost, NO_USAGE, usageOf } from '../usage.ts'
import { copyTranscript, transcriptFolder } from './branch.ts'
import { hasAnswer, Sessions, type TurnStart } from './sessions.ts'
import {
  costReader,
  isMessage,
  isPrompt,
  isSaid,
  LARGEST_TRANSCRIPT,
  type LineReader,
  readTranscript,
  type TranscriptEnd,
  timeOf,
} from './transcripts.ts'

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
  const read = await readTranscript(path, sessionReader())
  if (read === null) throw refused('it cannot be read', 'Check its permissions.')
  const { sessionId, turns, isWhole } = read
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

/** The order of the lines says little: of a fork in a terminal, an answer may be written before what it was forked from. */
function sessionReader(): LineReader<ReadSession> {
  let sessionId: string | null = null
  let isWhole = true
  const parents = new Map<string, string | null>()
  const prompts = new Set<string>()
  const said = new Set<string>()
  let last: { readonly uuid: string | null; readonly time: number } = { uuid: null, time: 0 }
  const cost = costReader()
  /** Each line is passed once. */
  const answered = () => {
    const found = new Set<string>()
    const seen = new Set<string>()
    for (const answer of said)
      for (
        let uuid: string | null = answer;
        uuid !== null && !seen.has(uuid);
        uuid = parents.get(uuid) ?? null
      ) {
        seen.add(uuid)
        if (!prompts.has(uuid)) continue
        found.add(uuid)
        break
      }
    return found.size
  }
  return {
    add(text) {
      cost.add(text)
      if (text.trim() === '') return
      const line = parseRecord(text)
      isWhole = line !== null
      const uuid = stringAt(line, 'uuid')
      if (line === null || uuid === null || line.isSidechain === true) return
      parents.set(uuid, stringAt(line, 'parentUuid'))
      if (!isMessage(line)) return
      const id = stringAt(line, 'sessionId')
      if (id !== null && isSessionId(id)) sessionId = id
      if (isPrompt(line)) prompts.add(uuid)
      if (!isSaid(line)) return
      said.add(uuid)
      const time = timeOf(line)
      if (time >= last.time) last = { uuid, time }
    },
    result: () => ({
      ...{ sessionId, isWhole, turns: answered() },
      end: { line: last.uuid, chainCostUsd: cost.result() },
    }),
  }
}

/** Copies the transcript into the home of an agent, which can then fork it. */
export async function adoptSession(
  { path, sessionId }: Pick<SessionFile, 'path' | 'sessionId'>,
  to: AgentDirectories,
): Promise<void> {
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

/** Copies what was said in a fork of an agent's session, and returns how much that was, and what it cost. */
export async function takeSession(
  { path, sessionId, parentSessionId }: TakenSession,
  to: AgentDirectories,
): Promise<TakenTurns> {
  const start = await new Sessions(to.home).turnStart({ sessionId, parentSessionId }, path)
  const said = await readTranscript(path, talkReader(start))
  if (said === null) throw new InvalidInputError({ what: path, problem: 'it cannot be read' })
  if (said.turns > 0) await adoptSession({ path, sessionId }, to)
  return said
}

/** The turns after those that came before, and what they cost. */
function talkReader({ before, costBefore }: TurnStart): LineReader<TakenTurns> {
  const own = sessionReader()
  const cost = costReader()
  const usage = new Map<string, { readonly model: string | null; readonly used: Usage }>()
  return {
    add(text) {
      cost.add(text)
      const line = parseRecord(text)
      const uuid = stringAt(line, 'uuid')
      if (line === null || uuid === null || before.has(uuid)) return
      own.add(text)
      const message = recordAt(line, 'message')
      // Subagents cost as well. Every line of a message repeats the usage of the whole message.
      if (isSaid(line))
        usage.set(stringAt(message, 'id') ?? uuid, {
          model: stringAt(message, 'model'),
          used: usageOf(recordAt(message, 'usage')),
        })
    },
    result() {
      const all = [...usage.values()]
      const recorded = cost.result()
      const estimated = all.reduce((sum, { model, used }) => sum + estimatedCost(model, used), 0)
      const costUsd = recorded === null ? estimated : Math.max(0, recorded - costBefore)
      const used = all.reduce((sum, one) => addUsage(sum, one.used), NO_USAGE)
      const spent = { costUsd, usage: used, ...(recorded === null && { estimated: true as const }) }
      return { turns: own.result().turns, spent }
    },
  }
}
