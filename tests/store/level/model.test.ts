/** Whatever is appended in whatever order, both stores contain what the simplest model of a log contains. */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommitConflict, type VersionConflict } from '../../../src/events/errors/store.ts'
import { defined } from '../../../src/events/json.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { all, counted } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

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

/** Groups of concurrent appends; between two groups the store may be reopened. */
const history = fc.array(
  fc.record({ appends: fc.array(appendStep, { maxLength: 6 }), reopen: fc.boolean() }),
  {
    maxLength: 8,
  },
)

type Outcome =
  | number[]
  | { tag: 'CommitConflict' }
  | { tag: 'VersionConflict'; expected: number; actual: number }

/** The simplest possible log. */
function model() {
  const log: { stream: string; n: number }[] = []
  const commits = new Map<string, number[]>()
  const version = (stream: string) => log.filter((fact) => fact.stream === stream).length
  return {
    log,
    append({ stream, numbers, expectedVersion, commitId }: AppendStep): Outcome {
      const repeated = commitId === undefined ? undefined : commits.get(commitId)
      if (repeated) {
        const before = repeated.map((position) => log[position - 1])
        const isSame = isDeepStrictEqual(
          before,
          numbers.map((n) => ({ stream, n })),
        )
        return isSame ? repeated : { tag: 'CommitConflict' }
      }
      const actual = version(stream)
      const expected = expectedVersion === 'none' ? 0 : expectedVersion
      if (expected !== 'any' && expected !== actual) return { tag: 'VersionConflict', expected, actual }
      const positions = numbers.map((n) => log.push({ stream, n }))
      if (commitId !== undefined && numbers.length > 0) commits.set(commitId, positions)
      return positions
    },
  }
}

async function append(store: EventStore, step: AppendStep): Promise<Outcome> {
  const { stream, numbers, expectedVersion, commitId } = step
  const options = defined({ expectedVersion, commitId })
  try {
    const recorded = await store.append(stream, numbers.map(counted), options)
    return recorded.map(({ position }) => position)
  } catch (error) {
    if (error instanceof CommitConflict) return { tag: error._tag }
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

function property(open: () => Promise<{ store: EventStore; reopen: (() => Promise<EventStore>) | null }>) {
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

describe('Any sequence of appends has the outcomes and the log of the model', () => {
  test('in memory', async () => {
    await fc.assert(
      property(async () => ({ store: memoryStore(), reopen: null })),
      { numRuns: 200 },
    )
  })

  test('on LevelDB, even if the store is reopened in between', async () => {
    await fc.assert(
      property(async () => {
        const directory = await temporaryDirectory()
        return { store: await levelStore(directory), reopen: () => levelStore(directory) }
      }),
      { numRuns: 40 },
    )
  })
})
