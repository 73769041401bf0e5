/** `workflow run | template | resume`: a workflow, followed to its end or paused by Ctrl-C. */

import { readFile } from 'node:fs/promises'
import { systemClock } from '../../clock.ts'
import { OwnerOnly } from '../../events/errors/owner.ts'
import { systemProblem } from '../../events/errors/phrases.ts'
import { RunFinishedError, RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars, plural } from '../../events/figures.ts'
import { AGENT_ID_PATTERN } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { RunOptions } from '../../patterns/runs/options.ts'
import type { Run } from '../../patterns/runs/run.ts'
import type { WorkflowResult } from '../../patterns/runs/workflow-result.ts'
import { templateNamed, type WorkflowReference } from '../../workflows/pattern.ts'
import { requireAgents } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'
import { type Session, withSession, withStore } from '../session.ts'
import { pipedText, standardInput } from '../standard-input.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'
import { whenHeld } from './holds.ts'
import { printPlan } from './plan.ts'
import { showProgress } from './progress.ts'
import { givenSource, namedReference, patternFrom, type SourceOptions } from './source.ts'

interface RunNaming {
  readonly id?: string
  readonly session?: NonNullable<RunOptions['session']>
}

export async function runWorkflow(
  globals: GlobalOptions,
  words: readonly string[],
  { id, session: conversations, ...options }: RunNaming & SourceOptions,
) {
  const { reference, pattern, name } = await givenSource(words.slice(0, -1), options, globals.configFile)
  if (reference.kind === 'agents') requireAgents(globals, pattern.agents?.[0] ?? '')
  const task = await taskFrom(words.at(-1), terminal(globals).note)
  return withSession(globals, async (session) => {
    if (reference.kind === 'agents') await refuseAgentAsTask(session, words.at(-1) ?? '')
    const running = session.orchestrator.run(pattern, task, {
      ...runOptions(session, id, conversations),
      name,
      workflow: { ...reference },
    })
    await follow(session, running, pattern.agents)
  })
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
  { file, id, session: conversations }: RunNaming & { readonly file?: string },
) {
  const Template = templateNamed(name)
  const task = await taskFrom(input, terminal(globals).note, file)
  return withSession(globals, async (session) => {
    const { orchestrator, owner } = session
    // Before it creates agents that nothing would ask.
    if (owner !== null)
      throw new OwnerOnly({ path: orchestrator.baseDir, pid: owner, what: 'running a workflow' })
    const workflow = new Template(orchestrator)
    await workflow.setup()
    await follow(
      session,
      workflow.execute(task, runOptions(session, id, conversations)),
      Template.pattern.agents,
    )
  })
}

export function resumeRun(
  globals: GlobalOptions,
  runId: string,
  { plan, ...options }: SourceOptions & { readonly plan?: boolean },
) {
  const { configFile } = globals
  const work = async (session: Session) => {
    const { orchestrator, terminal, signal } = session
    const { workflow, status } = await orchestrator.runs.show(runId)
    if (status === 'succeeded' || status === 'cancelled') throw new RunFinishedError({ runId, status })
    const isNamed = options.workflow !== undefined || options.module !== undefined
    const reference = isNamed ? await namedReference(options, configFile) : workflow
    if (reference === null) {
      const problem = 'a program started it, and its workflow exists only in code'
      const hint = 'Resume it in that program, or name its code: --module FILE'
      throw new InvalidInputError({ what: `Run ${runId}`, problem, hint })
    }
    const pattern = await patternFrom(reference as WorkflowReference, configFile)
    if (plan) return printPlan(terminal, runId, await orchestrator.runs.plan(runId, pattern))
    await follow(session, orchestrator.runs.resume(runId, pattern, { signal }), pattern.agents)
  }
  return withStore(globals, work, () => new RunNotFoundError({ runId }), plan ? 'read' : 'call')
}

const runOptions = (
  { signal }: Session,
  id: string | undefined,
  session: RunOptions['session'],
): Pick<RunOptions, 'id' | 'signal' | 'session'> => defined({ signal, id, session })

/** Shows the progress of a run until it ends, then its result. */
async function follow({ terminal }: Session, running: Run, agents: readonly string[] = []): Promise<void> {
  terminal.progress(terminal.accent('dim', `run ${running.id} (Ctrl-C pauses it)`))
  const progress = showProgress(agents, terminal, systemClock)
  const watching = running.subscribe((event) => progress.note(event))
  const waiting = whenHeld(running, terminal, systemClock)
  let result: WorkflowResult
  try {
    result = await Promise.race([running, waiting.held])
  } finally {
    watching.unsubscribe()
    progress.stop()
    waiting.stop()
  }
  printOutcome(terminal, result)
}

/** Prints the result of a run, and sets the exit code. */
export function printOutcome(terminal: Terminal, result: WorkflowResult): void {
  if (!result.success) process.exitCode ??= 1
  if (terminal.json) terminal.value(jsonResult(result))
  else printResult(terminal, result)
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
