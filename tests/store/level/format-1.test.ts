/** What was once written stays readable: a store of the first format, and facts of older and newer versions. */
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as Schema from 'effect/Schema'
import { describe, expect, test } from 'vitest'
import { fact, factCatalog } from '../../../src/events/catalog.ts'
import type { NewFact } from '../../../src/events/envelope.ts'
import { exportLog, importLog, stateHash } from '../../../src/history/log-archive.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { all } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const FIXTURE = join(import.meta.dirname, '../fixtures', 'format-1')

interface Expected {
  readonly storeId: string
  readonly records: number
  readonly head: string
  readonly streams: readonly (readonly [stream: string, version: number, status: string | null])[]
}

/** A copy: opening a store changes its files. */
async function copied() {
  const directory = join(await temporaryDirectory(), 'store')
  await cp(FIXTURE, directory, { recursive: true })
  return { directory, expected: JSON.parse(await readFile(`${FIXTURE}.json`, 'utf8')) as Expected }
}

describe('a store of format 1', () => {
  test('verifies, opens, and has every fact that was written, in the same hash chain', async () => {
    const { directory, expected } = await copied()
    expect(await verifyStore(directory)).toMatchObject({ ok: true, facts: expected.records })
    await using store = await levelStore(directory)
    expect(store.storeId).toBe(expected.storeId)
    const chain = await all(store.chain())
    expect([chain.length, chain.at(-1)?.hash]).toEqual([expected.records, expected.head])
    expect(chain.some(({ seal }) => seal !== null)).toBe(true)
    const streams = await all(store.streams())
    expect(streams.map(({ stream, version, summary }) => [stream, version, summary?.status ?? null])).toEqual(
      expected.streams,
    )
    const again = await store.append('counter/c', [{ type: 'Counted', v: 1, data: {} }], {
      commitId: 'counted-once',
    })
    expect(again).toMatchObject([{ v: 3, data: { by: 2, note: 'ü \u2028 \ud83d\ude00' } }])
  })

  test('replays every agent to its old state, with its old replies, and each takes new tasks', async () => {
    const { directory, expected } = await copied()
    await using orchestrator = await Orchestrator.open({
      baseDir: directory,
      runner: scriptedRunner({ reply: () => 'done' }),
      resume: 'on-demand',
    })
    for (const [stream, , status] of expected.streams.filter(([stream]) => stream.startsWith('agent/'))) {
      const steps = await all(orchestrator.history.replay(stream))
      expect([stream, steps.at(-1)?.after.value]).toEqual([stream, status])
    }
    const idle = await orchestrator.agent('idle')
    expect(idle.metrics()).toMatchObject({ totalInteractions: 5 })
    expect(await idle.ask('after the reset', { taskId: 'last', session: 'fresh' })).toMatchObject({
      text: 'You said 15 characters.',
    })
    await expect(idle.ask('turn 1', { taskId: 'turn-1' })).rejects.toMatchObject({ _tag: 'BodyDropped' })
    expect((await idle.ask('something new')).text).toBe('done')
    const busy = await orchestrator.agent('busy')
    expect((await busy.ask('something new')).text).toBe('done')
  })

  test('can be exported and imported, with the same state of every stream', async () => {
    const { directory } = await copied()
    await using store = await levelStore(directory)
    const file = join(directory, '..', 'x.ndjson')
    await exportLog(store, file)
    await importLog(file, join(directory, '..', 'moved'))
    await using moved = await levelStore(join(directory, '..', 'moved'))
    expect(await stateHash(moved)).toEqual(await stateHash(store))
  })
})

describe('facts of several versions', () => {
  const Counted = Schema.Struct({ by: Schema.Int, unit: Schema.String })
  /** Version 1 had `n`, version 2 `by`, version 3 has a unit. */
  const catalog = factCatalog({
    Counted: fact(
      Counted,
      ({ n }) => ({ by: n ?? 0 }),
      (data) => ({ ...data, unit: 'piece' }),
    ),
  })
  const read = async (...facts: NewFact[]) => {
    await using store = await levelStore(await temporaryDirectory())
    await store.append('counter/c', facts)
    return (await all(store.read('counter/c'))).map((recorded) => catalog.read(recorded))
  }

  test('are read as if written today', async () => {
    const facts = await read(
      { type: 'Counted', v: 1, data: { n: 1 } },
      { type: 'Counted', v: 2, data: { by: 2 } },
      catalog.write({ type: 'Counted', data: { by: 3, unit: 'dozen' } }),
    )
    expect(facts.map(({ data }) => data)).toEqual([
      { by: 1, unit: 'piece' },
      { by: 2, unit: 'piece' },
      { by: 3, unit: 'dozen' },
    ])
  })

  test.each([
    [{ type: 'Counted', v: 4, data: {} }, 'it only up to version 3'],
    [{ type: 'Weighed', v: 1, data: {} }, 'no such fact'],
  ])('%j is refused, with a hint what to upgrade', async (newer, known) => {
    await expect(read({ type: 'Counted', v: 1, data: { n: 1 } }, newer)).rejects.toMatchObject({
      _tag: 'UnknownFactError',
      message: expect.stringContaining(known),
      hint: expect.stringContaining('npm install claude-multi-agent@latest'),
      details: { position: 2 },
    })
  })
})
