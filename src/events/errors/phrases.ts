/** The phrases that the messages of several errors share. */

/** A name as it stands in a message: in quotes, in one line, and not longer than it helps. */
export function quoted(name: string, longest = 200): string {
  // What is wrong with a name may be that it is none.
  const text = String(name)
  return JSON.stringify(text.length > longest ? `${text.slice(0, longest - 3)}...` : text)
}

/** The end of a message about an unknown name. */
export const didYouMean = (nearest: string | null): string =>
  nearest === null ? '' : ` Did you mean ${quoted(nearest)}?`

export const NOTHING_WRITTEN = 'Nothing was written.'

/** The hint where a newer version left something that this one cannot read. */
export const WRITTEN_BY_NEWER =
  'It was written by a newer claude-multi-agent. Upgrade: npm install claude-multi-agent@latest'

/** How to get a `claude`, and how to log it in: for the whole machine or in a project. */
export const INSTALL_CLAUDE =
  'npm install -g @anthropic-ai/claude-code@latest (without -g: for this project alone)'
export const LOG_IN =
  'Log in (run claude, or npx claude in a project that has it, then /login), or set ANTHROPIC_API_KEY.'

/** The hint where a store is damaged. */
export const VERIFY_OR_REPAIR =
  'Nothing was changed. claude-agents log verify lists everything that is wrong; claude-agents log repair --to DIR saves what is intact.'

/** The hint where a text can no longer be read from this store. */
export const bodyInBackup = (before: string): string =>
  `A backup from before ${before} still has it. To run the task again, use a new task id.`

/** A text as a sentence: it ends with one full stop, or as it does if it asks something. */
export const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`)

/** The same where it is not the beginning of a message. */
export const nextSentence = (text: string): string => sentence(text.slice(0, 1).toUpperCase() + text.slice(1))

/** Why a signal was aborted, in words. */
export const abortedBecause = (reason: unknown): string =>
  (reason instanceof Error && reason.message) || String(reason)

/** What the codes of the system's errors mean to a person: one table for all that touches files. */
const PROBLEMS: Readonly<Record<string, readonly [problem: string, hint?: string]>> = {
  EACCES: ['permission denied', 'Change its permissions or its owner, then try again.'],
  EPERM: [
    'the system does not permit it',
    'If it is immutable (lsattr shows an i), make it changeable with chattr -i, then try again.',
  ],
  EBUSY: ['it is in use', 'If something is mounted there, unmount it, then try again.'],
  ENOSPC: ['the disk is full', 'Free some space, then try again.'],
  EDQUOT: ['the disk quota is exhausted', 'Free some space, then try again.'],
  EROFS: ['the disk is read-only', 'Use a place that can be written.'],
  EIO: ['the disk reports an error', 'Check the disk, and copy what you need to another one.'],
  EMFILE: ['too many open files', 'Close some files, or raise the limit (ulimit -n).'],
  ENFILE: ['the whole system has too many open files', 'Close some files, then try again.'],
  ENAMETOOLONG: ['a name in it is too long', 'Use a shorter path.'],
  ENOENT: ['it does not exist', 'Check the path; if it is a link, check where it leads.'],
  ENOTDIR: ['a part of its path is not a directory', 'Use a path that leads through directories only.'],
  EISDIR: ['it is a directory', 'Name a file.'],
  EEXIST: ['something of this name is already there', 'Move it away, or use another name.'],
  ELOOP: ['it is a link to itself', 'Correct the links, or use another path.'],
  EXDEV: ['the workspace and the home of the agent are on different disks', 'Keep both on one disk.'],
}

/** Whether something failed because a disk has no room, for what was tried itself or what led to it. */
export function isDiskFull(error: unknown, depth = DEEPEST_CAUSE): boolean {
  if (['ENOSPC', 'EDQUOT'].includes(codeOf(error))) return true
  const { cause } = Object(error) as Error
  return cause !== undefined && depth > 0 && isDiskFull(cause, depth - 1)
}

/** One may be its own cause. */
const DEEPEST_CAUSE = 8

export interface SystemFailure {
  readonly code: string
  /** Ready to follow the path and a colon. */
  readonly problem: string
  readonly hint: string | undefined
  /** What it is about, if the error says so. */
  readonly path: string | undefined
}

/** The code of an error of the system, such as `ENOENT`; empty for any other error. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** What an error of the system means; null for any other error. */
export function systemFailure(error: unknown): SystemFailure | null {
  const code = codeOf(error)
  const { syscall, path } = Object(error) as NodeJS.ErrnoException
  if (syscall === 'uv_cwd') {
    const hint = 'Change to a directory that exists (cd), then try again.'
    return { code, problem: 'the working directory no longer exists', hint, path }
  }
  const [problem, hint] = PROBLEMS[code] ?? []
  return problem === undefined ? null : { code, problem, hint, path }
}

/** What the system said of a file, in words. */
export function systemProblem(error: unknown): string {
  return systemFailure(error)?.problem ?? (error as Error).message
}

/** A word of a command that the user is to type, as a shell takes it. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
