/** The phrases that the messages of several errors share. */

/** A name as it stands in a message: in quotes, in one line, and not longer than it helps. */
export const quoted = (name: string, longest = 200): string =>
  JSON.stringify(name.length > longest ? `${name.slice(0, longest - 3)}...` : name)

export const NOTHING_WRITTEN = 'Nothing was written.'

/** The hint where a newer version left something that this one cannot read. */
export const WRITTEN_BY_NEWER =
  'It was written by a newer claude-multi-agent. Upgrade: npm install claude-multi-agent@latest'

/** The hint where a store is damaged. */
export const VERIFY_OR_REPAIR =
  'Nothing was changed. claude-agents log verify lists everything that is wrong; claude-agents log repair --to DIR saves what is intact.'

/** The hint where a text can no longer be read from this store. */
export const bodyInBackup = (before: string): string =>
  `A backup from before ${before} still has it. To run the task again, use a new task id.`

/** A text as a sentence: it ends with one full stop. */
export const sentence = (text: string): string => `${text.replace(/\.$/, '')}.`

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
  ENOENT: ['no such file or directory', 'Check the path; if it is a link, check where it leads.'],
  ENOTDIR: ['something on this path is not a directory', 'Use a path that leads through directories only.'],
  EISDIR: ['this is a directory', 'Name a file.'],
  EEXIST: ['something of this name is already there', 'Move it away, or use another name.'],
  ELOOP: ['its links lead back to each other', 'Correct the links, or use another path.'],
  EXDEV: ['the workspace and the home of the agent are on different disks', 'Keep both on one disk.'],
}

export interface SystemProblem {
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
export function systemProblem(error: unknown): SystemProblem | null {
  const code = codeOf(error)
  const { syscall, path } = Object(error) as NodeJS.ErrnoException
  if (syscall === 'uv_cwd') {
    const hint = 'Change to a directory that exists (cd), then try again.'
    return { code, problem: 'the working directory no longer exists', hint, path }
  }
  const [problem, hint] = PROBLEMS[code] ?? []
  return problem === undefined ? null : { code, problem, hint, path }
}
