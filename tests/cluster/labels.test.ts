/** Agents that require labels, in workers as real processes with a real PostgreSQL; and the groups of shards that labels make. */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { hasAll, labelKey, MOST_GROUPS, servedSets } from '../../src/cluster/labels/groups.ts'
import { CLUSTER_PROTOCOL, WorkerTable } from '../../src/cluster/worker-table.ts'
import { labelSet, MOST_LABELS } from '../../src/events/options/labels.ts'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { hasPostgres, query } from '../postgres/database.ts'
import { audit, startCluster } from './kit.ts'

const labels = fc.uniqueArray(fc.constantFrom('gpu', 'eu', 'big', 'repo', 'arm', 'gpu2'), {
  maxLength: MOST_LABELS,
})

test('A worker serves the group of an agent if and only if it has all labels that the agent requires, in any order', () => {
  fc.assert(
    fc.property(labels, labels, (has, requires) => {
      const served = ['', ...servedSets(has).map(labelKey)]
      expect(served.includes(labelKey(requires.toReversed()))).toBe(hasAll(has, requires))
      expect(new Set(served).size).toBe(2 ** has.length)
      expect(labelKey([...requires, ...requires])).toBe(labelSet(requires).join(','))
    }),
  )
})

describe.skipIf(!hasPostgres)('Agents that require labels', { timeout: 240_000 }, () => {
  const GPU = { options: { labels: ['gpu', 'eu'] } }
  const placeOf = async (url: string, id: string) => {
    await using table = await WorkerTable.at(url, 10_000)
    return (await table.agents()).find(({ agent }) => agent === id)?.worker
  }
  const startsOf = async (team: Orchestrator, id: string) => {
    const workers: string[] = []
    for await (const { type, data } of team.store.read(`agent/${id}`))
      if (type === 'AgentStored') workers.push((data.home as { worker: string }).worker)
    return workers
  }

  test('live only in workers that have all of them, move when that changes, and wait when no worker has them', async () => {
    const cluster = await startCluster()
    const one = await cluster.worker('one')
    const team = await cluster.client()
    const options = { id: 'a0', systemPrompt: 'You help.', requires: ['gpu'] }
    await expect(team.createAgent(options)).rejects.toMatchObject({
      _tag: 'NoWorkerError',
      message: expect.stringContaining('Agent "a0" requires gpu, and no worker has that label.'),
      hint: expect.stringContaining('claude-agents worker --label gpu'),
    })
    const gpu = await cluster.worker('gpu', '1', GPU)
    const a0 = await team.createAgent(options)
    const a1 = await team.createAgent({ id: 'a1', systemPrompt: 'You help.' })
    const [first] = [a0.ask('x', { taskId: 't1' }), a1.ask('x', { taskId: 't1' })]
    expect((await first).text).toBe('fine')
    expect(await placeOf(cluster.url, 'a0')).toBe('gpu')

    // It moves while it works: the call ends where it began, and the next one begins in the other worker.
    const a2 = await team.createAgent({ id: 'a2', systemPrompt: 'You help.', requires: ['eu'] })
    const working = a2.ask('x', { taskId: 't1' })
    await cluster.started(3)
    await a2.edit({ requires: null })
    await a2.edit({ requires: ['gpu', 'eu'] })
    const next = a2.ask('x', { taskId: 't2' })
    expect([(await working).text, (await next).text]).toEqual(['fine', 'fine'])
    expect(new Set(await startsOf(team, 'a2'))).toEqual(new Set(['gpu']))

    await a1.edit({ requires: ['gpu'] })
    expect((await a1.ask('x', { taskId: 't2' })).text).toBe('fine')
    expect(await placeOf(cluster.url, 'a1')).toBe('gpu')
    await a1.edit({ requires: null })

    // A label that no worker has is put right while it works: the call ends where it began as well.
    const a3 = await team.createAgent({ id: 'a3', systemPrompt: 'You help.' })
    const corrected = a3.ask('x', { taskId: 't1' })
    await cluster.started(6)
    await a3.edit({ requires: ['gqu'] })
    await a3.edit({ requires: ['gpu'] })
    const after = a3.ask('x', { taskId: 't2' })
    expect([(await corrected).text, (await after).text]).toEqual(['fine', 'fine'])
    expect(await placeOf(cluster.url, 'a3')).toBe('gpu')

    // A run of data: its steps are asked where their agents live.
    const workflow = { kind: 'agents', pattern: 'sequential', agents: ['a0', 'a1'], options: {} } as const
    expect((await team.run(workflow, 'x', { id: 'r1' })).metadata.finalOutput).toBe('fine')

    // None has them any more: an ask waits, also one that is under way, and is answered where the agent may live now.
    gpu.child.kill('SIGTERM')
    await gpu.exited
    const waiting = a0.ask('x', { taskId: 't3' })
    await using table = await WorkerTable.at(cluster.url, 10_000)
    await vi.waitFor(async () => expect((await table.list()).map(({ worker }) => worker)).toEqual(['one']), {
      timeout: 30_000,
    })
    expect(await table.unplaced()).toEqual([
      { requires: ['gpu'], agents: 2, first: 'a0' },
      { requires: ['eu', 'gpu'], agents: 1, first: 'a2' },
    ])
    await a0.edit({ requires: null })
    expect((await waiting).text).toBe('fine')
    expect(await placeOf(cluster.url, 'a0')).toBe('one')
    expect((await team.removeAgent('a2')).id).toBe('a2')
    expect((await audit(team, cluster, 10)).extra).toBe(0)
    one.child.kill('SIGKILL')
  })

  test('work until their calls have ended before they move, unless the task is cancelled: that ends it at once, by any client', async () => {
    const cluster = await startCluster()
    const one = await cluster.worker('one', '600')
    const gpu = await cluster.worker('gpu', '600', GPU)
    const team = await cluster.client()
    const agent = await team.createAgent({ id: 'a0', systemPrompt: 'You help.' })
    const working = expect(agent.ask('x', { taskId: 't1' })).rejects.toMatchObject({
      _tag: 'TaskCancelledError',
    })
    await cluster.started(1)
    await agent.edit({ requires: ['gpu'] })
    // One that has known the agent by its new labels only, as a command does.
    const other = await (await cluster.client()).agent('a0')
    expect(await other.cancel('t1', 'not now')).toBe(true)
    await working
    // It moves after that.
    const next = expect(other.ask('y', { taskId: 't2' })).rejects.toMatchObject({
      _tag: 'TaskCancelledError',
    })
    await cluster.started(2)
    expect(await placeOf(cluster.url, 'a0')).toBe('gpu')
    expect(await agent.cancel('t2', 'nor this')).toBe(true)
    await next
    for (const { child } of [one, gpu]) child.kill('SIGKILL')
  })

  test('wait for nobody that still has what they were: a wrong label is put right while they work, and a name is used again', async () => {
    const cluster = await startCluster()
    const workers = [await cluster.worker('one', '600'), await cluster.worker('gpu', '600', GPU)]
    const team = await cluster.client()
    // By these ids, what they are asked by other labels is for another worker.
    const ids = ['c0', 'c5']
    const made = (id: string, requires: readonly string[]) =>
      team.createAgent({ id, systemPrompt: 'You help.', requires })
    const asked = await Promise.all(
      ids.map(async (id) => {
        const agent = await made(id, ['gpu'])
        return { agent, end: expect(agent.ask('x', { taskId: 't1' })).rejects.toThrow('not now') }
      }),
    )
    await cluster.started(ids.length)
    const ends = asked.map(async ({ agent, end }) => {
      await agent.edit({ requires: ['gqu'] })
      await (await (await cluster.client()).agent(agent.id)).edit({ requires: ['eu'] })
      await agent.cancel('t1', 'not now')
      await end
      await team.removeAgent(agent.id, { force: true })
      return made(agent.id, [])
    })
    expect((await Promise.all(ends)).map(({ id }) => id)).toEqual(ids)
    for (const { child } of workers) child.kill('SIGKILL')
  })

  test('work to the end where they are, however often their labels are corrected meanwhile, and then move', async () => {
    const cluster = await startCluster()
    const BIG = { options: { labels: ['big'] } }
    const workers = [await cluster.worker('big', '4', BIG), await cluster.worker('gpu', '4', GPU)]
    const team = await cluster.client()
    const labels = ['eu', 'big']
    const asked = await Promise.all(
      labels.map(async (label, index) => {
        const agent = await team.createAgent({
          id: `a${index}`,
          systemPrompt: 'You help.',
          requires: ['gpu'],
        })
        return { label, agent, reply: Promise.resolve(agent.ask('x', { taskId: 't1' })) }
      }),
    )
    await cluster.started(labels.length)
    const moves = asked.map(async ({ label, agent, reply }) => {
      for (const requires of [['gqu'], [label]]) await agent.edit({ requires })
      expect((await reply).text).toBe('fine')
      await agent.ask('y', { taskId: 't2' })
      return placeOf(cluster.url, agent.id)
    })
    expect(await Promise.all(moves)).toEqual(['gpu', 'big'])
    // Nor is one waited for that has nothing to do, wherever it goes.
    const idle = ['i0', 'i1', 'i2'].map(async (id) => {
      const agent = await team.createAgent({ id, systemPrompt: 'You help.', requires: ['gpu'] })
      await agent.ask('x', { taskId: 't1' })
      for (const requires of [['gqu'], null]) await agent.edit({ requires })
      return (await agent.ask('y', { taskId: 't2' })).text
    })
    expect(await Promise.all(idle)).toEqual(['fine', 'fine', 'fine'])
    expect((await audit(team, cluster, 10)).extra).toBe(0)
    for (const { child } of workers) child.kill('SIGKILL')
  })

  test('share numbers of groups while workers serve them; one label too many is refused with what to do', async () => {
    const cluster = await startCluster()
    await cluster.client()
    await using table = await WorkerTable.at(cluster.url, 10_000)
    const joined = async (name: string, has: readonly string[]) => {
      await table.join({ name, address: '10.0.0.1:1', epoch: 1, labels: has })
      return table.groupsServed(has)
    }
    const first = await joined('w1', ['gpu', 'eu'])
    const second = await joined('w2', ['eu', 'gpu'])
    expect(first).toEqual(second)
    expect([...first.keys()]).toEqual(['', 'eu', 'eu,gpu', 'gpu'])
    expect(await table.groupOf(['gpu', 'eu'])).toBe(first.get('eu,gpu'))
    expect(await table.groupOf(['big'])).toBeUndefined()
    for (let index = 0; index * 15 + 3 + 15 <= MOST_GROUPS; index++)
      await joined(
        `full${index}`,
        [0, 1, 2, 3].map((label) => `l${index}-${label}`),
      )
    await expect(joined('w3', ['m1', 'm2', 'm3', 'm4'])).rejects.toMatchObject({
      message: expect.stringContaining(`serve at most ${MOST_GROUPS} sets of labels`),
    })
    await query(cluster.url, "delete from claude_agents.workers where name like 'full%'")
    expect((await joined('w3', ['m1', 'm2', 'm3', 'm4'])).size).toBe(16)
    await table.checkProtocol(CLUSTER_PROTOCOL)
  })
})
