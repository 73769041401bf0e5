/** `ps`: the processes of running calls, and the limits of their accounts. It neither starts nor ends any. */
import type { Command } from 'commander'
import type { RunningProcess } from '../../actors/agent/processes.ts'
import { listProcesses } from '../../claude/process/list.ts'
import { duration } from '../../events/figures.ts'
import { accountLine } from '../account/commands.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'

export function psCommand(command: Command): void {
  command
    .description('list the processes of running calls, and whether the log knows them')
    .action(withGlobals(ps))
}

async function ps(globals: GlobalOptions): Promise<void> {
  try {
    await readStore(globals, async ({ orchestrator, terminal, owner }) => {
      const found = await orchestrator.processes()
      // A worker has a directory, and a machine, of its own.
      if (globals.database !== undefined)
        terminal.note(
          `the calls that run on this machine for ${globals.baseDir}: --base-dir names another worker's`,
        )
      if (owner !== null && found.some((one) => one.owner === null))
        terminal.note(
          `process ${owner} has the store open and serves no other process; this is what its log says`,
        )
      print(
        terminal,
        found.map((one) => ({ ...one, owner: one.owner ?? owner })),
        globals.database === undefined,
      )
      const accounts = await orchestrator.accounts.list()
      if (terminal.json) for (const account of accounts) terminal.value(account)
      else for (const account of accounts) terminal.note(accountLine(account))
    })
  } catch (error) {
    const owner = ownerOf(error)
    if (owner === null) throw error
    await printFromSystem(globals, owner)
  }
}

/** The pid of another process that has the store open and does not answer; the error has it. */
function ownerOf(error: unknown): number | null {
  const { details } = error as { details?: { pid?: unknown } }
  return typeof details?.pid === 'number' ? details.pid : null
}

/** Known, all of them: a process that opens a store ends those its log does not know. */
async function printFromSystem(globals: GlobalOptions, owner: number) {
  const screen = terminal(globals)
  screen.note(`process ${owner} has the store open but does not answer; listing what the system shows`)
  const found = await listProcesses(globals.baseDir)
  print(
    screen,
    found.map((one) => ({ ...one, state: 'known' as const, owner })),
  )
}

const COLUMNS = [
  { head: 'AGENT' },
  { head: 'TASK', flexible: true },
  { head: 'CALL', flexible: true, spare: true },
  { head: 'PID' },
  { head: 'AGE' },
  { head: 'STATE', flexible: true },
] as const

/** @param isAdopted Whether what has no owner waits for the next process that opens the store. */
const print = (screen: Terminal, running: readonly RunningProcess[], isAdopted = true) =>
  list(screen, running, 'No call is running.', (processes) =>
    table(
      screen,
      COLUMNS,
      processes.map(({ agent, taskId, callId, pid, ageMs, others, state, owner }) => [
        agent,
        taskId ?? '-',
        callId,
        others === 0 ? pid : `${pid} +${others}`,
        duration(ageMs),
        isAdopted && state === 'known' && owner === null ? 'known, waiting to be adopted' : state,
      ]),
    ),
  )
