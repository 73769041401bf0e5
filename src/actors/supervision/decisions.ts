/** What a supervisor does about an exit: pure functions from its state to facts, and to what is to be done next. */

import { instant } from '../../clock.ts'
import type { Failure } from '../../events/agent-facts.ts'
import {
  ChildAlreadyPresentError,
  ChildAlreadyStartedError,
  ChildNotFoundError,
  ChildRestartingError,
  ChildRunningError,
  NotForDynamicChildrenError,
} from '../../events/errors/supervision.ts'
import type { SupervisorFact } from '../../events/supervisor-facts.ts'
import type { Circumstances } from '../engine/definition.ts'
import type { Exit } from '../engine/exit.ts'
import { childIn, inStartOrder } from './child-table.ts'
import { addRestart, nextAttempt, restartDelayMs } from './restart-intensity.ts'
import type { ChildState, SupervisorContext } from './state.ts'

/** Time and chance as they are when something is decided. */
export interface Moment extends Circumstances {
  /** Milliseconds of a clock that never goes back. */
  readonly stamp: number
}

/** What is to be done when the facts are written. */
export type Next =
  | { readonly type: 'go on' }
  /** The child is restarted after the delay, with those that its strategy ties to it. */
  | { readonly type: 'restart'; readonly id: string; readonly attempt: number; readonly delayMs: number }
  /** All children are stopped, and the supervisor ends. */
  | { readonly type: 'end'; readonly reason: 'auto-shutdown' }
  | {
      readonly type: 'end'
      readonly reason: 'escalated'
      /** The child that was not restarted any more, and how many restarts it would have been. */
      readonly id: string
      readonly restarts: number
      readonly error: Failure | null
    }

export interface ExitDecision {
  readonly facts: readonly SupervisorFact[]
  readonly next: Next
}

const GO_ON: Next = { type: 'go on' }

/**
 * A child has ended without having been asked to by its supervisor. OTP: a permanent child is always restarted, a
 * transient one when it ended abnormally, a temporary one never.
 */
export function childExited(
  context: SupervisorContext,
  id: string,
  exit: Exit,
  moment: Moment,
): ExitDecision {
  const child = childIn(context.children, id)
  if (!child || !context.rules) return { facts: [], next: GO_ON }
  if (!isRestarted(child, exit)) return childEnded(context, child, exit)
  const { facts, next } = restart(context, child, exit.error, moment)
  return { facts: [exited(id, exit, next.type === 'restart' ? 'restarted' : 'kept'), ...facts], next }
}

/** A child that was to be restarted could not be started: that is a restart as well, and counts. */
export function childStartFailed(
  context: SupervisorContext,
  id: string,
  error: Failure,
  moment: Moment,
): ExitDecision {
  const child = childIn(context.children, id)
  if (!child || !context.rules) return { facts: [], next: GO_ON }
  const { facts, next } = restart(context, child, error, moment)
  return { facts: [{ type: 'ChildStartFailed', data: { id, error } }, ...facts], next }
}

/** Those that are restarted when this one is, in the order in which they start; itself among them. */
export function restartedWith(context: SupervisorContext, id: string): readonly ChildState[] {
  const child = childIn(context.children, id)
  if (!child) return []
  switch (context.rules?.strategy) {
    case 'one-for-all':
      return inStartOrder(context.children)
    case 'rest-for-one':
      return inStartOrder(context.children).filter(({ order }) => order >= child.order)
    default:
      return [child]
  }
}

/** A child that its supervisor has ended so that it can be restarted with another one. A temporary one just goes. */
export const stoppedWith = ({ data: { id, restart } }: ChildState, exit: Exit): SupervisorFact =>
  exited(id, exit, restart === 'temporary' ? 'deleted' : 'restarted')

/** A child that its supervisor has ended for good, because somebody asked for it or because all of them end. */
export const stoppedForGood = (
  { rules }: SupervisorContext,
  { data: { id, restart } }: ChildState,
  exit: Exit,
): SupervisorFact => {
  const isGone = restart === 'temporary' || rules?.strategy === 'dynamic' || isRemoved(exit)
  return exited(id, exit, isGone ? 'deleted' : 'kept')
}

/** Whoever removed an agent wants no other one in its place. */
const isRemoved = ({ error }: Exit) => error?.tag === 'AgentNotFoundError'

/** Whether the restart that was scheduled is still wanted, and is not that of another one which takes it along. */
export function isDue(context: SupervisorContext, id: string, attempt: number): boolean {
  const child = childIn(context.children, id)
  if (child?.status !== 'restarting' || child.dueAt === null || child.attempt !== attempt) return false
  if (context.rules?.strategy !== 'rest-for-one') return true
  return !inStartOrder(context.children).some(
    ({ order, status, dueAt }) => order < child.order && status === 'restarting' && dueAt !== null,
  )
}

/** Throws where a child of this id cannot be started, by the rules of `supervisor:start_child`. */
export function checkNewChild(supervisor: string, context: SupervisorContext, id: string): void {
  const child = childIn(context.children, id)
  if (!child) return
  if (child.status === 'running' || child.status === 'starting')
    throw new ChildAlreadyStartedError({ supervisor, child: id })
  throw new ChildAlreadyPresentError({ supervisor, child: id, status: child.status })
}

/** Throws ChildNotFoundError. */
export function knownChild(supervisor: string, context: SupervisorContext, id: string): ChildState {
  const child = childIn(context.children, id)
  if (child) return child
  const known = inStartOrder(context.children).map(({ data }) => data.id)
  throw new ChildNotFoundError({ supervisor, child: id, known })
}

/** Throws where a child cannot be restarted or deleted by hand: it must have been stopped. */
export function checkStopped(
  supervisor: string,
  context: SupervisorContext,
  id: string,
  command: 'restartChild' | 'deleteChild',
): ChildState {
  if (context.rules?.strategy === 'dynamic') throw new NotForDynamicChildrenError({ supervisor, command })
  const child = knownChild(supervisor, context, id)
  if (child.status === 'restarting') throw new ChildRestartingError({ supervisor, child: id })
  if (child.status !== 'stopped') throw new ChildRunningError({ supervisor, child: id })
  return child
}

function isRestarted({ data }: ChildState, exit: Exit): boolean {
  const { reason } = exit
  if (isRemoved(exit)) return false
  if (data.restart === 'permanent') return true
  return data.restart === 'transient' && (reason === 'crashed' || reason === 'killed')
}

/** A child has come to its end, and its supervisor perhaps as well. */
function childEnded(context: SupervisorContext, child: ChildState, exit: Exit): ExitDecision {
  const { id } = child.data
  const facts: SupervisorFact[] = [stoppedForGood(context, child, exit)]
  const others = context.significant - 1
  const rule = context.rules?.autoShutdown
  const isOver = rule === 'any-significant' || (rule === 'all-significant' && others === 0)
  if (!child.data.significant || !isOver) return { facts, next: GO_ON }
  facts.push({ type: 'AutoShutdownBegun', data: { id } })
  return { facts, next: { type: 'end', reason: 'auto-shutdown' } }
}

/** One more restart, or one too many. */
function restart(
  context: SupervisorContext,
  child: ChildState,
  error: Failure | null,
  moment: Moment,
): ExitDecision {
  const { rules, stamps: before } = context
  if (!rules) return { facts: [], next: GO_ON }
  const { id } = child.data
  const { now, stamp, random } = moment
  const { stamps, isTooMany } = addRestart(before, stamp, rules.intensity)
  if (isTooMany || isBeyondRestart(error)) {
    const { withinMs } = rules.intensity
    return {
      facts: [{ type: 'Escalated', data: { id, error, restarts: stamps.length, withinMs } }],
      next: { type: 'end', reason: 'escalated', id, restarts: stamps.length, error },
    }
  }
  const attempt = nextAttempt(rules.backoff, child, stamp)
  const delayMs = restartDelayMs(rules.backoff, attempt, random)
  return {
    facts: [{ type: 'RestartScheduled', data: { id, stamp, attempt, dueAt: instant(now + delayMs) } }],
    next: { type: 'restart', id, attempt, delayMs },
  }
}

/** No restart helps against these: somebody has to log in, or to pay. */
const BEYOND_RESTART = new Set<unknown>(['AuthenticationError', 'BillingError'])

/** Also where a supervisor below has given up because of it. */
const isBeyondRestart = (error: Failure | null) =>
  BEYOND_RESTART.has(error?.tag) || BEYOND_RESTART.has(error?.details.code)

function exited(
  id: string,
  { reason, error }: Exit,
  becomes: 'kept' | 'deleted' | 'restarted',
): SupervisorFact {
  return { type: 'ChildExited', data: { id, reason, error, becomes } }
}
