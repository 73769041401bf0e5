/** An agent's conversation at a version: its turns with what was asked, answered, tried and changed, and what else happened to it. */
import { Mailbox } from '../actors/engine/mailbox.ts'
import { toolUsesOf } from '../claude/session/tool-uses.ts'
import type { Recorded } from '../events/envelope.ts'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { visible, visibleName } from '../events/hidden-characters.ts'
import type { Json } from '../events/json.ts'
import type { EventStore } from '../store/event-store.ts'
import { agentDirectories } from '../workspaces/directories.ts'
import { forkOfAgent } from './acts/forks.ts'
import { textView } from './facts.ts'
import { changesFiles } from './files.ts'
import type { LogIndex } from './index/index.ts'
import { toneOfStatus, toneOfType } from './index/tones.ts'
import { foldTo, type StreamTrack } from './index/track.ts'
import { forksOf } from './run.ts'
import { callsIn } from './sessions.ts'
import { bounded, brief } from './text.ts'
import type { ConversationEvent, ConversationView, ToolsView, TurnView } from './view.ts'

/** Turns of one request; earlier ones are asked for with `before`. */
const TURNS = 20
/** How many facts are read to find them, and how many after them to tell how they ended. */
const FACTS_READ = 2000

/** What happened to the agent between its turns. */
const EVENTS =
  /^(Agent(Created|Configured|Reset|Restarted|Stopped|Removed)|Session(Adopted|Lost)|ConversationCut|FilesRestored|Message(Received|Sent|Rejected|Undeliverable))$/

/**
 * null if the agent did not exist, or is not in the index yet. A version of 0 is the newest one; `before` is the version
 * up to which turns are listed, 0 for that of the conversation.
 */
export async function conversationAt(
  store: EventStore,
  index: LogIndex,
  id: string,
  version: number,
  before: number,
  baseDir: string | undefined,
): Promise<ConversationView | null> {
  const track = index.track(`agent/${id}`)
  if (!track) return null
  const newestVersion = index.table.version(track.lastUpTo(index.position))
  const shown = version === 0 ? newestVersion : Math.min(version, newestVersion)
  const last = before === 0 ? shown : Math.min(before, shown)
  const first = await beginOfTurns(store, track.name, last)
  const facts: Recorded[] = []
  const to = Math.min(shown, last + FACTS_READ)
  for await (const recorded of store.read(track.name, { after: first - 1, to })) facts.push(recorded)
  const position = positionOf(track, shown)
  const status = index.table.status(position)
  const { load, done, tokens, costUsd } = index.table.measures(position)
  return {
    stream: track.name,
    id,
    status,
    tone: toneOfStatus(status),
    version: shown,
    newestVersion,
    position,
    open: load,
    answers: done,
    tokens,
    costUsd,
    config: await configAt(store, track, shown),
    hasTools: baseDir !== undefined,
    forkedFrom: originOf(track),
    forks: forksOf(index, track.name),
    entries: await entriesIn(store, index, facts, last),
    before: first > 1 ? first - 1 : null,
  }
}

const positionOf = (track: StreamTrack, version: number): number => track.positions.at(version - 1)

const originOf = ({ origin }: StreamTrack): ConversationView['forkedFrom'] =>
  origin && { id: origin.stream.slice('agent/'.length), version: origin.version ?? 0 }

/** The version with which the last turns up to a version begin. */
async function beginOfTurns(store: EventStore, stream: string, last: number): Promise<number> {
  let turns = 0
  let read = 0
  for await (const { type, version } of store.read(stream, { to: last, direction: 'backwards' })) {
    if (type === 'TaskAccepted' && ++turns === TURNS) return version
    if (++read === FACTS_READ) return version
  }
  return 1
}

async function configAt(store: EventStore, track: StreamTrack, version: number): Promise<Json> {
  try {
    const state = await foldTo(store, track, version)
    return bounded((state?.context as { config?: unknown } | undefined)?.config ?? null, 'config').data
  } catch (error) {
    if (error instanceof ClaudeAgentError) return null
    throw error
  }
}

async function entriesIn(
  store: EventStore,
  index: LogIndex,
  facts: readonly Recorded[],
  last: number,
): Promise<ConversationView['entries']> {
  const ofTask = new Map<string, Recorded[]>()
  const entries: (ConversationEvent | Recorded)[] = []
  for (const recorded of facts) {
    const { type, data, version } = recorded
    if (EVENTS.test(type) && version <= last) entries.push(eventOf(recorded))
    const { taskId } = data as { taskId?: unknown }
    if (typeof taskId !== 'string') continue
    if (type === 'TaskAccepted' && version <= last) {
      ofTask.set(taskId, [recorded])
      entries.push(recorded)
    } else ofTask.get(taskId)?.push(recorded)
  }
  return Promise.all(
    entries.map((entry) =>
      'stream' in entry
        ? turnOf(store, index, ofTask.get(String(entry.data.taskId)) ?? [entry])
        : Promise.resolve(entry),
    ),
  )
}

function eventOf({ type, position, version, at, data }: Recorded): ConversationEvent {
  const { reason, because } = data as { reason?: unknown; because?: unknown }
  const detail = messageIn(type, data) ?? RESTORED[String(because)] ?? reason
  return {
    ...{ kind: 'event', type: visible(type), tone: toneOfType(type), position, version, at },
    detail: typeof detail === 'string' ? brief(detail, 300) : '',
  }
}

/** Why files were restored. */
const RESTORED: Readonly<Record<string, string>> = {
  call: 'to what they were before a call that failed',
  undo: 'by undoing a turn',
  fork: 'from those of the agent that it was forked from',
  landing: 'with what its work is to land on',
}

/** Who wrote a message to whom, and what it says; null if it is none. */
function messageIn(type: string, { from, to, text }: Recorded['data']): string | null {
  if (typeof text !== 'string') return null
  if (type === 'MessageReceived') return `from ${from ?? 'a person'}: ${text}`
  return type === 'MessageSent' || type === 'MessageUndeliverable' ? `to ${to}: ${text}` : null
}

const STATES: Readonly<Record<string, TurnView['state']>> = {
  TaskAccepted: 'waiting',
  TaskHeld: 'held',
  TaskApproved: 'waiting',
  CallStarted: 'running',
  CallDeferred: 'held',
  ToolDecided: 'waiting',
  RetryScheduled: 'retrying',
  CallSucceeded: 'succeeded',
  TaskFailed: 'failed',
  TaskCancelled: 'cancelled',
}

const ENDS = new Set<TurnView['state']>(['succeeded', 'failed', 'cancelled'])
const MOST_TOOLS = 50

/** A turn, from the facts of its task. The first of them accepted it. */
async function turnOf(
  store: EventStore,
  index: LogIndex,
  [accepted, ...rest]: readonly [Recorded, ...Recorded[]] | readonly Recorded[],
): Promise<TurnView> {
  if (!accepted) throw new RangeError('a turn has facts')
  const facts = [accepted, ...rest]
  const ending = facts.find(({ type }) => ENDS.has(STATES[type] ?? 'waiting')) ?? null
  const latest = ending ?? facts.findLast(({ type }) => STATES[type] !== undefined) ?? accepted
  const state = STATES[latest.type] ?? 'waiting'
  const calls = callsIn(facts)
  const { runId } = accepted.data as { runId?: unknown }
  const run = typeof runId === 'string' ? runId : null
  const end = (ending?.data ?? {}) as EndOfTurn
  const saved = facts.findLast(({ type, data }) => type === 'FilesSaved' && data.when === 'after')
  const { changed = 0, added = 0, removed = 0 } = (saved?.data ?? {}) as Partial<Record<string, number>>
  const isChanged = changed + added + removed > 0
  const startedAt = facts.find(({ type }) => type === 'CallStarted')?.at ?? null
  return {
    kind: 'turn',
    taskId: String(accepted.data.taskId),
    number: ending?.type === 'CallSucceeded' ? numberOf(index, ending) : null,
    state,
    at: accepted.at,
    startedAt,
    endedAt: ending?.at ?? null,
    position: accepted.position,
    version: accepted.version,
    endPosition: ending?.position ?? null,
    endVersion: ending?.version ?? null,
    run: run === null ? null : { id: run, label: index.track(`run/${run}`)?.label ?? run },
    prompt: await textView(store, accepted, 'data.prompt'),
    textInput: await textView(store, accepted, 'data.textInput'),
    answer: ending && (await textView(store, ending, 'data.text')),
    note: noteOf(latest),
    costUsd: calls.reduce((sum, call) => sum + call.costUsd, 0),
    tokens: end.tokens ?? (end.usage?.inputTokens ?? 0) + (end.usage?.outputTokens ?? 0),
    model: typeof end.model === 'string' ? visible(end.model) : null,
    calls,
    tools: toolsIn(facts),
    files:
      isChanged && ending && changesFiles(index, ending.position)
        ? { position: ending.position, changed, added, removed }
        : null,
    fork:
      ending?.type === 'CallSucceeded'
        ? forkOfAgent(index, ending.stream.slice('agent/'.length), ending.version)
        : null,
  }
}

interface EndOfTurn {
  readonly tokens?: number
  readonly usage?: { readonly inputTokens?: number; readonly outputTokens?: number }
  readonly model?: unknown
}

const numberOf = (index: LogIndex, { position }: Recorded): number | null =>
  position <= index.position ? index.table.measures(position).done : null

/** Why it waits, or how it ended other than with an answer. */
function noteOf({ type, data }: Recorded): string | null {
  const { error, reason, hold } = data as {
    error?: { tag?: unknown; message?: unknown }
    reason?: unknown
    hold?: { reason?: unknown; note?: unknown; said?: unknown }
  }
  if (type === 'CallSucceeded' || type === 'ToolDecided') return null
  if (type === 'CallDeferred') return `A person has to decide: ${brief(String(data.tool), 100)}`
  if (error) return brief(`${error.tag}: ${error.message}`, 2000)
  if (hold)
    return brief(
      [hold.reason, hold.note, hold.said].filter((part) => typeof part === 'string').join(': '),
      500,
    )
  return typeof reason === 'string' ? brief(reason, 500) : null
}

/** The uses of tools that the log knows: those that were denied, and those that a person decided on. */
function toolsIn(facts: readonly Recorded[]): TurnView['tools'] {
  const tools = facts.flatMap(({ type, data, position }) => {
    const denials = Array.isArray(data.permissionDenials) ? data.permissionDenials : []
    const { tool, input, verdict } = data
    const what = type === 'CallDeferred' ? 'held' : verdict === 'allow' ? 'approved' : 'denied'
    const named = typeof tool === 'string' ? [{ tool, input, what }] : []
    const denied = denials.map((one) => ({ ...(one as { tool: unknown; input: unknown }), what: 'denied' }))
    return [...denied, ...named].map(({ tool, input, what }) => ({
      tool: brief(String(tool), 100),
      input: visible(
        (typeof input === 'string' ? input : (JSON.stringify(input, null, 2) ?? '')).slice(0, 4000),
      ),
      what: visible(what),
      position,
    }))
  })
  return tools.slice(0, MOST_TOOLS)
}

const transcripts = new Mailbox()

/** The tools that the call of a session used. One transcript is read at a time: it may be long. */
export function toolsOf(baseDir: string | undefined, id: string, sessionId: string): Promise<ToolsView> {
  const missing = (problem: string): ToolsView => ({ problem, tools: [] })
  if (baseDir === undefined) return Promise.resolve(missing('Transcripts are not here: only the log is.'))
  return transcripts.post(async () => {
    const found = await toolUsesOf(agentDirectories(baseDir, id).home, sessionId)
    if (found === null) return missing('The transcript of this turn is no longer there.')
    return {
      problem: null,
      tools: found.map(({ tool, input, result, isError }) => ({
        tool: visibleName(tool),
        input: visible(input),
        result: result === null ? null : visible(result),
        isError,
      })),
    }
  })
}
