/** `agent ask`: the answer on stdout as it arrives, progress on stderr. */

import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import type { AgentRef } from '../../actors/agent/ref.ts'
import type { AskOptions, Reply, TaskHandle } from '../../actors/agent/tasks/ask.ts'
import type { CallMessage } from '../../claude/runner.ts'
import { TaskHeldError } from '../../events/errors/hold.ts'
import { systemProblem } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars, duration, plural } from '../../events/figures.ts'
import { checkTaskId } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { checkTaskInput, type TaskInput } from '../../events/task-input.ts'
import { mappings, repos } from '../arguments.ts'
import { requireAgents } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { requireKnown, type Session, withSession } from '../session.ts'
import { pipedText, readAll, standardInput } from '../standard-input.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { StreamedAnswer } from '../terminal/streamed-answer.ts'
import { inert } from '../terminal/text.ts'
import { tellFiles } from './project.ts'

export function askCommand(agent: Command): void {
  agent
    .command('ask <id> <prompt>')
    .description(
      'ask an agent; with - as the prompt, read it from stdin; text piped in is appended to it, as a note says; </dev/null keeps it out',
    )
    .option('--text <file>', 'append the text of a file to the prompt; with -, all of stdin')
    .option('--file <src[:target]>', 'copy a file into the workspace first (repeatable)', mappings)
    .option('--folder <src[:target]>', 'copy a folder into the workspace first (repeatable)', mappings)
    .option('--repo <url[#ref]>', 'clone a repository into the workspace first (repeatable)', repos)
    .option('--project', "load the project's own settings from now on, as they are in its worktree")
    .option('--no-project', 'do not load them, and do not ask again')
    .option('--replace', 'place them even where the agent has changed them: its work is kept beside')
    .option('--task-id <id>', 'id of the task; asking again under the same id returns the recorded answer')
    .option('--approval [why]', 'hold the task until you approve it (agent approve TASK)')
    .option('--detach', 'print the id of the task, and leave it to the owner in the background')
    .action(withGlobals(ask))
}

interface AskCommandOptions {
  readonly text?: string
  readonly file?: NonNullable<TaskInput['files']>
  readonly folder?: NonNullable<TaskInput['folders']>
  readonly repo?: NonNullable<TaskInput['repos']>
  readonly replace?: boolean
  readonly project?: boolean
  readonly taskId?: string
  readonly approval?: boolean | string
  readonly detach?: boolean
}

async function ask(globals: GlobalOptions, id: string, prompt: string, options: AskCommandOptions) {
  requireAgents(globals, id)
  const input = await readInput(prompt, options, terminal(globals).note)
  const { taskId, approval, detach, project } = options
  const before: Before = (agent, terminal) => tellFiles(agent, terminal, { said: project })
  if (detach)
    return leaveTask(globals, id, input, { taskId: taskId ?? randomUUID(), ...defined({ approval }) }, before)
  return withSession(globals, (session) =>
    printReply(session, id, input, defined({ taskId, approval }), before),
  )
}

/** What is said of an agent before it is asked. */
type Before = (agent: AgentRef, terminal: Terminal) => Promise<void>

/** `--detach`: prints the id of the task as soon as it is durable. Its owner outlives this process. */
async function leaveTask(
  globals: GlobalOptions,
  id: string,
  input: TaskInput,
  options: AskOptions & { readonly taskId: string },
  before: Before,
): Promise<void> {
  // What is wrong is told before an owner is started for it.
  checkTaskId(options.taskId)
  checkTaskInput(input, { allowLocalRepos: true })
  await requireKnown(globals, [id])
  const accept = async ({ orchestrator, terminal, owner, leave, leftTo }: Session) => {
    const agent = await orchestrator.agent(id)
    await before(agent, terminal)
    const taskId = await agent.accept(input, options)
    if (owner === null) leave()
    if (terminal.json) return terminal.value({ taskId, agent: id })
    terminal.line(taskId)
    terminal.note(`${id} works on it ${leftTo}. To wait for its answer: claude-agents wait ${taskId}`)
  }
  return withSession(globals, accept, 'leave')
}

/** Asks an agent, and prints the answer as it arrives. */
export async function printReply(
  { orchestrator, terminal, signal, owner }: Session,
  id: string,
  input: TaskInput,
  options: AskOptions,
  before?: Before,
): Promise<void> {
  const agent = await orchestrator.agent(id)
  await before?.(agent, terminal)
  // A held task may wait for days. It is kept, and the user is told how to go on.
  let leave: (error: Error) => void = () => {}
  const held = new Promise<never>((_, reject) => {
    leave = reject
  })
  const task = agent.ask(input, { signal, onHeld: (why) => leave(new TaskHeldError(why)), ...options })
  terminal.progress(terminal.accent('dim', `${id} is working on task ${task.taskId} (Ctrl-C cancels it)`))
  // The log of this process says its own warnings.
  const warn = (message: string) => void (owner !== null && terminal.note(terminal.accent('yellow', message)))
  await Promise.race([follow(terminal, task, warn), held])
}

async function follow(terminal: Terminal, task: TaskHandle, warn: (message: string) => void): Promise<void> {
  const answer = new StreamedAnswer(terminal)
  for await (const message of task) {
    if (terminal.interactive && message.type === 'text') answer.add(message.text)
    else if (message.type === 'retract') answer.breakOff()
    else if (message.type === 'warning') warn(inert(message.message))
    else note(terminal, message)
  }
  const reply = await task
  if (answer.end()) printFigures(terminal, reply)
  else printAnswer(terminal, reply)
}

/** An answer that the user has not seen yet; with `--json`, all of the reply. */
export function printAnswer(terminal: Terminal, reply: Reply): void {
  if (terminal.json) {
    terminal.value(reply)
    return
  }
  terminal.line(inert(reply.text))
  printFigures(terminal, reply)
}

/** What an answer has cost, under it. */
export function printFigures(
  terminal: Terminal,
  { attempts, costUsd, tokens: used, stopReason }: Reply,
): void {
  if (stopReason !== null && CUT_OFF.has(stopReason))
    terminal.progress(
      terminal.accent('yellow', `The answer is incomplete: the model stopped early (${inert(stopReason)}).`),
    )
  const calls = attempts === 1 ? '' : `, ${plural(attempts, 'call')}`
  const tokens = plural(used, 'token')
  terminal.progress(terminal.accent('dim', `${tokens}, ${dollars(costUsd)}${calls}`))
}

/** The reasons to stop that leave half an answer. */
const CUT_OFF = new Set(['max_tokens', 'model_context_window_exceeded', 'pause_turn'])

function note(terminal: Terminal, message: CallMessage): void {
  if (message.type === 'tool') terminal.progress(terminal.accent('dim', `uses ${inert(message.name)}`))
  if (message.type === 'retry') {
    const { attempt, maxAttempts, delayMs, problem } = message
    const text = `claude retries in ${duration(delayMs)} (${attempt} of ${maxAttempts}): ${inert(problem)}`
    terminal.progress(terminal.accent('yellow', text))
  }
}

async function readInput(
  prompt: string,
  { text, file, folder, repo, replace }: AskCommandOptions,
  note: (text: string) => void,
): Promise<TaskInput> {
  if (prompt === '-' && text === '-') {
    const problem = 'stdin cannot be the prompt as well'
    throw new InvalidInputError({ what: '--text -', problem })
  }
  return defined({
    prompt: prompt === '-' ? await standardInput() : prompt,
    textInput: text !== undefined ? await readText(text) : prompt === '-' ? undefined : await pipedText(note),
    files: file,
    folders: folder,
    repos: repo,
    replace,
  })
}

async function readText(file: string): Promise<string> {
  if (file === '-') return standardInput()
  try {
    return await readAll(createReadStream(file), `--text ${file}`)
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause
    throw new InvalidInputError(
      { what: `--text ${file}`, problem: `it cannot be read: ${systemProblem(cause)}` },
      { cause },
    )
  }
}
