/** Two clusters on one machine, as real processes with a real PostgreSQL: a worker of one gets the address that a worker of the other had. */
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { hasPostgres } from '../postgres/database.ts'
import { startCluster } from './kit.ts'

async function freeAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
}

describe.skipIf(!hasPostgres)('A worker of another cluster', () => {
  test('carries out nothing that is meant for the one that had its address: that waits for the next worker', async () => {
    const listen = await freeAddress()
    const ours = await startCluster()
    const theirs = await startCluster()
    const lost = await ours.worker('lost', '0', { options: { listen } })
    const team = await ours.client()
    await team.createAgent({ id: 'a', systemPrompt: 'You help.' })
    lost.child.kill('SIGKILL')
    await lost.exited
    await theirs.worker('other', '0', { options: { listen } })
    const made = team.createAgent({ id: 'b', systemPrompt: 'You help.' })
    const heir = ours.worker('heir', '0')
    await made
    await heir
    const ids = async (of: typeof team) => (await of.agents()).map(({ id }) => id)
    expect(await ids(await theirs.client())).toEqual([])
    expect(await ids(team)).toEqual(['a', 'b'])
    expect((await (await team.agent('b')).ask('x')).text).toBe('fine')
  })
})
