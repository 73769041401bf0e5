/** What a supervision tree is to be, as plain data, and the check that it makes sense: all of it, before anything starts. */
import type { Json } from '../../events/json.ts'
import type { ChildData, SupervisorRules } from '../../events/supervisor-facts.ts'
import type { Supervised } from '../engine/exit.ts'
import { checkedId, checkKeys, oneOf, refuse, shown, wholeNumber } from './specification-values.ts'

/** One child of a supervisor: an agent, an actor of your own, or another supervisor. */
export interface ChildSpecification {
  /** Its name among its siblings; that of a supervisor names its stream too. Default: the agent's id. */
  readonly id?: string
  /** The id of the agent that is supervised. */
  readonly agent?: string
  /** Starts something else: an actor of yours (`() => orchestrator.spawn(...)`), or whatever can be watched and stopped. */
  readonly start?: StartChild
  /** A supervisor with children of its own. */
  readonly supervisor?: Omit<SupervisorSpecification, 'id'>
  /** For `start` of a dynamic child: kept in the log, so it is there again after a restart of the program. */
  readonly argument?: Json
  /** `permanent` (the default): always restarted. `transient`: when it ended abnormally. `temporary`: never. */
  readonly restart?: ChildData['restart']
  /** How long it may take to end, in ms, before it is killed. Default: 5000; for a supervisor `infinity`. */
  readonly shutdown?: ChildData['shutdown']
  readonly type?: ChildData['type']
  /** Its end can end the supervisor: see `autoShutdown`. Not for a permanent child. */
  readonly significant?: boolean
}

/** Starts a child that is not an agent. */
export type StartChild = (child: {
  readonly id: string
  readonly argument: Json
}) => Supervised | Promise<Supervised>

/** A supervision tree, as data. */
export interface SupervisorSpecification {
  readonly id: string
  /**
   * Who is restarted with a child that ends: `one-for-one` (the default) nobody, `one-for-all` everybody, `rest-for-one`
   * those that were started after it. `dynamic`: nobody, and all children come and go at run time.
   */
  readonly strategy?: SupervisorRules['strategy']
  /** More restarts than this within the time, and the supervisor ends. Default: 1 within 5000 ms. */
  readonly intensity?: SupervisorRules['intensity']
  /** Waits before restarts. Default: none. */
  readonly backoff?: Partial<NonNullable<SupervisorRules['backoff']>>
  /** Whether the end of significant children ends the supervisor. Default: `never`. */
  readonly autoShutdown?: SupervisorRules['autoShutdown']
  /** Started in this order, stopped in the opposite one. */
  readonly children?: readonly ChildSpecification[]
  /** For `dynamic`: what every child is, but for its id and argument. */
  readonly child?: Omit<ChildSpecification, 'id' | 'argument'>
}

/** A specification in which nothing is missing. */
export interface Specification {
  readonly id: string
  readonly rules: SupervisorRules
  readonly children: readonly CheckedChild[]
  /** The dynamic children's own. */
  readonly template: ChildSpecification | null
}

export interface CheckedChild {
  readonly data: ChildData
  readonly start: StartChild | null
  readonly supervisor: Specification | null
}

const STRATEGIES = ['one-for-one', 'one-for-all', 'rest-for-one', 'dynamic'] as const
const RESTARTS = ['permanent', 'transient', 'temporary'] as const
const AUTO_SHUTDOWNS = ['never', 'any-significant', 'all-significant'] as const
const SUPERVISOR_KEYS = ['id', 'strategy', 'intensity', 'backoff', 'autoShutdown', 'children', 'child']
const CHILD_KEYS = [
  ...['id', 'agent', 'start', 'supervisor', 'argument'],
  ...['restart', 'shutdown', 'type', 'significant'],
]
const STARTS = ['agent', 'start', 'supervisor'] as const

/** OTP's, for a supervisor that says nothing of it. */
const DEFAULT_INTENSITY = { maxRestarts: 1, withinMs: 5000 }
const DEFAULT_BACKOFF = { minMs: 200, maxMs: 10_000, jitter: 0.2 }
const DEFAULT_SHUTDOWN_MS = 5000

/** Throws {@link InvalidSpecificationError} for the first thing in the tree that makes no sense, and says where it is. */
export function checkSpecification(given: SupervisorSpecification): Specification {
  const supervisors = new Set<string>()
  return checkSupervisor(given, supervisors, 'the specification')
}

/** A child of a dynamic supervisor that an earlier process has left. */
export function templateChild(
  { id, rules, template }: Pick<Specification, 'id' | 'rules' | 'template'>,
  child: ChildData,
): CheckedChild {
  const given = template ?? (child.agent === null ? {} : { agent: child.agent })
  const where = `child "${child.id}" of supervisor "${id}", as the log has it`
  const checked = checkChild({ ...given, id: child.id }, rules, new Set([id]), where)
  return { ...checked, data: child }
}

/** The same for a child that is started at run time. */
export function checkNewSpecification(
  given: ChildSpecification,
  { id, rules, template }: Pick<Specification, 'id' | 'rules' | 'template'>,
): CheckedChild {
  const where = `a new child of supervisor "${id}"`
  if (template === null) return checkChild(given, rules, new Set([id]), where)
  checkKeys(given, ['id', 'argument'], where)
  if (given.id === undefined) refuse(where, 'it has no id')
  const child = checkChild({ ...template, ...given }, rules, new Set([id]), where)
  return { ...child, data: { ...child.data, argument: given.argument ?? null } }
}

function checkSupervisor(
  given: SupervisorSpecification,
  supervisors: Set<string>,
  place: string,
): Specification {
  if (typeof given !== 'object' || given === null) refuse(place, 'it is not an object')
  const id = checkedId('supervisor', given.id, place)
  const where = `supervisor "${id}"`
  if (supervisors.has(id))
    refuse(where, 'there are two supervisors of this id in the tree', 'The id names the stream in the log.')
  supervisors.add(id)
  checkKeys(given, SUPERVISOR_KEYS, where)
  const rules = checkRules(given, where)
  const isDynamic = rules.strategy === 'dynamic'
  const children = given.children ?? []
  if (!Array.isArray(children)) refuse(where, 'children is not a list')
  if (isDynamic && children.length > 0)
    refuse(where, 'a dynamic supervisor begins without children', 'Start them with startChild.')
  if (!isDynamic && given.child !== undefined)
    refuse(where, `child is for dynamic children, and the strategy is ${rules.strategy}`)
  const checked = children.map((child, at) =>
    checkChild(child, rules, supervisors, `${where}, child ${at + 1}`),
  )
  const ids = checked.map(({ data }) => data.id)
  const twice = ids.find((one, at) => ids.indexOf(one) !== at)
  if (twice !== undefined) refuse(where, `it has two children "${twice}"`, 'Give each an id of its own.')
  const template = given.child ?? null
  if (template) checkChild({ ...template, id: 'template' }, rules, new Set(), `${where}, child`)
  return { id, rules, children: checked, template }
}

function checkRules(given: SupervisorSpecification, where: string): SupervisorRules {
  const strategy = oneOf(STRATEGIES, given.strategy ?? 'one-for-one', `${where}: strategy`)
  return {
    strategy,
    intensity: checkIntensity(given.intensity, where),
    backoff: checkBackoff(given.backoff, where),
    autoShutdown: oneOf(
      AUTO_SHUTDOWNS,
      // As OTP writes them.
      String(given.autoShutdown ?? 'never').replace('_', '-'),
      `${where}: autoShutdown`,
    ),
  }
}

function checkIntensity(given: SupervisorSpecification['intensity'], where: string) {
  if (given === undefined) return DEFAULT_INTENSITY
  const place = `${where}: intensity`
  checkKeys(given, ['maxRestarts', 'withinMs'], place)
  const { maxRestarts, withinMs } = given
  if (withinMs === undefined) refuse(place, 'it has no period', 'Say withinMs, in ms.')
  if (maxRestarts === undefined) refuse(place, 'it has no maxRestarts')
  return {
    maxRestarts: wholeNumber(maxRestarts, 0, `${place}.maxRestarts`),
    withinMs: wholeNumber(withinMs, 1, `${place}.withinMs`),
  }
}

function checkBackoff(given: SupervisorSpecification['backoff'], where: string): SupervisorRules['backoff'] {
  if (given === undefined) return null
  const place = `${where}: backoff`
  checkKeys(given, ['minMs', 'maxMs', 'jitter', 'resetAfterMs'], place)
  const { minMs, maxMs, jitter } = { ...DEFAULT_BACKOFF, ...given }
  const backoff = {
    minMs: wholeNumber(minMs, 1, `${place}.minMs`),
    maxMs: wholeNumber(given.maxMs ?? Math.max(maxMs, minMs), 1, `${place}.maxMs`),
    jitter,
    resetAfterMs: wholeNumber(given.resetAfterMs ?? minMs, 1, `${place}.resetAfterMs`),
  }
  if (backoff.maxMs < minMs) refuse(place, `maxMs (${backoff.maxMs}) is less than minMs (${minMs})`)
  if (typeof jitter !== 'number' || !(jitter >= 0 && jitter <= 1))
    refuse(`${place}.jitter`, `${shown(jitter)} is not a number from 0 to 1`)
  return backoff
}

function checkChild(
  given: ChildSpecification,
  rules: SupervisorRules,
  supervisors: Set<string>,
  place: string,
): CheckedChild {
  if (typeof given !== 'object' || given === null) refuse(place, 'it is not an object')
  const id = checkedId('child', given.id ?? given.agent, place)
  const where = `${place} ("${id}")`
  checkKeys(given, CHILD_KEYS, where)
  const starts = STARTS.filter((key) => given[key] !== undefined)
  const [what] = starts
  if (what === undefined || starts.length > 1)
    refuse(
      where,
      what ? `it says ${starts.join(' and ')}` : 'it says nothing to start',
      `Say one of ${STARTS.join(', ')}.`,
    )
  if (what === 'start' && typeof given.start !== 'function') refuse(where, 'start is not a function')
  if (what === 'agent') checkedId('agent', given.agent, where)
  if (what === 'supervisor' && given.type === 'worker') refuse(where, 'a supervisor is not a worker')
  if (what === 'agent' && given.type === 'supervisor') refuse(where, 'an agent is not a supervisor')
  const restart = oneOf(RESTARTS, given.restart ?? 'permanent', `${where}: restart`)
  const type = oneOf(['worker', 'supervisor'], given.type ?? defaultType(what), `${where}: type`)
  return {
    data: {
      id,
      starts: what === 'start' ? 'function' : (what as 'agent' | 'supervisor'),
      agent: given.agent ?? null,
      ...(given.argument === undefined ? {} : { argument: given.argument }),
      restart,
      shutdown: checkShutdown(given.shutdown, type, where),
      type,
      significant: checkSignificant(given.significant, restart, rules, where),
    },
    start: given.start ?? null,
    supervisor: given.supervisor ? checkSupervisor({ ...given.supervisor, id }, supervisors, where) : null,
  }
}

const defaultType = (what: string | undefined) => (what === 'supervisor' ? 'supervisor' : 'worker')

function checkShutdown(given: unknown, type: ChildData['type'], where: string): ChildData['shutdown'] {
  if (given === undefined) return type === 'supervisor' ? 'infinity' : DEFAULT_SHUTDOWN_MS
  if (given === 'brutal' || given === 'infinity') return given
  if (Number.isSafeInteger(given) && Number(given) >= 0) return Number(given)
  return refuse(
    `${where}: shutdown`,
    `${shown(given)} is neither a number of ms from 0 on, nor "brutal", nor "infinity"`,
  )
}

function checkSignificant(
  given: unknown,
  restart: ChildData['restart'],
  { autoShutdown }: SupervisorRules,
  where: string,
): boolean {
  if (given === undefined || given === false) return false
  if (given !== true) refuse(`${where}: significant`, `${shown(given)} is neither true nor false`)
  if (restart === 'permanent')
    refuse(where, 'it is significant and permanent: it never ends', 'Make it transient or temporary.')
  if (autoShutdown === 'never')
    refuse(
      where,
      'it is significant, and autoShutdown is "never"',
      'Say autoShutdown: "any-significant" or "all-significant".',
    )
  return true
}
