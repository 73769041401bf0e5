/** What a run was started with, on its way into the log, and compared with what somebody asks for again. */

import { isSameTask } from '../../actors/agent/retention.ts'
import type { Bodies } from '../../actors/engine/bodies.ts'
import { withoutCredentials } from '../../events/input-checks.ts'
import type { JsonObject } from '../../events/json.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { RunContext } from './machine.ts'

type RunInput = NonNullable<RunContext['input']>

/** As the log holds it. */
export async function writtenInput(
  { prompt, textInput, ...material }: TaskInput,
  bodies: Bodies,
): Promise<RunInput> {
  return {
    prompt: await bodies.write(prompt),
    textInput: textInput === undefined ? null : await bodies.write(textInput),
    material: { ...material, ...(material.repos && { repos: material.repos.map(withoutCredentials) }) },
  }
}

/** Also where the log has only hashes left. */
export function isSameInput(recorded: RunInput, asked: RunInput): boolean {
  const plain = ({ prompt, textInput, material }: RunInput) =>
    ({ prompt, textInput, material }) as unknown as JsonObject
  return isSameTask(plain(recorded), plain(asked))
}
