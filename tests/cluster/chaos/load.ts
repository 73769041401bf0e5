/** What clients want while things go wrong: each asks again under the id of its task until it has an answer. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'

/** Those who are asked, and those who are asked by workflows. */
export const ASKED = Array.from({ length: 6 }, (_, index) => `a${index}`)
export const STEPS = ['s0', 's1']

export const createAll = (team: Orchestrator, ids: readonly string[]) =>
  Promise.all(ids.map((id) => team.createAgent({ id, systemPrompt: 'You help.' })))

export interface Load {
  /** How many tasks there are in all. */
  readonly tasks: number
  /** The tasks of which a client knows that they are accepted, as the auditor names them. */
  readonly acknowledged: ReadonlySet<string>
  /** Resolves when each has been answered. */
  readonly answered: Promise<unknown>
}

/** A task for each agent, half of which are only handed in at first, and a workflow. */
export function load(team: Orchestrator, round: string): Load {
  const acknowledged = new Set<string>()
  const know = (agent: string, taskId: string) => acknowledged.add(`agent/${agent} ${taskId}`)
  const asking = ASKED.map(async (id, index) => {
    const taskId = `${round}-${id}`
    const agent = await again(() => team.agent(id))
    if (index % 2 === 0) {
      await again(() => agent.accept('x', { taskId }))
      know(id, taskId)
      return again(() => agent.reply(taskId))
    }
    const reply = await again(() => agent.ask('x', { taskId }))
    know(id, taskId)
    return reply
  })
  const workflow = sequential(STEPS)
  const running = again(async () => {
    const known = await team.runs.show(round).catch(() => undefined)
    return known ? team.runs.resume(round, workflow) : team.run(workflow, 'x', { id: round })
  })
  return {
    tasks: ASKED.length + STEPS.length,
    acknowledged,
    answered: Promise.all([...asking, running]),
  }
}

/** A client that got an error cannot know what has become of what it wanted: it says so once more. */
export async function again<T>(wanted: () => PromiseLike<T> | T, tries = 100): Promise<T> {
  for (let left = tries; ; left--) {
    try {
      return await wanted()
    } catch (error) {
      if (left === 0) throw error
      await pause(200)
    }
  }
}
