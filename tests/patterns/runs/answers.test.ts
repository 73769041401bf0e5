/** The answers of a run are in the log once: its steps name the facts of their agents. */
import { expect, test } from 'vitest'
import { runFacts } from '../../../src/events/run-facts.ts'
import { compactLog } from '../../../src/history/log-archive.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../../store/temporary.ts'

const AGENTS = ['a', 'b', 'a', 'b', 'a']
const pattern = sequential(AGENTS)

/** Each call answers with another text of 2,000 characters; those of one agent never end if it is stuck. */
function answering(stuck?: string) {
  let answers = 0
  return scriptedRunner({
    reply: ({ agent }) =>
      agent === stuck ? { text: '', delayMs: 9e8 } : { text: textOf(++answers), costUsd: 0.01 },
  })
}

const textOf = (number: number) => `answer ${number}, `.repeat(150)

async function opened(place: { store: EventStore } | { baseDir: string }, runner = answering()) {
  const orchestrator = await Orchestrator.open({ ...place, runner, resume: 'on-demand', serve: false })
  return { orchestrator, runner }
}

async function ran(place: { store: EventStore } | { baseDir: string }, steps = pattern) {
  const { orchestrator } = await opened(place)
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  await orchestrator.run(steps, 'go', { id: 'r' })
  return orchestrator
}

const TEXTS = AGENTS.map((_, index) => textOf(index + 1))

const textsIn = async ({ runs }: Orchestrator, id = 'r') =>
  (await runs.show(id)).taken.map(({ text }) => text)

test('The log of a sequential run holds each answer twice: as an answer, and in the next prompt', async () => {
  const store = memoryStore()
  const orchestrator = await ran({ store }, sequential(Array.from({ length: 50 }, () => 'a')))
  const holding = { CallSucceeded: 0, TaskAccepted: 0, StepSucceeded: 0, RunSucceeded: 0 }
  for await (const { type, data } of store.readAll())
    if (JSON.stringify(data).includes(textOf(1).slice(0, 100))) holding[type as keyof typeof holding] += 1
  expect(holding).toEqual({ CallSucceeded: 1, TaskAccepted: 1, StepSucceeded: 0, RunSucceeded: 0 })
  await orchestrator.close()
})

test('A run has the answers that its agents recorded: shown, asked for again, forked and resumed', async () => {
  const store = memoryStore()
  const first = await ran({ store })
  expect(await textsIn(first)).toEqual(TEXTS)
  const again = await first.run(pattern, 'go', { id: 'r' })
  expect(again).toMatchObject({ results: { a: TEXTS[4], b: TEXTS[3] }, metadata: { finalOutput: TEXTS[4] } })
  await first.runs.fork('r', { at: 4, as: 'forked' })
  expect(await textsIn(first, 'forked')).toEqual(TEXTS.slice(0, 3))
  await first.close()
})

test('A run that a process left resumes with the answers that its agents recorded', async () => {
  const baseDir = await temporaryDirectory()
  const { orchestrator } = await opened({ baseDir }, answering('c'))
  for (const id of ['a', 'b', 'c']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  const run = orchestrator.run(sequential(['a', 'b', 'c']), 'go', { id: 'r' })
  run.catch(() => {})
  for await (const { agent } of run) if (agent === 'c') break
  await orchestrator.close()
  const next = await opened({ baseDir })
  await next.orchestrator.runs.resume('r', sequential(['a', 'b', 'c']))
  const asked = next.runner.calls.map(({ agent, prompt }) => [agent, prompt])
  expect(asked).toEqual([['c', expect.stringContaining(TEXTS[1] as string)]])
  await next.orchestrator.close()
})

test('Compaction keeps the answers of a run that has ended', async () => {
  const baseDir = await temporaryDirectory()
  await (await ran({ baseDir })).close()
  const { facts } = await compactLog(baseDir, { keep: 0 })
  expect(facts).toBe(AGENTS.length)
  const { orchestrator } = await opened({ baseDir })
  expect(await textsIn(orchestrator)).toEqual(TEXTS)
  await orchestrator.close()
})

/** A run whose steps were answered, as their facts are in the log. */
async function recorded(store: EventStore, answer: number) {
  const step = { stepKey: 'k', agent: 'a' }
  const asked = { stepKey: 'k', agent: 'a', worker: 'a', taskId: 't' }
  const started = { name: 'x', workflow: null, prompt: 'go', textInput: null, material: {} }
  const spent = { sessionId: 's', costUsd: 0, tokens: 0, durationMs: 1 }
  const facts = [
    runFacts.write({ type: 'RunStarted', data: started }),
    runFacts.write({ type: 'StepScheduled', data: asked }),
    runFacts.write({ type: 'StepSucceeded', data: { ...step, ...spent, answer } }),
  ]
  await store.append('run/r', facts)
}

test('An answer is found by its task where a repair has moved its fact', async () => {
  const store = memoryStore()
  const { orchestrator } = await opened({ store })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  await agent.ask('before')
  await agent.ask('go', { taskId: 't' })
  await agent.ask('after')
  await recorded(store, 3)
  expect(await textsIn(orchestrator)).toEqual([textOf(2)])
  await orchestrator.close()
})

test('A step whose answer is not in the log is shown without one, and not carried over by a fork', async () => {
  const store = memoryStore()
  await recorded(store, 3)
  const { orchestrator } = await opened({ store })
  expect(await textsIn(orchestrator)).toEqual([null])
  await orchestrator.close()
})
