import { expect, test } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { crashSweep } from '../../src/testing/crash-sweep.ts'
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
