/** `agent held | approve | reject` */
import { userInfo } from 'node:os'
import type { Reply } from '../actors/agent/tasks/handle.ts'
import type { HeldTask } from '../actors/agent/tasks/held.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { type Session, withSession } from './session.ts'
import { inert } from './terminal.ts'

interface OfAgent {
  readonly agent?: string
}

interface VerdictOptions extends OfAgent {
  readonly by?: string
}

export async function held(globals: GlobalOptions, options: OfAgent) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const tasks = await orchestrator.held.list(options)
    if (terminal.json) {
      for (const task of tasks) terminal.value(task)
      return
    }
    if (tasks.length === 0) return terminal.note('Nothing is held.')
    for (const { message, hint } of tasks)
      terminal.line(`${inert(message)}\n  ${terminal.style('dim', inert(hint))}`)
  })
}

export async function approve(
  globals: GlobalOptions,
  taskId: string,
  { wait, by, agent }: VerdictOptions & { readonly wait: boolean },
) {
  const { TaskNotHeldError } = await import('../events/errors/hold.ts')
  if (!hasStore(globals)) throw new TaskNotHeldError({ taskId })
  return withSession(globals, async (session) => {
    const { orchestrator, terminal, owner } = session
    const task = await orchestrator.held.approve(taskId, verdict(by, agent))
    const { runId } = task
    if (runId !== null) terminal.note(`It is a step of a run: claude-agents workflow resume ${runId}`)
    if (wait && owner === null) return answer(session, task)
    if (terminal.json) return terminal.value({ agent: task.agent, taskId, approved: true })
    const next = owner === null ? 'claude-agents recover goes on with it' : `process ${owner} goes on with it`
    terminal.line(`Approved ${taskId} of ${task.agent}: ${next}.`)
  })
}

export async function reject(
  globals: GlobalOptions,
  taskId: string,
  { by, agent, reason }: VerdictOptions & { readonly reason?: string },
) {
  const { TaskNotHeldError } = await import('../events/errors/hold.ts')
  if (!hasStore(globals)) throw new TaskNotHeldError({ taskId })
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const why = reason === undefined ? {} : { reason }
    const task = await orchestrator.held.reject(taskId, { ...verdict(by, agent), ...why })
    if (terminal.json) return terminal.value({ agent: task.agent, taskId, rejected: true })
    terminal.line(`Rejected ${taskId} of ${task.agent}.`)
  })
}

/** Goes on with held tasks as far as there is room now, and says what became of each. */
export async function goOnWith(session: Session, tasks: readonly HeldTask[]): Promise<void> {
  const { terminal } = session
  const say = (line: string) => terminal.note(inert(line))
  await Promise.all(
    tasks.map(async (task) => {
      const name = `task ${task.taskId} of ${task.agent}`
      try {
        const { costUsd } = await replyOf(session, task)
        say(`${name} went on and is done ($${costUsd.toFixed(4)})`)
      } catch (error) {
        const { describeError } = await import('../events/errors/base.ts')
        say(`${name}: ${describeError(error).message}`)
      }
    }),
  )
}

async function answer(session: Session, task: HeldTask): Promise<void> {
  const { terminal } = session
  terminal.progress(terminal.accent('dim', `${task.agent} works on task ${task.taskId}`))
  const reply = await replyOf(session, task)
  if (terminal.json) terminal.value(reply)
  else terminal.line(inert(reply.text))
}

/** The reply; or an error where the task is held, or the user does not want to wait. The task is kept then. */
async function replyOf({ orchestrator, signal }: Session, { agent: id, taskId }: HeldTask): Promise<Reply> {
  const { TaskHeldError } = await import('../events/errors/hold.ts')
  const agent = await orchestrator.agent(id)
  return new Promise((resolve, reject) => {
    const onHeld = (held: HeldTask) => reject(new TaskHeldError(held))
    signal.addEventListener('abort', () => reject(new Error('interrupted: the task is kept')), { once: true })
    agent.reply(taskId, { onHeld }).then(resolve, reject)
  })
}

const verdict = (by: string | undefined, agent: string | undefined) => ({
  by: by ?? userName(),
  ...(agent === undefined ? {} : { agent }),
})

/** A user without an entry in the system has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return ''
  }
}
