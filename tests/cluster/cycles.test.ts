/** Requests of agents in different workers to each other: none waits for one that waits for it, as in one process. */
import { expect, test } from 'vitest'
import { AskCycleError } from '../../src/events/errors/actor.ts'
import { gate } from '../messages/kit.ts'
import { inOneProcess } from './in-one-process.ts'

async function pair(reply: (from: string) => Promise<void>) {
  const cluster = await inOneProcess(2, {
    reply: async ({ agent }) => {
      await reply(agent)
      return 'Done.'
    },
  })
  const team = await cluster.client()
  for (const id of ['a', 'b']) await team.createAgent({ id, systemPrompt: 'You help.' })
  const workerOf = (id: string) => {
    const found = cluster.workers.find(({ agent }) => agent.has(id))
    if (!found) throw new Error(`${id} lives nowhere`)
    return found.orchestrator
  }
  expect(workerOf('a')).not.toBe(workerOf('b'))
  const refused: string[] = []
  const ask = async (from: string, to: string) => {
    await workerOf(from)
      .messages.ask({ from, to, text: 'Well?' })
      .catch((error) => {
        expect(error).toBeInstanceOf(AskCycleError)
        refused.push(error.details.waiting.join(' -> '))
      })
  }
  return { team, ask, refused }
}

test('One that asks back the one that waits for it in another worker is refused at once', async () => {
  const { team, ask, refused } = await pair(async (from) => {
    await ask(from, from === 'a' ? 'b' : 'a')
  })
  expect(await team.sendTask('a', 'Go.')).toBe('Done.')
  expect(refused).toEqual(['b -> a -> b'])
})

test('So is one whose own task asks an agent that waits for it already', async () => {
  const waits = gate<void>()
  let own = true
  const { team, ask, refused } = await pair(async (from) => {
    if (from === 'a') return ask('a', 'b')
    if (!own) return
    own = false
    await waits.opened
    await ask('b', 'a')
  })
  const b = await team.agent('b')
  const busy = b.ask('Go.', { taskId: 'own' })
  const asking = team.sendTask('a', 'Go.')
  for await (const { stream, type, data } of team.store.follow())
    if (stream === 'agent/b' && type === 'TaskAccepted' && data.taskId !== 'own') break
  waits.open()
  expect([(await busy).text, await asking]).toEqual(['Done.', 'Done.'])
  expect(refused).toEqual(['b -> a -> b'])
})
