/** What can be wrong with a supervision tree, and with asking something of it. */
import { nameHint } from '../nearest-name.ts'
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** A specification that makes no sense; nothing was started. */
export class InvalidSpecificationError extends ClaudeAgentError<{ where: string; problem: string }> {
  readonly _tag = 'InvalidSpecificationError'
  constructor(details: { where: string; problem: string; hint?: string }) {
    const { where, problem, hint } = details
    super(
      { where, problem },
      {
        message: `${where}: ${problem}. Nothing was started.`,
        ...(hint === undefined ? {} : { hint }),
      },
    )
  }
}

interface OfChild {
  readonly supervisor: string
  readonly child: string
}

/** A child could not be started. Those that had been started before it were stopped again. */
export class ChildStartError extends ClaudeAgentError<OfChild> {
  readonly _tag = 'ChildStartError'
  constructor(details: OfChild & { problem: string; hint?: string }, options?: ErrorOptions) {
    const { supervisor, child, problem, hint } = details
    super(
      { supervisor, child },
      {
        message: `Child "${child}" of supervisor "${supervisor}" could not be started: ${problem}`,
        ...(hint ? { hint } : {}),
      },
      options,
    )
  }
}

/** There is a child of this id, and it runs. */
export class ChildAlreadyStartedError extends ClaudeAgentError<OfChild> {
  readonly _tag = 'ChildAlreadyStartedError'
  constructor({ supervisor, child }: OfChild) {
    super(
      { supervisor, child },
      {
        message: `Child "${child}" of supervisor "${supervisor}" runs already.`,
        hint: 'Choose another id, or terminate it first.',
      },
    )
  }
}

/** There is a child of this id, and it does not run. */
export class ChildAlreadyPresentError extends ClaudeAgentError<OfChild & { status: string }> {
  readonly _tag = 'ChildAlreadyPresentError'
  constructor(details: OfChild & { status: string }) {
    super(details, {
      message: `Supervisor "${details.supervisor}" has a child "${details.child}" already: it is ${details.status}.`,
      hint: `Start it with restartChild('${details.child}'), or remove it with deleteChild first.`,
    })
  }
}

export class ChildNotFoundError extends ClaudeAgentError<OfChild> {
  readonly _tag = 'ChildNotFoundError'
  constructor({ supervisor, child, known }: OfChild & { known: readonly string[] }) {
    super(
      { supervisor, child },
      {
        message: `Supervisor "${supervisor}" has no child "${child}".`,
        hint: known.length === 0 ? 'It has none at all.' : nameHint(child, known.slice(0, 100)),
      },
    )
  }
}

/** What was asked for needs a child that does not run. */
export class ChildRunningError extends ClaudeAgentError<OfChild> {
  readonly _tag = 'ChildRunningError'
  constructor(details: OfChild) {
    super(details, {
      message: `Child "${details.child}" of supervisor "${details.supervisor}" is running.`,
      hint: `End it first: terminateChild('${details.child}').`,
    })
  }
}

/** What was asked for needs a child that does not run, and is not about to. */
export class ChildRestartingError extends ClaudeAgentError<OfChild> {
  readonly _tag = 'ChildRestartingError'
  constructor(details: OfChild) {
    super(details, {
      message: `Child "${details.child}" of supervisor "${details.supervisor}" is being restarted.`,
      hint: `Wait until it runs, or call the restart off: terminateChild('${details.child}').`,
    })
  }
}

/** Dynamic children come and go: a specification does not stay without its child. */
export class NotForDynamicChildrenError extends ClaudeAgentError<{ supervisor: string; command: string }> {
  readonly _tag = 'NotForDynamicChildrenError'
  constructor(details: { supervisor: string; command: string }) {
    super(details, {
      message: `Supervisor "${details.supervisor}" has dynamic children: ${details.command} is not for them.`,
      hint: 'Use terminateChild, and startChild for a new one.',
    })
  }
}

export class SupervisorExistsError extends ClaudeAgentError<{ supervisor: string }> {
  readonly _tag = 'SupervisorExistsError'
  constructor(details: { supervisor: string }) {
    super(details, {
      message: `There is a supervisor "${details.supervisor}" already.`,
      hint: 'The id of a supervisor names its stream in the log, also that of a nested one: choose another, or stop the one there is.',
    })
  }
}

export class SupervisorStoppedError extends ClaudeAgentError<{ supervisor: string }> {
  readonly _tag = 'SupervisorStoppedError'
  constructor(details: { supervisor: string }) {
    super(details, {
      message: `Supervisor "${details.supervisor}" has stopped.`,
      hint: 'Start its tree again with supervise.',
    })
  }
}

/** An agent has one supervisor at most. */
export class AlreadySupervisedError extends ClaudeAgentError<{ agent: string; supervisor: string }> {
  readonly _tag = 'AlreadySupervisedError'
  constructor(details: { agent: string; supervisor: string }) {
    super(details, {
      message: `Agent "${details.agent}" is supervised by "${details.supervisor}" already.`,
      hint: 'Terminate it there first, or name another agent.',
    })
  }
}

/** An agent whose supervisor has ended it, and does not start it again by itself. */
export class AgentDownError extends ClaudeAgentError<{ agent: string; supervisor: string }> {
  readonly _tag = 'AgentDownError'
  constructor(details: { agent: string; supervisor: string }) {
    super(details, {
      message: `Agent "${details.agent}" does not run: its supervisor "${details.supervisor}" has ended it.`,
      hint: `Its tasks are kept. Start it again: restartChild('${details.agent}'), or supervise it anew.`,
    })
  }
}

interface GivenUp extends OfChild {
  readonly restarts: number
  readonly withinMs: number
  /** The tag, or the name, of the error that it began with; what it said, and what to do about it. */
  readonly code: string
  readonly problem: string
  readonly remedy: string
}

/** A tree was restarted more often than its root allows: nobody is left to deal with it, and the orchestrator ends. */
export class SupervisionFailedError extends ClaudeAgentError<GivenUp> {
  readonly _tag = 'SupervisionFailedError'
  constructor(details: GivenUp, options?: ErrorOptions) {
    const { supervisor, child, restarts, withinMs, problem, remedy } = details
    const why = problem === '' ? '' : `: ${problem.replace(/\.$/, '')}`
    super(
      details,
      {
        message: `Supervisor "${supervisor}" gave up with child "${child}", at restart ${restarts} within ${withinMs} ms${why}.`,
        hint: `${remedy || 'Mend the cause.'} Then open the orchestrator again. What happened: claude-agents log --stream supervisor/${supervisor}`,
      },
      options,
    )
  }
}
