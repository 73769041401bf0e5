/** What can go wrong between a process that has a store open, its owner, and another one that works through it. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** The owner did not do what it was asked to: it has ended, has closed the store, or does not answer. */
export class OwnerUnavailable extends ClaudeAgentError<{ path: string; pid: number }> {
  readonly _tag = 'OwnerUnavailable'
  override readonly retryable = true
  readonly pid: number
  constructor(
    details: { path: string; pid: number; problem: string; hint?: string },
    options?: ErrorOptions,
  ) {
    const { path, pid, problem, hint = 'Try again: the log holds all that was written.' } = details
    super(
      { path, pid },
      { message: `Process ${pid}, which had the store ${path} open, ${problem}.`, hint },
      options,
    )
    this.pid = pid
  }
}

/** The owner speaks another version of the protocol. */
export class OwnerProtocolMismatch extends ClaudeAgentError<{
  path: string
  pid: number
  found: number
  known: number
}> {
  readonly _tag = 'OwnerProtocolMismatch'
  constructor(details: { path: string; pid: number; found: number; known: number }) {
    const { path, pid, found, known } = details
    super(details, {
      message: `The store ${path} is in use by process ${pid}, which speaks version ${found} of the protocol; this program speaks version ${known}.`,
      hint:
        found > known
          ? 'Upgrade this program (npm install claude-multi-agent@latest).'
          : `Upgrade the program of process ${pid} (npm install claude-multi-agent@latest) and start it again.`,
    })
  }
}

/** What says where the owner of a store can be reached is not such as an owner writes: it is not followed. */
export class OwnerRecordRefused extends ClaudeAgentError<{ file: string }> {
  readonly _tag = 'OwnerRecordRefused'
  constructor(details: { file: string; problem: string }, options?: ErrorOptions) {
    const { file, problem } = details
    super(
      { file },
      {
        message: `${file} is not followed: ${problem}.`,
        hint: 'Whoever has the store open has not written it. Find out who did, and remove it.',
      },
      options,
    )
  }
}

/** It is done by the process that has the store open, and by no other. */
export class OwnerOnly extends ClaudeAgentError<{ path: string; pid: number; what: string }> {
  readonly _tag = 'OwnerOnly'
  constructor(details: { path: string; pid: number; what: string; hint?: string }) {
    const { path, pid, what, hint = `Do it in that process, or end it first.` } = details
    super(
      { path, pid, what },
      {
        message: `The store ${path} is in use by process ${pid}, and ${what} does not go through another process.`,
        hint,
      },
    )
  }
}
