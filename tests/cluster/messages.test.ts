/** Agents in two workers tell and ask one another, and the worker of the one that is asked is killed. */
import { describe, expect, test } from 'vitest'
import { hasPostgres } from '../postgres/database.ts'
import { audit, startCluster } from './kit.ts'

describe.skipIf(!hasPostgres)('Messages between workers', { timeout: 240_000 }, () => {
  test('a message is received once and a request is answered, although the worker of the receiver is killed', async () => {
    const cluster = await startCluster()
    const [one] = await Promise.all([cluster.worker('one'), cluster.worker('two')])
    const team = await cluster.client()
    // An agent in each: of a few, all may live in one.
    const living = new Map<string | undefined, string>()
    let agents = 0
    while (!living.has('one') || !living.has('two')) {
      const agent = await team.createAgent({ id: `a${agents++}`, systemPrompt: 'You help.' })
      await agent.ask('x', { taskId: 'first' })
      living.set((await team.agent(agent.id)).snapshot.context.stored?.home.worker, agent.id)
    }
    const [from = '', to = ''] = [living.get('two'), living.get('one')]
    const message = { from, to, text: 'The figures are in figures.csv.', messageId: 'm1' }
    await team.messages.send(message)
    const asked = team.messages.ask({ from, to, text: 'Are they right?', requestId: 'q1' })
    await cluster.started(agents + 1)
    one?.child.kill('SIGKILL')
    // As who has not heard whether it arrived.
    await team.messages.send(message)
    expect(await asked).toMatchObject({ requestId: 'q1', from: to, text: 'fine' })
    const inbox = await team.messages.list(to)
    expect(inbox.filter(({ text }) => text === message.text)).toMatchObject([{ from, status: 'answered' }])
    const back = await team.messages.ask({ from: to, to: from, text: 'And yours?', requestId: 'q2' })
    expect(back.text).toBe('fine')
    const { counts } = await audit(team, cluster, agents + 2)
    expect([counts.MessageReceived, counts.MessageSent]).toEqual([1, 1])
  })
})
