/** A past task: who had it, and how it was asked, so that it can be asked again. */
import { bodiesIn } from '../actors/engine/bodies.ts'
import type { Recorded } from '../events/envelope.ts'
import { TaskNotFoundError } from '../events/errors/history.ts'
import { streamName } from '../events/ids.ts'
import { defined, type JsonObject } from '../events/json.ts'
import { nearestName } from '../events/nearest-name.ts'
import type { Body, Material, TaskInput } from '../events/task-input.ts'
import type { EventStore } from '../store/event-store.ts'

export interface PastTask {
  readonly agent: string
  readonly taskId: string
  readonly input: TaskInput
  /** Undefined for a task of a run: it continues what that run had told the agent. */
  readonly session?: 'chain' | 'fresh'
  /** What a task of a run continued; null if it was the run's first of this agent. */
  readonly continues?: string | null
  readonly outputSchema?: JsonObject
  /** The id of its TaskAccepted fact. */
  readonly factId: string
}

const AGENTS = 'agent/'

interface Accepted {
  readonly prompt: Body
  readonly textInput: Body | null
  readonly session: 'chain' | 'run' | 'fresh'
  readonly continues?: string
  readonly outputSchema?: JsonObject
  readonly material: Material
}

/** The agents that had a task with this id, and for an unknown one the id that was probably meant. Reads the whole log. */
export async function agentsOfTask(
  store: EventStore,
  taskId: string,
): Promise<{ readonly agents: readonly string[]; readonly nearest: string | null }> {
  const agents = new Set<string>()
  const known = new Set<string>()
  for await (const { stream, type, data } of store.readAll()) {
    if (type !== 'TaskAccepted' || !stream.startsWith(AGENTS)) continue
    known.add(String(data.taskId))
    if (data.taskId === taskId) agents.add(stream.slice(AGENTS.length))
  }
  return { agents: [...agents], nearest: nearestName(taskId, [...known]) }
}

/**
 * The task with this id of an agent.
 *
 * @throws TaskNotFoundError, BodyDropped
 */
export async function pastTask(store: EventStore, taskId: string, agent: string): Promise<PastTask> {
  let found: Recorded | undefined
  for await (const recorded of store.read(streamName('agent', agent))) {
    if (recorded.type === 'TaskAccepted' && recorded.data.taskId === taskId) found = recorded
  }
  if (!found) throw new TaskNotFoundError({ taskId, agent })
  const bodies = bodiesIn(store)
  const {
    prompt,
    textInput,
    session,
    continues = null,
    outputSchema,
    material,
  } = found.data as unknown as Accepted
  return {
    agent,
    taskId,
    input: {
      prompt: await bodies.read(prompt),
      ...(textInput === null ? {} : { textInput: await bodies.read(textInput) }),
      ...material,
    },
    ...(session === 'run' ? { continues } : { session }),
    ...defined({ outputSchema }),
    factId: found.id,
  }
}
