/** What waits for somebody, and what nobody waits for any more, in all agents. */

import { TaskNotHeldError } from '../../../events/errors/hold.ts'
import { checkId } from '../../../events/ids.ts'
import type { EventStore } from '../../../store/event-store.ts'
import { bodiesIn } from '../../engine/bodies.ts'
import type { Agent } from '../agent.ts'
import type { AgentSystem } from '../system.ts'
import type { Rejection, Verdict } from './approvals.ts'
import { type DeadLetter, deadLettersOf } from './dead-letters.ts'
import type { HeldTask } from './held-task.ts'

const STREAMS = 'agent/'

/** Whose task it is, where two agents have one with the same id. */
export interface OfAgent {
  readonly agent?: string
}

export class HeldTasks {
  readonly #store: EventStore
  readonly #agents: AgentSystem

  constructor(store: EventStore, agents: AgentSystem) {
    this.#store = store
    this.#agents = agents
  }

  /** By agent, in the order in which they are tried. Only agents that have any are loaded. */
  async list({ agent }: OfAgent = {}): Promise<readonly HeldTask[]> {
    if (agent !== undefined) return (await this.#agents.get(agent)).held()
    const holding = (await this.#agents.list()).filter(({ held }) => held > 0)
    return (await Promise.all(holding.map(async ({ id }) => (await this.#agents.get(id)).held()))).flat()
  }

  async approve(taskId: string, { agent, ...verdict }: OfAgent & Verdict = {}): Promise<HeldTask> {
    const found = await this.#find(taskId, agent)
    await found.agent.approve(taskId, verdict)
    return found.task
  }

  async reject(taskId: string, { agent, ...rejection }: OfAgent & Rejection = {}): Promise<HeldTask> {
    const found = await this.#find(taskId, agent)
    await found.agent.reject(taskId, rejection)
    return found.task
  }

  /** Also those of agents that were removed. */
  async deadLetters({ agent }: OfAgent = {}): Promise<readonly DeadLetter[]> {
    const bodies = bodiesIn(this.#store)
    if (agent !== undefined) return deadLettersOf(this.#store, bodies, checkId('agent', agent))
    const letters: (readonly DeadLetter[])[] = []
    for await (const { stream, summary } of this.#store.streams({ prefix: STREAMS }))
      if (Number(summary?.info?.deadLetters ?? 0) > 0)
        letters.push(await deadLettersOf(this.#store, bodies, stream.slice(STREAMS.length)))
    return letters.flat()
  }

  /** A task's id is its agent's own, so those that hold one are asked. */
  async #find(taskId: string, agent?: string): Promise<{ agent: Agent; task: HeldTask }> {
    const tasks = (await this.list(agent === undefined ? {} : { agent })).filter(
      (held) => held.taskId === taskId && held.reason === 'approval',
    )
    const [task] = tasks
    if (!task || tasks.length > 1)
      throw new TaskNotHeldError({ taskId, agents: tasks.map((one) => one.agent) })
    return { agent: await this.#agents.get(task.agent), task }
  }
}
