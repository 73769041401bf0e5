/** What the page does to the files of agents. With real git. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { actingOn } from '../../../src/inspector/acts/acting.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { agentOnRepository } from '../repository.ts'
import { acting, factsOf, untilTrue } from './kit.ts'

const { by } = actingOn({ store: memoryStore() }, false)

test('undoes a turn, lands work, and lands again what was set aside with the gate that it had', async () => {
  const { agent, orchestrator } = await agentOnRepository({
    write: (workspace) => writeFile(join(workspace, 'a.txt'), 'changed\n'),
  })
  const { store } = orchestrator
  const { act, ask } = await acting(orchestrator)
  await agent.ask('write')
  const offered = async () => (await ask('offers', { actor: 'agent/dev' })).offers.map(({ action }) => action)
  await untilTrue(async () => (await offered()).includes('undo'))
  expect(await offered()).toEqual(['raise', 'undo', 'land', 'reset'])
  expect(await act('undo', { agent: 'dev' })).toMatchObject({ status: 200 })
  expect(await readFile(join(agent.workspace, 'a.txt'), 'utf8')).toBe('one\ntwo\n')
  expect(await factsOf(store, 'FilesRestored')).toMatchObject([{ because: 'undo', by }])

  await agent.ask('write')
  const [{ entry = '' } = {}] = await orchestrator.landings.land(['dev'], { gate: 'false' })
  await orchestrator.landings.settled(entry)
  const [waiting] = (await ask('inbox')).entries
  expect(waiting).toMatchObject({ kind: 'landing', id: `landing:${entry}` })
  expect(await act('land', { entry: `landing:${entry}`, gate: 'touch stolen' })).toMatchObject({
    status: 200,
  })
  const requested = await factsOf(store, 'LandingRequested')
  expect(requested.map((data) => [data.gate, data.by])).toEqual([
    ['false', undefined],
    ['false', by],
  ])
  await orchestrator.landings.cancel(String(requested[1]?.entry), { by: 'ann' })
  expect(await factsOf(store, 'LandingCancelled')).toMatchObject([{ by: 'ann' }])
})
