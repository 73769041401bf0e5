/** Work that was set aside waits for a person in the inbox. With real git. */
import { expect, test } from 'vitest'
import { repository } from '../landing/kit.ts'

test('Work that was set aside is in the inbox until it lands, or is given up', async () => {
  const { open } = await repository()
  const { orchestrator, agent, landed } = await open()
  for (const id of ['dev', 'other']) await agent(id, `${id}.txt=two`)
  const [first] = await landed('dev', { gate: 'false' })
  const [second] = await landed('other', { gate: 'false' })
  const entries = await orchestrator.inbox()
  expect(entries).toMatchObject([
    {
      ...{ id: `landing:${first?.entry}`, kind: 'landing', agent: 'dev', run: null, prompt: null },
      command: 'claude-agents land dev --into main --gate false',
    },
    { id: `landing:${second?.entry}`, agent: 'other' },
  ])
  expect(entries[0]?.question).toContain('was not landed on main: ')
  await landed('dev')
  expect(await orchestrator.inbox()).toMatchObject([{ agent: 'other' }])
  await expect(orchestrator.inbox.deny(`landing:${first?.entry}`)).rejects.toThrow(
    /queued again as dev-.*landed/,
  )
  const decision = { by: 'ada', reason: 'not needed' }
  await orchestrator.inbox.deny(`landing:${second?.entry}`, decision)
  expect(await orchestrator.inbox()).toEqual([])
  // Who gave it up, and why, is in the log, and whoever comes later hears it.
  await expect(orchestrator.inbox.deny(`landing:${second?.entry}`)).rejects.toThrow(
    /it is cancelled by ada: not needed/,
  )
  const given = []
  for await (const { type, data } of orchestrator.store.readAll())
    if (type === 'LandingCancelled') given.push(data)
  expect(given).toEqual([{ entry: second?.entry, ...decision }])
})
