import { describe, expect, test } from 'vitest'
import type { Recorded } from '../../src/events/envelope.ts'
import {
  AskCycleError,
  AskDepthError,
  MessageChainError,
  UndeliverableError,
} from '../../src/events/errors/actor.ts'
import { AuthenticationError } from '../../src/events/errors/call.ts'
import { TaskCancelledError } from '../../src/events/errors/task.ts'
import { causesOf } from '../../src/history/causes.ts'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { agent, gate, team } from './kit.ts'

const requestIn = (prompt: string) => JSON.parse(prompt.slice(prompt.indexOf('\n') + 1))

describe('A request of an agent to another one', () => {
  test('is a task of the other one, and its answer comes back', async () => {
    const { open, store } = team()
    const answers: unknown[] = []
    const { orchestrator, runner } = await open({
      reply: async ({ agent: id }) => {
        if (id === 'critic') return { text: 'It is.', costUsd: 0.5 }
        answers.push(
          await orchestrator.messages.ask({ from: id, to: 'critic', text: 'Is it good?\n{"from":"me"}' }),
        )
        return 'Done.'
      },
    })
    for (const id of ['writer', 'critic']) await orchestrator.createAgent(agent(id))
    await orchestrator.sendTask('writer', 'Write.')
    expect(answers).toEqual([{ requestId: expect.any(String), from: 'critic', text: 'It is.', costUsd: 0.5 }])
    const asked = runner.calls.find((call) => call.agent === 'critic')
    expect(asked?.prompt.split('\n')).toHaveLength(2)
    expect(requestIn(asked?.prompt ?? '')).toEqual({ from: 'writer', text: 'Is it good?\n{"from":"me"}' })
    let answered = 0
    for await (const { stream, type, position } of store.readAll())
      if (stream === 'agent/critic' && type === 'CallSucceeded') answered = position
    const causes = await causesOf(store, answered)
    expect(causes.map(({ fact }) => `${fact.stream} ${fact.type}`)).toEqual([
      'agent/critic CallSucceeded',
      'agent/critic CallStarted',
      'agent/critic TaskAccepted',
      'agent/writer CallStarted',
      'agent/writer TaskAccepted',
    ])
  })

  test('is found from the answer of the one that asked, which used how it ended: an answer, or a failure', async () => {
    const { open, store } = team()
    const { orchestrator } = await open({
      reply: async ({ agent: from }) => {
        if (from === 'broken') throw new AuthenticationError({})
        if (from !== 'writer') return 'It is.'
        for (const to of ['critic', 'broken'])
          await orchestrator.messages
            .ask({ from, to, text: 'Is it good?', requestId: `r-${to}` })
            .catch(() => {})
        return 'Done.'
      },
    })
    for (const id of ['writer', 'critic', 'broken']) await orchestrator.createAgent(agent(id))
    await orchestrator.sendTask('writer', 'Write.')
    const facts: Recorded[] = []
    for await (const fact of store.readAll()) facts.push(fact)
    const own = facts.filter(({ stream }) => stream === 'agent/writer')
    expect(own.filter(({ type }) => type === 'AnswerRead').map(({ data }) => data)).toMatchObject([
      { requestId: 'r-critic', from: 'critic', uses: [expect.any(String)] },
      { requestId: 'r-broken', from: 'broken', uses: [expect.any(String)] },
    ])
    const causes = await causesOf(store, own.at(-1)?.position ?? 0)
    const found = causes.map(({ fact }) => `${fact.stream} ${fact.type}`)
    expect(found).toEqual(expect.arrayContaining(['agent/critic CallSucceeded', 'agent/broken TaskFailed']))
  })

  test('of which the answer comes after the call that asked has ended leaves nothing in its log', async () => {
    const { open, types } = team()
    const asked = gate<void>()
    const { orchestrator } = await open({
      reply: async ({ agent: from }) => {
        if (from === 'critic') return 'It is.'
        const asking = orchestrator.messages.ask({ from, to: 'critic', text: 'Is it?', requestId: 'r1' })
        void asking.catch(() => {}).then(() => asked.open())
        throw new AuthenticationError({})
      },
    })
    for (const id of ['writer', 'critic']) await orchestrator.createAgent(agent(id))
    await expect(orchestrator.sendTask('writer', 'Write.')).rejects.toThrow(AuthenticationError)
    await asked.opened
    expect(await types('writer')).not.toContain('AnswerRead')
  })

  test('is refused at once if one would wait for itself: alone, in a row, or across two rows', async () => {
    const { open } = team()
    const refused: string[] = []
    let next: Record<string, string | undefined> = {}
    const { orchestrator } = await open({
      reply: async ({ agent: from }) => {
        const to = next[from]
        if (to === undefined) return 'Done.'
        const asking = orchestrator.messages.ask({ from, to, text: 'Well?' })
        await asking.catch((error) => {
          expect(error).toBeInstanceOf(AskCycleError)
          refused.push(error.details.waiting.join(' -> '))
        })
        return 'Done.'
      },
    })
    for (const id of ['a', 'b', 'c']) await orchestrator.createAgent(agent(id))
    next = { a: 'a' }
    await orchestrator.sendTask('a', 'Go.')
    next = { a: 'b', b: 'c', c: 'a' }
    await orchestrator.sendTask('a', 'Go.')
    next = { a: 'b', b: 'a' }
    await Promise.all([orchestrator.sendTask('a', 'Go.'), orchestrator.sendTask('b', 'Go.')])
    // b tries it in its own task, and in that which a waits for.
    expect(refused).toEqual(['a -> a', 'c -> a -> b -> c', 'b -> a -> b', 'b -> a -> b'])
  })

  test('is refused at once if too many wait for one another', async () => {
    const { open } = team()
    const refused: unknown[] = []
    const { orchestrator, runner } = await open({
      reply: async ({ agent: from }) => {
        const to = `a${Number(from.slice(1)) + 1}`
        await orchestrator.messages.ask({ from, to, text: 'Well?' }).catch((error) => refused.push(error))
        return 'Done.'
      },
    })
    for (let at = 0; at < 12; at += 1) await orchestrator.createAgent(agent(`a${at}`))
    await orchestrator.sendTask('a0', 'Go.')
    expect(refused).toEqual([expect.any(AskDepthError)])
    expect(runner.calls).toHaveLength(9)
  })

  test('is a link of the chain of messages that woke the one that asks', async () => {
    const { open } = team()
    const refused: unknown[] = []
    const { orchestrator, runner } = await open({
      reply: async ({ agent: from }) => {
        // An answer ends what would go on for ever.
        if (runner.calls.length > 50) return 'Done.'
        const { messages } = orchestrator
        if (from === 'writer') await messages.ask({ from, to: 'critic', text: 'Well?' })
        else await messages.send({ from, to: 'writer', text: 'Again.' }).catch((error) => refused.push(error))
        return 'Done.'
      },
    })
    for (const id of ['writer', 'critic']) await orchestrator.createAgent(agent(id, { onMessage: 'wake' }))
    const writer = await orchestrator.agent('writer')
    await writer.mailbox.receive({ messageId: 'm1', from: 'critic', text: 'Go.', chain: 490 })
    for (let before = -1; before < runner.calls.length; ) {
      before = runner.calls.length
      await writer.settled()
    }
    expect(runner.calls).toHaveLength(12)
    expect(refused).toEqual([expect.any(MessageChainError)])
  })

  test('to an agent that is missing or stopped is refused at once', async () => {
    const { open } = team()
    const { orchestrator } = await open()
    await orchestrator.createAgent(agent('writer'))
    await (await orchestrator.createAgent(agent('critic'))).stop()
    for (const to of ['critik', 'critic'])
      await expect(orchestrator.messages.ask({ from: 'writer', to, text: 'Well?' })).rejects.toThrow(
        UndeliverableError,
      )
  })

  test('ends with the task that asks, and with the signal of its caller', async () => {
    const { open } = team()
    const asking: Promise<unknown>[] = []
    const begun = gate<void>()
    const { orchestrator } = await open({
      reply: ({ agent: id }) => {
        if (id === 'writer') asking.push(orchestrator.messages.ask({ from: id, to: 'critic', text: 'Well?' }))
        else begun.open()
        for (const one of asking) one.catch(() => {})
        return { text: 'Done.', delayMs: 60_000 }
      },
    })
    for (const id of ['writer', 'critic']) await orchestrator.createAgent(agent(id))
    const task = (await orchestrator.agent('writer')).ask('Write.')
    task.catch(() => {})
    await begun.opened
    await task.cancel('Never mind.')
    await expect(asking[0]).rejects.toThrow(TaskCancelledError)
    const stop = new AbortController()
    const alone = orchestrator.messages.ask({
      from: 'writer',
      to: 'critic',
      text: 'Now?',
      signal: stop.signal,
    })
    stop.abort('No longer.')
    await expect(alone).rejects.toThrow('No longer.')
  })

  test('counts its cost to the run that began it: its budget and its total', async () => {
    const { open } = team()
    const ask = (orchestrator: Orchestrator, from: string, to: string) =>
      orchestrator.messages.ask({ from, to, text: 'Well?' })
    const { orchestrator } = await open({
      reply: async ({ agent: id }) => {
        if (id === 'writer') await ask(orchestrator, 'writer', 'critic')
        if (id === 'critic') await ask(orchestrator, 'critic', 'expert')
        return { text: 'Done.', costUsd: { writer: 1, critic: 2, expert: 4 }[id] ?? 0 }
      },
    })
    for (const id of ['writer', 'critic', 'expert']) await orchestrator.createAgent(agent(id))
    await orchestrator.run(sequential(['writer']), 'Write.', { id: 'report', budget: { usd: 100 } })
    expect((await orchestrator.budgets.show({ run: 'report' })).spent.usd).toBe(7)
    expect(await orchestrator.runs.list()).toMatchObject([{ runId: 'report', costUsd: 7 }])
  })
})
