/** `top`: what all agents are doing, what waits, and what it has cost: once, or again and again in place. */
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentStatus } from '../actors/agent/machine.ts'
import type { AgentInfo } from '../actors/agent/system.ts'
import type { Orchestrator } from '../orchestrator.ts'
import { noteNoStore, shownStatus } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { type Interruption, listenForInterruption } from './interruption.ts'
import { type Terminal, terminal } from './terminal.ts'

export interface TopOptions {
  readonly once?: boolean
  /** Seconds. */
  readonly interval: number
}

/** All there is to show. */
interface View {
  readonly agents: readonly AgentInfo[]
  readonly runs: number
  readonly owner: number | null
}

const COLOURS: Partial<Record<AgentStatus | 'held', 'green' | 'cyan' | 'yellow' | 'red' | 'dim'>> = {
  idle: 'dim',
  busy: 'cyan',
  retry: 'yellow',
  held: 'yellow',
  error: 'red',
  stopped: 'dim',
}

export async function top(globals: GlobalOptions, options: TopOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { watchStore } = await import('../remote/watched-store.ts')
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const store = watchStore(resolve(globals.baseDir))
  const look = () => store.look(view)
  try {
    if (!screen.interactive || options.once) return print(screen, await look())
    await show(screen, look, options.interval * 1000, interruption)
  } finally {
    interruption.stop()
  }
}

const view = async (orchestrator: Orchestrator, owner: number | null): Promise<View> => ({
  agents: await orchestrator.agents(),
  runs: (await orchestrator.runs.list()).filter(({ status }) => status === 'running').length,
  owner,
})

/** A call is in flight exactly while the agent is busy. */
const callsOf = ({ status }: AgentInfo) => (status === 'busy' ? 1 : 0)

function print(screen: Terminal, seen: View): void {
  if (!screen.json) for (const line of lines(screen, seen)) screen.line(line)
  else for (const agent of seen.agents) screen.value({ ...agent, callsInFlight: callsOf(agent) })
}

/** The table, cut to a screen of so many rows. */
export function lines(
  screen: Pick<Terminal, 'style'>,
  { agents, runs, owner }: View,
  rows = Number.POSITIVE_INFINITY,
): readonly string[] {
  const sum = (of: (agent: AgentInfo) => number) => agents.reduce((total, agent) => total + of(agent), 0)
  const calls = sum(callsOf)
  const waiting = sum(({ queue }) => queue) - calls
  const who = owner === null ? 'no process has the store open' : `process ${owner} has the store open`
  const counts = [
    counted(agents.length, 'agent'),
    `${counted(calls, 'call')} in flight`,
    `${counted(waiting, 'task')} waiting`,
    `${counted(runs, 'run')} going on`,
  ]
  const width = Math.max(5, ...agents.map(({ id }) => id.length))
  const shown = agents.slice(0, Math.max(1, rows - 6))
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell, index) => String(cell).padStart([0, 0, 5, 5, 6, 12, 10][index] ?? 0)).join('  ')
  const total = ['total'.padEnd(width), ' '.repeat(7), calls, sum(({ queue }) => queue)]
  return [
    `${counts.join(', ')}  ${screen.style('dim', who)}`,
    screen.style('dim', row(['AGENT'.padEnd(width), 'STATUS ', 'CALLS', 'TASKS', 'DONE', 'TOKENS', 'COST'])),
    ...shown.map((agent) => {
      const { id, queue, totalInteractions, totalTokens, totalCostUsd } = agent
      const status = shownStatus(agent)
      const state = screen.style(COLOURS[status] ?? 'dim', status.padEnd(7))
      return row([
        id.padEnd(width),
        state,
        callsOf(agent),
        queue,
        totalInteractions,
        totalTokens,
        dollars(totalCostUsd),
      ])
    }),
    ...(shown.length < agents.length
      ? [screen.style('dim', `and ${agents.length - shown.length} more`)]
      : []),
    row([
      ...total,
      sum(({ totalInteractions }) => totalInteractions),
      sum(({ totalTokens }) => totalTokens),
      dollars(sum(({ totalCostUsd }) => totalCostUsd)),
    ]),
  ]
}

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`
const dollars = (amount: number) => `$${amount.toFixed(4)}`

/** Without a cursor, and with lines that are cut instead of wrapped. */
const ALTERNATE_SCREEN = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const ORDINARY_SCREEN = '\u001b[?7h\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'

/** On a screen of its own, until q is pressed. */
async function show(
  screen: Terminal,
  look: () => Promise<View>,
  intervalMs: number,
  interruption: Interruption,
): Promise<void> {
  const quit = new AbortController()
  const { stdin, stdout } = process
  const key = (pressed: Buffer) => {
    // Ctrl-C is a key like others here.
    if (pressed.includes(3)) interruption.interrupt()
    if (pressed.includes(3) || pressed.toString() === 'q') quit.abort()
  }
  if (stdin.isTTY) stdin.setRawMode(true)
  stdin.on('data', key)
  stdout.write(ALTERNATE_SCREEN)
  const signal = AbortSignal.any([quit.signal, interruption.signal])
  try {
    while (!signal.aborted) {
      const table = lines(screen, await look(), stdout.rows || 24)
      const help = screen.style('dim', 'q ends')
      const text = [...table, help].map((line) => `${line}${REST_OF_LINE}\r\n`).join('')
      stdout.write(`${HOME}${text}${REST_OF_SCREEN}`)
      await Promise.race([
        delay(intervalMs, undefined, { signal }),
        once(stdout, 'resize', { signal }),
      ]).catch(() => {})
    }
  } finally {
    stdout.write(ORDINARY_SCREEN)
    stdin.off('data', key)
    if (stdin.isTTY) stdin.setRawMode(false)
    stdin.pause()
  }
}
