/** The input of a run: written to the log, read back, and compared with the input of a second start. */
import { isSameTask } from '../../actors/agent/retention.ts'
import type { Bodies } from '../../actors/engine/bodies.ts'
import { defined, type JsonObject } from '../../events/json.ts'
import { checkTaskInput, type TaskInput, withoutCredentials } from '../../events/task-input.ts'
import type { RunContext } from './machine.ts'

type RecordedInput = NonNullable<RunContext['input']>

/** The input as the log holds it. */
export async function writeRunInput(
  { prompt, textInput, ...material }: TaskInput,
  bodies: Bodies,
): Promise<RecordedInput> {
  return {
    prompt: await bodies.write(prompt),
    textInput: textInput === undefined ? null : await bodies.write(textInput),
    material: { ...material, ...defined({ repos: material.repos?.map(withoutCredentials) }) },
  }
}

/** The task that a run was started with, without the credentials of its repositories. */
export async function readRunInput(
  { prompt, textInput, material }: RecordedInput,
  bodies: Bodies,
): Promise<TaskInput> {
  return checkTaskInput({
    prompt: await bodies.read(prompt),
    ...(textInput === null ? {} : { textInput: await bodies.read(textInput) }),
    ...material,
  })
}

/** Whether two inputs are the same. Where compaction has left only hashes in the log, the hashes are compared. */
export function isSameInput(recorded: RecordedInput, asked: RecordedInput): boolean {
  const plain = ({ prompt, textInput, material }: RecordedInput) =>
    ({ prompt, textInput, material }) as unknown as JsonObject
  return isSameTask(plain(recorded), plain(asked))
}
