/** `top`: what agents are doing, what is waiting and what it has cost; once, or again and again in place. */
import type { Command } from 'commander'
import type { AccountInfo } from '../../actors/admission/accounts.ts'
import type { AgentInfo } from '../../actors/agent/list.ts'
import type { AgentStatus } from '../../actors/agent/state.ts'
import { dollarsSpent, plural } from '../../events/figures.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { accountLine } from '../account/commands.ts'
import { shownStatus } from '../agent/commands.ts'
import { oneOrMore } from '../arguments.ts'
import { hasStore, noteNoStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { type Interruption, listenForInterruption } from '../interruption.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { showScreen } from '../terminal/screen.ts'
import { type Cell, type TableScreen, table } from '../terminal/table.ts'
import { inert, widthOf } from '../terminal/text.ts'
import type { OwnerPid } from './watched-store.ts'

export function topCommand(command: Command): void {
  command
    .description('watch what agents are doing, what is waiting and what it costs')
    .option('--once', 'print it once (the default when stdout is not a terminal)')
    .option('--interval <seconds>', 'seconds between updates', oneOrMore, 1)
    .action(withGlobals(top))
}

/** `status`: `top --once`. */
export const statusCommand = (command: Command) =>
  void command.action(withGlobals((globals) => top(globals, { once: true, interval: 1 })))

interface TopOptions {
  readonly once?: boolean
  /** Seconds. */
  readonly interval: number
}

interface View {
  readonly agents: readonly AgentInfo[]
  readonly runs: number
  readonly accounts: readonly AccountInfo[]
  readonly owner: OwnerPid
}

async function top(globals: GlobalOptions, options: TopOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { watchStore } = await import('./watched-store.ts')
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const store = watchStore(globals)
  const look = () => store.look(viewOf)
  try {
    if (!screen.interactive || options.once) return print(screen, await look())
    await watch(screen, look, options.interval * 1000, interruption)
  } finally {
    interruption.stop()
  }
}

const viewOf = async (orchestrator: Orchestrator, owner: OwnerPid): Promise<View> => ({
  agents: await orchestrator.agents(),
  runs: (await orchestrator.runs.list({ open: true })).filter(({ status }) => status === 'running').length,
  accounts: await orchestrator.accounts.list(),
  owner,
})

function print(screen: Terminal, view: View): void {
  if (!screen.json) {
    for (const line of topLines(screen, view)) screen.row(line)
    return
  }
  for (const agent of view.agents) screen.value({ ...agent, callsInFlight: callsOf(agent) })
  for (const account of view.accounts) screen.value(account)
}

/** A call is in flight exactly while the agent is busy. */
const callsOf = ({ status }: AgentInfo) => (status === 'busy' ? 1 : 0)

const COLOURS: Partial<Record<AgentStatus | 'held', 'green' | 'cyan' | 'yellow' | 'red' | 'dim'>> = {
  idle: 'dim',
  busy: 'cyan',
  retry: 'yellow',
  held: 'yellow',
  error: 'red',
  stopped: 'dim',
}

/** Wide enough for large figures, so that the columns stay where they are. */
const COLUMNS = [
  { head: 'AGENT' },
  { head: 'STATUS', width: 7 },
  { head: 'CALLS', right: true, spare: true },
  { head: 'OPEN', right: true },
  { head: 'DONE', right: true, width: 6, spare: true },
  { head: 'TOKENS', right: true, width: 12, spare: true },
  { head: 'COST', right: true, width: 10 },
] as const

/** The table, cut to a screen of so many rows. */
export function topLines(
  screen: TableScreen,
  { agents, runs, accounts, owner }: View,
  rows = Number.POSITIVE_INFINITY,
): readonly string[] {
  const sum = (of: (agent: AgentInfo) => number) => agents.reduce((total, agent) => total + of(agent), 0)
  const calls = sum(callsOf)
  const tasks = sum(({ queue }) => queue)
  const counts = [
    plural(agents.length, 'agent'),
    `${plural(calls, 'call')} in flight`,
    `${plural(tasks - calls, 'task')} waiting`,
    `${plural(runs, 'run')} in progress`,
  ]
  const who = owner === null ? 'no process has the store open' : `process ${owner} has the store open`
  const parts = [counts.join(', '), ...(owner === undefined ? [] : [screen.style('dim', who)])]
  const both = parts.join('  ')
  const isWide = widthOf(inert(both)) <= (screen.columns ?? Number.POSITIVE_INFINITY)
  const heads = isWide ? [both] : parts
  const shown = agents.slice(0, Math.max(1, rows - 5 - heads.length - accounts.length))
  const total: readonly Cell[] = [
    'total',
    '',
    calls,
    tasks,
    sum(({ totalInteractions }) => totalInteractions),
    sum(({ totalTokens }) => totalTokens),
    dollarsSpent(
      sum(({ totalCostUsd }) => totalCostUsd),
      sum(({ estimatedCostUsd }) => estimatedCostUsd),
    ),
  ]
  const lines = table(screen, COLUMNS, [...shown.map(cellsOf), total])
  const hidden = agents.length - shown.length
  return [
    ...heads,
    ...accounts.map((account) =>
      account.status === 'open' ? accountLine(account) : screen.style('yellow', accountLine(account)),
    ),
    ...lines.slice(0, -1),
    ...(hidden > 0 ? [screen.style('dim', `and ${hidden} more`)] : []),
    ...lines.slice(-1),
  ]
}

function cellsOf(agent: AgentInfo): readonly Cell[] {
  const { id, queue, totalInteractions, totalTokens, totalCostUsd, estimatedCostUsd } = agent
  const status = shownStatus(agent)
  return [
    id,
    [COLOURS[status] ?? 'dim', status],
    callsOf(agent),
    queue,
    totalInteractions,
    totalTokens,
    dollarsSpent(totalCostUsd, estimatedCostUsd),
  ]
}

/** Draws on a screen of its own until q or Ctrl-C is pressed. */
function watch(
  screen: Terminal,
  look: () => Promise<View>,
  intervalMs: number,
  { signal }: Interruption,
): Promise<void> {
  const help = screen.style('dim', 'q quits')
  return showScreen(
    {
      draw: async ({ rows }) => ({ lines: [...topLines(screen, await look(), rows), help] }),
      press: ({ name }) => name !== 'q',
      follow(redraw) {
        const timer = setInterval(redraw, intervalMs)
        return () => clearInterval(timer)
      },
    },
    signal,
  )
}
