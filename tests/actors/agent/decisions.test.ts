import { describe, expect, test } from 'vitest'
import { EventSourcedActor } from '../../../src/actors/engine/actor.ts'
import type { RunFact } from '../../../src/events/run-facts.ts'
import { silentLogger } from '../../../src/logger.ts'
import { runKind } from '../../../src/patterns/runs/machine.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'

const started: RunFact = {
  type: 'RunStarted',
  data: { name: 'test', workflow: null, prompt: 'go', textInput: null, material: {} },
}
const scheduled = (stepKey: string, taskId = stepKey): RunFact => ({
  type: 'StepScheduled',
  data: { stepKey, agent: 'a', worker: 'a', taskId },
})

/** A started run, and the number of facts in each append after that. */
async function running() {
  const store = memoryStore({ maxRecordBytes: 1000 })
  const appended: number[] = []
  const counting = {
    ...store,
    append: (...[stream, facts, options]: Parameters<typeof store.append>) => {
      appended.push(facts.length)
      return store.append(stream, facts, options)
    },
  }
  const environment = { store: counting, clock: virtualClock(), logger: silentLogger }
  const actor = await EventSourcedActor.load(runKind, 'r1', environment)
  await actor.decide(() => [started])
  appended.length = 0
  return { actor, appended }
}

describe('decisions that arrive during an append', () => {
  test('are appended together, in order, and each gets its own facts', async () => {
    const { actor, appended } = await running()
    const recorded = await Promise.all(
      ['one', 'two', 'three', 'four'].map((key) => actor.decide(() => [scheduled(key)])),
    )
    expect(appended).toEqual([4])
    expect(recorded.map((facts) => facts.map(({ data, version }) => `${data.stepKey} ${version}`))).toEqual([
      ['one 2'],
      ['two 3'],
      ['three 4'],
      ['four 5'],
    ])
    expect(actor.snapshot.context.steps).toBe(4)
  })

  test('see the state that earlier ones lead to', async () => {
    const { actor } = await running()
    const seen: number[] = []
    const count = () =>
      actor.decide(({ context }) => {
        seen.push(context.steps)
        return [scheduled(`step ${context.steps}`)]
      })
    await Promise.all([count(), count(), count()])
    expect(seen).toEqual([0, 1, 2])
  })

  test('do not fail with one that is refused by the machine or by the store', async () => {
    const { actor } = await running()
    const outcomes = await Promise.allSettled([
      actor.decide(() => [scheduled('one')]),
      actor.decide(() => [started]),
      actor.decide(() => [scheduled('too large', 'x'.repeat(2000))]),
      actor.decide(() => {
        throw new Error('I cannot decide')
      }),
      actor.decide(() => [scheduled('two')]),
    ])
    expect(outcomes.map((one) => (one.status === 'fulfilled' ? 'written' : one.reason.message))).toEqual([
      'written',
      expect.stringContaining('does not expect it in state'),
      expect.stringContaining('bytes'),
      'I cannot decide',
      'written',
    ])
    expect(actor.version).toBe(3)
  })

  test('are appended alone if they have a commit id', async () => {
    const { actor, appended } = await running()
    const commit = (commitId?: string) =>
      actor.decide(() => [scheduled(commitId ?? 'none')], commitId === undefined ? {} : { commitId })
    await Promise.all([commit(), commit(), commit('c1'), commit(), commit('c2'), commit('c3')])
    expect(appended).toEqual([2, 1, 1, 1, 1])
    await Promise.all([commit('c1'), commit()])
    expect(actor.snapshot.context.steps).toBe(7)
  })
})
