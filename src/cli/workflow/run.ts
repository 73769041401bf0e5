/** `workflow run | template | resume`: a workflow, followed to its end or paused by Ctrl-C. */

import { readFile } from 'node:fs/promises'
import { systemClock } from '../../clock.ts'
import { systemProblem } from '../../events/errors/phrases.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars, plural } from '../../events/figures.ts'
import { AGENT_ID_PATTERN, checkId } from '../../events/ids.ts'
import { defined, type JsonObject } from '../../events/json.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { userName } from '../../inbox/user-name.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { stepName, type Worker } from '../../patterns/pattern.ts'
import type { RunOptions } from '../../patterns/runs/options.ts'
import type { Run } from '../../patterns/runs/run.ts'
import type { WorkflowResult } from '../../patterns/runs/workflow-result.ts'
import { templateNamed, type WorkflowReference } from '../../workflows/pattern.ts'
import { hasStore, requireAgents } from '../existing-store.ts'
import { type FleetReport, fleetReport, jsonReport, markdownReport, nextSteps } from '../fleet/report.ts'
import type { GlobalOptions } from '../global-options.ts'
import { readStore, requireKnown, type Session, withSession, withStore } from '../session.ts'
import { pipedText, standardInput } from '../standard-input.ts'
import { markdownStream } from '../terminal/markdown-stream.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'
import { whenHeld } from './holds.ts'
import { printPlan } from './plan.ts'
import { showProgress } from './progress.ts'
import { givenReference, namedReference, type SourceOptions } from './source.ts'

interface RunNaming extends Pick<RunOptions, 'id' | 'session' | 'budget'> {
  readonly detach?: boolean
}

/** What a command adds to its run. */
interface RunCommand {
  /** Called before it starts. */
  readonly check?: (session: Session) => Promise<void>
  /** Called when it is followed; returns what to call when that is over. */
  readonly watch?: (session: Session) => () => void
  /** Called with the report of a fleet. */
  readonly report?: (report: FleetReport) => Promise<void>
}

export async function runWorkflow(
  globals: GlobalOptions,
  words: readonly string[],
  { id, detach, session, ...options }: RunNaming & SourceOptions,
) {
  if (id !== undefined) checkId('run', id)
  const reference = await givenReference(words.slice(0, -1), options, globals.configFile)
  const isOfAgents = reference.kind === 'agents'
  if (isOfAgents) requireAgents(globals, stepName(reference.agents[0] as Worker))
  const task = await taskFrom(words.at(-1), terminal(globals).note)
  const check = async (opened: Session) => {
    if (isOfAgents) await refuseAgentAsTask(opened, words.at(-1) ?? '')
  }
  return startRun(globals, reference, task, defined({ id, detach, session }), { check })
}

/** `workflow run researcher writer` would ask the researcher to do "writer". */
async function refuseAgentAsTask({ orchestrator }: Session, word: string): Promise<void> {
  if (!AGENT_ID_PATTERN.test(word) || (await orchestrator.agent(word).catch(() => null)) === null) return
  const problem = `it is missing: the last word, ${word}, is an agent`
  const hint = `Put the task last, in quotes. If "${word}" is the task, pipe it: echo ${word} | claude-agents workflow run ... -`
  throw new InvalidInputError({ what: 'The task', problem, hint })
}

export async function runTemplate(
  globals: GlobalOptions,
  name: string,
  input: string | undefined,
  { file, ...naming }: RunNaming & { readonly file?: string },
) {
  // A wrong name is refused before stdin is read, and before a store is made.
  templateNamed(name)
  if (naming.id !== undefined) checkId('run', naming.id)
  const task = await taskFrom(input, terminal(globals).note, file)
  return startRun(globals, { kind: 'template', name }, task, naming)
}

/** Starts a run, and follows it to its end unless it is left. */
export async function startRun(
  globals: GlobalOptions,
  reference: WorkflowReference,
  task: TaskInput,
  { detach, ...naming }: RunNaming,
  { check = async () => {}, watch = () => () => {}, report }: RunCommand = {},
): Promise<void> {
  if (detach) {
    // What is wrong is told before an owner is started for it.
    if (hasStore(globals)) await readStore(globals, check)
    await requireTeam(globals, reference)
    const begin = (session: Session) => leave(session, session.orchestrator.run(reference, task, naming))
    return withSession(globals, begin, 'leave')
  }
  return withSession(globals, async (session) => {
    await check(session)
    const { signal } = session
    const stop = watch(session)
    const running = session.orchestrator.run(reference, task, { ...naming, signal })
    await follow(session, running, report).finally(stop)
  })
}

/** `--detach`: prints the id of a run as soon as it is in the log. Its owner outlives this process. */
async function leave({ terminal, owner, leave: handOver, leftTo }: Session, running: Run): Promise<void> {
  // It may fail before this process ends.
  running.catch(() => {})
  await running.begun
  if (owner === null) handOver()
  if (terminal.json) return terminal.value({ runId: running.id })
  terminal.line(`run ${running.id}`)
  terminal.note(`It continues ${leftTo}. To follow it: claude-agents attach ${running.id}`)
}

/** Throws AgentNotFoundError. What a module asks for is known only when it runs. */
async function requireTeam(globals: GlobalOptions, reference: WorkflowReference): Promise<void> {
  if (reference.kind === 'module') return
  const { buildWorkflow } = await import('../../workflows/built-workflow.ts')
  const { pattern } = await buildWorkflow(reference)
  const created = new Set(pattern.team?.map(({ id }) => id))
  await requireKnown(globals, pattern.agents?.filter((agent) => !created.has(agent)) ?? [])
}

interface ResumptionOptions extends SourceOptions {
  readonly plan?: boolean
  readonly acceptChanges?: boolean
}

export function resumeRun(
  globals: GlobalOptions,
  runId: string,
  { plan, acceptChanges, ...options }: ResumptionOptions,
) {
  const work = async (session: Session) => {
    const { orchestrator, terminal, signal } = session
    const { workflow } = await orchestrator.runs.show(runId)
    const reference = await givenFor(workflow, options, globals.configFile)
    if (plan) return printPlan(terminal, runId, await orchestrator.runs.plan(runId, reference))
    const resumption = defined({ signal, acceptChanges, by: userName() || undefined })
    await follow(session, orchestrator.runs.resume(runId, reference, resumption))
  }
  return withStore(globals, work, () => new RunNotFoundError({ runId }), plan ? 'read' : 'call')
}

/** The workflow with which the command line resumes a run, if that may differ from the one that it recorded. */
async function givenFor(
  recorded: JsonObject | null,
  options: SourceOptions,
  configFile: string | undefined,
): Promise<WorkflowReference | undefined> {
  if (options.workflow !== undefined || options.module !== undefined)
    return namedReference(options, configFile)
  if (recorded?.kind !== 'config' || configFile === undefined) return undefined
  return { kind: 'config', name: String(recorded.name), file: configFile }
}

/** Shows the progress of a run until it ends, then its result. */
async function follow(
  { terminal, look }: Session,
  running: Run,
  report?: RunCommand['report'],
): Promise<void> {
  terminal.progress(terminal.accent('dim', `run ${running.id} (Ctrl-C pauses it)`))
  const progress = showProgress(terminal, systemClock)
  running.begun.then(() => progress.expect(running.agents)).catch(() => {})
  const watching = running.subscribe((event) => progress.note(event))
  const warn = (problem: string) => terminal.note(terminal.accent('yellow', inert(problem)))
  const waiting = whenHeld(running, warn, systemClock)
  let result: WorkflowResult
  try {
    result = await Promise.race([running, waiting.held])
  } finally {
    watching.unsubscribe()
    progress.stop()
    waiting.stop()
  }
  const outcome = await look((orchestrator) => runOutcome(orchestrator, result))
  printOutcome(terminal, outcome)
  if (outcome.report) await report?.(outcome.report)
}

/** What a run came to; of a fleet, its report as well. */
interface RunOutcome {
  readonly result: WorkflowResult
  readonly report: FleetReport | null
}

export async function runOutcome(orchestrator: Orchestrator, result: WorkflowResult): Promise<RunOutcome> {
  const mayBeFleet = result.pattern === 'fleet'
  return { result, report: mayBeFleet ? await fleetReport(orchestrator, result) : null }
}

/** Prints what a run came to, and sets the exit code. */
export function printOutcome(terminal: Terminal, { result, report }: RunOutcome): void {
  if (!result.success) process.exitCode ??= 1
  if (terminal.json) terminal.value(report ? jsonReport(report) : jsonResult(result))
  else if (report) printReport(terminal, report)
  else printResult(terminal, result)
}

function printReport(terminal: Terminal, report: FleetReport): void {
  const markdown = markdownStream(terminal)
  terminal.line(markdown.take(markdownReport(report)) + markdown.end())
  for (const step of nextSteps(report)) terminal.note(inert(step))
  terminal.note(`What the agents changed: claude-agents workflow diff ${report.runId}`)
}

/** The shape of `--json`. */
function jsonResult({ metadata: { runId, ...metadata }, ...result }: WorkflowResult) {
  const { pattern, success, agents, results, errors } = result
  return { runId, pattern, success, agents, results, metadata, errors }
}

function printResult(terminal: Terminal, { metadata, success, errors }: WorkflowResult): void {
  const { runId, finalOutput, steps, reused, costUsd } = metadata
  if (finalOutput !== '') terminal.line(inert(finalOutput))
  for (const { agent, message } of errors)
    terminal.note(terminal.accent('red', inert(`${agent === '' ? 'error' : agent}: ${message}`)))
  if (!success) terminal.note(`Retry what failed: claude-agents workflow resume ${runId}`)
  const old = reused === 0 ? '' : ` (${reused} from the log)`
  terminal.progress(
    terminal.accent('dim', `${plural(steps, 'step')}${old}, ${dollars(costUsd)}, run ${runId}`),
  )
}

async function taskFrom(
  words: string | undefined,
  note: (text: string) => void,
  file?: string,
): Promise<TaskInput> {
  if (words === undefined && file === undefined) {
    const hint = 'Put it last, in quotes; with - it is read from stdin.'
    throw new InvalidInputError({ what: 'The task', problem: 'it is missing', hint })
  }
  const prompt = words === '-' ? await standardInput() : (words ?? `The file ${file}`)
  if (file === undefined)
    return defined({ prompt, textInput: words === '-' ? undefined : await pipedText(note) })
  try {
    return { prompt, textInput: `File: ${file}\n\n${await readFile(file, 'utf8')}` }
  } catch (cause) {
    throw new InvalidInputError(
      { what: `--file ${file}`, problem: `it cannot be read: ${systemProblem(cause)}` },
      { cause },
    )
  }
}
