/** `agent create | list | show | sessions | reset | remove` */
import type { Agent } from '../actors/agent/agent.ts'
import type { AgentInfo } from '../actors/agent/system.ts'
import { type GlobalOptions, hasAgents } from './global-options.ts'
import { asTyped } from './own-name.ts'
import { withSession } from './session.ts'
import { inert, terminal } from './terminal.ts'

export interface CreateOptions {
  readonly tools?: readonly string[]
  readonly maxTurns?: number
  readonly model?: string
  /** Seconds. */
  readonly timeout?: number
  readonly retries?: number
  readonly loadProjectSettings?: boolean
  readonly dangerouslySkipPermissions?: boolean
}

export function create(globals: GlobalOptions, id: string, systemPrompt: string, options: CreateOptions) {
  const { tools, maxTurns, model, timeout, retries, loadProjectSettings, dangerouslySkipPermissions } =
    options
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const agent = await orchestrator.createAgent({
      id,
      systemPrompt,
      ...(tools === undefined ? {} : { allowedTools: tools }),
      ...(maxTurns === undefined ? {} : { maxTurns }),
      ...(model === undefined ? {} : { model }),
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
      ...(retries === undefined ? {} : { retry: { attempts: retries } }),
      ...(loadProjectSettings ? { loadProjectSettings } : {}),
      ...(dangerouslySkipPermissions ? { permissions: 'bypass' as const } : {}),
    })
    if (dangerouslySkipPermissions) {
      terminal.note(`warning: ${id} can do whatever you can do, without asking: run it in a container`)
    }
    if (terminal.json) return terminal.value(await describe(agent))
    terminal.line(asTyped(`Created ${id}. Ask it something: claude-agents agent ask ${id} "..."`))
  })
}

export async function list(globals: GlobalOptions) {
  if (!hasAgents(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const agents = await orchestrator.agents()
    if (terminal.json) {
      for (const agent of agents) terminal.value(agent)
      return
    }
    if (agents.length === 0)
      return terminal.note('No agents yet. Create one: claude-agents agent create ID "SYSTEM PROMPT"')
    const width = Math.max(5, ...agents.map(({ id }) => id.length))
    terminal.line(terminal.style('dim', `${'AGENT'.padEnd(width)}  STATUS   TASKS  DONE  COST`))
    for (const agent of agents) {
      const { id, queue, totalInteractions, totalCostUsd } = agent
      const cells = [
        id.padEnd(width),
        shownStatus(agent).padEnd(7),
        String(queue).padStart(5),
        String(totalInteractions).padStart(4),
      ]
      terminal.line(`${cells.join('  ')}  ${dollars(totalCostUsd)}`)
    }
  })
}

/** `held`: it does nothing, and has something to do. */
export const shownStatus = ({ status, held }: Pick<AgentInfo, 'status' | 'held'>) =>
  status === 'idle' && held > 0 ? 'held' : status

export function show(globals: GlobalOptions, id: string) {
  return withAgent(globals, id, async (agent, { terminal }) => {
    const view = await describe(agent)
    if (terminal.json) return terminal.value(view)
    const { metrics, current, queue } = view
    const rows: [string, string][] = [
      ['agent', id],
      ['status', view.status],
      ['system prompt', firstLine(view.systemPrompt)],
      ['session', view.currentSession ?? '(none yet)'],
      ['sessions', String(metrics.sessionCount)],
      ['works on', current ? `${current.taskId} (call ${current.attempt})` : '-'],
      ['waiting', queue.map(({ taskId }) => taskId).join(', ') || '-'],
      ['tokens', String(metrics.totalTokens)],
      ['cost', dollars(metrics.totalCostUsd)],
    ]
    for (const { taskId, message, hint } of view.held)
      rows.push([`held ${taskId}`.slice(0, 13), `${message} ${hint}`])
    if (view.failure) rows.push(['last failure', view.failure.message])
    for (const [name, value] of rows)
      terminal.line(`${terminal.style('dim', name.padEnd(14))}${inert(value)}`)
  })
}

export function sessions(globals: GlobalOptions, id: string) {
  return withAgent(globals, id, async (agent, { terminal }) => {
    const links = await agent.sessions()
    if (terminal.json) {
      for (const link of links) terminal.value(link)
      return
    }
    if (links.length === 0) return terminal.note(`${id} has not answered anything yet.`)
    const { session } = agent.snapshot.context
    for (const { sessionId, parentSessionId, taskId, rebuilt } of links) {
      const root = parentSessionId === null ? '●' : '└'
      const head = sessionId === session ? terminal.style('green', '  (the next task continues here)') : ''
      terminal.line(
        `${root} ${sessionId}  ${terminal.style('dim', `task ${taskId}${rebuilt ? ', rebuilt from the log' : ''}`)}${head}`,
      )
    }
  })
}

export function cancel(
  globals: GlobalOptions,
  id: string,
  task: string | undefined,
  { reason }: { readonly reason: string },
) {
  return withAgent(globals, id, async (agent, { terminal }) => {
    const { current, queue } = agent.snapshot.context
    const tasks = task === undefined ? [...(current ? [current] : []), ...queue] : [{ taskId: task }]
    const cancelled: string[] = []
    // Those that wait go first: none of them is begun meanwhile.
    for (const { taskId } of tasks.toReversed())
      if (await agent.cancel(taskId, reason)) cancelled.push(taskId)
    if (terminal.json) return terminal.value({ id, cancelled: cancelled.toReversed() })
    if (cancelled.length > 0) terminal.line(`Cancelled ${cancelled.toReversed().join(', ')}.`)
    else
      terminal.note(`${id} has no such task to do: nothing was cancelled (claude-agents agent show ${id}).`)
  })
}

export function reset(globals: GlobalOptions, id: string) {
  return withAgent(globals, id, async (agent, { terminal }) => {
    await agent.reset()
    if (terminal.json) return terminal.value(await describe(agent))
    terminal.line(`${id} begins a new session chain with its next task.`)
  })
}

export function remove(globals: GlobalOptions, id: string) {
  return withSession(globals, async ({ orchestrator, terminal }) => {
    await orchestrator.removeAgent(id)
    if (terminal.json) return terminal.value({ id, removed: true })
    terminal.line(
      asTyped(`Removed ${id}. Its history stays in the log: claude-agents log --stream agent/${id}`),
    )
  })
}

/** The shape of `agent show --json`. */
async function describe(agent: Agent) {
  const { context, value } = agent.snapshot
  const { totalInteractions, totalTokens, totalCostUsd, sessionCount } = agent.metrics()
  return {
    id: agent.id,
    status: value,
    version: agent.version,
    systemPrompt: context.config?.systemPrompt ?? '',
    currentSession: context.session,
    sessions: await agent.sessions(),
    current: context.current && { taskId: context.current.taskId, attempt: context.current.attempt },
    queue: context.queue.map(({ taskId, hold }) => ({ taskId, ...(hold && { held: hold.reason }) })),
    held: await agent.held(),
    failure: context.failure && { code: context.failure.tag, message: context.failure.message },
    metrics: { totalInteractions, totalTokens, totalCostUsd, sessionCount },
  }
}

function withAgent(
  globals: GlobalOptions,
  id: string,
  run: (agent: Agent, session: Parameters<Parameters<typeof withSession>[1]>[0]) => Promise<void>,
) {
  return withSession(globals, async (session) => run(await session.orchestrator.agent(id), session))
}

export function noteNoStore({ baseDir, json, color }: GlobalOptions): void {
  terminal({ json, color }).note(
    `There is nothing in ${baseDir} yet. Create an agent: claude-agents agent create ID "SYSTEM PROMPT"`,
  )
}

const dollars = (amount: number) => `$${amount.toFixed(4)}`
const firstLine = (text: string) => text.split('\n', 1)[0] ?? ''
