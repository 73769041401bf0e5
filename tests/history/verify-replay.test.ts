/** A replay is compared with what was recorded: divergences are named, and a changed machine is not a divergence. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AnyKind } from '../../src/actors/engine/definition.ts'
import { KINDS } from '../../src/history/kinds.ts'
import { verifyReplay } from '../../src/history/verify-replay.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { ECHO, world } from '../actors/world.ts'
import { temporaryDirectory } from '../store/temporary.ts'

async function lived() {
  const here = await world()
  const { orchestrator } = await here.open()
  const agent = await orchestrator.createAgent(ECHO)
  for (let task = 0; task < 50; task++) await agent.ask(`task ${task}`)
  await orchestrator.run(sequential(['echo', 'echo']), 'hello', { id: 'r' })
  return { ...here, orchestrator, agent }
}

test('a replay agrees with the recorded summaries, states and snapshots', async () => {
  const { orchestrator, store } = await lived()
  const report = await orchestrator.history.verify()
  expect(report).toMatchObject({
    ok: true,
    facts: await store.head(),
    streams: 2,
    divergences: [],
    changed: [],
  })
  expect(report.compared.summaries).toBeGreaterThan(100)
  expect(report.compared.states).toBeGreaterThan(40)
  expect(report.compared.snapshots).toBe(1)
  const one = await orchestrator.history.verify({ stream: 'run/r' })
  expect(one).toMatchObject({ ok: true, streams: 1, facts: await store.head('run/r') })
})

test('a snapshot or a state that differs is named by stream, version and position', async () => {
  const { store } = await lived()
  const saved = await store.snapshots.load('agent/echo')
  if (!saved) throw new Error('there is no snapshot')
  const state = saved.state as { value: string; context: Record<string, never> }
  await store.snapshots.save('agent/echo', { ...saved, state: { ...state, value: 'stopped' } })
  const [divergence, ...others] = (await verifyReplay(store)).divergences
  expect(others).toEqual([])
  expect(divergence).toMatchObject({ stream: 'agent/echo', version: saved.version, what: 'snapshot' })

  const version = await store.head('run/r')
  await store.append('run/r', [{ type: 'RunResumed', v: 1, data: {} }], {
    summary: { status: 'running', open: true },
  })
  const all = (await verifyReplay(store)).divergences
  expect(all[1]).toMatchObject({
    stream: 'run/r',
    version: version + 1,
    what: 'fact',
    position: await store.head(),
  })
})

test('a changed machine is reported as changed, not as a divergence', async () => {
  const { store } = await lived()
  const changed = KINDS.map(
    (kind): AnyKind => ({
      ...kind,
      fingerprint: `another ${kind.fingerprint}`,
      summarize: (state) => ({ ...kind.summarize(state), status: 'another' }),
    }),
  )
  const report = await verifyReplay(store, { kinds: changed })
  expect(report.ok).toBe(true)
  expect(report.changed.map(({ kind }) => kind).sort()).toEqual(['agent', 'run'])
  expect(report.changed[0]).toMatchObject({ different: expect.any(Number), first: { version: 1 } })
  const bad = KINDS.map((kind): AnyKind => ({ ...kind, summarize: () => ({ status: 'x', open: true }) }))
  const { divergences } = await verifyReplay(store, { kinds: bad })
  expect(divergences.map(({ stream, version, what }) => [stream, version, what])).toEqual([
    ['agent/echo', 1, 'summary'],
    ['run/r', 1, 'summary'],
  ])
})

test('a missing blob is reported at the fact that refers to it', async () => {
  const baseDir = await temporaryDirectory()
  await using orchestrator = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
  const agent = await orchestrator.createAgent(ECHO)
  await agent.ask('x'.repeat(70_000))
  expect((await orchestrator.history.verify()).ok).toBe(true)
  await rm(join(baseDir, 'blobs'), { recursive: true })
  const [divergence] = (await orchestrator.history.verify()).divergences
  expect(divergence).toMatchObject({ stream: 'agent/echo', version: 2, position: 2, what: 'body' })
})

test('a store without notes is compared with its last summaries; unknown kinds are named', async () => {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
  const agent = await orchestrator.createAgent(ECHO)
  await agent.ask('hello')
  await orchestrator.store.append('other/one', [{ type: 'Happened', v: 1, data: {} }])
  const report = await orchestrator.history.verify()
  expect(report).toMatchObject({ ok: true, compared: { summaries: 1, states: 1 }, unknown: ['other/one'] })
  expect(report.streams).toBe(2)
})

test('a copied log verifies without the rest of its base directory', async () => {
  const baseDir = await temporaryDirectory()
  const first = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
  await (await first.createAgent(ECHO)).ask('hello')
  await first.close()
  await rm(join(baseDir, 'agents'), { recursive: true, force: true })
  await using store = await levelStore(baseDir)
  expect(await verifyReplay(store)).toMatchObject({ ok: true, facts: 4 })
})
