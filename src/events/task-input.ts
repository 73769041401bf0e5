/** What is asked of an agent. */
import * as Schema from 'effect/Schema'
import { InvalidInputError } from './errors.ts'

/** A task: what to do, and the material to do it with. */
export interface TaskInput {
  /** What to do. */
  readonly prompt: string
  /** Text to do it with, put after the prompt. */
  readonly textInput?: string
}

/** A body in a fact: the text itself, or where it is large the reference to a blob. */
export const Body = Schema.Union([Schema.String, Schema.Struct({ sha256: Schema.String, bytes: Schema.Int })])
export type Body = typeof Body.Type

/** Bodies longer than this (in bytes of utf8) are kept beside the log, not in it. */
export const LARGEST_INLINE_BODY = 64 * 1024

/** A string is a prompt and nothing else. Throws {@link InvalidInputError} where there is nothing to do. */
export function checkTaskInput(task: string | TaskInput): TaskInput {
  const input = typeof task === 'string' ? { prompt: task } : task
  if (typeof input?.prompt !== 'string' || input.prompt.trim() === '') {
    throw new InvalidInputError({
      what: 'The prompt',
      problem: 'it is empty',
      hint: 'Say what the agent is to do.',
    })
  }
  if (input.textInput !== undefined && typeof input.textInput !== 'string') {
    throw new InvalidInputError({ what: 'textInput', problem: 'it is not a string' })
  }
  return input
}

/** The words that reach the model. */
export function composePrompt(input: TaskInput): string {
  return input.textInput === undefined ? input.prompt : `${input.prompt}\n\n${input.textInput}`
}
