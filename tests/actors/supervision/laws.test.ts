/** The laws of supervision trees, for any tree and any kills, and the cost of large trees. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldStream, recordedState } from '../../../src/actors/engine/history.ts'
import { type ChildTable, withChild, withoutChild } from '../../../src/actors/supervision/child-table.ts'
import { supervisorKind } from '../../../src/actors/supervision/machine.ts'
import type {
  ChildSpecification,
  SupervisorSpecification,
} from '../../../src/actors/supervision/specification.ts'
import type { Supervisor } from '../../../src/actors/supervision/supervisor.ts'
import type { SupervisorFact } from '../../../src/events/supervisor-facts.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { crew, quiet, type StopKind } from '../crew.ts'

/** More runs: `TREE_RUNS=2000 npx vitest run tests/actors/supervision/laws.test.ts`. The same runs: `TREE_SEED`. */
const RUNS = Number(process.env.TREE_RUNS ?? 60)
const SEED = Number(process.env.TREE_SEED ?? 20_261_123)

const rules = fc.record({
  strategy: fc.constantFrom('one-for-one', 'one-for-all', 'rest-for-one'),
  intensity: fc.record({ maxRestarts: fc.nat(4), withinMs: fc.constantFrom(10, 1000, 60_000) }),
  autoShutdown: fc.constantFrom('never', 'any-significant', 'all-significant'),
  backoff: fc.option(fc.record({ minMs: fc.constantFrom(1, 50, 700) }), { nil: undefined }),
})
const childRules = fc.record({
  restart: fc.constantFrom('permanent', 'transient', 'temporary'),
  shutdown: fc.constantFrom<ChildSpecification['shutdown'] & {}>('brutal', 'infinity', 0, 100),
  significant: fc.boolean(),
  stops: fc.constantFrom<StopKind>('at-once', 50, 500),
})
type ChildRules = typeof childRules extends fc.Arbitrary<infer T> ? T : never
type Rules = typeof rules extends fc.Arbitrary<infer T> ? T : never
interface Node {
  readonly rules: Rules
  readonly children: readonly (ChildRules & { readonly under?: Node })[]
}

const node = (depth: number): fc.Arbitrary<Node> =>
  fc.record({
    rules,
    children: fc.array(
      depth === 0
        ? childRules
        : fc.tuple(childRules, fc.option(node(depth - 1), { nil: undefined })).map(([own, under]) => ({
            ...own,
            ...(under ? { under } : {}),
          })),
      { minLength: 1, maxLength: 3 },
    ),
  }) as fc.Arbitrary<Node>

const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kill: fc.nat(20), reason: fc.constantFrom('crashed', 'normal', 'shutdown') }),
  },
  { weight: 1, arbitrary: fc.record({ refuse: fc.nat(20), times: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ waits: fc.constantFrom(1, 100, 2000, 70_000) }) },
  { weight: 1, arbitrary: fc.record({ terminate: fc.nat(20) }) },
)

type Crew = ReturnType<typeof crew>

function specification(
  { child }: Crew,
  id: string,
  { rules: given, children }: Node,
): SupervisorSpecification {
  const { autoShutdown, backoff, ...rest } = given
  return {
    id,
    ...rest,
    autoShutdown,
    ...(backoff ? { backoff } : {}),
    children: children.map(({ stops, significant, under, ...own }, at): ChildSpecification => {
      const name = `${id}-${at}`
      const matters = significant && own.restart !== 'permanent' && autoShutdown !== 'never'
      const common = { ...own, significant: matters }
      if (!under) return child(name, common, stops)
      const { id: _, ...supervisor } = specification({ child } as Crew, name, under)
      return { id: name, ...common, shutdown: 'infinity', supervisor }
    }),
  }
}

/** The leaves of a tree, in order. */
const leaves = ({ children }: Node, id: string): string[] =>
  children.flatMap(({ under }, at) => (under ? leaves(under, `${id}-${at}`) : [`${id}-${at}`]))

describe('For any tree and any kills in it', () => {
  test(`OTP's laws hold, and the log folds to the living tree (seed ${SEED})`, async () => {
    await fc.assert(
      fc.asyncProperty(node(2), fc.array(happening, { maxLength: 12 }), async (tree, happenings) => {
        const world = crew()
        const orchestrator = await world.open()
        const names = leaves(tree, 't')
        const top = await orchestrator.supervise(specification(world, 't', tree))
        assert.deepEqual(
          world.heard().split(' '),
          names.map((name) => `+${name}`),
          'left to right',
        )
        for (const what of happenings) {
          const name = (number: number) => names[number % names.length] ?? ''
          if ('waits' in what) await world.clock.advance(what.waits)
          if ('kill' in what) world.running.get(name(what.kill))?.exit(what.reason)
          if ('refuse' in what) world.failStarts(name(what.refuse), what.times)
          if ('terminate' in what) void terminate(orchestrator, name(what.terminate))
          await quiet()
        }
        await world.clock.advance(120_000)
        await quiet()
        checkLiving(top, world)
        await checkLog(world)
        const ended = top.stop()
        for (let round = 0; round < 30 && top.status !== 'stopped'; round++) {
          await quiet()
          await world.clock.advance(1000)
        }
        await ended
        assert.deepEqual([...world.running.keys()], [], 'nothing runs without its supervisor')
        await orchestrator.close()
      }),
      { numRuns: RUNS, seed: SEED, endOnFailure: RUNS > 1000 },
    )
  })
})

async function terminate(orchestrator: { supervisor(id: string): Supervisor }, name: string): Promise<void> {
  try {
    await orchestrator.supervisor(name.slice(0, name.lastIndexOf('-'))).terminateChild(name)
  } catch {
    // The child or its supervisor may be gone.
  }
}

/** A supervisor's list of children is true, and a permanent child runs or was terminated by command. */
function checkLiving(supervisor: Supervisor, world: Crew): void {
  const children = supervisor.children()
  if (supervisor.status === 'stopped') assert.deepEqual(children, [])
  for (const { id, status, type, ref } of children) {
    assert.notEqual(status, 'restarting', `${id} waits for a restart that does not come`)
    if (type === 'supervisor') {
      if (status === 'running') checkLiving(ref as Supervisor, world)
    } else assert.equal(world.running.has(id), status === 'running', `${id} is ${status}`)
  }
}

/** Each supervisor's facts fold to its state, restart no temporary child, and end it when the intensity is exceeded. */
async function checkLog({ store }: Crew): Promise<void> {
  for await (const { stream, summary } of store.streams({ prefix: 'supervisor/' })) {
    const { snapshot } = await foldStream(supervisorKind, store, stream)
    assert.deepEqual(recordedState(supervisorKind, snapshot), summary)
    let limits = { maxRestarts: 0, withinMs: 0 }
    let stamps: number[] = []
    const kinds = new Map<string, { restart: string; exit: string }>()
    for await (const recorded of store.read(stream)) {
      const { type, data } = recorded as unknown as SupervisorFact
      if (type === 'SupervisorStarted') {
        limits = data.rules.intensity
        stamps = []
        for (const { id, restart } of data.children) kinds.set(id, { restart, exit: '' })
      }
      if (type === 'ChildExited')
        kinds.set(data.id, { restart: kinds.get(data.id)?.restart ?? '', exit: data.reason })
      if (type !== 'RestartScheduled') continue
      const { restart, exit } = kinds.get(data.id) ?? {}
      assert.notEqual(restart, 'temporary', `${data.id} is temporary and is restarted`)
      if (restart === 'transient' && exit !== 'crashed' && exit !== 'killed')
        assert.fail(`${data.id} is transient, ended with ${exit}, and is restarted`)
      stamps = [...stamps.filter((stamp) => stamp >= data.stamp - limits.withinMs), data.stamp]
      assert.ok(stamps.length <= limits.maxRestarts, `${stream} is restarted more often than it may`)
    }
  }
}

/** Counts the entries of objects that are listed from now on. Returns what stops that, and returns their number. */
function countEntries(): () => number {
  let count = 0
  const { keys, values, entries } = Object
  const counted = (list: (object: object) => unknown[]) => (object: object) => {
    const listed = list(object)
    count += listed.length
    return listed
  }
  // Not a spy, which would keep every call.
  Object.assign(Object, { keys: counted(keys), values: counted(values), entries: counted(entries) })
  return () => {
    Object.assign(Object, { keys, values, entries })
    return count
  }
}

describe('The cost of children', () => {
  /** The cost of a tree with this many children in facts, appends, and entries of objects that are gone through. */
  async function cost(children: number) {
    const appends: number[] = []
    const store = memoryStore()
    const counting = {
      ...store,
      append: (...given: Parameters<typeof store.append>) => {
        appends.push(given[1].length)
        return store.append(...given)
      },
    }
    const world = crew({ store: counting })
    const orchestrator = await world.open()
    const supervisor = await orchestrator.supervise({
      id: 'top',
      strategy: 'dynamic',
      intensity: { maxRestarts: children, withinMs: 1000 },
      child: { start: ({ id }) => world.start(id) },
    })
    const entries = countEntries()
    await Promise.all(Array.from({ length: children }, (_, at) => supervisor.startChild({ id: `c${at}` })))
    for (let at = 0; at < children; at += 10) world.running.get(`c${at}`)?.exit('crashed')
    await quiet()
    while (world.starts < children + children / 10) await quiet()
    await supervisor.stop()
    const facts = appends.reduce((sum, one) => sum + one, 0)
    return { facts, appends: appends.length, starts: world.starts, entries: entries() }
  }

  test('is proportional to their number: 300 and 3,000', async () => {
    const [few, many] = [await cost(300), await cost(3000)]
    expect([few.starts, many.starts]).toEqual([330, 3300])
    // Each started and stopped, one in ten exited, scheduled, started and restarted, and the supervisor's own two.
    expect([few.facts, many.facts]).toEqual([722, 7202])
    expect(many.appends / few.appends).toBeLessThan(20)
    // 10 would be linear, 100 quadratic.
    expect(many.entries / few.entries).toBeLessThan(40)
  }, 60_000)

  test('a changed table of 10,000 copies some hundred entries, and shares the others', () => {
    let table: ChildTable<number> = {}
    for (let at = 0; at < 10_000; at += 1) table = withChild(table, `c${at}`, at)
    const copied = (changed: ChildTable<number>) =>
      Object.keys(changed).length +
      Object.entries(changed)
        .filter(([bucket, children]) => children !== table[bucket])
        .reduce((sum, [, children]) => sum + Object.keys(children).length, 0)
    for (const changed of [
      withChild(table, 'c77', -1),
      withChild(table, 'new', 1),
      withoutChild(table, 'c77'),
    ])
      expect(copied(changed)).toBeLessThan(400)
  })
})
