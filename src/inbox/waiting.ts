/** Collects what waits for a person, from states and facts: it changes nothing, and costs what it shows. */
import { type BudgetInfo, commandToRaise } from '../actors/admission/budget-scope.ts'
import type { AgentInfo } from '../actors/agent/list.ts'
import type { AgentSnapshot } from '../actors/agent/machine.ts'
import type { QueuedTask } from '../actors/agent/state.ts'
import type { AnyHold, ToolHold } from '../actors/agent/tasks/deferral.ts'
import { type HeldTask, heldTask, waitingTasks } from '../actors/agent/tasks/held.ts'
import { bodiesIn } from '../actors/engine/bodies.ts'
import { foldStream } from '../actors/engine/history.ts'
import { agentFacts } from '../events/agent-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import { shellWord } from '../events/errors/phrases.ts'
import { streamName } from '../events/ids.ts'
import type { Json } from '../events/json.ts'
import { runFacts } from '../events/run-facts.ts'
import { spendingIn } from '../events/spending.ts'
import { type Body, composePrompt } from '../events/task-input.ts'
import { foldedQueues } from '../landing/folded-queues.ts'
import type { QueuedEntry } from '../landing/machine.ts'
import type { RunInfo, RunListOptions } from '../patterns/runs/options.ts'
import { scheduleKind } from '../schedules/machine.ts'
import type { EventStore } from '../store/event-store.ts'
import { type InboxEntry, type InboxKind, inboxId } from './entry.ts'

/** Where it looks. */
export interface InboxSources {
  readonly store: EventStore
  readonly agents: {
    list(options: { readonly open: true }): Promise<readonly AgentInfo[]>
    stateOf(id: string): Promise<AgentSnapshot>
  }
  readonly runs: { list(options: RunListOptions): Promise<readonly RunInfo[]> }
  readonly admission: Parameters<typeof heldTask>[2]
}

/** Everything that waits, what waits longest first. */
export async function waitingIn(sources: InboxSources): Promise<readonly InboxEntry[]> {
  const found = await Promise.all([
    heldTasksOf(sources),
    setAside(sources),
    givenUp(sources),
    waitingRuns(sources),
    failedSchedules(sources),
    heldMessagesOf(sources),
  ])
  return found.flat().sort((one, other) => one.since.localeCompare(other.since) || order(one.id, other.id))
}

const order = (one: string, other: string) => (one < other ? -1 : 1)

interface HeldHere {
  readonly task: QueuedTask
  readonly hold: AnyHold
}

async function heldTasksOf(sources: InboxSources): Promise<readonly InboxEntry[]> {
  const { agents, admission, store } = sources
  const holding = (await agents.list({ open: true })).filter(({ held }) => held > 0)
  const entries = holding.map(async ({ id: agent }) => {
    const tasks = waitingTasks((await agents.stateOf(agent)).context)
    const courses = await coursesOf(store, streamName('agent', agent), tasks)
    return Promise.all(
      tasks.map(async ({ task, hold }) => {
        const told = await heldTask({ ...task, agent }, hold, admission)
        const { since, costUsd } = courses.get(task.taskId) ?? NOT_HELD
        const entry = entryOfTask(told, await promptOf(store, task))
        return { ...entry, ...('tool' in hold && (await ofTool(store, agent, hold))), since, costUsd }
      }),
    )
  })
  return (await Promise.all(entries)).flat()
}

const KINDS: Readonly<Record<HeldTask['reason'], InboxKind>> = {
  ...{ approval: 'task', tool: 'tool', question: 'question', budget: 'budget', account: 'account' },
}

function entryOfTask(told: HeldTask, prompt: string | null): Omit<InboxEntry, 'since' | 'costUsd'> {
  const { agent, taskId, runId, reason, message, budget, estimate } = told
  const kind = KINDS[reason]
  const id = inboxId(kind, agent, taskId)
  const commands = {
    approval: `claude-agents inbox approve ${id}`,
    account: 'claude-agents account resume',
    budget: budget && estimate ? commandToFit(budget, estimate) : '',
    // Their own say more.
    ...{ tool: '', question: '' },
  }
  return {
    ...{ id, kind, agent, run: runId, prompt, tool: null, question: message, choices: null },
    input: budget === null ? null : (JSON.parse(JSON.stringify({ budget, estimate })) as Json),
    command: commands[reason],
  }
}

/** A tool call that waits: its input in full, and what a question asks. */
async function ofTool(
  store: EventStore,
  agent: string,
  { reason, callId, tool, input: body }: ToolHold,
): Promise<Partial<InboxEntry>> {
  const id = inboxId(reason, agent, callId)
  const input = await inputOf(store, body)
  if (reason === 'tool') return { id, tool, input, command: `claude-agents inbox approve ${id}` }
  const { question, choices } = questionOf(input)
  const one = choices === null ? '"..."' : shellWord(choices[0] ?? '')
  return {
    id,
    input,
    ...(question !== null && { question }),
    choices,
    command: `claude-agents inbox answer ${id} ${one}`,
  }
}

/** null if it is no longer in the store. */
async function inputOf(store: EventStore, body: Body): Promise<Json> {
  try {
    return JSON.parse(await bodiesIn(store).read(body)) as Json
  } catch {
    return null
  }
}

/** What a model asks, as far as it kept to the form. */
export function questionOf(input: Json): {
  readonly question: string | null
  readonly choices: readonly string[] | null
} {
  const { question, choices } = (input ?? {}) as { readonly question?: unknown; readonly choices?: unknown }
  const given = Array.isArray(choices)
    ? choices.filter((choice) => typeof choice === 'string' && choice !== '')
    : []
  return {
    question: typeof question === 'string' ? question : null,
    choices: given.length > 0 ? given : null,
  }
}

/** Raises a budget by what the call needs. */
function commandToFit({ scope, limit, remaining }: BudgetInfo, needed: HeldTask['estimate']): string {
  const enough = (most: number | null, left: number | null, needs = 0, least = 0) =>
    most === null || left === null ? null : most + Math.max(0, Math.max(needs, least) - left)
  const usd = enough(limit.usd, remaining.usd, needed?.usd, 0.01)
  const tokens = enough(limit.tokens, remaining.tokens, needed?.tokens, 1)
  return commandToRaise({ scope, limit })
    .replace(' --usd N', ` --usd ${Math.ceil((usd ?? 0) * 100) / 100}`)
    .replace(' --tokens N', ` --tokens ${tokens}`)
}

/** null if its text is no longer in the store. */
async function promptOf(
  store: EventStore,
  { prompt, textInput }: { readonly prompt: Body; readonly textInput: Body | null },
): Promise<string | null> {
  const { read } = bodiesIn(store)
  try {
    const asked = await read(prompt)
    return textInput === null ? asked : composePrompt({ prompt: asked, textInput: await read(textInput) })
  } catch {
    return null
  }
}

interface Course {
  readonly since: string
  readonly costUsd: number
}

const NOT_HELD: Course = { since: new Date(0).toISOString(), costUsd: 0 }

/** Since when each task is held as it is now, and what its calls have cost. Reads back to the oldest of them. */
async function coursesOf(
  store: EventStore,
  stream: string,
  tasks: readonly HeldHere[],
): Promise<ReadonlyMap<string, Course>> {
  const open = new Map(tasks.map(({ task, hold }): [string, AnyHold | undefined] => [task.taskId, hold]))
  const courses = new Map<string, Course>()
  for await (const recorded of store.read(stream, { direction: 'backwards' })) {
    if (open.size === 0) break
    const { type, data } = agentFacts.read(recorded)
    const taskId = 'taskId' in data ? data.taskId : undefined
    if (taskId === undefined || !open.has(taskId)) continue
    const { since, costUsd } = courses.get(taskId) ?? NOT_HELD
    const hold = open.get(taskId)
    const isThisHold =
      type === 'TaskHeld'
        ? data.hold.reason === hold?.reason
        : type === 'CallDeferred' && hold !== undefined && 'callId' in hold && hold.callId === data.callId
    courses.set(taskId, {
      since: isThisHold ? recorded.at : since,
      costUsd: costUsd + (spendingIn({ data })?.costUsd ?? 0),
    })
    // What it was held for before is another matter.
    if (!isThisHold) open.set(taskId, undefined)
    if (type === 'TaskAccepted') open.delete(taskId)
  }
  return courses
}

/** Work that was set aside, unless it was queued again since, or its agent is gone. */
async function setAside({ store, agents }: InboxSources): Promise<readonly InboxEntry[]> {
  const entries: InboxEntry[] = []
  for (const { stream, snapshot } of await foldedQueues(store)) {
    const all = snapshot.context.entries
    const isNewest = (entry: QueuedEntry) =>
      all.findLast(({ agent, target }) => agent === entry.agent && target === entry.target) === entry
    for (const entry of all) {
      if (entry.status !== 'set-aside' || !isNewest(entry)) continue
      if ((await agents.stateOf(entry.agent)).value === 'absent') continue
      entries.push(await entryOfLanding(store, stream, entry))
    }
  }
  return entries
}

async function entryOfLanding(store: EventStore, stream: string, entry: QueuedEntry): Promise<InboxEntry> {
  const { agent, target, gate, squash, reason, repo, branch, head, runId = null } = entry
  const gateWords = gate === null ? '' : ` --gate ${shellWord(gate)}`
  return {
    ...{ id: inboxId('landing', entry.entry), kind: 'landing', agent, run: runId },
    since: await timeOf(store, stream, (fact) => fact.data.entry === entry.entry),
    ...{ prompt: null, tool: null, choices: null, costUsd: null },
    input: { repo, branch, head, target, gate, squash },
    question: `The work of agent "${agent}" was not landed on ${target}: ${reason ?? 'it was set aside'}`,
    command: `claude-agents land ${agent} --into ${shellWord(target)}${gateWords}${squash ? ' --squash' : ''}`,
  }
}

/** When the newest of such facts was written. */
async function timeOf(
  store: EventStore,
  stream: string,
  isMeant: (fact: Recorded) => boolean,
): Promise<string> {
  for await (const recorded of store.read(stream, { direction: 'backwards' }))
    if (isMeant(recorded)) return recorded.at
  return NOT_HELD.since
}

/** Trees that gave up, and have not been started again. */
async function givenUp({ store }: InboxSources): Promise<readonly InboxEntry[]> {
  const entries: InboxEntry[] = []
  for await (const { stream, summary } of store.streams({ prefix: 'supervisor/' })) {
    if (summary?.status === 'running' || (summary?.info?.parent ?? null) !== null) continue
    const gaveUp = await escalation(store, stream)
    if (gaveUp === undefined) continue
    const supervisor = stream.slice('supervisor/'.length)
    const { id: child, error } = gaveUp.data as {
      readonly id: string
      readonly error: { message?: string } | null
    }
    entries.push({
      ...{ id: inboxId('supervision', supervisor), kind: 'supervision', agent: null, run: null },
      since: gaveUp.at,
      ...{ prompt: null, tool: null, choices: null, costUsd: null },
      input: gaveUp.data,
      question: `The supervision tree "${supervisor}" gave up, and all work has stopped: its child "${child}" failed too often${error?.message ? `: ${error.message}` : '.'}`,
      command: `claude-agents log --stream ${stream}`,
    })
  }
  return entries
}

async function escalation(store: EventStore, stream: string): Promise<Recorded | undefined> {
  for await (const recorded of store.read(stream, { direction: 'backwards' })) {
    if (recorded.type === 'Escalated') return recorded
    if (recorded.type === 'SupervisorStarted') return undefined
  }
  return undefined
}

const LETS_CONTINUE = {
  'needs an owner': () => 'claude-agents serve',
  'needs its program': (run: string) => `claude-agents workflow resume ${run} --module FILE`,
  'needs its agents': (run: string) => `claude-agents workflow resume ${run} --plan`,
  'its workflow changed': (run: string) => `claude-agents workflow resume ${run} --accept-changes`,
  'its workflow cannot be built': (run: string) => `claude-agents workflow resume ${run} --plan`,
} as const

async function waitingRuns({ store, runs }: InboxSources): Promise<readonly InboxEntry[]> {
  const waiting = (await runs.list({ open: true })).filter(({ status }) => status === 'waiting')
  return Promise.all(
    waiting.map(async ({ runId, name, reason, startedAt, durationMs, costUsd }) => ({
      ...{ id: inboxId('run', runId), kind: 'run' as const, agent: null, run: runId },
      // Its latest fact is the last that a process did for it.
      since: new Date(Date.parse(startedAt ?? NOT_HELD.since) + durationMs).toISOString(),
      prompt: await promptOfRun(store, runId),
      ...{ tool: null, input: null, choices: null, costUsd },
      question: `No process executes run ${runId} (${name}): ${(reason ?? 'needs an owner').replace(/^needs/, 'it needs')}.`,
      command: LETS_CONTINUE[reason as keyof typeof LETS_CONTINUE]?.(runId) ?? 'claude-agents serve',
    })),
  )
}

/** Schedules that did not fire, until they do, or are paused. */
async function failedSchedules({ store }: InboxSources): Promise<readonly InboxEntry[]> {
  const entries: InboxEntry[] = []
  for await (const { stream, summary } of store.streams({ prefix: `${scheduleKind.kind}/` })) {
    if ((summary?.info?.failure ?? null) === null) continue
    const { failure, text, agent, cron, timezone } = (await foldStream(scheduleKind, store, stream)).snapshot
      .context
    if (failure === null) continue
    const name = stream.slice(scheduleKind.kind.length + 1)
    entries.push({
      ...{ id: inboxId('schedule', name), kind: 'schedule', agent, run: null },
      since: await timeOf(store, stream, ({ type }) => type === 'FiringFailed'),
      prompt: await promptOf(store, { prompt: text, textInput: null }),
      ...{ tool: null, choices: null, costUsd: null, input: { cron, timezone, at: failure.at } },
      question: `Schedule "${name}" did not fire at ${failure.at}: ${failure.message}`,
      command: `claude-agents schedule run ${name}`,
    })
  }
  return entries
}

/** Messages that a person has to release. */
async function heldMessagesOf({ agents, store }: InboxSources): Promise<readonly InboxEntry[]> {
  const entries: InboxEntry[] = []
  for (const { id: agent, heldMessages = 0 } of await agents.list({ open: true })) {
    if (heldMessages === 0) continue
    for (const { messageId, from, text, held } of (await agents.stateOf(agent)).context.unread ?? []) {
      if (!held) continue
      const id = inboxId('message', agent, messageId)
      const isMeant = ({ type, data }: Recorded) => type === 'MessageReceived' && data.messageId === messageId
      entries.push({
        ...{ id, kind: 'message', agent, run: null, prompt: text, tool: null, choices: null, costUsd: null },
        since: await timeOf(store, streamName('agent', agent), isMeant),
        input: { messageId, from },
        question: `May agent "${agent}" read a message from ${from === null ? 'a person' : `"${from}"`}?`,
        command: `claude-agents inbox approve ${id}`,
      })
    }
  }
  return entries
}

async function promptOfRun(store: EventStore, runId: string): Promise<string | null> {
  for await (const recorded of store.read(streamName('run', runId), { limit: 1 })) {
    const { type, data } = runFacts.read(recorded)
    if (type === 'RunStarted') return promptOf(store, data)
  }
  return null
}
