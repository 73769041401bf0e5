/** A task as it is asked: a prompt, and the material to work on, checked before anything is read or written; and what was placed of it. */
import { basename, resolve } from 'node:path'
import * as Schema from 'effect/Schema'
import { quoted } from './errors/phrases.ts'
import { InvalidInputError } from './errors/usage.ts'
import { type KnownKeys, refuseUnknownKeys } from './options/decoding.ts'
import { checkRepoUrl, type RepoUrlOptions, repoName } from './repo-url.ts'

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

/** A file to copy into the workspace. */
export const FileMapping = Schema.Struct({
  /** The path of the source. A relative path is resolved against the working directory. */
  source: Schema.String,
  /** Where it goes: relative to the workspace, with `/`. Default: the name of the source. */
  target: Schema.optionalKey(Schema.String),
})
export type FileMapping = typeof FileMapping.Type

/** A folder to copy into the workspace, with everything in it except links that may lead out of it. */
export const FolderMapping = FileMapping
export type FolderMapping = FileMapping

/** A git repository to clone into the workspace, from GitHub or elsewhere. */
export const GitHubRepo = Schema.Struct({
  /** https, ssh or git, or `git@host:path`. */
  url: Schema.String,
  /** A branch, a tag, or the full hash of a commit. Default: the default branch. */
  ref: Schema.optionalKey(Schema.String),
  /** Where it goes. Default: the last part of the URL, without `.git`. */
  target: Schema.optionalKey(Schema.String),
})
export type GitHubRepo = typeof GitHubRepo.Type

/** All the material of one task. */
export const Material = Schema.Struct({
  files: Schema.optionalKey(Schema.Array(FileMapping)),
  folders: Schema.optionalKey(Schema.Array(FolderMapping)),
  repos: Schema.optionalKey(Schema.Array(GitHubRepo)),
  /**
   * Whether to place it even where the agent has changed what was placed before, or has made something of its own: its work
   * is then kept beside the target, as `TARGET.replaced-1`. Default: the task fails with `InputChangedError`.
   */
  replace: Schema.optionalKey(Schema.Boolean),
})
export type Material = typeof Material.Type

export const hasMaterial = ({ files = [], folders = [], repos = [] }: Material): boolean =>
  files.length + folders.length + repos.length > 0

const PARTS: KnownKeys<TaskInput> = {
  prompt: true,
  textInput: true,
  files: true,
  folders: true,
  repos: true,
  replace: true,
}

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

/** Material whose sources are absolute and whose targets are set. */
export interface CheckedMaterial {
  readonly files: readonly CheckedMapping[]
  readonly folders: readonly CheckedMapping[]
  readonly repos: readonly CheckedRepo[]
  readonly replace: boolean
}
export type CheckedMapping = Required<FileMapping>
/** `url` still contains its credentials. */
export type CheckedRepo = GitHubRepo & { readonly target: string }

/** Throws {@link InvalidInputError} for an invalid source, target, URL or ref, and for inputs with conflicting targets. */
export function checkMaterial(material: Material, options: RepoUrlOptions = {}): CheckedMaterial {
  const checked = {
    files: list(material.files, 'files').map((file, at) => checkMapping(file, `files[${at}]`)),
    folders: list(material.folders, 'folders').map((folder, at) => checkMapping(folder, `folders[${at}]`)),
    repos: list(material.repos, 'repos').map((repo, at) => checkRepo(repo, `repos[${at}]`, options)),
    replace: checkReplace(material.replace),
  }
  refuseOverlaps(checked)
  return checked
}

/** A repository as it may be recorded. Cloning it again needs another kind of login, or none. */
export function withoutCredentials(repo: GitHubRepo): GitHubRepo {
  return { ...repo, url: checkRepoUrl(repo.url, 'The URL', { allowLocalRepos: true }).url }
}

function checkReplace(replace: unknown): boolean {
  if (replace === undefined || typeof replace === 'boolean') return replace ?? false
  throw new InvalidInputError({ what: 'replace', problem: 'it is not true or false' })
}

function list<Item>(items: readonly Item[] | undefined, what: string): readonly Item[] {
  if (items === undefined) return []
  if (!Array.isArray(items)) throw new InvalidInputError({ what, problem: 'it is not a list' })
  return items
}

function checkMapping(mapping: FileMapping, what: string): CheckedMapping {
  refuseOther(mapping, what, ['source', 'target'])
  const { source, target } = mapping
  if (typeof source !== 'string' || source === '' || source.includes('\0')) {
    throw new InvalidInputError({
      what: `${what}.source`,
      problem: source === '' ? 'it is empty' : 'it is not a path',
      hint: 'Name the file or folder to place in the workspace.',
    })
  }
  const absolute = resolve(source)
  return { source: absolute, target: checkTarget(target ?? basename(absolute), `${what}.target`) }
}

function checkRepo(repo: GitHubRepo, what: string, options: RepoUrlOptions): CheckedRepo {
  refuseOther(repo, what, ['url', 'ref', 'target'])
  const location = checkRepoUrl(repo.url, `${what}.url`, options)
  if (repo.ref !== undefined) checkRef(repo.ref, `${what}.ref`)
  // After a restart in another directory, a relative path would name another place.
  const url = location.transport === 'file' ? location.url : repo.url
  return { ...repo, url, target: checkTarget(repo.target ?? repoName(location), `${what}.target`) }
}

/** Unknown properties are errors, so that a misspelt name is not silently ignored. */
function refuseOther(value: object, what: string, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) {
    throw new InvalidInputError({ what, problem: `it is not an object with ${known.join(', ')}` })
  }
  const other = Object.keys(value).find((name) => !known.includes(name))
  if (other === undefined) return
  throw new InvalidInputError({
    what,
    problem: `unknown property ${quoted(other, 40)}`,
    hint: `It can have ${known.join(', ')}.`,
  })
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it refuses them
const NOT_IN_A_REF = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|(^|\/)\.|\.lock(\/|$)|[./]$|^[-/@]$|^[-/]/

/** Applies the rules of `git check-ref-format`, and refuses a leading hyphen. */
export function checkRef(ref: unknown, what: string): string {
  if (typeof ref === 'string' && ref !== '' && ref.length <= 250 && !NOT_IN_A_REF.test(ref)) return ref
  throw new InvalidInputError({
    what,
    problem: 'it is not the name of a branch, tag or commit',
    hint: 'Give a name such as main or v1.2.0, or the 40 digits of a commit.',
  })
}

/** A target may be inside a folder or a repository, which is then placed first, but not inside a file. */
function refuseOverlaps({ files, folders, repos }: CheckedMaterial): void {
  const targets = [...files, ...folders, ...repos].map(({ target }) => target)
  const twice = targets.find((target, at) => targets.indexOf(target) !== at)
  if (twice !== undefined) {
    throw new InvalidInputError({
      what: 'The targets',
      problem: `${JSON.stringify(twice)} is given twice`,
      hint: 'Give each input its own target.',
    })
  }
  for (const file of files) {
    if (!targets.some((target) => target.startsWith(`${file.target}/`))) continue
    throw new InvalidInputError({
      what: 'The targets',
      problem: `${JSON.stringify(file.target)} is a file, but another target is inside it`,
    })
  }
}

// Targets: relative paths that cannot lead out of the workspace, or into a `.git` directory.

/** Limits of common file systems: bytes of one name, characters of the whole path. */
const LONGEST_NAME = 255
const LONGEST_TARGET = 1000

// biome-ignore lint/suspicious/noControlCharactersInRegex: it refuses them
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/

/** Characters that some file systems ignore, so that a name with them equals one without. */
const INVISIBLE = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/**
 * The normalized target. Throws {@link InvalidInputError}.
 *
 * @example
 * checkTarget('docs//./guide/', 'files[0].target') // 'docs/guide'
 */
export function checkTarget(target: unknown, what: string): string {
  const problem = problemOf(target)
  if (problem !== null || typeof target !== 'string') {
    throw new InvalidInputError({
      what,
      problem: problem ?? 'it is not a string',
      hint: 'Give a path relative to the workspace, such as docs/guide.md.',
    })
  }
  return partsOf(target).join('/')
}

const partsOf = (target: string) => target.split('/').filter((part) => part !== '' && part !== '.')

function problemOf(target: unknown): string | null {
  if (typeof target !== 'string') return 'it is not a string'
  if (CONTROL_CHARACTERS.test(target)) return 'it contains a control character'
  if (Buffer.from(target).toString() !== target) return 'it is not valid Unicode'
  if (target.startsWith('/')) return 'it is an absolute path'
  if (target.includes('\\')) return 'it contains a backslash; separate directories with /'
  const parts = partsOf(target)
  if (/^[a-z]:/i.test(parts[0] ?? '')) return 'it is an absolute path'
  if (parts.length === 0) return 'it is empty, or names the workspace itself'
  if (parts.includes('..')) return 'it contains .., which could lead out of the workspace'
  if (target.length > LONGEST_TARGET || parts.some((part) => Buffer.byteLength(part) > LONGEST_NAME)) {
    return 'it is too long'
  }
  return parts.some(isGitDirectory)
    ? 'it leads into a .git directory, whose hooks and settings git would run'
    : null
}

/** Whether some file system would take the name for `.git`. */
function isGitDirectory(name: string): boolean {
  const plain = name
    .replace(INVISIBLE, '')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '')
  return plain === '.git' || plain === 'git~1'
}

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What was left out of an input, and why. */
export const LeftOutEntry = Schema.Struct({
  /** Relative to the input. */
  path: Schema.String,
  what: Schema.String,
})
export type LeftOutEntry = typeof LeftOutEntry.Type

/** An input of a task that was placed in the workspace. */
export const PlacedInput = Schema.Struct({
  kind: Schema.Literals(['file', 'folder', 'repo']),
  /** The path it came from; for a repository the URL, without credentials. */
  source: Schema.String,
  target: Schema.String,
  /** The hash of a file's content; for a folder or a working tree, over its sorted paths, their contents and modes. */
  sha256: Schema.String,
  /** The commit that was checked out. */
  commit: Schema.NullOr(Schema.String),
  /** `files` and `bytes` leave out the `.git` directory. */
  files: Count,
  bytes: Count,
  /** How many entries were left out: links that may lead out of it, sockets, pipes, devices, and files that vanished before they could be read. */
  skipped: Count,
  /** The first of them. */
  leftOut: Schema.optionalKey(Schema.Array(LeftOutEntry)),
  /** Where the agent's work that it replaced is kept, relative to the workspace. */
  kept: Schema.optionalKey(Schema.String),
  /** It was not placed again: the run had placed it before, and the agent has worked on it since. */
  left: Schema.optionalKey(Schema.Literal(true)),
})
export type PlacedInput = typeof PlacedInput.Type

/**
 * What was left out of an input, for the user and for the model; null if nothing was.
 *
 * @example
 * leftOutOf(input) // 'docs: 2 entries were left out: "key" (a link that may lead out of it), "socket" (a socket)'
 */
export function leftOutOf({ target, skipped, leftOut = [] }: PlacedInput): string | null {
  if (leftOut.length === 0) return null
  const named = leftOut.map(({ path, what }) => `${quoted(path)} (${what})`)
  const more = skipped - leftOut.length
  const were = skipped === 1 ? 'entry was' : 'entries were'
  return `${target}: ${skipped} ${were} left out: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
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
