/** Which bodies a retention rule drops. */
import { expect, test } from 'vitest'
import { agentRetention, isSameTask } from '../../../src/actors/agent/retention.ts'
import type { Recorded } from '../../../src/events/envelope.ts'
import type { JsonObject } from '../../../src/events/json.ts'
import { blobReferences } from '../../../src/store/blob-reference.ts'

const recorded = (
  stream: string,
  type: string,
  data: JsonObject,
  more: Partial<Recorded> = {},
): Recorded => ({
  ...{ position: 1, stream, version: 1, id: 'x', type, v: 1, data, at: '2026-01-01T00:00:00.000Z' },
  ...{ correlationId: null, causationId: null, epoch: 1, ...more },
})
const accepted = (taskId: string, correlationId = taskId) =>
  recorded('agent/a', 'TaskAccepted', { taskId, prompt: 'p', textInput: null }, { correlationId })
const answered = (taskId: string) => recorded('agent/a', 'CallSucceeded', { taskId, text: 'an answer' })

/** The tasks whose answers are dropped. */
function dropped(facts: readonly Recorded[], rule: Parameters<typeof agentRetention>[0]) {
  const retention = agentRetention(rule)
  for (const fact of facts) retention.see(fact)
  return facts.filter((fact) => retention.reduce(fact)).map(({ type, data }) => `${type} ${data.taskId}`)
}

test('An open task keeps its prompt', () => {
  expect(dropped([accepted('one'), answered('one'), accepted('two')], { keep: 0 })).toEqual([
    'TaskAccepted one',
    'CallSucceeded one',
  ])
})

test('The tasks of a run keep their bodies until the run has ended', () => {
  const started = recorded('run/r', 'RunStarted', {})
  const facts = [started, accepted('one', 'r'), answered('one')]
  expect(dropped(facts, { keep: 0 })).toEqual([])
  expect(dropped([...facts, recorded('run/r', 'RunSucceeded', {})], { keep: 0 })).toHaveLength(2)
})

test('A cost that is told when its run has ended opens the run no more', () => {
  const started = recorded('run/r', 'RunStarted', {})
  const late = recorded('run/r', 'StepCostRecorded', { taskId: 'one', costUsd: 1, tokens: 1 })
  const facts = [started, accepted('one', 'r'), answered('one'), recorded('run/r', 'RunCancelled', {}), late]
  expect(dropped(facts, { keep: 0 })).toHaveLength(2)
})

test('A task that ended at the very instant keeps its bodies', () => {
  const facts = [accepted('one'), answered('one')]
  expect(dropped(facts, { before: new Date('2026-01-01T00:00:00.000Z') })).toEqual([])
  expect(dropped(facts, { before: new Date('2026-01-01T00:00:00.001Z') })).toHaveLength(2)
})

test('What is stored of an agent for another machine is kept as far as no later fact says it anew', () => {
  const blob = (letter: string) => ({ sha256: letter.repeat(64), bytes: 1 })
  const stored = (position: number, data: JsonObject) =>
    recorded('agent/a', 'AgentStored', { home: { worker: 'one' }, ...data }, { position })
  const files = (letter: string) => ({ files: { commit: letter, packs: [{ parts: [blob(letter)] }] } })
  const sessions = (letter: string) => ({ sessions: [{ name: letter, parts: [blob(letter)] }] })
  const facts = [
    ...[stored(1, { ...files('a'), ...sessions('b') }), stored(2, sessions('c')), stored(3, files('d'))],
    stored(4, sessions('e')),
  ]
  const needed = (all: readonly Recorded[]) => {
    const retention = agentRetention({ keep: 10 })
    for (const fact of all) retention.see(fact)
    const left = all.map((fact) => retention.reduce(fact) ?? fact.data)
    return left.flatMap((data) => [...blobReferences(data)].map(({ sha256 }) => sha256[0]))
  }
  expect(needed(facts)).toEqual(['d', 'e'])
  expect(needed([...facts, recorded('agent/a', 'AgentRemoved', {}, { position: 5 })])).toEqual([])
})

test('A task whose prompt was dropped is recognized by its hash', () => {
  const retention = agentRetention({ keep: 0 })
  for (const fact of [accepted('one'), answered('one')]) retention.see(fact)
  const reduced = retention.reduce(accepted('one')) ?? {}
  expect(reduced).toMatchObject({ prompt: { bytes: 1, dropped: true }, textInput: null })
  expect(isSameTask(reduced, accepted('one').data)).toBe(true)
  expect(isSameTask(reduced, { ...accepted('one').data, prompt: 'q' })).toBe(false)
  expect(isSameTask(reduced, { ...accepted('one').data, textInput: 'more' })).toBe(false)
})
