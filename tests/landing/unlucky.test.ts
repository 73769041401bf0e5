/** What becomes of work that is to land when the world is unlucky, or hostile. With real git. */
import { expect, test } from 'vitest'
import { repository, write } from './kit.ts'

test('an agent whose fixing task fails does not keep its entry for ever, whatever the task has failed with', async () => {
  const { repo, open, at } = await repository(async (workspace, prompt) => {
    if (prompt.includes('could not be landed')) throw new Error('it broke')
    await write(workspace, prompt)
  })
  const { orchestrator, agent, landed } = await open()
  const options = { systemPrompt: 'x', retry: { attempts: 1 }, workspace: { repo } }
  const dev = await orchestrator.createAgent({ id: 'dev', ...options })
  await dev.ask('b.txt=two')
  await agent('other', 'c.txt=three')
  const [failed, other] = await landed(['dev', 'other'], { gate: 'test ! -e b.txt' })
  expect(failed).toMatchObject({ status: 'set-aside', commit: null })
  expect(failed?.reason).toMatch(/^it could not be fixed: /)
  expect(other).toMatchObject({ status: 'landed' })
  expect(at('c.txt')).toBe('three')
})
