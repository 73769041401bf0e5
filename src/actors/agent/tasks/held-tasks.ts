/** The held tasks of all agents: listed, approved, rejected. */
import { TaskNotHeldError } from '../../../events/errors/hold.ts'
import { defined } from '../../../events/json.ts'
import { checkOptionsOf, type KnownKeys } from '../../../events/options/decoding.ts'
import type { AgentRef } from '../ref.ts'
import type { AgentSystem } from '../system.ts'
import type { HeldTask, Rejection, ToolVerdict, Verdict } from './held.ts'

/** Selects an agent; needed if two agents have a task with the same id. */
export interface OfAgent {
  readonly agent?: string
}

/** Throws InvalidInputError. */
export const checkOfAgent = (of: OfAgent): void => checkOptionsOf('a list', of, { agent: 'a text' })

const REJECTION: KnownKeys<OfAgent & Rejection> = { agent: 'a text', by: 'a text', reason: 'a text' }

interface Found {
  readonly agent: AgentRef
  readonly task: HeldTask
}

export class HeldTasks {
  readonly #agents: AgentSystem

  constructor(agents: AgentSystem) {
    this.#agents = agents
  }

  /** By agent, in the order in which they would start. Loads only agents that have held tasks. */
  async list(of: OfAgent = {}): Promise<readonly HeldTask[]> {
    checkOfAgent(of)
    const { agent } = of
    if (agent !== undefined) return (await this.#agents.get(agent)).held()
    const holding = (await this.#agents.list({ open: true })).filter(({ held }) => held > 0)
    return (await Promise.all(holding.map(async ({ id }) => (await this.#agents.get(id)).held()))).flat()
  }

  async approve(taskId: string, of: OfAgent & Verdict = {}): Promise<HeldTask> {
    checkOptionsOf('approve', of, { agent: 'a text', by: 'a text' })
    const { agent, ...verdict } = of
    const found = await this.#find(taskId, agent, 'approval')
    if (found.task.reason !== 'approval') throw new TaskNotHeldError({ taskId, held: found.task })
    await found.agent.approve(taskId, verdict)
    return found.task
  }

  async reject(taskId: string, of: OfAgent & Rejection = {}): Promise<HeldTask> {
    checkOptionsOf('reject', of, REJECTION)
    const { agent, ...rejection } = of
    const found = await this.#find(taskId, agent)
    await found.agent.reject(taskId, rejection)
    return found.task
  }

  /** Decides the tool call at which a call ended. Throws TaskNotHeldError. */
  async decideTool(agent: string, callId: string, verdict: ToolVerdict): Promise<void> {
    await (await this.#agents.get(agent)).decideTool(callId, verdict)
  }

  /** Task ids are unique within an agent only. */
  async #find(taskId: string, agent?: string, reason?: HeldTask['reason']): Promise<Found> {
    const all = (await this.list(defined({ agent }))).filter((held) => held.taskId === taskId)
    const meant = all.filter((held) => held.reason === reason)
    const tasks = meant.length > 0 ? meant : all
    const [task] = tasks
    if (!task || tasks.length > 1)
      throw new TaskNotHeldError({ taskId, agents: tasks.map((one) => one.agent) })
    return { agent: await this.#agents.get(task.agent), task }
  }
}
