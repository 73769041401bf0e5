/** Another process sees the inbox of the owner, and decides through it; a reader only reads. */
import { expect, onTestFinished, test } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { readingOrchestrator } from '../../src/remote/orchestrator.ts'
import { readingView } from '../../src/store/care/view.ts'
import { until } from '../actors/world.ts'
import { served } from '../owner/kit.ts'

async function held(orchestrator: Orchestrator) {
  const agent = await orchestrator.createAgent({ id: 'writer', systemPrompt: 'You write.' })
  await new Promise((onHeld) => {
    agent.ask('x', { taskId: 't1', approval: true, onHeld }).then(onHeld, onHeld)
  })
}

test('another process sees the inbox of the owner, and decides through it', async () => {
  const { own, remote } = await served()
  await held(own)
  expect(await remote.inbox()).toEqual(await own.inbox())
  const seen: number[] = []
  const subscription = remote.inbox().subscribe((entries) => seen.push(entries.length))
  onTestFinished(() => subscription.unsubscribe())
  await until(() => seen.length === 1)
  await remote.inbox.approve('task:writer:t1', { by: 'Ada' })
  await until(() => seen.length === 2)
  expect(seen).toEqual([1, 0])
  await expect(remote.inbox.approve('task:writer:t1')).rejects.toThrow(/was approved by Ada/)
  subscription.unsubscribe()
})

test('a reader sees the inbox when no process has the store open, and cannot decide', async () => {
  const { baseDir, own } = await served()
  await held(own)
  const entries = await own.inbox()
  const head = await own.store.head()
  await own.close()
  const reader = await readingOrchestrator(Orchestrator, baseDir, await readingView(baseDir))
  onTestFinished(() => reader.close())
  expect(await reader.inbox()).toEqual(entries)
  await expect(reader.inbox.approve('task:writer:t1')).rejects.toMatchObject({ _tag: 'StoreForReading' })
  expect(await reader.inbox()).toEqual(entries)
  expect(await reader.store.head()).toBe(head)
})
