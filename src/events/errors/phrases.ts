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

/** A text as a sentence: it ends with one full stop. */
export const sentence = (text: string): string => `${text.replace(/\.$/, '')}.`

const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied',
  EPERM: 'the system does not permit it',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is exhausted',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ELOOP: 'it is a link to itself',
  ENAMETOOLONG: 'its name is too long',
}

/** What the system said of a file, in words. */
export function systemProblem(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return SYSTEM_PROBLEMS[code] ?? message
}
