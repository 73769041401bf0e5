/** One life of the simulated process: it opens the log, works, and dies or is closed. What it asked is watched. */
import type { ActorRef } from '../../actors/own/definition.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { Orchestrator } from '../../orchestrator.ts'
import type { OrchestratorOptions } from '../../orchestrator-options.ts'
import type { MortalStore } from '../mortal-store.ts'
import type { Members } from './members.ts'
import type { Schedule } from './schedule.ts'
import { Violation } from './violation.ts'

/** Something that was asked of the process, and what became of it. */
export interface Operation {
  readonly what: string
  state: 'pending' | 'done' | 'failed'
  error: unknown
  /** Whether it may stay pending while nothing goes on. */
  readonly mayWait: () => boolean
}

export interface LifeParts {
  readonly number: number
  readonly schedule: Schedule
  readonly store: MortalStore
  readonly members: Members
  readonly options: OrchestratorOptions
  readonly broken: (violation: Violation) => void
}

export class Life {
  readonly number: number
  readonly schedule: Schedule
  readonly store: MortalStore
  readonly members: Members
  readonly operations: Operation[] = []
  /** The actors that were told something in it. */
  readonly refs = new Map<string, ActorRef<unknown, unknown, unknown>>()
  /** The orchestrator, once it is open. */
  orchestrator: Orchestrator | undefined
  /** Whether it was closed, or could not be opened. */
  isClosed = false
  /** Whether a supervision tree was started in it. */
  hasTree = false
  readonly #broken: (violation: Violation) => void
  readonly #opening: Promise<Orchestrator>
  #closing: Promise<void> | undefined

  constructor({ number, schedule, store, members, options, broken }: LifeParts) {
    this.number = number
    this.schedule = schedule
    this.store = store
    this.members = members
    this.#broken = broken
    this.#opening = Orchestrator.open({ ...options, store: store.store })
    const open = (orchestrator: Orchestrator) => {
      this.orchestrator = orchestrator
    }
    const close = () => {
      this.isClosed = true
    }
    this.#opening.then(open, close)
    this.#watch('open', this.#opening)
  }

  /** Whether it is being closed, or was. */
  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** Asks something of the orchestrator as soon as it is open. */
  ask<T>(
    what: string,
    work: (orchestrator: Orchestrator) => Promise<T>,
    mayWait: () => boolean = () => false,
  ): Promise<T> {
    const asked = this.#opening.then(work)
    this.#watch(what, asked, mayWait)
    return asked
  }

  /** Closes it, and watches that as well. */
  close(): Promise<void> {
    this.#closing ??= this.ask('close', (orchestrator) => orchestrator.close()).finally(() => {
      this.isClosed = true
    })
    this.#closing.catch(() => {})
    return this.#closing
  }

  /** Throws a violation if something waits although nothing goes on. */
  checkAtRest(when: string): void {
    for (const { what, state, mayWait } of this.operations)
      if (state === 'pending' && !mayWait())
        throw new Violation('nothing hangs', `${what} has not ended ${when}`)
  }

  #watch(what: string, asked: Promise<unknown>, mayWait = () => false): void {
    const operation: Operation = { what, state: 'pending', error: undefined, mayWait }
    this.operations.push(operation)
    asked.then(
      () => {
        operation.state = 'done'
      },
      (error: unknown) => {
        operation.state = 'failed'
        operation.error = error
        if (error instanceof Violation) this.#broken(error)
        else if (!(error instanceof ClaudeAgentError))
          this.#broken(
            new Violation('every error is one of the package', `${what}: ${String(error)}`, { cause: error }),
          )
      },
    )
  }
}
