/** What can go wrong in the workspace of an agent, and when the inputs of a task are placed there. None of these errors
 * holds a credential. */
import { defineError } from './builder.ts'
import { didYouMean, quoted, sentence } from './phrases.ts'

/** The directory of an agent, or a place in it, cannot be used. */
export class WorkspaceError extends defineError(
  'WorkspaceError',
  ({
    path,
    problem,
    hint,
    retryable,
  }: {
    path: string
    problem: string
    hint?: string
    retryable?: boolean
  }) => ({ message: sentence(`${path}: ${problem}`), hint, retryable }),
) {}

/** The files of an agent are kept with git, and there is none. */
export class GitNotInstalled extends defineError('GitNotInstalled', ({ path }: { path: string }) => ({
  message: `${path}: git is not installed.`,
  hint: 'Install git 2.36 or later.',
})) {}

/** A snapshot that the log names is not in the repository of snapshots, or only part of it is. */
export class SnapshotMissing extends defineError(
  'SnapshotMissing',
  ({ path, commit }: { path: string; commit: string }) => ({
    message: `${path}: the snapshot ${commit} is missing.`,
    hint: 'Bring back the directory files.git that belongs to this log, or restore a backup: claude-agents log restore FILE --to DIR. What log compact --snapshots has dropped is gone.',
  }),
) {}

/** No landing queue has this entry. `nearest` is the one that was probably meant, if there is one. */
export class LandingNotFoundError extends defineError(
  'LandingNotFoundError',
  ({ entry, nearest }: { entry: string; nearest: string | null }) => ({
    message: `No landing queue has the entry ${quoted(entry)}, or it has ended long ago.${didYouMean(nearest)}`,
    hint: 'List the entries: claude-agents land --status',
  }),
) {}

/** What an input of a task is. */
export type InputKind = 'file' | 'folder' | 'repo'

/** What a limit is on. */
export type LimitedBy = 'bytes' | 'files' | 'entries' | 'depth'

const LIMIT_NAMES: Readonly<Record<LimitedBy, string>> = {
  bytes: 'bytes',
  files: 'files',
  entries: 'folders and links',
  depth: 'nested folders',
}

/** How to raise a limit, in every place where that can be done. */
const raise = (key: string, option: string) =>
  `raise ${key} in the configuration, or with --set ${key}=NUMBER (in code: limits.${option})`

const RAISED_BY: Readonly<Record<LimitedBy, string>> = {
  bytes: `, or ${raise('limits.input_bytes', 'inputBytes')}`,
  files: `, or ${raise('limits.input_files', 'inputFiles')}`,
  entries: `, or ${raise('limits.input_files', 'inputFiles')}`,
  depth: '',
}

/** The files, folders and repositories of one task exceed the limit. */
export class InputTooLargeError extends defineError(
  'InputTooLargeError',
  ({ source, limitedBy, limit }: { source: string; limitedBy: LimitedBy; limit: number }) => ({
    message: `${source}: with this, the inputs of the task exceed the limit of ${limit} ${LIMIT_NAMES[limitedBy]}. Nothing was placed.`,
    hint: `Name only what the task needs${RAISED_BY[limitedBy]}.`,
  }),
) {}

/** There is no such file or folder. */
export class InputNotFoundError extends defineError(
  'InputNotFoundError',
  ({ kind, source }: { kind: InputKind; source: string }) => ({
    message: `${source}: no such ${kind}.`,
    hint: 'Check the path; a relative one starts at the directory where the task was given.',
  }),
) {}

/** The input is something else: a device or pipe, a folder in place of a file, a file in place of a folder. */
export class InputKindError extends defineError(
  'InputKindError',
  ({ kind, source, found }: { kind: InputKind; source: string; found: string }) => ({
    message: `${source}: this is a ${found}, not a ${kind}.`,
    hint:
      found === 'file' || found === 'folder'
        ? `Pass it as a ${found}: --${found} (in code: ${found}s).`
        : 'Only regular files and folders can be placed in a workspace.',
  }),
) {}

/** The agent has changed what was placed at the target of an input, or has made something there. */
export class InputChangedError extends defineError(
  'InputChangedError',
  ({ target, changes }: { target: string; changes: string | null }) => ({
    message:
      changes === null
        ? `${target}: the workspace has something of this name that no task has placed. Nothing was placed.`
        : `${target}: the agent has changed this since it was placed (${changes}). Nothing was placed.`,
    details: { target, changes: changes ?? '' },
    hint: 'To continue the work, ask without this input. To place it anyway, ask with --replace (in code: replace: true): the work is then kept beside the target. Or choose another target.',
  }),
) {}

/** Why a repository was not cloned. */
export type CloneProblem =
  | 'git-missing'
  | 'ref-not-found'
  | 'refused'
  | 'unknown-host-key'
  | 'not-found'
  | 'empty'
  | 'network'
  | 'failed'

interface CloneRow {
  readonly message: string
  readonly hint?: string
  readonly retryable?: boolean
}

const CLONE_PROBLEMS: Readonly<Record<CloneProblem, CloneRow>> = {
  'git-missing': {
    message: 'the repository cannot be cloned because git was not found',
    hint: 'Install git, and make sure that it is in PATH.',
  },
  'ref-not-found': {
    message: 'the repository has no such branch, tag or commit',
    hint: 'Check the ref; a commit is named by all of its 40 digits.',
  },
  refused: {
    message: 'the server denied access to the repository',
    hint: 'Use an ssh URL with a key in the ssh agent, or an https URL with a token. Logins stored by git itself are not used.',
  },
  'unknown-host-key': {
    message: 'the host key of the server is unknown to ssh, or has changed',
    hint: 'Connect once with ssh and check the key; no key is accepted unseen.',
  },
  'not-found': {
    message: 'no such repository',
    hint: 'Check the URL; a private repository may be hidden from a user who is not logged in.',
  },
  empty: { message: 'the repository has no commit', hint: 'Name a branch that has one.' },
  network: {
    message: 'the server of the repository could not be reached',
    hint: 'Try again later.',
    retryable: true,
  },
  failed: { message: 'the repository could not be cloned' },
}

/** A repository could not be cloned. `retryable` where the network may be better next time. */
export class CloneError extends defineError(
  'CloneError',
  ({ url, problem, said }: { url: string; problem: CloneProblem; said?: string }) => {
    const { message, ...row } = CLONE_PROBLEMS[problem]
    return { ...row, message: `${url}: ${message}${said ? ` (${said})` : ''}.` }
  },
) {}

/** A clone exceeded its time limit. Git was stopped, and what it had fetched was removed. */
export class CloneTimeoutError extends defineError(
  'CloneTimeoutError',
  ({ url, limitMs }: { url: string; limitMs: number }) => ({
    message: `${url}: the clone exceeded its time limit of ${limitMs / 1000} s and was stopped.`,
    hint: `Try again later, ${raise('limits.clone_seconds', 'cloneSeconds')}, or clone it yourself and pass the folder: --folder DIR (in code: folders).`,
    retryable: true,
  }),
) {}

/** The work of a step was answered, and did not land. It stays on the branch of its agent. */
export class WorkNotLandedError extends defineError(
  'WorkNotLandedError',
  ({ agent, reason }: { agent: string; reason: string | null }) => ({
    // A reason of several lines ends with what was printed, or the name of a file.
    message: `The work of "${agent}" has not landed: ${reason?.includes('\n') ? reason : sentence(reason ?? 'that was cancelled')}`,
    hint: `It is still on its branch. To land it again: claude-agents land ${agent}`,
  }),
) {}
