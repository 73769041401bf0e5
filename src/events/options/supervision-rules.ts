/** The rules of a supervision tree that involve several options: in code and in the configuration file the same. */
import { InvalidSpecificationError } from '../errors/supervision.ts'
import { defined } from '../json.ts'
import {
  type ChildData,
  type ChildTree,
  completedBackoff,
  DEFAULT_INTENSITY,
  DEFAULT_SHUTDOWN_MS,
  type SupervisorRules,
  type SupervisorTree,
} from './supervision.ts'

/** A checked tree with all defaults filled in. */
export interface CheckedTree {
  readonly id: string
  readonly rules: SupervisorRules
  readonly children: readonly CheckedChildTree[]
  /** For dynamic children. */
  readonly template: NonNullable<SupervisorTree['child']> | null
}

export interface CheckedChildTree {
  readonly data: ChildData
  readonly start: NonNullable<ChildTree['start']> | null
  readonly supervisor: CheckedTree | null
}

const STARTS = ['agent', 'start', 'supervisor'] as const

/** Throws {@link InvalidSpecificationError} for the first rule that a decoded tree breaks. */
export function checkSupervisor(given: SupervisorTree, supervisors = new Set<string>()): CheckedTree {
  const { id, strategy = 'one-for-one', intensity = DEFAULT_INTENSITY, autoShutdown = 'never' } = given
  const { children = [], child: template = null } = given
  const where = `supervisor "${id}"`
  if (supervisors.has(id))
    refuseTree(where, 'the tree has two supervisors with this id', 'The id names the stream in the log.')
  supervisors.add(id)
  const backoff = completedBackoff(given.backoff)
  if (backoff && backoff.maxMs < backoff.minMs)
    refuseTree(`${where}: backoff`, `maxMs (${backoff.maxMs}) is less than minMs (${backoff.minMs})`)
  const rules: SupervisorRules = { strategy, intensity, backoff, autoShutdown }
  const isDynamic = strategy === 'dynamic'
  if (isDynamic && children.length > 0)
    refuseTree(where, 'a dynamic supervisor starts without children', 'Start them with startChild.')
  if (!isDynamic && template !== null)
    refuseTree(where, `child requires the strategy dynamic, and the strategy is ${strategy}`)
  const checked = children.map((child, at) =>
    checkChild(child, rules, supervisors, `${where}, child ${at + 1}`),
  )
  const ids = checked.map(({ data }) => data.id)
  const twice = ids.find((one, at) => ids.indexOf(one) !== at)
  if (twice !== undefined) refuseTree(where, `it has two children "${twice}"`, 'Give each an id of its own.')
  if (template) checkChild({ ...template, id: 'template' }, rules, new Set(), `${where}, child`)
  return { id, rules, children: checked, template }
}

export function checkChild(
  given: ChildTree,
  rules: SupervisorRules,
  supervisors: Set<string>,
  place: string,
): CheckedChildTree {
  const { id = given.agent, restart = 'permanent', significant = false } = given
  if (id === undefined) refuseTree(place, 'it has no id')
  const where = `${place} ("${id}")`
  const starts = STARTS.filter((key) => given[key] !== undefined)
  const [what] = starts
  if (what === undefined || starts.length > 1)
    refuseTree(
      where,
      what ? `it has ${starts.join(' and ')}` : 'it has nothing to start',
      `Give exactly one of ${STARTS.join(', ')}.`,
    )
  if (what === 'supervisor' && given.type === 'worker') refuseTree(where, 'a supervisor is not a worker')
  if (what === 'agent' && given.type === 'supervisor') refuseTree(where, 'an agent is not a supervisor')
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
    refuseTree(where, 'it is significant and permanent, so it never ends', 'Make it transient or temporary.')
  if (autoShutdown === 'never')
    refuseTree(
      where,
      'it is significant, but autoShutdown is "never"',
      'Set autoShutdown to "any-significant" or "all-significant".',
    )
}

export function refuseTree(where: string, problem: string, hint?: string): never {
  throw new InvalidSpecificationError(defined({ where, problem, hint }))
}
