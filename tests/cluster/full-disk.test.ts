/** A worker whose disk is full, as real processes with a real PostgreSQL: its tasks fail with what to do, and all else works. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { WorkerTable } from '../../src/cluster/worker-table.ts'
import { canMount, smallDisk } from '../mounted.ts'
import { hasPostgres } from '../postgres/database.ts'
import { startCluster } from './kit.ts'

describe.skipIf(!hasPostgres || !canMount)('A worker on a full disk', { timeout: 120_000 }, () => {
  test('refuses its tasks, and says where and what to do; it lives on, and works once there is room', async () => {
    const disk = await smallDisk()
    const cluster = await startCluster()
    const baseDir = join(disk.directory, 'full')
    await cluster.worker('full', '0', { options: { baseDir } })
    await cluster.worker('other', '0')
    const team = await cluster.client()
    const create = async (ids: readonly string[]) => {
      for (const id of ids)
        await team.createAgent({ id, systemPrompt: 'You help.', retry: { attempts: 1, minDelayMs: 1 } })
    }
    const ask = async (id: string, taskId: string) => (await team.agent(id)).ask('x', { taskId })
    await using members = await WorkerTable.at(cluster.url)
    const placed = async () => {
      const places = await members.agents()
      const on = (name: string) =>
        places.flatMap(({ agent, worker }) => (worker === name ? [agent] : [])).sort()
      return { full: on('full'), other: on('other') }
    }
    // Where an agent lives depends on addresses, and these are others each time.
    for (let made = 0; !Object.values(await placed()).every(({ length }) => length > 1); made++) {
      await create([`a${made}`])
      await ask(`a${made}`, 'first')
    }
    const { full, other } = await placed()
    const before = await cluster.starts()
    await disk.fill()
    const outcomeOf = (id: string, taskId: string) =>
      ask(id, taskId).then(
        ({ text }) => text,
        (error) => error,
      )
    const outcomes = (ids: readonly string[], taskId: string) =>
      Promise.all(ids.map((id) => outcomeOf(id, taskId)))
    const refused = expect.objectContaining({
      _tag: 'DiskFullError',
      message: expect.stringMatching(/The disk with the files of the agent is full: \/.*Free some space/),
    })
    expect(await outcomes(full, 'second')).toEqual(full.map(() => refused))
    expect(await outcomes(other, 'second')).toEqual(other.map(() => 'fine'))
    expect((await cluster.starts()).length - before.length).toBe(other.length)
    expect(await placed()).toEqual({ full, other })
    // Those that come to life there for the first time.
    const fresh = ['f0', 'f1', 'f2', 'f3']
    await create(fresh)
    const first = await outcomes(fresh, 'first')
    const places = await placed()
    expect(first).toEqual(fresh.map((id) => (places.full.includes(id) ? refused : 'fine')))
    await disk.free()
    const all = [...full, ...fresh]
    expect(await outcomes(all, 'third')).toEqual(all.map(() => 'fine'))
  })
})
