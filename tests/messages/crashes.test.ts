import { expect, test } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { crashSweep } from '../../src/testing/crash-sweep.ts'
import { asker } from './asker.ts'
import { agent, idsIn } from './kit.ts'

test('A conversation of three, crashed at each of its appends, reads each message in one turn, in order', async () => {
  const create = async (orchestrator: Orchestrator) => {
    const known = new Set((await orchestrator.agents()).map(({ id }) => id))
    for (const id of ['writer', 'critic', 'expert'])
      if (!known.has(id))
        await orchestrator.createAgent(agent(id, id === 'expert' ? { onMessage: 'wake' } : {}))
  }
  const { appends, result } = await crashSweep({
    reply: ({ prompt }) => `read ${idsIn(prompt).join(' ')}`,
    async scenario(orchestrator) {
      await create(orchestrator)
      const [writer, critic, expert] = await Promise.all(
        ['writer', 'critic', 'expert'].map((id) => orchestrator.agent(id)),
      )
      await writer?.send('critic', 'The draft is ready.', { messageId: 'm1' })
      await writer?.send('critic', 'See draft.md.', { messageId: 'm2' })
      await orchestrator.messages.send({ to: 'critic', text: 'Be kind.', messageId: 'm3' })
      const read = await critic?.ask('What do you think?', { taskId: 't1' })
      await critic?.send('expert', 'Is this right?', { messageId: 'm4' })
      await expert?.settled()
      await expert?.send('writer', 'It is.', { messageId: 'm5' })
      await critic?.send('writer', 'Well done.', { messageId: 'm6' })
      const answer = await writer?.ask('And now?', { taskId: 't2' })
      const asked = await orchestrator.messages.ask({
        ...{ from: 'writer', to: 'critic', text: 'Anything else?', requestId: 'r1' },
      })
      const listed = await Promise.all(
        ['writer', 'critic', 'expert'].map((id) => orchestrator.messages.list(id)),
      )
      return {
        ...{ read: read?.text, answer: answer?.text, asked: asked.text },
        listed: listed.map((one) =>
          one.map(({ messageId, from, to, status }) => ({ messageId, from, to, status })),
        ),
      }
    },
  })
  expect(appends).toBeGreaterThan(20)
  expect(result).toMatchObject({ read: 'read m1 m2 m3', answer: 'read m5 m6', asked: 'read ' })
})

test('A conversation of two agents and an actor of your own, crashed at each of its appends, is held once, in order', async () => {
  const kind = asker('critic')
  const { appends, result } = await crashSweep({
    actors: [kind],
    reply: ({ prompt }) => `read ${idsIn(prompt).join(' ')}`,
    async scenario(orchestrator) {
      const known = new Set((await orchestrator.agents()).map(({ id }) => id))
      for (const id of ['writer', 'critic']) if (!known.has(id)) await orchestrator.createAgent(agent(id))
      const one = await orchestrator.spawn(kind, 'one')
      const [writer, critic] = await Promise.all(['writer', 'critic'].map((id) => orchestrator.agent(id)))
      await writer?.send('critic', 'Somebody will ask you.', { messageId: 'm1' })
      for (const [at, text] of ['what', 'how'].entries()) {
        await writer?.send('asker/one', text, { messageId: `ask-${text}` })
        await new Promise<void>((resolve) => {
          const look = () => one.snapshot.context.answers.length > at && resolve()
          one.subscribe(look)
          look()
        })
      }
      const read = await critic?.ask('Well?', { taskId: 't1' })
      const listed = await orchestrator.messages.list('critic')
      const tasks: unknown[] = []
      for await (const { type, data } of orchestrator.history.log({ stream: 'agent/critic' }))
        if (type === 'TaskAccepted') tasks.push(data.taskId)
      return {
        ...{ answers: one.snapshot.context.answers, read: read?.text, tasks },
        listed: listed.map(({ messageId, from, status }) => `${messageId} ${from} ${status}`),
      }
    },
  })
  expect(appends).toBeGreaterThan(15)
  expect(result).toEqual({
    answers: ['read m1 ', 'read t-what '],
    ...{ read: 'read t-how', tasks: ['r-what', 'r-how', 't1'] },
    listed: ['m1 writer answered', 't-what asker/one answered', 't-how asker/one answered'],
  })
})
