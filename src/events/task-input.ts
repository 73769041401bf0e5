/** What is asked of an agent. */
import * as Schema from 'effect/Schema'
import { InvalidInputError } from './errors/usage.ts'
import { checkMaterial } from './input-checks.ts'
import type { FileMapping, FolderMapping, GitHubRepo } from './material.ts'
import type { RepoUrlOptions } from './repo-url.ts'

export { FileMapping, FolderMapping, GitHubRepo, Material, PlacedInput } from './material.ts'

/** A task: what to do, and the material to do it with. */
export interface TaskInput {
  /** What to do. */
  readonly prompt: string
  /** Text to do it with, put after the prompt. */
  readonly textInput?: string
  /** Files to copy into the workspace first. */
  readonly files?: readonly FileMapping[]
  /** Folders to copy into the workspace first. */
  readonly folders?: readonly FolderMapping[]
  /** Repositories to clone into the workspace first. */
  readonly repos?: readonly GitHubRepo[]
}

/** What is left of a body that was dropped from the log, once its task had ended. */
export const DroppedBody = Schema.Struct({
  /** Of the utf8 of the text. */
  sha256: Schema.String,
  bytes: Schema.Int,
  dropped: Schema.Literal(true),
})
export type DroppedBody = typeof DroppedBody.Type

/** A body in a fact: the text itself, or where it is large the reference to a blob. */
export const Body = Schema.Union([
  Schema.String,
  Schema.Struct({ sha256: Schema.String, bytes: Schema.Int }),
  DroppedBody,
])
export type Body = typeof Body.Type

/** Bodies longer than this (in bytes of utf8) are kept beside the log, not in it. */
export const LARGEST_INLINE_BODY = 64 * 1024

/**
 * A string is a prompt and nothing else. Throws {@link InvalidInputError} where there is nothing to do, or where the
 * material is not such as can be placed. What comes back has absolute sources, and a target for everything; the URLs
 * keep their credentials, so that it must not be written down as it is (`withoutCredentials`).
 */
export function checkTaskInput(task: string | TaskInput, options: RepoUrlOptions = {}): TaskInput {
  const input = typeof task === 'string' ? { prompt: task } : task
  if (typeof input?.prompt !== 'string' || input.prompt.trim() === '') {
    throw new InvalidInputError({
      what: 'The prompt',
      problem: 'it is empty',
      hint: 'Say what the agent should do.',
    })
  }
  if (input.textInput !== undefined && typeof input.textInput !== 'string') {
    throw new InvalidInputError({ what: 'textInput', problem: 'it is not a string' })
  }
  const { files, folders, repos } = checkMaterial(input, options)
  return {
    prompt: input.prompt,
    ...(input.textInput !== undefined && { textInput: input.textInput }),
    ...(files.length > 0 && { files }),
    ...(folders.length > 0 && { folders }),
    ...(repos.length > 0 && { repos }),
  }
}

/** The words that reach the model. */
export function composePrompt(input: TaskInput): string {
  return input.textInput === undefined ? input.prompt : `${input.prompt}\n\n${input.textInput}`
}
