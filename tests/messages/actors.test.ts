/** Actors of a user's own that write to agents and are written to. */
import { describe, expect, test } from 'vitest'
import { setup } from 'xstate'
import { defineActor } from '../../src/actors/own/definition.ts'
import { MessageChainError, UndeliverableError } from '../../src/events/errors/actor.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'
import { causesOf } from '../../src/history/causes.ts'
import { asker, asking } from './asker.ts'
import { counter } from './counters.ts'
import { agent, messagesIn, team } from './kit.ts'

describe('A message to an actor of your own', () => {
  test('is a command to it, once, however often it is sent under its id, before and after a restart', async () => {
    const { open, store } = team()
    const first = await open({}, { actors: [counter] })
    const writer = await first.orchestrator.createAgent(agent('writer'))
    const visits = await first.orchestrator.spawn(counter, 'visits')
    const send = () => writer.send('counter/visits', 'one', { messageId: 'm1' })
    await Promise.all([send(), send()])
    expect(visits.snapshot.context.counted).toEqual([{ messageId: 'm1', from: 'writer', text: 'one' }])
    await first.orchestrator.close()
    const { orchestrator } = await open({}, { actors: [counter] })
    await (await orchestrator.agent('writer')).send('counter/visits', 'one', { messageId: 'm1' })
    await orchestrator.messages.send({ to: 'counter/visits', text: 'two', messageId: 'm2' })
    expect((await orchestrator.spawn(counter, 'visits')).snapshot.context.counted).toHaveLength(2)
    expect(await store.head('counter/visits')).toBe(2)
    expect(await orchestrator.messages.list('writer')).toMatchObject([
      { messageId: 'm1', to: 'counter/visits', status: 'answered' },
    ])
  })

  test('keeps its facts under one id even if the actor would decide something else by now', async () => {
    const { open } = team()
    const { orchestrator } = await open({}, { actors: [counter] })
    const visits = await orchestrator.spawn(counter, 'visits')
    const send = (text: string) => orchestrator.messages.send({ to: 'counter/visits', text, messageId: 'm1' })
    await send('one')
    await send('two')
    await send('no')
    expect(visits.snapshot.context.counted).toEqual([{ messageId: 'm1', from: null, text: 'one' }])
  })

  test('that it refuses, or that nothing receives, is an answer at once, and the log of the sender says so', async () => {
    const { open } = team()
    const quiet = defineActor({ ...counterParts, kind: 'quiet' })
    const { orchestrator } = await open({}, { actors: [counter, quiet] })
    const writer = await orchestrator.createAgent(agent('writer'))
    const visits = await orchestrator.spawn(counter, 'visits')
    await orchestrator.spawn(quiet, 'one')
    const refused = async (to: string, text = 'one') => {
      const error = await writer.send(to, text).catch((thrown) => thrown)
      expect(error).toBeInstanceOf(UndeliverableError)
      return error.message
    }
    expect(await refused('counter/visits', 'no')).toContain('it does not count that')
    expect(await refused('counter/others')).toContain('no such actor')
    expect(await refused('clock/one')).toContain('no kind of actor "clock"')
    expect(await refused('quiet/one')).toContain('no onMessage')
    await visits.kill()
    expect(await refused('counter/visits')).toContain('has ended (killed)')
    const listed = await orchestrator.messages.list('writer')
    expect(listed.map(({ status }) => status)).toEqual(Array(5).fill('undeliverable'))
    await orchestrator.spawn(counter, 'visits')
    await writer.send('counter/visits', 'one')
  })

  test('reaches one that rests in the log', async () => {
    const { open, store } = team()
    const first = await open({}, { actors: [counter] })
    await (await first.orchestrator.spawn(counter, 'visits')).tell({
      messageId: 'm0',
      from: null,
      text: 'one',
    })
    await first.orchestrator.close()
    const { orchestrator } = await open({}, { actors: [counter] })
    await orchestrator.messages.send({ to: 'counter/visits', text: 'two' })
    expect(await store.head('counter/visits')).toBe(2)
  })

  test('is asked for an answer by an agent, and replies at once', async () => {
    const { open, store } = team()
    const { orchestrator } = await open({}, { actors: [counter] })
    await orchestrator.createAgent(agent('writer'))
    await orchestrator.spawn(counter, 'visits')
    const ask = (text: string) =>
      orchestrator.messages.ask({ from: 'writer', to: 'counter/visits', text, requestId: text })
    expect(await ask('one')).toEqual({ requestId: 'one', from: 'counter/visits', text: '1', costUsd: 0 })
    expect((await ask('two')).text).toBe('2')
    await expect(ask('no')).rejects.toThrow('it does not count that')
    expect(await store.head('counter/visits')).toBe(2)
  })
})

const counterParts = {
  facts: asking,
  machine: setup({ types: {} as { context: object; events: FactsOf<typeof asking> } }).createMachine({
    context: {},
    on: { Asked: {} },
  }),
  decide: () => [],
}

describe('An actor of your own', () => {
  test('asks an agent, and thanks it', async () => {
    const { open } = team()
    const kind = asker('expert')
    const { orchestrator, runner } = await open({ reply: () => 'high' }, { actors: [kind] })
    await orchestrator.createAgent(agent('expert'))
    const ref = await orchestrator.spawn(kind, 'one')
    await ref.tell({ type: 'Asked', text: 'how' })
    await expect.poll(() => ref.snapshot.context.answers).toEqual(['high'])
    expect(runner.calls[0]?.prompt).toContain('Actor asker/one asks you')
    await orchestrator.sendTask('expert', 'And now?')
    expect(messagesIn(runner.calls[1]?.prompt ?? '')).toEqual([
      { from: 'asker/one', messageId: 't-how', text: 'thanks for high' },
    ])
  })

  test('that waits for an answer gets it after a restart, and the agent is asked once', {
    timeout: 20_000,
  }, async () => {
    const { open, types } = team()
    const kind = asker('expert')
    const first = await open({ reply: () => ({ text: 'late', delayMs: 60_000 }) }, { actors: [kind] })
    await first.orchestrator.createAgent(agent('expert'))
    await (await first.orchestrator.spawn(kind, 'one')).tell({ type: 'Asked', text: 'how' })
    await expect.poll(() => first.runner.calls.length).toBe(1)
    await first.orchestrator.close()
    const { orchestrator } = await open({ reply: () => 'high' }, { actors: [kind] })
    const ref = await orchestrator.spawn(kind, 'one')
    await expect.poll(() => ref.snapshot.context.answers).toEqual(['high'])
    expect((await types('expert')).filter((type) => type === 'TaskAccepted')).toHaveLength(1)
    expect(await types('expert')).not.toContain('TaskCancelled')
  })

  test('and an agent that write to each other for ever are stopped, until the program says something', async () => {
    const { open } = team()
    const kind = asker('expert', false)
    const { orchestrator } = await open(
      {
        reply: async () => {
          await expert.send('asker/one', `again-${++times}`).catch((error) => problems.push(error))
          return 'sent'
        },
      },
      { actors: [kind] },
    )
    let times = 0
    const problems: unknown[] = []
    const expert = await orchestrator.createAgent(agent('expert', { onMessage: 'wake' }))
    const ref = await orchestrator.spawn(kind, 'one')
    await ref.tell({ type: 'Asked', text: 'go' })
    await expect.poll(() => problems.length, { timeout: 20_000 }).toBe(1)
    expect(problems[0]).toBeInstanceOf(MessageChainError)
    expect(times).toBeLessThan(600)
  })

  test('leads from its message to the fact that led to it', async () => {
    const { open, store } = team()
    const kind = asker('expert')
    const { orchestrator } = await open({ reply: () => 'high' }, { actors: [kind] })
    const writer = await orchestrator.createAgent(agent('writer'))
    await orchestrator.createAgent(agent('expert'))
    await orchestrator.spawn(kind, 'one')
    await writer.send('asker/one', 'how', { messageId: 'm1' })
    const ref = await orchestrator.spawn(kind, 'one')
    await expect.poll(() => ref.snapshot.context.answers).toEqual(['high'])
    let position = 0
    for await (const { position: at, type } of store.readAll({})) if (type === 'CallSucceeded') position = at
    const lines = await causesOf(store, position)
    expect(lines.map(({ fact }) => `${fact.stream} ${fact.type}`)).toContain('asker/one Asked')
  })
})
