/** `workflow list | show | cancel`: runs of the past and the present. */
import { systemClock } from '../../clock.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { ago, dollars, duration, plural } from '../../events/figures.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import { userName } from '../../inbox/user-name.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { RunCondition, RunDetails, RunInfo } from '../../patterns/runs/options.ts'
import type { RecordedStep } from '../../patterns/runs/recorded-steps.ts'
import type { GlobalOptions } from '../global-options.ts'
import { shownEntries } from '../inbox/entry-lines.ts'
import { readStore, type Session, withStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import type { Terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { cut, inert } from '../terminal/text.ts'

const COLOURS = {
  absent: 'dim',
  running: 'cyan',
  waiting: 'yellow',
  held: 'yellow',
  paused: 'yellow',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
} as const satisfies Record<RunCondition, string>

export function listRuns(globals: GlobalOptions) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const none = 'No runs yet. Start one: claude-agents workflow template research "TOPIC"'
    const columns = [
      { head: 'RUN' },
      { head: 'STATUS' },
      { head: 'TOPIC', flexible: true },
      { head: 'STARTED', right: true, spare: true },
      { head: 'TOOK', right: true, spare: true },
      { head: 'COST', right: true, spare: true },
      { head: 'STEPS', right: true, spare: true },
      { head: 'NAME', flexible: true, spare: true },
    ] as const
    list(terminal, await orchestrator.runs.list(), none, (runs) =>
      table(
        terminal,
        columns,
        runs.map(
          ({ runId, name, status, reason, topic, startedAt, durationMs, steps, done, costUsd, driver }) => [
            runId,
            [COLOURS[status], conditionOf({ status, reason, driver })],
            cut(topic, LONGEST_TOPIC),
            startedAt === null ? '-' : ago(systemClock.now() - Date.parse(startedAt)),
            duration(durationMs),
            dollars(costUsd),
            hasFailedSteps({ status, reason }) ? `${done} done` : stepCount(done, steps),
            name,
          ],
        ),
      ),
    )
  })
}

/** Its status, with why it waits, or the worker that executes it. */
function conditionOf({ status, reason, driver }: Pick<RunInfo, 'status' | 'reason' | 'driver'>): string {
  if (status === 'waiting') return `${status}: ${reason}`
  return typeof driver === 'string' ? `${status} in ${inert(driver)}` : status
}

/** How many of its steps were answered. One that failed is a step as well. */
export const stepsInWords = (taken: RunDetails['taken']): string =>
  `${stepCount(taken.filter(({ state }) => state === 'succeeded').length, taken.length)} steps`

/** The figures in lists leave out steps that failed or were cut off, so they do not say how many there were. */
const hasFailedSteps = ({ status, reason }: Pick<RunInfo, 'status' | 'reason'>) =>
  status === 'failed' || status === 'cancelled' || reason === 'paused'

/** A run that has not begun a step yet has none, not none of none. */
const stepCount = (done: number, steps: number) => (steps === 0 ? 'no' : `${done} of ${steps}`)

/** In columns, where the output is not for a terminal. */
const LONGEST_TOPIC = 60

export function showRun(globals: GlobalOptions, runId: string) {
  const show = async ({ orchestrator, terminal }: Session) => {
    const run = await orchestrator.runs.show(runId)
    if (terminal.json) terminal.value(jsonDetails(run))
    else {
      const waiting = await waitingFor(orchestrator, run)
      printRun(terminal, run, waiting, await shownEntries(terminal, waiting, globals.baseDir))
    }
  }
  return readStore(globals, show, () => new RunNotFoundError({ runId }))
}

export function cancelRun(globals: GlobalOptions, runId: string) {
  const cancel = async ({ orchestrator, terminal }: Session) => {
    await orchestrator.runs.cancel(runId, undefined, { by: userName() })
    if (terminal.json) return terminal.value({ runId, status: 'cancelled' })
    terminal.line(`Cancelled run ${runId}.`)
    terminal.note(`What it did stays in the log: claude-agents workflow show ${runId}`)
  }
  return withStore(globals, cancel, () => new RunNotFoundError({ runId }), 'change')
}

/** The shape of `workflow show --json`, without the answers of the steps, which are many and long. */
function jsonDetails({ taken, ...run }: RunDetails) {
  return { ...run, taken: taken.map(({ text, ...step }) => step) }
}

const HAS_NOTHING_LEFT = new Set<RunCondition>(['succeeded', 'cancelled'])

/** What of a run waits for a person: its held tasks, and its work that was set aside. */
export async function waitingFor(
  { inbox }: Pick<Orchestrator, 'inbox'>,
  { runId, status }: RunDetails,
): Promise<readonly InboxEntry[]> {
  if (HAS_NOTHING_LEFT.has(status)) return []
  return (await inbox.list()).filter(({ run, kind }) => run === runId && kind !== 'run')
}

function printRun(
  terminal: Terminal,
  run: RunDetails,
  waiting: readonly InboxEntry[],
  shown: readonly (readonly string[])[],
): void {
  const { runId, name, status, topic, startedAt, durationMs, costUsd, taken, finalOutput } = run
  const state = terminal.style(COLOURS[status], conditionOf(run))
  const figures = [stepsInWords(taken), duration(durationMs), dollars(costUsd)].join('  ')
  terminal.line(`run ${runId}  ${inert(name)}  ${state}  ${figures}`)
  if (startedAt !== null) terminal.row(terminal.style('dim', `${startedAt}  ${inert(topic)}`.trimEnd()))
  const width = Math.max(0, ...taken.map(({ worker }) => worker.length))
  taken.forEach((step, index) => {
    terminal.row(stepLine(terminal, step, index === taken.length - 1 ? '└' : '├', width))
  })
  for (const lines of shown) terminal.line(`\n${lines.join('\n')}`)
  if (finalOutput !== null && finalOutput !== '') terminal.line(`\n${inert(finalOutput)}`)
  const advice = howToContinue(run, waiting)
  if (advice !== null) terminal.note(advice)
}

/** What to do next with a run that does not continue by itself; null if there is nothing to do. */
export function howToContinue(
  { runId, reason, status, taken, workflow }: RunDetails,
  waiting: readonly InboxEntry[],
): string | null {
  const isOfProgram = workflow === null || workflow.kind === 'program'
  const resume = isOfProgram
    ? `Resume it in its program, or name its code: claude-agents workflow resume ${runId} --module FILE`
    : `Resume it: claude-agents workflow resume ${runId}`
  if (reason === 'held' && waiting.length > 0)
    return `It continues when ${waiting.length === 1 ? 'this is' : 'these are'} decided. All that waits for you: claude-agents inbox`
  if (reason === 'paused') return `It does not continue: it is paused. ${resume}`
  if (reason !== null) return `It does not continue: ${ADVICE[reason](runId)}`
  if (status !== 'failed') return null
  // An answer is kept, and only its work is missing: another call would pay for it again.
  const isAnswered = taken.length > 0 && taken.every(({ state }) => state === 'succeeded')
  if (!isAnswered) return resume
  if (waiting.some(({ kind }) => kind === 'landing'))
    return 'All its tasks are answered, so there is nothing to resume. Land what was set aside, once you have looked at it.'
  return workflow?.kind === 'fleet'
    ? `All its tasks are answered, so there is nothing to resume. What they changed: claude-agents workflow diff ${runId}`
    : resume
}

/** What a run waits for, and how it gets that. */
const ADVICE: Readonly<Record<NonNullable<RunInfo['reason']>, (runId: string) => string>> = {
  paused: (runId) => `it is paused. Resume it: claude-agents workflow resume ${runId}`,
  held: () => 'it is held. To see why: claude-agents inbox',
  'needs an owner': (runId) =>
    `it needs an owner. Start one: claude-agents serve. Or resume it: claude-agents workflow resume ${runId}`,
  'needs its program': (runId) =>
    `it needs its program. Start that, or name its code: claude-agents workflow resume ${runId} --module FILE`,
  'needs its agents': (runId) =>
    `it needs its agents. To see which: claude-agents workflow resume ${runId} --plan`,
  'its workflow changed': (runId) =>
    `its workflow changed. To see what would be asked again: claude-agents workflow resume ${runId} --plan. To take the change: claude-agents workflow resume ${runId} --accept-changes`,
  'its workflow cannot be built': (runId) =>
    `its workflow cannot be built. To see why: claude-agents workflow resume ${runId} --plan`,
}

/** Says which runs do not continue, and why. */
export async function noteWaitingRuns(orchestrator: Orchestrator, terminal: Terminal): Promise<number> {
  const open = await orchestrator.runs.list({ open: true })
  const runs = open.filter(({ status }) => status !== 'running').toReversed()
  for (const { runId, name, reason } of runs)
    if (reason !== null) terminal.note(`Run ${runId} (${inert(name)}) waits: ${ADVICE[reason](runId)}`)
  return runs.length
}

const STATES = { scheduled: 'open', succeeded: 'done', failed: 'failed', cancelled: 'cancelled' } as const
const STATE_COLOURS = { scheduled: 'cyan', succeeded: 'green', failed: 'red', cancelled: 'yellow' } as const

function stepLine(terminal: Terminal, step: RecordedStep, branch: string, width: number): string {
  const { worker, state, durationMs, carriedFrom, tokens, costUsd, problem, tries } = step
  const word = terminal.style(STATE_COLOURS[state], STATES[state].padEnd(9))
  const figures =
    carriedFrom !== null
      ? `carried over from run ${carriedFrom}`
      : state === 'succeeded'
        ? `${duration(durationMs).padStart(7)}  ${plural(tokens, 'token').padStart(13)}  ${dollars(costUsd)}`
        : inert(problem ?? '')
  const again = tries > 1 ? `  (asked ${tries} times)` : ''
  return `${branch} ${worker.padEnd(width)}  ${word}  ${figures}${again}`.trimEnd()
}
