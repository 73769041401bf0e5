/** `workflow list | show | cancel` */

import type { RunDetails } from '../patterns/runs/info.ts'
import type { RunStatus } from '../patterns/runs/machine.ts'
import type { RecordedStep } from '../patterns/runs/recorded-steps.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { elapsed } from './progress.ts'
import { withSession } from './session.ts'
import { inert, type Terminal } from './terminal.ts'

const COLOURS = {
  absent: 'dim',
  running: 'cyan',
  paused: 'yellow',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
} as const satisfies Record<RunStatus, string>

export async function list(globals: GlobalOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const runs = await orchestrator.runs.list()
    if (terminal.json) {
      for (const run of runs) terminal.value(run)
      return
    }
    if (runs.length === 0)
      return terminal.note('No runs yet. Start one: claude-agents workflow template research "TOPIC"')
    const width = Math.max(3, ...runs.map(({ runId }) => runId.length))
    terminal.line(terminal.style('dim', `${'RUN'.padEnd(width)}  STATUS       STEPS  COST     NAME`))
    for (const { runId, name, status, steps, done, costUsd } of runs) {
      const state = terminal.style(COLOURS[status], status.padEnd(9))
      const count = `${done} of ${steps}`.padStart(8)
      terminal.line(`${runId.padEnd(width)}  ${state}  ${count}  ${dollars(costUsd)}  ${inert(name)}`)
    }
  })
}

export async function show(globals: GlobalOptions, runId: string) {
  const { RunNotFoundError } = await import('../events/errors/run.ts')
  if (!hasStore(globals)) throw new RunNotFoundError({ runId })
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const run = await orchestrator.runs.show(runId)
    if (terminal.json) terminal.value(jsonDetails(run))
    else printRun(terminal, run)
  })
}

export async function cancel(globals: GlobalOptions, runId: string) {
  const { RunNotFoundError } = await import('../events/errors/run.ts')
  if (!hasStore(globals)) throw new RunNotFoundError({ runId })
  return withSession(globals, async ({ orchestrator, terminal }) => {
    await orchestrator.runs.cancel(runId)
    if (terminal.json) return terminal.value({ runId, status: 'cancelled' })
    terminal.line(
      `Cancelled run ${runId}. What it did stays in the log: claude-agents workflow show ${runId}`,
    )
  })
}

/** The shape of `workflow show --json`. Answers are many and long: that of the run is enough. */
function jsonDetails({ taken, ...run }: RunDetails) {
  return { ...run, taken: taken.map(({ text, ...step }) => step) }
}

function printRun(terminal: Terminal, run: RunDetails): void {
  const { runId, name, status, steps, done, costUsd, taken, finalOutput } = run
  const state = terminal.style(COLOURS[status], status)
  terminal.line(`run ${runId}  ${inert(name)}  ${state}  ${done} of ${steps} steps  ${dollars(costUsd)}`)
  const width = Math.max(0, ...taken.map(({ worker }) => worker.length))
  taken.forEach((step, index) => {
    terminal.line(stepLine(terminal, step, index === taken.length - 1 ? '└' : '├', width))
  })
  if (finalOutput !== null && finalOutput !== '') terminal.line(`\n${inert(finalOutput)}`)
  if (status === 'running' || status === 'paused' || status === 'failed')
    terminal.note(`Go on with it: claude-agents workflow resume ${runId}`)
}

const STATES = { scheduled: 'open', succeeded: 'done', failed: 'failed', cancelled: 'cancelled' } as const
const STATE_COLOURS = { scheduled: 'cyan', succeeded: 'green', failed: 'red', cancelled: 'yellow' } as const

function stepLine(terminal: Terminal, step: RecordedStep, branch: string, width: number): string {
  const { worker, state, durationMs, tokens, costUsd, problem, tries } = step
  const word = terminal.style(STATE_COLOURS[state], STATES[state].padEnd(9))
  const figures =
    state === 'succeeded'
      ? `${elapsed(durationMs).padStart(7)}  ${`${tokens} tokens`.padStart(13)}  ${dollars(costUsd)}`
      : inert(problem ?? '')
  const again = tries > 1 ? `  (asked ${tries} times)` : ''
  return `${branch} ${worker.padEnd(width)}  ${word}  ${figures}${again}`.trimEnd()
}

const dollars = (amount: number) => `$${amount.toFixed(4)}`
