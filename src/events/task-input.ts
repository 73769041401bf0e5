/** A task as it is asked: a prompt, and the material to work on. */
import * as Schema from 'effect/Schema'
import { InvalidInputError } from './errors/usage.ts'
import type { FileMapping, FolderMapping, GitHubRepo } from './material.ts'
import { checkMaterial } from './material.ts'
import { type KnownKeys, refuseUnknownKeys } from './options/known-keys.ts'
import type { RepoUrlOptions } from './repo-url.ts'

export { FileMapping, FolderMapping, GitHubRepo, Material, PlacedInput } from './material.ts'

/** What an agent is asked to do, and the material to do it with. */
export interface TaskInput {
  /** What to do. */
  readonly prompt: string
  /** Text to work on, appended to the prompt. */
  readonly textInput?: string
  /** Files to copy into the workspace first. */
  readonly files?: readonly FileMapping[]
  /** Folders to copy into the workspace first. */
  readonly folders?: readonly FolderMapping[]
  /** Repositories to clone into the workspace first. */
  readonly repos?: readonly GitHubRepo[]
  /**
   * Whether to place them even where the agent has changed what was placed before: its work is then kept beside the target,
   * as `TARGET.replaced-1`. Default: the task fails with `InputChangedError`.
   */
  readonly replace?: boolean
}

const PARTS: KnownKeys<TaskInput> = {
  prompt: true,
  textInput: true,
  files: true,
  folders: true,
  repos: true,
  replace: true,
}

/** What remains of a body that compaction dropped from the log. */
export const DroppedBody = Schema.Struct({
  /** The hash of the text in UTF-8. */
  sha256: Schema.String,
  bytes: Schema.Int,
  dropped: Schema.Literal(true),
})
export type DroppedBody = typeof DroppedBody.Type

/** A text in a fact: the text itself, a reference to a blob if it is large, or its hash if compaction dropped it. */
export const Body = Schema.Union([
  Schema.String,
  Schema.Struct({ sha256: Schema.String, bytes: Schema.Int }),
  DroppedBody,
])
export type Body = typeof Body.Type

/** Bodies longer than this, in bytes of UTF-8, are kept as blobs beside the log. */
export const LARGEST_INLINE_BODY = 64 * 1024

/** In bytes of UTF-8, with the text to work on: `claude` reads hardly more. */
export const LARGEST_PROMPT = 10_000_000

/** What is wrong with a longer one. */
export const promptTooLarge = {
  problem: `it is larger than the ${LARGEST_PROMPT / 1_000_000} MB that a prompt can have`,
  hint: 'Hand it over as a file, and say in the prompt what to do with it: --file FILE (in code: files).',
}

/**
 * Checks a task, and sets absolute sources and all targets. A string is a prompt without material. URLs keep their
 * credentials, so the result must not be recorded as it is: see `withoutCredentials`.
 *
 * @throws InvalidInputError
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
  refuseUnknownKeys(input, PARTS, { what: 'The task', noun: 'part' })
  if (input.textInput !== undefined && typeof input.textInput !== 'string') {
    throw new InvalidInputError({ what: 'textInput', problem: 'it is not a string' })
  }
  if (Buffer.byteLength(composePrompt(input)) > LARGEST_PROMPT)
    throw new InvalidInputError({ what: 'The prompt', ...promptTooLarge })
  if (typeof task === 'string') return input
  const { files, folders, repos, replace } = checkMaterial(input, options)
  return {
    prompt: input.prompt,
    ...(input.textInput !== undefined && { textInput: input.textInput }),
    ...(files.length > 0 && { files }),
    ...(folders.length > 0 && { folders }),
    ...(repos.length > 0 && { repos }),
    ...(replace && { replace }),
  }
}

/** The text that is sent to the model. */
export function composePrompt(input: TaskInput): string {
  return input.textInput === undefined ? input.prompt : `${input.prompt}\n\n${input.textInput}`
}
