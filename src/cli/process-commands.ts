/** `ps`: which processes of calls run. It starts nothing, and ends nothing. */
import type { RunningProcess } from '../actors/agent/processes.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { inert, type Terminal, terminal } from './terminal.ts'

export async function processes(globals: GlobalOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  try {
    await withSession(globals, async ({ orchestrator, terminal }) => {
      print(terminal, await orchestrator.processes())
    })
  } catch (error) {
    const owner = ownerOf(error)
    if (owner === null) throw error
    await printFromTable(globals, owner)
  }
}

/** Another process has the store open, and cannot be asked: the pid is in the error. */
function ownerOf(error: unknown): number | null {
  const { details } = error as { details?: { pid?: unknown } }
  return typeof details?.pid === 'number' ? details.pid : null
}

/** What the system shows. Whoever opened the store has ended what its log does not know. */
async function printFromTable(globals: GlobalOptions, owner: number) {
  const { listProcesses } = await import('../claude/process/list.ts')
  const screen = terminal(globals)
  screen.note(`process ${owner} has the store open and does not answer: this is what the system shows`)
  print(
    screen,
    (await listProcesses(globals.baseDir)).map((found) => ({ ...found, state: 'known' as const, owner })),
  )
}

function print(screen: Terminal, running: readonly RunningProcess[]) {
  if (screen.json) {
    for (const one of running) screen.value(one)
    return
  }
  if (running.length === 0) return screen.note('No call is running.')
  const rows = running.map(({ agent, taskId, callId, pid, ageMs, others, state, owner }) => [
    agent,
    taskId ?? '-',
    callId,
    others === 0 ? String(pid) : `${pid} +${others}`,
    duration(ageMs),
    state === 'known' && owner === null ? 'known, waits to be adopted' : state,
  ])
  const widths = HEADERS.map((header, column) =>
    Math.max(header.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => inert(cell).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  screen.line(screen.style('dim', line(HEADERS)))
  for (const row of rows) screen.line(line(row))
}

const HEADERS = ['AGENT', 'TASK', 'CALL', 'PID', 'AGE', 'STATE']

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  if (hours > 0) return `${hours}h${String(minutes).padStart(2, '0')}m`
  return minutes > 0 ? `${minutes}m${String(seconds % 60).padStart(2, '0')}s` : `${seconds}s`
}
