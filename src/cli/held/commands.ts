/** `agent held | approve | reject`: tasks that wait for approval, for room in a budget, or for their account. */

import type { Command } from 'commander'
import type { Reply } from '../../actors/agent/tasks/ask.ts'
import type { HeldTask } from '../../actors/agent/tasks/held.ts'
import { describeError } from '../../events/errors/base.ts'
import { TaskHeldError, TaskNotHeldError } from '../../events/errors/hold.ts'
import { dollars } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore, type Session, withStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert } from '../terminal/text.ts'

/** @param agent The command `agent`. */
export function heldCommands(agent: Command): void {
  agent
    .command('held')
    .description('list tasks that wait for approval, for room in a budget, or for their account')
    .option('--agent <id>', 'only tasks of this agent')
    .action(withGlobals(held))
  agent
    .command('approve <task>')
    .description('approve a held task, and wait for its answer')
    .option('--agent <id>', 'agent of the task, if several agents have one with this id')
    .option('--by <name>', 'who approves it (default: your user name)')
    .option('--no-wait', 'only approve it; recover resumes it')
    .action(withGlobals(approve))
  agent
    .command('reject <task>')
    .description('reject a held task, which ends it')
    .option('--agent <id>', 'agent of the task, if several agents have one with this id')
    .option('--by <name>', 'who rejects it (default: your user name)')
    .option('--reason <text>', 'reason to give')
    .action(withGlobals(reject))
}

interface OfAgent {
  readonly agent?: string
}

interface VerdictOptions extends OfAgent {
  readonly by?: string
}

function held(globals: GlobalOptions, options: OfAgent) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    list(terminal, await orchestrator.held.list(options), 'No task is held.', (tasks) =>
      tasks.map(({ message, hint }) => `${inert(message)}\n  ${terminal.style('dim', inert(asTyped(hint)))}`),
    )
  })
}

function approve(
  globals: GlobalOptions,
  taskId: string,
  { wait, by, agent }: VerdictOptions & { readonly wait: boolean },
) {
  const work = async (session: Session) => {
    const { orchestrator, terminal, owner } = session
    const task = await orchestrator.held.approve(taskId, verdict(by, agent))
    const { runId } = task
    if (runId !== null) terminal.note(`This task is a step of a run: claude-agents workflow resume ${runId}`)
    if (wait && owner === null) return answer(session, task)
    if (terminal.json) return terminal.value({ agent: task.agent, taskId, approved: true })
    const next = owner === null ? 'claude-agents recover resumes it' : `process ${owner} resumes it`
    terminal.line(asTyped(`Approved ${taskId} of ${task.agent}: ${next}.`))
  }
  return withStore(globals, work, () => new TaskNotHeldError({ taskId }))
}

function reject(
  globals: GlobalOptions,
  taskId: string,
  { by, agent, reason }: VerdictOptions & { readonly reason?: string },
) {
  const work = async ({ orchestrator, terminal }: Session) => {
    const task = await orchestrator.held.reject(taskId, { ...verdict(by, agent), ...defined({ reason }) })
    if (terminal.json) return terminal.value({ agent: task.agent, taskId, rejected: true })
    terminal.line(`Rejected ${taskId} of ${task.agent}.`)
  }
  return withStore(globals, work, () => new TaskNotHeldError({ taskId }), 'change')
}

/** Resumes held tasks as far as there is room now, and reports what became of each. */
export async function resumeHeld(session: Session, tasks: readonly HeldTask[]): Promise<void> {
  const report = (line: string) => session.terminal.note(inert(line))
  await Promise.all(
    tasks.map(async (task) => {
      const name = `task ${task.taskId} of ${task.agent}`
      try {
        const { costUsd } = await replyOf(session, task)
        report(`${name} was resumed and is done (${dollars(costUsd)})`)
      } catch (error) {
        report(`${name}: ${describeError(error).message}`)
      }
    }),
  )
}

async function answer(session: Session, task: HeldTask): Promise<void> {
  const { terminal } = session
  terminal.progress(terminal.accent('dim', `${task.agent} is working on task ${task.taskId}`))
  const reply = await replyOf(session, task)
  if (terminal.json) terminal.value(reply)
  else terminal.line(inert(reply.text))
}

/** The reply; or an error when the task is held again, or the user stops waiting. The task is kept then. */
export async function replyOf(
  { orchestrator, signal }: Session,
  { agent: id, taskId }: Pick<HeldTask, 'agent' | 'taskId'>,
): Promise<Reply> {
  const agent = await orchestrator.agent(id)
  return new Promise((resolve, reject) => {
    const onHeld = (task: HeldTask) => reject(new TaskHeldError(task))
    signal.addEventListener('abort', () => reject(new Error('interrupted: the task is kept')), { once: true })
    agent.reply(taskId, { onHeld }).then(resolve, reject)
  })
}

const verdict = (by = userName(), agent: string | undefined) => defined({ by, agent })
