/** What a supervisor does about an exit: pure functions from its state to facts and to the next action. */
import { durableTimer } from '../../clock.ts'
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

/** Time and chance at the moment of a decision. */
export interface Moment extends Circumstances {
  /** Milliseconds of a monotonic clock. */
  readonly stamp: number
}

/** What to do once the facts are durable. */
export type Next =
  | { readonly type: 'continue' }
  /** Restarts the child after the delay, with those that the strategy ties to it. */
  | { readonly type: 'restart'; readonly id: string; readonly attempt: number; readonly delayMs: number }
  /** Stops all children and ends the supervisor. */
  | { readonly type: 'end'; readonly reason: 'auto-shutdown' }
  | {
      readonly type: 'end'
      readonly reason: 'escalated'
      /** The child that was not restarted, and the number of restarts within the period, this one included. */
      readonly id: string
      readonly restarts: number
      readonly error: Failure | null
    }

export interface ExitDecision {
  readonly facts: readonly SupervisorFact[]
  readonly next: Next
}

const CONTINUE: Next = { type: 'continue' }

/**
 * A child has ended by itself. As in OTP, a permanent child is always restarted, a transient one if it ended abnormally,
 * a temporary one never.
 */
export function childExited(
  context: SupervisorContext,
  id: string,
  exit: Exit,
  moment: Moment,
): ExitDecision {
  const child = childIn(context.children, id)
  if (!child || !context.rules) return { facts: [], next: CONTINUE }
  if (!isRestarted(child, exit)) return childEnded(context, child, exit)
  const { facts, next } = restart(context, child, exit.error, moment)
  return { facts: [exited(id, exit, next.type === 'restart' ? 'restarted' : 'kept'), ...facts], next }
}

/** A restart whose start failed. It is followed by another restart, which counts as well. */
export function childStartFailed(
  context: SupervisorContext,
  id: string,
  error: Failure,
  moment: Moment,
): ExitDecision {
  const child = childIn(context.children, id)
  if (!child || !context.rules) return { facts: [], next: CONTINUE }
  const { facts, next } = restart(context, child, error, moment)
  return { facts: [{ type: 'ChildStartFailed', data: { id, error } }, ...facts], next }
}

/** The children that are restarted with this one, itself included, in start order. */
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

/** The exit of a child stopped to be restarted with another one. A temporary child is deleted. */
export const stoppedWith = ({ data: { id, restart } }: ChildState, exit: Exit): SupervisorFact =>
  exited(id, exit, restart === 'temporary' ? 'deleted' : 'restarted')

/** The exit of a child stopped for good: by command, or because the supervisor ends. */
export const stoppedForGood = (
  { rules }: SupervisorContext,
  { data: { id, restart } }: ChildState,
  exit: Exit,
): SupervisorFact => {
  const isDeleted = restart === 'temporary' || rules?.strategy === 'dynamic' || isRemoved(exit)
  return exited(id, exit, isDeleted ? 'deleted' : 'kept')
}

/** A removed agent is not replaced. */
const isRemoved = ({ error }: Exit) => error?.tag === 'AgentNotFoundError'

/** Whether a scheduled restart is still wanted. Under `rest-for-one`, the restart of an earlier child includes it. */
export function isDue(context: SupervisorContext, id: string, attempt: number): boolean {
  const child = childIn(context.children, id)
  if (child?.status !== 'restarting' || child.dueAt === null || child.attempt !== attempt) return false
  if (context.rules?.strategy !== 'rest-for-one') return true
  return !inStartOrder(context.children).some(
    ({ order, status, dueAt }) => order < child.order && status === 'restarting' && dueAt !== null,
  )
}

/** Throws if no child with this id can be started, by the rules of `supervisor:start_child`. */
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

/** Throws unless the child is stopped: only then can it be restarted or deleted by command. */
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

/** A child has ended and is not restarted. The end of a significant one may end the supervisor. */
function childEnded(context: SupervisorContext, child: ChildState, exit: Exit): ExitDecision {
  const { id } = child.data
  const facts: SupervisorFact[] = [stoppedForGood(context, child, exit)]
  const others = context.significant - 1
  const rule = context.rules?.autoShutdown
  const isOver = rule === 'any-significant' || (rule === 'all-significant' && others === 0)
  if (!child.data.significant || !isOver) return { facts, next: CONTINUE }
  facts.push({ type: 'AutoShutdownBegun', data: { id } })
  return { facts, next: { type: 'end', reason: 'auto-shutdown' } }
}

/** Schedules a restart, or escalates if that is one too many. */
function restart(
  context: SupervisorContext,
  child: ChildState,
  error: Failure | null,
  moment: Moment,
): ExitDecision {
  const { rules, stamps: before } = context
  if (!rules) return { facts: [], next: CONTINUE }
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
    facts: [{ type: 'RestartScheduled', data: { id, stamp, attempt, ...durableTimer(now, delayMs) } }],
    next: { type: 'restart', id, attempt, delayMs },
  }
}

/** No restart fixes these: the user has to log in or to pay. */
const BEYOND_RESTART = new Set<unknown>(['AuthenticationError', 'BillingError'])

/** Also if a supervisor below gave up because of one. */
const isBeyondRestart = (error: Failure | null) =>
  BEYOND_RESTART.has(error?.tag) || BEYOND_RESTART.has(error?.details.code)

function exited(
  id: string,
  { reason, error }: Exit,
  becomes: 'kept' | 'deleted' | 'restarted',
): SupervisorFact {
  return { type: 'ChildExited', data: { id, reason, error, becomes } }
}
