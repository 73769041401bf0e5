/** A supervision tree as plain data, and the check of the whole tree before anything starts. */
import { ID_PATTERN } from '../../events/ids.ts'
import type { Json } from '../../events/json.ts'
import { type Decodable, decoded, type Mistake, pathName, problemOf } from '../../events/options/decoding.ts'
import {
  type ChildData,
  ChildTree,
  type SupervisorRules,
  SupervisorTree,
  TemplateChild,
} from '../../events/options/supervision.ts'
import { checkChild, checkSupervisor, refuseTree } from '../../events/options/supervision-rules.ts'
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

/** Throws {@link InvalidSpecificationError} for the first mistake in the tree, with its place. */
export function checkSpecification(given: SupervisorSpecification): Specification {
  const tree = shaped<SupervisorSpecification>(SupervisorTree, given, (path) => placeInTree(given, path))
  return checkSupervisor(tree as SupervisorTree) as Specification
}

/** A child that an earlier process added at run time. */
export function templateChild({ id, rules, template }: DynamicParts, child: ChildData): CheckedChild {
  const given = template ?? (child.agent === null ? {} : { agent: child.agent })
  const where = `child "${child.id}" of supervisor "${id}", as the log has it`
  const checked = childOf({ ...given, id: child.id }, rules, id, where)
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
  if (template === null) return childOf(own, rules, id, place)
  const child = childOf({ ...template, ...own }, rules, id, place)
  return { ...child, data: { ...child.data, argument: own.argument ?? null } }
}

/** The child of a supervisor, checked together with the trees that it contains. */
const childOf = (given: ChildSpecification, rules: SupervisorRules, supervisor: string, place: string) =>
  checkChild(given as ChildTree, rules, new Set([supervisor]), place) as CheckedChild

/** Decodes by schema, which does not check what functions return. */
function shaped<T>(schema: Decodable, given: T, placeOf: (path: Mistake['path']) => string): T {
  return decoded(schema, given, ([mistake]) => {
    // An id is reported at the object that it names, and so is an unknown or missing key.
    const isOfWhole = mistake.kind !== 'value' || NAMES.includes(mistake.path.at(-1) ?? '')
    const { problem, hint } = problemOf(mistake)
    return refuseTree(placeOf(isOfWhole ? mistake.path.slice(0, -1) : mistake.path), problem, hint)
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
