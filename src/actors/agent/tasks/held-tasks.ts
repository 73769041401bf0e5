/** The held tasks of all agents: listed, approved, rejected. */
import { TaskNotHeldError } from '../../../events/errors/hold.ts'
import { defined } from '../../../events/json.ts'
import type { AgentRef } from '../ref.ts'
import type { AgentSystem } from '../system.ts'
import type { HeldTask, Rejection, Verdict } from './held.ts'

/** Selects an agent; needed if two agents have a task with the same id. */
export interface OfAgent {
  readonly agent?: string
}

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
  async list({ agent }: OfAgent = {}): Promise<readonly HeldTask[]> {
    if (agent !== undefined) return (await this.#agents.get(agent)).held()
    const holding = (await this.#agents.list({ open: true })).filter(({ held }) => held > 0)
    return (await Promise.all(holding.map(async ({ id }) => (await this.#agents.get(id)).held()))).flat()
  }

  async approve(taskId: string, { agent, ...verdict }: OfAgent & Verdict = {}): Promise<HeldTask> {
    const found = await this.#find(taskId, agent, 'approval')
    if (found.task.reason !== 'approval') throw new TaskNotHeldError({ taskId, held: found.task })
    await found.agent.approve(taskId, verdict)
    return found.task
  }

  async reject(taskId: string, { agent, ...rejection }: OfAgent & Rejection = {}): Promise<HeldTask> {
    const found = await this.#find(taskId, agent)
    await found.agent.reject(taskId, rejection)
    return found.task
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
