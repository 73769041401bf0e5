/** A task of the past, as it was asked: for asking it again. */
import { bodiesIn } from '../actors/engine/bodies.ts'
import type { Recorded } from '../events/envelope.ts'
import { TaskNotFoundError } from '../events/errors/history.ts'
import type { JsonObject } from '../events/json.ts'
import type { Body, Material, TaskInput } from '../events/task-input.ts'
import type { EventStore } from '../store/event-store.ts'

export interface PastTask {
  readonly agent: string
  readonly taskId: string
  readonly input: TaskInput
  readonly session: 'chain' | 'fresh'
  readonly outputSchema?: JsonObject
  /** The fact with which it was accepted. */
  readonly factId: string
}

interface Accepted {
  readonly prompt: Body
  readonly textInput: Body | null
  readonly session: 'chain' | 'fresh'
  readonly outputSchema?: JsonObject
  readonly material: Material
}

/**
 * Where several agents had a task of that id, the one that was asked last.
 *
 * @throws TaskNotFoundError, BodyDropped
 */
export async function pastTask(store: EventStore, taskId: string): Promise<PastTask> {
  let found: Recorded | undefined
  for await (const recorded of store.readAll()) {
    if (recorded.type === 'TaskAccepted' && recorded.data.taskId === taskId) found = recorded
  }
  if (!found?.stream.startsWith('agent/')) throw new TaskNotFoundError({ taskId })
  const bodies = bodiesIn(store)
  const { prompt, textInput, session, outputSchema, material } = found.data as unknown as Accepted
  return {
    agent: found.stream.slice('agent/'.length),
    taskId,
    input: {
      prompt: await bodies.read(prompt),
      ...(textInput === null ? {} : { textInput: await bodies.read(textInput) }),
      ...material,
    },
    session,
    ...(outputSchema === undefined ? {} : { outputSchema }),
    factId: found.id,
  }
}
