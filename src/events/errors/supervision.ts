/** What can be wrong with a supervision tree, and with a command to one. */
import { nameHint } from '../nearest-name.ts'
import { defineError } from './builder.ts'
import { quoted, sentence } from './phrases.ts'

interface OfChild {
  readonly supervisor: string
  readonly child: string
}

/** `Child "a" of supervisor "b"`. */
const named = ({ supervisor, child }: OfChild) => `Child ${quoted(child)} of supervisor ${quoted(supervisor)}`

/** A specification that makes no sense; nothing was started. */
export class InvalidSpecificationError extends defineError(
  'InvalidSpecificationError',
  ({ where, problem, hint }: { where: string; problem: string; hint?: string }) => ({
    details: { where, problem },
    message: `${sentence(`${where}: ${problem}`)} Nothing was started.`,
    hint,
  }),
) {}

/** A child could not be started. Those started before it were stopped again. */
export class ChildStartError extends defineError(
  'ChildStartError',
  ({ supervisor, child, problem, hint }: OfChild & { problem: string; hint?: string }) => ({
    details: { supervisor, child },
    message: `${named({ supervisor, child })} could not be started: ${sentence(problem)}`,
    hint,
  }),
) {}

/** There is already a child with this id, and it is running. */
export class ChildAlreadyStartedError extends defineError(
  'ChildAlreadyStartedError',
  ({ supervisor, child }: OfChild) => ({
    details: { supervisor, child },
    message: `${named({ supervisor, child })} is already running.`,
    hint: 'Choose another id, or terminate it first.',
  }),
) {}

/** There is already a child with this id, and it is not running. */
export class ChildAlreadyPresentError extends defineError(
  'ChildAlreadyPresentError',
  ({ supervisor, child, status }: OfChild & { status: string }) => ({
    message: `Supervisor ${quoted(supervisor)} already has a child ${quoted(child)}: it is ${status}.`,
    hint: `Start it with restartChild('${child}'), or remove it with deleteChild('${child}') first.`,
  }),
) {}

/** The supervisor has no child with this id. */
export class ChildNotFoundError extends defineError(
  'ChildNotFoundError',
  ({ supervisor, child, known }: OfChild & { known: readonly string[] }) => ({
    details: { supervisor, child },
    message: `Supervisor ${quoted(supervisor)} has no child ${quoted(child)}.`,
    hint: known.length === 0 ? 'It has no children.' : nameHint(child, known.slice(0, 100)),
  }),
) {}

/** The command is only for a child that is not running. */
export class ChildRunningError extends defineError('ChildRunningError', (details: OfChild) => ({
  message: `${named(details)} is running.`,
  hint: `Stop it first: terminateChild('${details.child}')`,
})) {}

/** The command is only for a child that is not running, nor about to. */
export class ChildRestartingError extends defineError('ChildRestartingError', (details: OfChild) => ({
  message: `${named(details)} is being restarted.`,
  hint: `Wait until it runs, or cancel the restart: terminateChild('${details.child}')`,
})) {}

/** Dynamic children come and go: no specification is kept without its child. */
export class NotForDynamicChildrenError extends defineError(
  'NotForDynamicChildrenError',
  ({ supervisor, command }: { supervisor: string; command: string }) => ({
    message: `Supervisor ${quoted(supervisor)} has dynamic children: ${command} does not apply to them.`,
    hint: 'Use terminateChild, and startChild for a new one.',
  }),
) {}

/** There is already a supervisor with this id. */
export class SupervisorExistsError extends defineError(
  'SupervisorExistsError',
  ({ supervisor }: { supervisor: string }) => ({
    message: `Supervisor ${quoted(supervisor)} already exists.`,
    hint: 'The id of a supervisor, also of a nested one, names its stream in the log: choose another id, or stop the existing one.',
  }),
) {}

/** The supervisor has stopped, and its children with it. */
export class SupervisorStoppedError extends defineError(
  'SupervisorStoppedError',
  ({ supervisor }: { supervisor: string }) => ({
    message: `Supervisor ${quoted(supervisor)} has stopped.`,
    hint: 'Start its tree again with supervise.',
  }),
) {}

/** An agent has at most one supervisor. */
export class AlreadySupervisedError extends defineError(
  'AlreadySupervisedError',
  ({ agent, supervisor }: { agent: string; supervisor: string }) => ({
    message: `Agent ${quoted(agent)} is already supervised by ${quoted(supervisor)}.`,
    hint: 'Terminate it there first, or choose another agent.',
  }),
) {}

/** The agent was stopped by its supervisor, which does not restart it by itself. */
export class AgentDownError extends defineError(
  'AgentDownError',
  ({ agent, supervisor }: { agent: string; supervisor: string }) => ({
    message: `Agent ${quoted(agent)} is not running: its supervisor ${quoted(supervisor)} stopped it.`,
    hint: `Its tasks are kept. Restart the process that supervises it (in code: restartChild('${agent}'), or supervise it again).`,
  }),
) {}

interface GivenUp extends OfChild {
  readonly restarts: number
  readonly withinMs: number
  /** The tag, or the name, of the first error; what it said, and what to do about it. */
  readonly code: string
  readonly problem: string
  readonly remedy: string
}

/** A tree was restarted more often than its root allows: nothing above it can deal with that, and the orchestrator ends. */
export class SupervisionFailedError extends defineError(
  'SupervisionFailedError',
  ({ supervisor, child, restarts, withinMs, problem, remedy }: GivenUp) => ({
    message: sentence(
      `Supervisor ${quoted(supervisor)} gave up on child ${quoted(child)}, at restart ${restarts} within ${withinMs} ms${problem && `: ${problem}`}`,
    ),
    hint: `${remedy || 'Fix the cause.'} Then start it again (in code: open the orchestrator again). To see what happened: claude-agents log --stream supervisor/${supervisor}`,
  }),
) {}
