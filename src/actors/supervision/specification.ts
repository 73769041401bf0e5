/** A supervision tree as plain data, and the check of the whole tree before anything starts. */
import { InvalidSpecificationError } from '../../events/errors/supervision.ts'
import { ID_PATTERN } from '../../events/ids.ts'
import { defined, type Json } from '../../events/json.ts'
import { type Decodable, decoded, type Mistake, pathName, problemOf } from '../../events/options/decoding.ts'
import {
  type ChildData,
  ChildTree,
  completedBackoff,
  DEFAULT_INTENSITY,
  DEFAULT_SHUTDOWN_MS,
  type SupervisorRules,
  SupervisorTree,
  TemplateChild,
} from '../../events/options/supervision.ts'
import type { Supervised } from '../engine/exit.ts'

/** One child of a supervisor: an agent, an actor of your own, or another supervisor. */
export interface ChildSpecification {
  /** Unique among its siblings; a supervisor's id also names its stream. Default: the agent's id. */
  readonly id?: string
  /** The id of the agent to supervise. */
  readonly agent?: string
  /** Starts something else: an actor of your own (`() => orchestrator.spawn(...)`), or anything that can be watched and stopped. */
  readonly start?: StartChild
  /** A supervisor with children of its own. */
  readonly supervisor?: Omit<SupervisorSpecification, 'id'>
  /** Passed to `start` of a dynamic child. Kept in the log, so that it survives a restart of the program. */
  readonly argument?: Json
  /** `permanent` (the default): always restarted. `transient`: if it ended abnormally. `temporary`: never. */
  readonly restart?: ChildData['restart']
  /** How long it may take to stop, in ms, before it is killed. Default: 5000; for a supervisor `infinity`. */
  readonly shutdown?: ChildData['shutdown']
  readonly type?: ChildData['type']
  /** Whether its end may end the supervisor: see `autoShutdown`. Not for a permanent child. */
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
   * Which children are restarted with one that ends: `one-for-one` (the default) no others, `one-for-all` all of them,
   * `rest-for-one` those started after it. `dynamic`: no others, and children are only added at run time.
   */
  readonly strategy?: SupervisorRules['strategy']
  /** More restarts than this within the period end the supervisor. Default: 1 within 5000 ms. */
  readonly intensity?: SupervisorRules['intensity']
  /** Delays before restarts. Default: none. */
  readonly backoff?: Partial<NonNullable<SupervisorRules['backoff']>>
  /** Whether the end of significant children ends the supervisor. Default: `never`. */
  readonly autoShutdown?: SupervisorRules['autoShutdown']
  /** Started in this order, stopped in reverse. */
  readonly children?: readonly ChildSpecification[]
  /** For `dynamic`: the template of every child, without id and argument. */
  readonly child?: Omit<ChildSpecification, 'id' | 'argument'>
}

/** A checked specification with all defaults filled in. */
export interface Specification {
  readonly id: string
  readonly rules: SupervisorRules
  readonly children: readonly CheckedChild[]
  /** For dynamic children. */
  readonly template: ChildSpecification | null
}

export interface CheckedChild {
  readonly data: ChildData
  readonly start: StartChild | null
  readonly supervisor: Specification | null
}

type DynamicParts = Pick<Specification, 'id' | 'rules' | 'template'>

const STARTS = ['agent', 'start', 'supervisor'] as const

/** Throws {@link InvalidSpecificationError} for the first mistake in the tree, with its place. */
export function checkSpecification(given: SupervisorSpecification): Specification {
  const tree = shaped<SupervisorSpecification>(SupervisorTree, given, (path) => placeInTree(given, path))
  return checkSupervisor(tree, new Set())
}

/** A child that an earlier process added at run time. */
export function templateChild({ id, rules, template }: DynamicParts, child: ChildData): CheckedChild {
  const given = template ?? (child.agent === null ? {} : { agent: child.agent })
  const where = `child "${child.id}" of supervisor "${id}", as the log has it`
  const checked = checkChild({ ...given, id: child.id }, rules, new Set([id]), where)
  return { ...checked, data: child }
}

/** Checks a child that is started at run time. Throws {@link InvalidSpecificationError}. */
export function checkNewSpecification(
  given: ChildSpecification,
  { id, rules, template }: DynamicParts,
): CheckedChild {
  const place = `a new child of supervisor "${id}"`
  const schema: Decodable<ChildTree> = template === null ? ChildTree : TemplateChild
  const own = shaped<ChildSpecification>(schema, given, (path) => placeInChild(given, path, place))
  if (template === null) return checkChild(own, rules, new Set([id]), place)
  const child = checkChild({ ...template, ...own }, rules, new Set([id]), place)
  return { ...child, data: { ...child.data, argument: own.argument ?? null } }
}

/** Decodes by schema, which does not check what functions return. */
function shaped<T>(schema: Decodable, given: T, placeOf: (path: Mistake['path']) => string): T {
  return decoded(schema, given, ([mistake]) => {
    // An id is reported at the object that it names, and so is an unknown or missing key.
    const isOfWhole = mistake.kind !== 'value' || NAMES.includes(mistake.path.at(-1) ?? '')
    const { problem, hint } = problemOf(mistake)
    return refuse(placeOf(isOfWhole ? mistake.path.slice(0, -1) : mistake.path), problem, hint)
  }) as T
}

const NAMES: readonly PropertyKey[] = ['id', 'agent']

/** `supervisor "team", child 2 ("writer"): restart` */
function placeInTree(tree: unknown, path: Mistake['path']): string {
  const id = idIn(tree, 'id')
  const place = id === undefined ? 'the specification' : `supervisor "${id}"`
  return placeInSupervisor(tree, path, place)
}

function placeInSupervisor(supervisor: unknown, [key, ...path]: Mistake['path'], place: string): string {
  const part = partOf(supervisor, key)
  if (key === 'child') return placeInChild(part, path, `${place}, child`)
  const [index, ...rest] = path
  if (key !== 'children' || typeof index !== 'number')
    return key === undefined ? place : `${place}: ${pathName([key, ...path])}`
  return placeInChild(partOf(part, index), rest, `${place}, child ${index + 1}`)
}

function placeInChild(child: unknown, [key, ...path]: Mistake['path'], place: string): string {
  const id = idIn(child, 'id') ?? idIn(child, 'agent')
  const where = id === undefined ? place : `${place} ("${id}")`
  if (key === 'supervisor')
    return placeInSupervisor(partOf(child, key), path, id === undefined ? where : `supervisor "${id}"`)
  return key === undefined ? where : `${where}: ${pathName([key, ...path])}`
}

/** An id that can name a place. */
function idIn(value: unknown, key: 'id' | 'agent'): string | undefined {
  const id = partOf(value, key)
  return typeof id === 'string' && ID_PATTERN.test(id) ? id : undefined
}

const partOf = (value: unknown, key: PropertyKey | undefined): unknown =>
  typeof value === 'object' && value !== null && key !== undefined
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined

function checkSupervisor(given: SupervisorSpecification, supervisors: Set<string>): Specification {
  const { id, strategy = 'one-for-one', intensity = DEFAULT_INTENSITY, autoShutdown = 'never' } = given
  const { children = [], child: template = null } = given
  const where = `supervisor "${id}"`
  if (supervisors.has(id))
    refuse(where, 'the tree has two supervisors with this id', 'The id names the stream in the log.')
  supervisors.add(id)
  const backoff = completedBackoff(given.backoff)
  if (backoff && backoff.maxMs < backoff.minMs)
    refuse(`${where}: backoff`, `maxMs (${backoff.maxMs}) is less than minMs (${backoff.minMs})`)
  const rules: SupervisorRules = { strategy, intensity, backoff, autoShutdown }
  const isDynamic = strategy === 'dynamic'
  if (isDynamic && children.length > 0)
    refuse(where, 'a dynamic supervisor starts without children', 'Start them with startChild.')
  if (!isDynamic && template !== null)
    refuse(where, `child requires the strategy dynamic, and the strategy is ${strategy}`)
  const checked = children.map((child, at) =>
    checkChild(child, rules, supervisors, `${where}, child ${at + 1}`),
  )
  const ids = checked.map(({ data }) => data.id)
  const twice = ids.find((one, at) => ids.indexOf(one) !== at)
  if (twice !== undefined) refuse(where, `it has two children "${twice}"`, 'Give each an id of its own.')
  if (template) checkChild({ ...template, id: 'template' }, rules, new Set(), `${where}, child`)
  return { id, rules, children: checked, template }
}

function checkChild(
  given: ChildSpecification,
  rules: SupervisorRules,
  supervisors: Set<string>,
  place: string,
): CheckedChild {
  const { id = given.agent, restart = 'permanent', significant = false } = given
  if (id === undefined) refuse(place, 'it has no id')
  const where = `${place} ("${id}")`
  const starts = STARTS.filter((key) => given[key] !== undefined)
  const [what] = starts
  if (what === undefined || starts.length > 1)
    refuse(
      where,
      what ? `it has ${starts.join(' and ')}` : 'it has nothing to start',
      `Give exactly one of ${STARTS.join(', ')}.`,
    )
  if (what === 'supervisor' && given.type === 'worker') refuse(where, 'a supervisor is not a worker')
  if (what === 'agent' && given.type === 'supervisor') refuse(where, 'an agent is not a supervisor')
  if (significant) checkSignificant(restart, rules, where)
  const type = given.type ?? (what === 'supervisor' ? 'supervisor' : 'worker')
  return {
    data: defined({
      id,
      starts: what === 'start' ? 'function' : what,
      agent: given.agent ?? null,
      argument: given.argument,
      restart,
      shutdown: given.shutdown ?? (type === 'supervisor' ? 'infinity' : DEFAULT_SHUTDOWN_MS),
      type,
      significant,
    }),
    start: given.start ?? null,
    supervisor: given.supervisor ? checkSupervisor({ ...given.supervisor, id }, supervisors) : null,
  }
}

function checkSignificant(
  restart: ChildData['restart'],
  { autoShutdown }: SupervisorRules,
  where: string,
): void {
  if (restart === 'permanent')
    refuse(where, 'it is significant and permanent, so it never ends', 'Make it transient or temporary.')
  if (autoShutdown === 'never')
    refuse(
      where,
      'it is significant, but autoShutdown is "never"',
      'Set autoShutdown to "any-significant" or "all-significant".',
    )
}

function refuse(where: string, problem: string, hint?: string): never {
  throw new InvalidSpecificationError(defined({ where, problem, hint }))
}
