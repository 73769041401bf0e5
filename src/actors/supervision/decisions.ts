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

/**
 * A child's agent was removed, and so it ends with its specification. One that had already ended, or was terminated, ends
 * without the consequences of an end.
 */
export function childRemoved(
  context: SupervisorContext,
  id: string,
  exit: Exit,
  moment: Moment,
): ExitDecision {
  const child = childIn(context.children, id)
  if (child?.status === 'stopped') return { facts: [{ type: 'ChildDeleted', data: { id } }], next: CONTINUE }
  return childExited(context, id, exit, moment)
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

/** Those of them that wait for it. One that was terminated meanwhile stays so; one that was started meanwhile keeps running. */
export const waitingWith = (context: SupervisorContext, id: string): readonly ChildState[] =>
  restartedWith(context, id).filter(({ status }) => status === 'restarting')

/** Children that wait for no restart: the child that they were to be restarted with has left. */
export function strandedIn(context: SupervisorContext): readonly ChildState[] {
  const scheduled = scheduledIn(context)
  return inStartOrder(context.children).filter(
    (child) =>
      child.status === 'restarting' && child.dueAt === null && !isIncluded(context, child, scheduled),
  )
}

/** The children whose restarts are scheduled. */
export const scheduledIn = ({ children }: SupervisorContext): readonly ChildState[] =>
  inStartOrder(children).filter(({ status, dueAt }) => status === 'restarting' && dueAt !== null)

/** The exit of a child stopped to be restarted with another one. A temporary child is deleted. */
export const stoppedWith = ({ data: { id, restart } }: ChildState, exit: Exit): SupervisorFact =>
  exited(id, exit, restart === 'temporary' ? 'deleted' : 'restarted')

/** The exit of a child stopped for good: by command, or because the supervisor ends. */
export const stoppedForGood = (context: SupervisorContext, child: ChildState, exit: Exit): SupervisorFact =>
  exited(child.data.id, exit, isRemoved(exit) ? 'deleted' : becomesOf(context, child))

/** A command ends a running child for good. */
export const terminated = (context: SupervisorContext, child: ChildState): SupervisorFact => ({
  type: 'ChildTerminated',
  data: { id: child.data.id, becomes: becomesOf(context, child) },
})

/** A command ends a child that waits for its restart. */
export const restartCancelled = (context: SupervisorContext, child: ChildState): SupervisorFact => ({
  type: becomesOf(context, child) === 'deleted' ? 'ChildDeleted' : 'RestartCancelled',
  data: { id: child.data.id },
})

/** Whether the specification of a child that ends for good stays. */
const becomesOf = ({ rules }: SupervisorContext, { data: { restart } }: ChildState) =>
  restart === 'temporary' || rules?.strategy === 'dynamic' ? 'deleted' : 'kept'

const isRemoved = ({ error }: Exit) => error?.tag === 'AgentNotFoundError'

/** Whether a scheduled restart is still wanted. Under `rest-for-one`, the restart of an earlier child includes it. */
export function isDue(context: SupervisorContext, id: string, attempt: number): boolean {
  const child = childIn(context.children, id)
  if (child?.status !== 'restarting' || child.dueAt === null || child.attempt !== attempt) return false
  return context.rules?.strategy !== 'rest-for-one' || !isIncluded(context, child, scheduledIn(context))
}

/** Whether the restart of one of these children includes this other one. */
const isIncluded = ({ rules }: SupervisorContext, { order }: ChildState, scheduled: readonly ChildState[]) =>
  rules?.strategy === 'rest-for-one'
    ? scheduled.some((other) => other.order < order)
    : rules?.strategy === 'one-for-all' && scheduled.length > 0

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
  const together = restartedWith(context, id).flatMap(({ data }) =>
    data.restart === 'temporary' && data.id !== id ? [] : [data.id],
  )
  const data = { id, stamp, attempt, ...durableTimer(now, delayMs) }
  return {
    facts: [
      {
        type: 'RestartScheduled',
        data: together.length > 1 ? { ...data, children: together } : data,
      },
    ],
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
