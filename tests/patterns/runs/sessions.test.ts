/** The conversations of runs: one with each agent and run by default, the agent's own where that is wanted. */
import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { debate } from '../../../src/patterns/loop-until.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { patternOf, runStep } from '../../../src/patterns/pattern.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { vote } from '../../../src/patterns/vote.ts'
import { definedPattern } from '../../../src/workflows/defined-pattern.ts'
import { TEMPLATES } from '../../../src/workflows/pattern.ts'
import { until, world } from '../../actors/world.ts'

const ignored = () => {}

/** Agents whose calls can be held, and what each of their calls continued, by the prompt that made its parent session. */
async function team(names: readonly string[] = ['a', 'b']) {
  const here = await world()
  const isHeld = new Set<string>()
  let replies = 0
  const reply = ({ agent }: { agent: string }) =>
    isHeld.has(agent) ? { text: '', delayMs: 9e12 } : `answer ${++replies}`
  const calls: Awaited<ReturnType<typeof here.open>>['runner']['calls'][number][] = []
  const open = async (options = {}) => {
    const { orchestrator } = await here.open(
      {
        reply: (call) => {
          calls.push(call)
          return reply(call)
        },
      },
      options,
    )
    return orchestrator
  }
  const orchestrator = await open()
  for (const id of names) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  /** For each call of an agent: the number of the call that it continues; null for a new conversation. */
  const continued = (agent: string) => {
    const own = calls.filter((call) => call.agent === agent)
    return own.map(({ parentSessionId }) => {
      const index = own.findIndex(({ sessionId }) => sessionId === parentSessionId)
      return index < 0 ? null : index + 1
    })
  }
  return { ...here, open, orchestrator, isHeld, calls, continued }
}

test('a run over another input carries nothing of the first along, and leaves no trace in the conversation of the agent', async () => {
  const { orchestrator, continued } = await team()
  const agent = await orchestrator.agent('a')
  await agent.ask('remember this')
  await orchestrator.run(sequential(['a', 'b']), 'file one')
  await orchestrator.run(sequential(['a', 'b']), 'file two')
  await agent.ask('what did I say?')
  expect(continued('a')).toEqual([null, null, null, 1])
  expect(continued('b')).toEqual([null, null])
})

test('a template that runs again starts new conversations', async () => {
  const { orchestrator, calls } = await team([])
  const workflow = new TEMPLATES.research(orchestrator)
  await workflow.setup()
  await workflow.execute('tides')
  await workflow.execute('winds')
  expect(calls.map(({ parentSessionId }) => parentSessionId)).toEqual(Array(6).fill(null))
})

test('within a run, an agent that is asked again continues, with each agent in a conversation of its own', async () => {
  const { orchestrator, continued } = await team()
  await orchestrator.run(debate({ writer: 'a', critic: 'b', rounds: 3 }), 'a poem')
  expect(continued('a')).toEqual([null, 1, 2])
  expect(continued('b')).toEqual([null, 1])
})

test('two asks of one agent that a run makes at once are one conversation, also beside another run', async () => {
  const { orchestrator, continued, calls } = await team()
  const chain = (name: string) =>
    patternOf(['a'], (ask) => runStep(ask, sequential(['a', 'a']), { prompt: name }))
  const both = (run: string) => parallel([chain(`${run} left`), chain(`${run} right`)])
  await Promise.all([orchestrator.run(both('one'), 'go'), orchestrator.run(both('two'), 'go')])
  const runOf = (index: number) => calls[index]?.prompt.split(' ')[0]
  const parents = continued('a')
  expect(parents.filter((parent) => parent === null).length).toBe(2)
  for (const [index, parent] of parents.entries()) {
    const earlier = parents.flatMap((_, other) =>
      other < index && runOf(other) === runOf(index) ? [other + 1] : [],
    )
    expect(parent).toBe(earlier.at(-1) ?? null)
  }
})

test('with session chain, a run continues the conversations of its agents; with fresh, no ask sees another', async () => {
  const { orchestrator, continued } = await team()
  const agent = await orchestrator.agent('a')
  await agent.ask('remember this')
  await orchestrator.run(sequential(['a', 'a']), 'go', { session: 'chain' })
  await orchestrator.run(sequential(['a', 'a']), 'go', { session: 'fresh' })
  await agent.ask('and now?')
  expect(continued('a')).toEqual([null, 1, 2, null, null, 3])
})

test('a step, and a workflow of the configuration file, choose for themselves', async () => {
  const { orchestrator, continued } = await team()
  await (await orchestrator.agent('a')).ask('remember this')
  const own = patternOf(['a'], (ask, task) => ask('a', task, { session: 'chain' }))
  await orchestrator.run(own, 'go')
  const declared = { pattern: 'sequential', agents: ['a', 'a'], options: { session: 'chain' } } as const
  await orchestrator.run(definedPattern(declared, []), 'go')
  await orchestrator.run(vote(['a'], { votes: 2 }), 'go', { session: 'chain' })
  expect(continued('a')).toEqual([null, 1, 2, 3, null, null])
})

test('without session persistence, no step of a run sees another', async () => {
  const { orchestrator, open, continued } = await team()
  await orchestrator.close()
  const forgetful = await open({ sessionPersistence: false })
  await forgetful.run(sequential(['a', 'a']), 'go')
  expect(continued('a')).toEqual([null, null])
})

test('a run that is resumed, and one that is forked, continue in the conversations of the run', async () => {
  const { orchestrator, open, isHeld, continued, calls } = await team()
  const pattern = sequential(['a', 'b', 'a'])
  isHeld.add('b')
  orchestrator.run(pattern, 'go', { id: 'r1' }).then(ignored, ignored)
  await until(() => calls.some(({ agent }) => agent === 'b'))
  await orchestrator.close()
  isHeld.clear()
  const next = await open()
  await (await next.agent('a')).ask('something else')
  expect(await next.runs.resume('r1', pattern)).toMatchObject({ success: true, metadata: { reused: 1 } })
  expect(continued('a')).toEqual([null, null, 1])
  const { runId } = await next.runs.fork('r1', { at: 3 })
  expect(await next.runs.resume(runId, pattern)).toMatchObject({ success: true, metadata: { reused: 2 } })
  expect(continued('a')).toEqual([null, null, 1, 1])
})

test('a run of an older log resumes as it was begun: its steps are known, and it continues the agents', async () => {
  const { orchestrator, store, continued } = await team()
  const agent = await orchestrator.agent('a')
  await agent.ask('remember this')
  const digest = (content: unknown) => hash('sha256', JSON.stringify(content), 'base64url').slice(0, 22)
  // As version 0.1.0 named a step.
  const content = digest(['b', { prompt: 'go' }, 'chain', undefined])
  const { config } = (await orchestrator.agent('b')).snapshot.context
  const stepKey = `${digest([content, digest(config)])}.1`
  const step = { stepKey, agent: 'b' }
  const facts = [
    {
      type: 'RunStarted',
      data: { name: 'old', workflow: null, prompt: 'go', textInput: null, material: {} },
    },
    { type: 'StepScheduled', data: { ...step, worker: 'b', taskId: `old.${stepKey}.1` } },
    {
      type: 'StepSucceeded',
      data: { ...step, text: 'long ago', sessionId: 's', costUsd: 0, tokens: 0, durationMs: 1 },
    },
  ]
  await store.append(
    'run/old',
    facts.map((fact) => ({ ...fact, v: 1, correlationId: 'old', causationId: null })),
    { expectedVersion: 0 },
  )
  expect(await orchestrator.runs.resume('old', sequential(['b', 'a']))).toMatchObject({
    success: true,
    metadata: { reused: 1 },
  })
  expect(continued('a')).toEqual([null, 1])
  expect(continued('b')).toEqual([])
})

test('a session that no run has is refused before any call', async () => {
  const { orchestrator } = await team()
  expect(() => orchestrator.run(sequential(['a']), 'go', { session: 'mine' as 'run' })).toThrow('none of run')
})
