/** `agent`: create, change, list, show and remove agents, and ask them something. */

import type { Command } from 'commander'
import type { AgentInfo } from '../../actors/agent/list.ts'
import type { Move } from '../../actors/agent/moving/stored.ts'
import type { AgentRef } from '../../actors/agent/ref.ts'
import { adoptingOptions } from '../../actors/agent/session/adopted.ts'
import { TaskNotFoundError } from '../../events/errors/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollarsSpent, plural } from '../../events/figures.ts'
import { canonicalJson, defined } from '../../events/json.ts'
import { type AgentConfig, type AgentOptions, agentConfig } from '../../events/options/agent.ts'
import { optionsOf } from '../../events/options/agent-changes.ts'
import { userName } from '../../inbox/user-name.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { listedNames } from '../arguments.ts'
import { hasAgents, hasStore, noteNoStore, requireAgents } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { heldCommands } from '../held/commands.ts'
import { storedAgents, withSession } from '../session.ts'
import { list } from '../terminal/list.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { details, table } from '../terminal/table.ts'
import { cut } from '../terminal/text.ts'
import { readAgent, withAgent } from './agents.ts'
import { askCommand } from './ask.ts'
import { definitionCommands } from './definitions.ts'
import { filesCommands } from './files.ts'
import { openCommand } from './open.ts'
import { projectInWords, tellFiles } from './project.ts'
import { type AgentSettings, agentOptionsOf, changesOf, withSettings } from './settings.ts'
import { livesInWords, type Whereabouts, whereabouts, workerField } from './whereabouts.ts'

export function agentCommands(agent: Command): void {
  withSettings(agent.command('create <id> <system-prompt>').description('create an agent')).action(
    withGlobals(create),
  )
  withSettings(
    agent
      .command('adopt <session>')
      .description(
        'create an agent that continues a session of Claude Code, by its id or in a FILE; the original is never changed',
      )
      .option('--as <id>', 'id of the agent (default: session- and the first characters of the session)')
      .option('--system-prompt <text>', 'its role (default: that it continues elsewhere)'),
  ).action(withGlobals(adopt))
  withSettings(
    agent
      .command('edit <id> [system-prompt]')
      .description('change an agent: what is given changes, from its next call on, and the rest stays'),
  )
    .option(
      '--unset <options...>',
      'options that go back to their defaults, as in: --unset model tools',
      listedNames,
    )
    .option(
      '--forget <rules...>',
      'rules that inbox approve --always has remembered: you decide such calls again',
      listedNames,
    )
    .action(withGlobals(edit))
  listCommand(agent.command('list').alias('ls'))
  agent.command('show <id>').description('show the state of an agent').action(withGlobals(show))
  agent
    .command('sessions <id>')
    .description('show the chain of sessions of an agent')
    .action(withGlobals(sessions))
  askCommand(agent)
  agent
    .command('cancel <id> [task]')
    .description('cancel a task, waiting or running; without a task, all tasks of the agent')
    .option('--reason <text>', 'reason to record', 'asked to')
    .action(withGlobals(cancel))
  openCommand(agent)
  filesCommands(agent)
  heldCommands(agent)
  definitionCommands(agent)
  agent
    .command('reset <id>')
    .description('start a new chain of sessions; the old one stays in the log')
    .action(withGlobals(reset))
  agent
    .command('remove <id>')
    .alias('rm')
    .description('remove an agent and its directories; its history stays in the log')
    .option(
      '--force',
      'also with held tasks and messages, which are dropped, and with work that is not landed, which a ref keeps',
    )
    .action(withGlobals(remove))
}

export const listCommand = (command: Command) =>
  void command
    .description('list agents: their OPEN tasks, which wait or run, those DONE, and what all calls cost')
    .action(withGlobals(listAgents))

async function create(globals: GlobalOptions, id: string, systemPrompt: string, settings: AgentSettings) {
  const agentOptions = await agentOptionsOf(id, systemPrompt, settings)
  return makeAgent(globals, agentOptions, {
    make: (orchestrator) => orchestrator.createAgent(agentOptions),
    value: describe,
    line: `Created ${id}.`,
  })
}

interface AdoptCommandOptions extends AgentSettings {
  readonly as?: string
  readonly systemPrompt?: string
}

async function adopt(
  globals: GlobalOptions,
  session: string,
  { as, systemPrompt, ...settings }: AdoptCommandOptions,
): Promise<void> {
  const { findSession } = await import('../../claude/session/adoption.ts')
  const { path, sessionId, turns } = await findSession(session)
  const role = adoptingOptions({ sessionId }, defined({ id: as, systemPrompt }))
  const agentOptions = await agentOptionsOf(role.id, role.systemPrompt, settings)
  return makeAgent(globals, agentOptions, {
    make: (orchestrator) => orchestrator.adopt(path, agentOptions),
    value: ({ id }) => ({ id, sessionId, turns }),
    line: `${role.id} continues session ${sessionId}, with ${plural(turns, 'turn')} so far.`,
  })
}

/** How an agent is made, and what is said of it: with --json, the value. */
interface Making {
  make(orchestrator: Orchestrator): Promise<AgentRef>
  value(agent: AgentRef): unknown
  readonly line: string
}

function makeAgent(
  globals: GlobalOptions,
  agentOptions: AgentOptions,
  { make, value, line }: Making,
): Promise<void> {
  // Before a store is made for it.
  agentConfig(agentOptions)
  return withSession(
    globals,
    async ({ orchestrator, terminal }) => {
      const agent = await make(orchestrator)
      warn(agent, terminal)
      if (terminal.json) return terminal.value(await value(agent))
      terminal.line(line)
      await tellFiles(agent, terminal)
      terminal.note(`Ask it something: claude-agents agent ask ${agent.id} "..."`)
    },
    'change',
  )
}

interface EditOptions extends AgentSettings {
  readonly unset?: readonly string[]
  readonly forget?: readonly string[]
}

async function edit(
  globals: GlobalOptions,
  id: string,
  systemPrompt: string | undefined,
  { unset, forget: forgetRules, ...settings }: EditOptions,
) {
  const changes = await changesOf(systemPrompt, settings, unset)
  const isOfConfig = Object.keys(changes).length > 0
  if (!isOfConfig && forgetRules === undefined)
    throw new InvalidInputError({
      what: 'agent edit',
      problem: 'it is not said what to change',
      hint: CHANGE,
    })
  const { config } = globals
  if (isOfConfig && config.agents?.some((declared) => declared.id === id)) {
    const problem = `the configuration declares it, and would change it back`
    throw new InvalidInputError({ what: `agent "${id}"`, problem, hint: `Edit it in ${config.file}.` })
  }
  return withAgent(globals, id, async (agent, { terminal }) => {
    const before = agent.snapshot.context.config
    await agent.edit({ ...changes, ...defined({ forgetRules }) }, { by: userName() })
    warn(agent, terminal)
    const { requires } = agent.snapshot.context.config ?? {}
    if (changes.requires && (await whereabouts(globals))?.({ id, requires }).isUnplaced)
      terminal.note(`No worker has ${requires?.join(', ')}: ${id} waits for one.`)
    if (terminal.json) return terminal.value(await describe(agent))
    const isSame =
      forgetRules === undefined && canonicalJson(agent.snapshot.context.config) === canonicalJson(before)
    terminal.line(isSame ? `${id} is so already.` : `Changed ${id}, from its next call on.`)
    await tellFiles(agent, terminal)
  })
}

const CHANGE = 'As in: claude-agents agent edit ID --model opus, or with --unset model'

/** What an agent is that its user should know of. */
function warn({ id, snapshot }: AgentRef, terminal: Terminal): void {
  const { permissions, workspace, allowedTools } = snapshot.context.config ?? {}
  if (permissions === 'bypass')
    terminal.note(`warning: ${id} can do anything you can, without asking: run it in a container`)
  else if (workspace?.commits === 'agent' && !allowedTools?.some((tool) => tool.startsWith('Bash')))
    terminal.note(`${id} commits by itself, and needs git for that: --tools 'Bash(git *)'`)
}

async function listAgents(globals: GlobalOptions) {
  if (!hasAgents(globals)) return noteNoStore(globals)
  const agents = hasStore(globals) ? await storedAgents(globals) : []
  const find = await whereabouts(globals)
  const listed = withDeclared(agents, globals).map((agent) => ({ ...agent, ...workerField(find?.(agent)) }))
  printAgents(terminal(globals), listed, find)
}

/** `declared`: only in the configuration so far; it is created by the first command that works with agents. */
type ListedAgent = Omit<AgentInfo, 'status'> & { readonly status: AgentInfo['status'] | 'declared' }

function withDeclared(agents: readonly AgentInfo[], { config }: GlobalOptions): readonly ListedAgent[] {
  const ids = new Set(agents.map(({ id }) => id))
  const declared = (config.agents ?? []).filter(({ id }) => !ids.has(id)).map(({ id }) => ({ ...UNUSED, id }))
  return [...agents, ...declared].sort((one, other) => (one.id < other.id ? -1 : 1))
}

const UNUSED: Omit<ListedAgent, 'id'> = {
  status: 'declared',
  ...{ version: 0, currentSession: null, queue: 0, held: 0, lateAnswers: 0 },
  ...{ totalInteractions: 0, totalTokens: 0, totalCostUsd: 0, estimatedCostUsd: 0 },
}

function printAgents(
  terminal: Terminal,
  agents: readonly ListedAgent[],
  find: Awaited<ReturnType<typeof whereabouts>>,
): void {
  const none = 'No agents yet. Create one: claude-agents agent create ID "SYSTEM PROMPT"'
  const columns = [
    { head: 'AGENT' },
    { head: 'STATUS', width: 7 },
    { head: 'OPEN', right: true },
    { head: 'DONE', right: true },
    { head: 'COST', right: true },
    ...(find ? [{ head: 'WORKER' }] : []),
  ]
  list(terminal, agents, none, () =>
    table(
      terminal,
      columns,
      agents.map((agent) => [
        agent.id,
        shownStatus(agent),
        agent.queue,
        agent.totalInteractions,
        dollarsSpent(agent.totalCostUsd, agent.estimatedCostUsd),
        ...(find ? [workerInList(find(agent), agent)] : []),
      ]),
    ),
  )
}

const workerInList = ({ worker, isUnplaced }: Whereabouts, { requires = [] }: ListedAgent) =>
  isUnplaced ? `none with ${requires.join(', ')}` : (worker ?? '-')

/** `held`: idle, with nothing but held tasks to do. */
export const shownStatus = <Status extends string>(agent: {
  readonly status: Status
  readonly held: number
}): Status | 'held' => (agent.status === 'idle' && agent.held > 0 ? 'held' : agent.status)

const MESSAGES_IN_WORDS = {
  queue: 'wait for its next task',
  wake: 'begin a task',
  hold: 'wait for you, in the inbox',
}

const teamInWords = (team: boolean | readonly string[] | undefined) =>
  typeof team === 'object' ? team.join(', ') : team ? 'yes' : undefined

function show(globals: GlobalOptions, id: string) {
  return readAgent(globals, id, async (agent, { terminal }) => {
    const described = await describe(agent)
    const found = (await whereabouts(globals))?.(described)
    const view = { ...described, ...workerField(found) }
    if (terminal.json) return terminal.value(view)
    const { metrics, current, queue } = view
    const pairs: [string, string][] = [
      ['agent', id],
      ['status', shownStatus({ status: view.status, held: view.held.length })],
      ['system prompt', cut(view.systemPrompt, 120)],
      ['session', view.currentSession ?? '(none yet)'],
      ['sessions', String(metrics.sessionCount)],
      ['working on', current ? `${current.taskId} (call ${current.attempt})` : '-'],
      ['waiting', queue.map(({ taskId }) => taskId).join(', ') || '-'],
      ['tokens', String(metrics.totalTokens)],
      ['cost', dollarsSpent(metrics.totalCostUsd, metrics.estimatedCostUsd)],
    ]
    const unread = agent.snapshot.context.unread?.length ?? 0
    if (unread > 0) pairs.push(['unread', `${plural(unread, 'message')}: claude-agents message list ${id}`])
    for (const { message, hint } of view.held) pairs.push(['held', message], ['', asTyped(hint)])
    const options: [string, string | undefined][] = [
      ['model', view.model],
      ['tools', view.allowedTools?.join(', ')],
      ['you approve', view.approveTools?.join(', ')],
      ['but not', view.rules?.join(', ')],
      ['never', view.disallowedTools?.join(', ')],
      ['asks you', view.questions ? 'yes, in the inbox' : undefined],
      ['its team', teamInWords(view.team)],
      ['messages', view.onMessage && MESSAGES_IN_WORDS[view.onMessage]],
      ['servers', view.mcpServers && Object.keys(view.mcpServers).join(', ')],
      ['plugins', view.plugins?.join(', ')],
      ['also works in', view.addDirs?.join(', ')],
      ['variables', view.env?.join(', ')],
      ['requires', view.requires?.join(', ')],
      ['lives', livesInWords(found, view)],
      ['came from', view.moved && moveInWords(view.moved)],
      ['effort', view.effort],
      ['fallback', view.fallbackModel],
    ]
    pairs.splice(
      3,
      0,
      ...options.flatMap(([name, value]) => (value ? [[name, value] as [string, string]] : [])),
    )
    if (view.workspace && view.project)
      pairs.splice(3, 0, ['files', view.workspace.path], ['project', projectInWords(view.project)])
    if (view.failure) pairs.push(['last failure', view.failure.message])
    for (const line of details(terminal, pairs)) terminal.line(line)
  })
}

function sessions(globals: GlobalOptions, id: string) {
  return readAgent(globals, id, async (agent, { terminal }) => {
    const { session } = agent.snapshot.context
    list(terminal, await agent.sessions(), `${id} has not answered anything yet.`, (links) =>
      links.map(({ sessionId, parentSessionId, taskId, rebuilt }) => {
        const mark = parentSessionId === null ? '●' : '└'
        const task = taskId === null ? 'adopted' : `task ${taskId}${rebuilt ? ', rebuilt from the log' : ''}`
        const head = sessionId === session ? terminal.style('green', '  (the next task continues here)') : ''
        return `${mark} ${sessionId}  ${terminal.style('dim', task)}${head}`
      }),
    )
  })
}

function cancel(
  globals: GlobalOptions,
  id: string,
  task: string | undefined,
  { reason }: { readonly reason: string },
) {
  return withAgent(globals, id, async (agent, { orchestrator, terminal }) => {
    const { current, queue } = agent.snapshot.context
    const tasks = task === undefined ? [...(current ? [current] : []), ...queue] : [{ taskId: task }]
    const cancelled: string[] = []
    // Waiting tasks first, so that none of them starts meanwhile.
    for (const { taskId } of tasks.toReversed())
      if (await agent.cancel(taskId, reason, { by: userName() })) cancelled.push(taskId)
    if (task !== undefined && cancelled.length === 0) {
      const end = await endOf(orchestrator, id, task)
      terminal.note(`Nothing was cancelled: task ${task} of ${id} ${end}.`)
      process.exitCode ??= 1
    }
    if (terminal.json) return terminal.value({ id, cancelled: cancelled.toReversed() })
    if (cancelled.length > 0) terminal.line(`Cancelled ${cancelled.toReversed().join(', ')}.`)
    else if (task === undefined) terminal.note(`${id} has no task; nothing was cancelled.`)
  })
}

const ENDS: Readonly<Record<string, string>> = {
  CallSucceeded: 'has been answered',
  TaskFailed: 'has failed',
  TaskCancelled: 'has been cancelled already',
}

/** What has become of a task. Throws TaskNotFoundError. */
async function endOf({ history }: Orchestrator, agent: string, taskId: string): Promise<string> {
  for await (const { type, data } of history.log({ stream: `agent/${agent}` })) {
    const end = data.taskId === taskId ? ENDS[type] : undefined
    if (end !== undefined) return end
  }
  throw new TaskNotFoundError({ taskId, agent })
}

function reset(globals: GlobalOptions, id: string) {
  return withAgent(globals, id, async (agent, { terminal }) => {
    await agent.reset({ by: userName() })
    if (terminal.json) return terminal.value(await describe(agent))
    terminal.line(`${id} starts a new chain of sessions with its next task.`)
  })
}

function remove(globals: GlobalOptions, id: string, options: { readonly force?: boolean }) {
  requireAgents(globals, id)
  return withSession(
    globals,
    async ({ orchestrator, terminal }) => {
      const droppedTasks = (await orchestrator.agents()).find((agent) => agent.id === id)?.queue ?? 0
      const { kept } = await orchestrator.removeAgent(id, options)
      if (terminal.json) return terminal.value({ id, removed: true, droppedTasks, ...(kept && { kept }) })
      const dropped = droppedTasks === 0 ? '' : ` It dropped ${plural(droppedTasks, 'unfinished task')}.`
      terminal.line(`Removed ${id}.${dropped}`)
      if (kept)
        terminal.line(`Its work that was not landed is kept: git -C ${kept.repository} log ${kept.ref}`)
      terminal.note(`Its history stays in the log: claude-agents log --stream agent/${id}`)
    },
    'change',
  )
}

/** The options that are set, but for those that have a place of their own. */
function shownOptions(id: string, config: AgentConfig) {
  const { id: _, systemPrompt, workspace, timeoutMs, retry, permissions, ...options } = optionsOf(id, config)
  return { ...options, ...(permissions === 'bypass' && { permissions }) }
}

/** From which worker it came, and what did not come along. */
function moveInWords({ from, workspace, session, problems = [] }: Move): string {
  const lost = [workspace === 'lost' && 'its files', session === 'lost' && 'its session'].filter(Boolean)
  const because = problems.length > 0 ? ` (${problems.join('; ')})` : ''
  return lost.length === 0 ? `worker ${from}` : `worker ${from}, without ${lost.join(' and ')}${because}`
}

/** The shape of `agent show --json`. */
async function describe(agent: AgentRef) {
  const { context, value } = agent.snapshot
  const { totalInteractions, totalTokens, totalCostUsd, estimatedCostUsd, sessionCount } = agent.metrics()
  return {
    id: agent.id,
    status: value,
    version: agent.version,
    systemPrompt: context.config?.systemPrompt ?? '',
    ...(context.config && shownOptions(agent.id, context.config)),
    ...(context.rules && context.rules.length > 0 && { rules: context.rules }),
    ...(context.config?.workspace && {
      workspace: { ...context.config.workspace, path: agent.workspace },
      project: await agent.files.project(),
    }),
    ...(context.stored?.moved && { moved: context.stored.moved }),
    currentSession: context.session,
    sessions: await agent.sessions(),
    current: context.current && { taskId: context.current.taskId, attempt: context.current.attempt },
    queue: context.queue.map(({ taskId, hold }) => ({ taskId, ...(hold && { held: hold.reason }) })),
    held: await agent.held(),
    failure: context.failure && { code: context.failure.tag, message: context.failure.message },
    metrics: { totalInteractions, totalTokens, totalCostUsd, estimatedCostUsd, sessionCount },
  }
}
