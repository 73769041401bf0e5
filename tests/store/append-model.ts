/** The simplest model of a log, and random appends by which any store is compared with it. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect } from 'vitest'
import { CommitConflict, type VersionConflict } from '../../src/events/errors/store.ts'
import { InvalidInputError } from '../../src/events/errors/usage.ts'
import { defined } from '../../src/events/json.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { all, counted } from './store-kit.ts'

interface AppendStep {
  readonly stream: string
  readonly numbers: readonly number[]
  readonly expectedVersion: number | 'none' | 'any'
  readonly commitId: string | undefined
}

const appendStep: fc.Arbitrary<AppendStep> = fc.record({
  stream: fc.constantFrom('agent/a', 'agent/b', 'run/a'),
  numbers: fc.array(fc.nat(9), { maxLength: 3 }),
  expectedVersion: fc.oneof(
    { weight: 3, arbitrary: fc.constant('any' as const) },
    { weight: 1, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.nat(6) },
  ),
  commitId: fc.option(fc.constantFrom('one', 'two', 'three', 'four'), { nil: undefined }),
})

/** One append, or several that are written together. */
const groupStep = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(appendStep) },
  { weight: 1, arbitrary: fc.array(appendStep, { maxLength: 3 }) },
)

/** Concurrent appends, again and again; in between, the store may be reopened. */
const history = fc.array(
  fc.record({ appends: fc.array(groupStep, { maxLength: 6 }), reopen: fc.boolean() }),
  {
    maxLength: 8,
  },
)

type Outcome =
  | number[]
  | { tag: 'CommitConflict' | 'InvalidInputError' }
  | { tag: 'VersionConflict'; expected: number; actual: number }

/** The simplest possible log. */
function model() {
  const log: { stream: string; n: number }[] = []
  const commits = new Map<string, number[]>()
  /** Where each append of a group begins. */
  const begins = (group: readonly AppendStep[]) =>
    group.map((_, index) => group.slice(0, index).flatMap(({ numbers }) => numbers).length)
  const placesFrom = (group: readonly AppendStep[], first: number) =>
    group.map(({ numbers }, index) => numbers.map((_, at) => first + (begins(group)[index] ?? 0) + at))
  const append = (group: readonly AppendStep[]): Outcome => {
    const commitIds = group.flatMap(({ commitId }) => commitId ?? [])
    if (new Set(commitIds).size < commitIds.length) return { tag: 'InvalidInputError' }
    const known = group.findIndex(({ commitId }) => commitId !== undefined && commits.has(commitId))
    if (known >= 0) {
      const first = (commits.get(group[known]?.commitId ?? '')?.[0] ?? 0) - (begins(group)[known] ?? 0)
      const places = placesFrom(group, first)
      const isSame = group.every(
        ({ stream, numbers, commitId }, index) =>
          (commitId === undefined || isDeepStrictEqual(commits.get(commitId), places[index])) &&
          numbers.every((n, at) => isDeepStrictEqual(log[(places[index]?.[at] ?? 0) - 1], { stream, n })),
      )
      return isSame ? places.flat() : { tag: 'CommitConflict' }
    }
    const version = new Map<string, number>()
    for (const { stream } of log) version.set(stream, (version.get(stream) ?? 0) + 1)
    for (const { stream, numbers, expectedVersion } of group) {
      const actual = version.get(stream) ?? 0
      const expected = expectedVersion === 'none' ? 0 : expectedVersion
      if (expected !== 'any' && expected !== actual) return { tag: 'VersionConflict', expected, actual }
      version.set(stream, actual + numbers.length)
    }
    const places = placesFrom(group, log.length + 1)
    for (const [index, { stream, numbers, commitId }] of group.entries()) {
      log.push(...numbers.map((n) => ({ stream, n })))
      if (commitId !== undefined && numbers.length > 0) commits.set(commitId, places[index] ?? [])
    }
    return places.flat()
  }
  return { log, append }
}

async function append(store: EventStore, group: readonly AppendStep[]): Promise<Outcome> {
  const appends = group.map(({ stream, numbers, expectedVersion, commitId }) => ({
    stream,
    facts: numbers.map(counted),
    ...defined({ expectedVersion, commitId }),
  }))
  const [only] = appends
  try {
    const recorded =
      only && appends.length === 1
        ? await store.append(only.stream, only.facts, only)
        : (await store.appendAll(appends)).flat()
    return recorded.map(({ position }) => position)
  } catch (error) {
    if (error instanceof CommitConflict || error instanceof InvalidInputError) return { tag: error._tag }
    const { _tag: tag, expected, actual } = error as VersionConflict
    return { tag, expected, actual }
  }
}

async function checkAgainstModel(store: EventStore, { log }: ReturnType<typeof model>): Promise<void> {
  const facts = await all(store.readAll())
  expect(facts.map(({ stream, data }) => ({ stream, n: data.n }))).toEqual(log)
  expect(facts.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1))
  const names = [...new Set(log.map(({ stream }) => stream))].sort()
  expect((await all(store.streams())).map(({ stream }) => stream)).toEqual(names)
  for (const name of names) {
    const own = facts.filter(({ stream }) => stream === name)
    expect(await all(store.read(name))).toEqual(own)
    expect(own.map(({ version }) => version)).toEqual(own.map((_, index) => index + 1))
  }
}

/** Any sequence of appends has the outcomes and the log of the model, also if the store is opened anew in between. */
export function likeTheModel(
  open: () => Promise<{ store: EventStore; reopen: (() => Promise<EventStore>) | null }>,
) {
  return fc.asyncProperty(history, async (groups) => {
    const opened = await open()
    let { store } = opened
    const expected = model()
    try {
      for (const { appends, reopen } of groups) {
        const outcomes = await Promise.all(appends.map((step) => append(store, step)))
        expect(outcomes).toEqual(appends.map((step) => expected.append(step)))
        if (reopen && opened.reopen) {
          await store[Symbol.asyncDispose]()
          store = await opened.reopen()
        }
      }
      await checkAgainstModel(store, expected)
    } finally {
      await store[Symbol.asyncDispose]()
    }
  })
}
