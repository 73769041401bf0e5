/** Scripts of a supervision tree's life, at random and as text: what is started, and what then happens to it. */
import fc from 'fast-check'

type Reason = 'normal' | 'shutdown' | 'crashed'
type RestartType = 'permanent' | 'transient' | 'temporary'

interface Rules {
  readonly strategy: 'one-for-one' | 'one-for-all' | 'rest-for-one' | 'dynamic'
  readonly maxRestarts: number
  readonly withinSeconds: number
  readonly autoShutdown: 'never' | 'any-significant' | 'all-significant'
}
export interface Child {
  readonly id: string
  readonly restart: RestartType
  readonly significant: boolean
  /** Present for a supervisor. */
  readonly under?: Tree
}
export interface Tree extends Rules {
  readonly id: string
  /** One template, named `dynamic`, where children come and go. */
  readonly children: readonly Child[]
}

/** One thing that happens to a child of a supervisor. */
export type Happening =
  | { readonly type: 'exit'; readonly child: string; readonly reason: Reason }
  | { readonly type: 'start'; readonly child: Child }
  | { readonly type: 'terminate' | 'restart' | 'delete'; readonly child: string }
/** What happens between two looks at the tree. */
export type Step =
  /** All of it is in the supervisor's mailbox before it looks. */
  | { readonly type: 'happen'; readonly supervisor: string; readonly happenings: readonly Happening[] }
  /** The next starts of this child fail; during each of them, this happens to children of its supervisor. */
  | {
      readonly type: 'fail'
      readonly child: string
      readonly times: number
      readonly supervisor: string
      readonly meanwhile: readonly Happening[]
    }
  /** Time passes. */
  | { readonly type: 'pass'; readonly seconds: number }
export interface Script {
  readonly tree: Tree
  /** The children whose first start fails. */
  readonly fails: readonly string[]
  readonly steps: readonly Step[]
}

// ---- At random

/** Numbers choose among what there is, so that any script fits any tree, and shrinks. */
const pick = fc.nat(30)
const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight: number) =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
const restarts = fc.constantFrom<RestartType>('permanent', 'transient', 'temporary')
const reasons = fc.constantFrom<Reason>('crashed', 'normal', 'shutdown')

interface DrawnChild {
  readonly restart: RestartType
  readonly significant: boolean
  readonly under?: DrawnTree
}
interface DrawnTree extends Rules {
  readonly children: readonly DrawnChild[]
}

const drawnChild = (depth: number): fc.Arbitrary<DrawnChild> => {
  const own = { restart: restarts, significant: fc.boolean() }
  const worker = { weight: 3, arbitrary: fc.record(own) }
  if (depth === 0) return worker.arbitrary
  return fc.oneof(worker, {
    weight: 1,
    arbitrary: fc.record({ ...own, under: drawnTree(depth - 1) }),
  })
}

/** More restarts than a script has. */
const UNLIMITED = 100

/** Periods that no sum of the times that pass comes close to: the clocks of the two sides are not one. */
const drawnTree = (depth: number): fc.Arbitrary<DrawnTree> =>
  fc.record({
    strategy: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('one-for-one', 'one-for-all', 'rest-for-one') },
      { weight: 1, arbitrary: fc.constant('dynamic' as const) },
    ),
    // A tree that has ended shows nothing more.
    maxRestarts: fc.constantFrom(UNLIMITED, UNLIMITED, 1, 2, 3, 0),
    withinSeconds: fc.constantFrom(10, 1000),
    autoShutdown: fc.constantFrom('never', 'never', 'any-significant', 'all-significant'),
    children: fc.array(drawnChild(depth), { minLength: 1, maxLength: 4, size: 'max' }),
  })

const drawnHappening = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('exit' as const), at: pick, reason: reasons }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom('terminate', 'restart', 'delete'), at: pick }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('start' as const),
      restart: restarts,
      significant: fc.boolean(),
      known: rarely(pick, 3),
    }),
  },
)
const drawnStep = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('happen' as const),
      at: pick,
      happenings: fc.oneof(
        { weight: 1, arbitrary: fc.array(drawnHappening, { minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.array(drawnHappening, { minLength: 2, maxLength: 4 }) },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('fail' as const),
      at: pick,
      times: fc.integer({ min: 1, max: 3 }),
      meanwhile: fc.array(drawnHappening, { maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('pass' as const), seconds: fc.constantFrom(4, 30) }),
  },
)

/** Any script. @param depth How many supervisors may stand above each other, less one. */
export const scripts = (depth: number): fc.Arbitrary<Script> =>
  fc
    .tuple(drawnTree(depth), fc.array(drawnStep, { maxLength: 20, size: 'max' }), rarely(pick, 15))
    .map(([drawn, steps, failsAt]) => {
      const tree = named('t', drawn)
      const supervisors = supervisorsIn(tree)
      const workers = supervisors.flatMap(({ children }) => children.filter(({ under }) => !under))
      const failing = failsAt === undefined ? undefined : workers[failsAt % workers.length]
      return {
        tree,
        fails: failing ? [failing.id] : [],
        steps: fitted(steps, supervisors),
      }
    })

/** Gives everything its name, and takes back what no supervisor accepts. */
function named(id: string, { children, ...rules }: DrawnTree): Tree {
  const isDynamic = rules.strategy === 'dynamic'
  const own = isDynamic ? children.slice(0, 1) : children
  return {
    id,
    ...rules,
    children: own.map(({ restart, significant, under }, at): Child => {
      const child = {
        id: isDynamic ? 'dynamic' : `${id}${at}`,
        restart,
        significant: matters(rules, restart, significant),
      }
      return under && !isDynamic ? { ...child, under: named(child.id, under) } : child
    }),
  }
}

const matters = ({ autoShutdown }: Rules, restart: RestartType, significant: boolean) =>
  significant && restart !== 'permanent' && autoShutdown !== 'never'

const supervisorsIn = (tree: Tree): readonly Tree[] => [
  tree,
  ...tree.children.flatMap(({ under }) => (under ? supervisorsIn(under) : [])),
]

type DrawnStep = typeof drawnStep extends fc.Arbitrary<infer S> ? S : never
type DrawnHappening = typeof drawnHappening extends fc.Arbitrary<infer H> ? H : never
type Drawn<T> = Extract<DrawnHappening, { type: T }>

/** The steps with names in place of numbers. */
function fitted(steps: readonly DrawnStep[], supervisors: readonly Tree[]): readonly Step[] {
  /** The ids that each supervisor has had. */
  const ids = new Map(
    supervisors.map(({ id, strategy, children }) => [
      id,
      strategy === 'dynamic' ? [] : children.map((child) => child.id),
    ]),
  )
  const parents = new Map(supervisors.flatMap((one) => one.children.map(({ id }) => [id, one])))
  let count = 0
  const chosen = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(1, all.length)]

  function started(supervisor: Tree, drawn: Drawn<'start'>): Happening {
    const own = ids.get(supervisor.id) ?? []
    const { restart, significant } = drawn
    const known = drawn.known === undefined ? undefined : chosen(own, drawn.known)
    const child = (id: string) => ({ id, restart, significant: matters(supervisor, restart, significant) })
    if (known !== undefined && supervisor.strategy !== 'dynamic')
      return { type: 'start', child: child(known) }
    count += 1
    const id = `${supervisor.strategy === 'dynamic' ? 'd' : 'n'}${count}`
    own.push(id)
    parents.set(id, supervisor)
    return { type: 'start', child: child(id) }
  }

  const happeningsOf = (supervisor: Tree, all: readonly DrawnHappening[]) =>
    all.flatMap((drawn): Happening[] => {
      if (drawn.type === 'start') return [started(supervisor, drawn)]
      const child = chosen(ids.get(supervisor.id) ?? [], drawn.at)
      if (child === undefined)
        return [
          started(supervisor, { type: 'start', restart: 'permanent', significant: false, known: undefined }),
        ]
      if (drawn.type !== 'exit') return [{ type: drawn.type as 'terminate', child }]
      return ids.has(child) ? [] : [{ type: 'exit', child, reason: drawn.reason }]
    })

  return steps.flatMap((step): Step[] => {
    if (step.type === 'pass') return [step]
    if (step.type === 'fail') {
      const child = chosen([...[...ids.values()].flat(), `n${count + 1}`, `d${count + 1}`], step.at)
      if (child === undefined || ids.has(child)) return []
      const supervisor = parents.get(child)
      // Other supervisors differ in what they do before a failed start is retried: see docs/supervision.md.
      const isAlike = supervisor?.strategy === 'one-for-one' && supervisor.maxRestarts === UNLIMITED
      const meanwhile = isAlike ? happeningsOf(supervisor, step.meanwhile) : []
      return [{ type: 'fail', child, times: step.times, supervisor: supervisor?.id ?? '', meanwhile }]
    }
    const supervisor = chosen(supervisors, step.at)
    if (!supervisor) return []
    const happenings = happeningsOf(supervisor, step.happenings)
    // Erlang knows dynamic children by their processes, which another happening may replace.
    const apart = supervisor.strategy === 'dynamic' ? happenings.map((one) => [one]) : [happenings]
    return apart
      .filter(({ length }) => length > 0)
      .map((all) => ({ type: 'happen', supervisor: supervisor.id, happenings: all }))
  })
}

/** The same as steps of one happening each, so that none falls into a back-off, or before a retry of a failed start. */
export const oneByOne = (step: Step): readonly Step[] =>
  step.type === 'happen' ? step.happenings.map((one) => ({ ...step, happenings: [one] })) : [step]

/** The same script without what happens during a failing start. */
export const withoutMeanwhile = (script: Script): Script => ({
  ...script,
  steps: script.steps.map((step) => (step.type === 'fail' ? { ...step, meanwhile: [] } : step)),
})

// ---- As text

/** A script as one Erlang term, which a person reads as well. */
export function asErlang({ fails, tree, steps }: Script): string {
  const texts = steps.map((step) => stepAsErlang(step, supervisorsIn(tree)))
  return `{[${fails.join(', ')}], {${tree.id}, ${treeAsErlang(tree)}}, [${texts.join(', ')}]}.`
}

const STRATEGIES = {
  'one-for-one': 'one_for_one',
  'one-for-all': 'one_for_all',
  'rest-for-one': 'rest_for_one',
  dynamic: 'simple_one_for_one',
}

const treeAsErlang = ({ strategy, maxRestarts, withinSeconds, autoShutdown, children }: Tree): string =>
  `{${STRATEGIES[strategy]}, ${maxRestarts}, ${withinSeconds}, ${autoShutdown.replace('-', '_')}, [${children.map(childAsErlang).join(', ')}]}`

const childAsErlang = ({ id, restart, significant, under }: Child): string =>
  `{${id}, ${restart}, ${significant}${under ? `, ${treeAsErlang(under)}` : ''}}`

function stepAsErlang(step: Step, supervisors: readonly Tree[]): string {
  if (step.type === 'pass') return `{pass, ${step.seconds}}`
  const of = supervisors.find(({ id }) => id === step.supervisor)
  const texts = (all: readonly Happening[]) =>
    `[${all.map((one) => happeningAsErlang(one, of?.strategy === 'dynamic')).join(', ')}]`
  if (step.type === 'happen') return `{${step.supervisor}, ${texts(step.happenings)}}`
  return `{fail, ${step.child}, ${step.times}, ${texts(step.meanwhile)}}`
}

function happeningAsErlang(happening: Happening, isDynamic: boolean): string {
  if (happening.type === 'exit') return `{exit, ${happening.child}, ${happening.reason}}`
  if (happening.type === 'start')
    return `{start, ${isDynamic ? `dynamic, ${happening.child.id}` : childAsErlang(happening.child)}}`
  return `{${happening.type}, ${isDynamic && happening.type === 'terminate' ? 'dynamic, ' : ''}${happening.child}}`
}
