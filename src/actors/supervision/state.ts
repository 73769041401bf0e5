/** The state of a supervisor, and how each fact changes it. */
import type { Failure } from '../../events/agent-facts.ts'
import type { ChildData, SupervisorRules } from '../../events/options/supervision.ts'
import type { SupervisorFact } from '../../events/supervisor-facts.ts'
import { type ChildTable, childIn, inStartOrder, withChild, withoutChild } from './child-table.ts'
import { addRestart } from './restart-intensity.ts'

export interface ChildState {
  readonly data: ChildData
  /** Its position: children start in this order and stop in reverse. */
  readonly order: number
  /** `restarting`: it does not run, and will be restarted. `stopped`: it does not run and is not restarted by itself. */
  readonly status: 'starting' | 'running' | 'restarting' | 'stopped'
  /** The number of its restarts. */
  readonly restarts: number
  /** The number of restarts in a row, for the back-off. */
  readonly attempt: number
  /** Stamp of its last start. */
  readonly startedAt: number | null
  /** When it will be restarted; null if it is restarted together with another child. */
  readonly dueAt: string | null
  /** How long it waits until then, in ms, as it was decided. Absent in older logs. */
  readonly delayMs?: number
  /** Why it last ended or failed to start. */
  readonly failure: Failure | null
}

export interface SupervisorContext {
  readonly rules: SupervisorRules | null
  readonly parent: string | null
  readonly children: ChildTable<ChildState>
  /** The number of children, and of running ones. */
  readonly specs: number
  readonly running: number
  /** The number of significant children that run or will run again. */
  readonly significant: number
  /** The position of the next child. */
  readonly next: number
  /** When children were restarted, within the period of the intensity. */
  readonly stamps: readonly number[]
}

export const nobody: SupervisorContext = {
  rules: null,
  parent: null,
  children: {},
  specs: 0,
  running: 0,
  significant: 0,
  next: 0,
  stamps: [],
}

type DataOf<T extends SupervisorFact['type']> = Extract<SupervisorFact, { type: T }>['data']

/** How each fact changes the context, once the machine has accepted it. */
export const supervisorChanges: {
  readonly [T in SupervisorFact['type']]: (context: SupervisorContext, data: DataOf<T>) => SupervisorContext
} = {
  SupervisorStarted: (before, { rules, parent, children }) => {
    let context: SupervisorContext = { ...nobody, rules, parent, stamps: before.stamps }
    for (const data of children) {
      const known = childIn(before.children, data.id)
      context = put(context, known ? again(known, data, context.next) : newChild(data, context.next))
    }
    // Those that were added at run time, and that can be started again without code of their own.
    for (const child of inStartOrder(before.children)) {
      const isNew = !childIn(context.children, child.data.id)
      if (isNew && isRestorable(child, rules)) context = put(context, again(child, child.data, context.next))
    }
    return context
  },
  ChildStarted: (context, { id, stamp, child: data }) => {
    const child = childIn(context.children, id) ?? (data && newChild(data, context.next))
    if (!child) return context
    return put(context, { ...child, status: 'running', startedAt: stamp, dueAt: null, failure: null })
  },
  ChildStartFailed: (context, { id, error }) => change(context, id, { status: 'stopped', failure: error }),
  ChildExited: (context, { id, error, becomes }) =>
    becomes === 'deleted'
      ? remove(context, id)
      : change(context, id, {
          status: becomes === 'kept' ? 'stopped' : 'restarting',
          failure: error,
          dueAt: null,
        }),
  ChildTerminated: (context, { id, becomes }) =>
    becomes === 'deleted' ? remove(context, id) : change(context, id, ended),
  RestartScheduled: (context, { id, stamp, attempt, dueAt, delayMs, children = [] }) => {
    const { rules, stamps } = context
    const restarts = rules ? addRestart(stamps, stamp, rules.intensity).stamps : stamps
    const tied = children.reduce(
      (all, other) =>
        childIn(all.children, other)?.status === 'stopped'
          ? change(all, other, { status: 'restarting' })
          : all,
      context,
    )
    const wait = { dueAt, ...(delayMs === undefined ? {} : { delayMs }) }
    const changes = { status: 'restarting', attempt, ...wait, startedAt: null } as const
    return { ...change(tied, id, changes), stamps: restarts }
  },
  ChildrenRestarted: (context, { children }) =>
    children.reduce((all, id) => {
      const child = childIn(all.children, id)
      return child ? put(all, { ...child, restarts: child.restarts + 1 }) : all
    }, context),
  RestartCancelled: (context, { id }) => change(context, id, { status: 'stopped', dueAt: null }),
  ChildDeleted: (context, { id }) => remove(context, id),
  Escalated: (context, { id }) => (childIn(context.children, id) ? change(context, id, ended) : context),
  AutoShutdownBegun: (context) => context,
  SupervisorStopped: (context) => ({ ...nobody, rules: context.rules, parent: context.parent }),
}

const ended = { status: 'stopped', dueAt: null } as const

/** A function passed to `startChild` is lost with its process; that of a template is provided again. */
const isRestorable = ({ data }: ChildState, { strategy }: SupervisorRules) =>
  data.starts === 'agent' || (strategy === 'dynamic' && data.starts === 'function' && 'argument' in data)

const newChild = (data: ChildData, order: number): ChildState => ({
  data,
  order,
  status: 'starting',
  restarts: 0,
  attempt: 0,
  startedAt: null,
  dueAt: null,
  failure: null,
})

/** A child of an earlier process: if it was running there, it is starting here. */
const again = (child: ChildState, data: ChildData, order: number): ChildState => ({
  ...child,
  data,
  order,
  status: child.status === 'running' ? 'starting' : child.status,
})

function change(context: SupervisorContext, id: string, changes: Partial<ChildState>): SupervisorContext {
  const child = childIn(context.children, id)
  return child ? put(context, { ...child, ...changes }) : context
}

function put(context: SupervisorContext, child: ChildState): SupervisorContext {
  const { id } = child.data
  const before = childIn(context.children, id)
  return {
    ...context,
    children: withChild(context.children, id, child),
    specs: context.specs + (before ? 0 : 1),
    running: context.running + runs(child) - runs(before),
    significant: context.significant + matters(child) - matters(before),
    next: Math.max(context.next, child.order + 1),
  }
}

function remove(context: SupervisorContext, id: string): SupervisorContext {
  const before = childIn(context.children, id)
  if (!before) return context
  return {
    ...context,
    children: withoutChild(context.children, id),
    specs: context.specs - 1,
    running: context.running - runs(before),
    significant: context.significant - matters(before),
  }
}

const runs = (child?: ChildState) => (child?.status === 'running' ? 1 : 0)
const matters = (child?: ChildState) => (child?.data.significant && child.status !== 'stopped' ? 1 : 0)
