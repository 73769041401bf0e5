/** What can keep a task's material from being placed in a workspace. None of these errors holds a credential. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

export type InputKind = 'file' | 'folder' | 'repo'

/** What a limit is on. */
export type LimitedBy = 'bytes' | 'files' | 'entries' | 'depth'

const LIMIT_NAMES: Readonly<Record<LimitedBy, string>> = {
  bytes: 'bytes',
  files: 'files',
  entries: 'folders and links',
  depth: 'folders inside each other',
}

/** The files, folders and repositories of one task are more than the limit allows. */
export class InputTooLargeError extends ClaudeAgentError<{
  source: string
  limitedBy: LimitedBy
  limit: number
}> {
  readonly _tag = 'InputTooLargeError'
  constructor(details: { source: string; limitedBy: LimitedBy; limit: number }) {
    const { source, limitedBy, limit } = details
    super(details, {
      message: `${source}: with this the material of the task is more than ${limit} ${LIMIT_NAMES[limitedBy]}. Nothing was placed.`,
      hint: 'Name only what the task needs, or raise the limits of inputs.',
    })
  }
}

/** What was named as a file or folder is not there. */
export class InputNotFoundError extends ClaudeAgentError<{ kind: InputKind; source: string }> {
  readonly _tag = 'InputNotFoundError'
  constructor(details: { kind: InputKind; source: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `${details.source}: there is no such ${details.kind}.`,
        hint: 'Look at the path; a relative one starts at the directory where the task was given.',
      },
      options,
    )
  }
}

/** What was named is something else: a device or pipe, a folder in place of a file, a file in place of a folder. */
export class InputKindError extends ClaudeAgentError<{ kind: InputKind; source: string; found: string }> {
  readonly _tag = 'InputKindError'
  constructor(details: { kind: InputKind; source: string; found: string }) {
    super(details, {
      message: `${details.source}: this is a ${details.found}, not a ${details.kind}.`,
      hint:
        details.found === 'file' || details.found === 'folder'
          ? `Name it as a ${details.found}.`
          : 'Only ordinary files and folders can be brought into a workspace.',
    })
  }
}

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
    message: 'the repository cannot be cloned because there is no git',
    hint: 'Install git, so that it is found in PATH.',
  },
  'ref-not-found': {
    message: 'the repository has no such branch, tag or commit',
    hint: 'Look at the ref; a commit is named by all of its 40 digits.',
  },
  refused: {
    message: 'the server refused access to the repository',
    hint: 'Use an ssh URL with a key in the ssh agent, or an https URL with a token. A login kept by git itself is not used.',
  },
  'unknown-host-key': {
    message: 'the key of the server is not known to ssh, or has changed',
    hint: 'Connect once with ssh and look at the key; nothing is accepted unseen.',
  },
  'not-found': {
    message: 'there is no such repository',
    hint: 'Look at the URL; a private repository may be hidden from whoever is not logged in.',
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
export class CloneError extends ClaudeAgentError<{ url: string; problem: CloneProblem; said?: string }> {
  readonly _tag = 'CloneError'
  override readonly retryable: boolean
  constructor(details: { url: string; problem: CloneProblem; said?: string }, options?: ErrorOptions) {
    const { message, hint, retryable = false } = CLONE_PROBLEMS[details.problem]
    const said = details.said ? ` (${details.said})` : ''
    super(
      details,
      { message: `${details.url}: ${message}${said}.`, ...(hint === undefined ? {} : { hint }) },
      options,
    )
    this.retryable = retryable
  }
}

/** A clone took longer than it may. Git was ended, and what it had fetched was removed. */
export class CloneTimeoutError extends ClaudeAgentError<{ url: string; limitMs: number }> {
  readonly _tag = 'CloneTimeoutError'
  /** Servers and lines have bad hours. */
  override readonly retryable = true
  constructor(details: { url: string; limitMs: number }) {
    super(details, {
      message: `${details.url}: the clone was not done after ${details.limitMs / 1000} s and was ended.`,
      hint: 'Try again later, or raise the time limit of clones.',
    })
  }
}
