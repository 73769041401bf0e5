/** What a command sees of a store whose owner comes and goes. */
import { expect, test } from 'vitest'
import { withSession } from '../../src/cli/session.ts'
import { served } from '../owner/kit.ts'

test.each(['is closing', 'has ended'])(
  'What an owner did for a command is read when that owner %s',
  async (how) => {
    const { baseDir, own, client } = await served({ reply: () => 'done' })
    const options = {
      baseDir,
      json: false,
      color: false,
      logLevel: 'silent',
      simulate: false,
      config: { file: null, settings: [] },
    }
    await withSession({ ...options, given: { color: false } }, async (session) => {
      const agent = await session.orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
      await agent.ask('x', { taskId: 'one' })
      const closed = own.close()
      if (how === 'has ended') await closed
      const { agents, runs } = await session.look(async (orchestrator) => ({
        runs: await orchestrator.runs.list(),
        agents: await orchestrator.agents(),
      }))
      expect(runs).toEqual([])
      expect(agents).toMatchObject([{ id: 'a' }])
      await expect(session.look(() => Promise.reject(new TypeError('its own')))).rejects.toThrow('its own')
      client.close()
      await closed
    })
  },
)
