/** Agents that live in several workers, as real processes with a real PostgreSQL. */
import { describe, expect, test, vi } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { postgresStore } from '../../src/store/postgres/store.ts'
import { commandLine } from '../cli/command.ts'
import { hasPostgres, newDatabase, query } from '../postgres/database.ts'
import { isRunning } from './chaos/running.ts'
import { audit, IDS, startCluster } from './kit.ts'

const create = (team: Orchestrator, ids = IDS) =>
  Promise.all(ids.map((id) => team.createAgent({ id, systemPrompt: 'You help.' })))
const askAll = async (team: Orchestrator, taskId: string, ids = IDS) => {
  const agents = await Promise.all(ids.map((id) => team.agent(id)))
  return agents.map((agent) => agent.ask('x', { taskId }))
}
const texts = async (tasks: readonly PromiseLike<{ text: string }>[]) =>
  (await Promise.all(tasks)).map(({ text }) => text)
const fine = (ids: readonly string[] = IDS) => ids.map(() => 'fine')
const placesOf = async (url: string) =>
  query<{ name: string; agents: number }>(url, 'select name, agents from claude_agents.workers order by name')

describe.skipIf(!hasPostgres)('Agents in several workers', { timeout: 240_000 }, () => {
  test('after kill -9 of one, the other has its agents: a call in flight begins once more, and the log says so', async () => {
    const cluster = await startCluster()
    const one = await cluster.worker('one')
    await cluster.worker('two')
    const team = await cluster.client()
    await create(team)
    const tasks = await askAll(team, 'first')
    await cluster.started(IDS.length)
    one.child.kill('SIGKILL')
    expect(await texts(tasks)).toEqual(fine())
    // Nobody waits for these.
    for (const id of IDS) await (await team.agent(id)).accept('left', { taskId: 'left' })
    const replies = await Promise.all(IDS.map(async (id) => (await team.agent(id)).reply('left')))
    expect(replies.map(({ text }) => text)).toEqual(fine())
    await audit(team, cluster, 2 * IDS.length)
  })

  test('one that is drained hands its agents over once their calls have ended: none begins twice', async () => {
    const cluster = await startCluster()
    const one = await cluster.worker('one')
    await cluster.worker('two')
    const team = await cluster.client()
    await create(team)
    const first = await askAll(team, 'first')
    await cluster.started(IDS.length)
    one.child.kill('SIGTERM')
    await cluster.worker('three')
    expect(await texts(first)).toEqual(fine())
    expect(await texts(await askAll(team, 'second'))).toEqual(fine())
    await one.exited
    expect((await placesOf(cluster.url)).map(({ name }) => name)).toEqual(['three', 'two'])
    expect((await audit(team, cluster, 2 * IDS.length)).extra).toBe(0)
  })

  test('one that is frozen until it was replaced wakes up fenced: it ends its calls, and writes nothing', async () => {
    const cluster = await startCluster()
    const one = await cluster.worker('one', '60')
    const team = await cluster.client()
    await create(team, ['a0'])
    const [task] = await askAll(team, 'first', ['a0'])
    await cluster.started(1)
    await vi.waitFor(async () => expect(await processOf(team, 'a0')).toBeDefined(), { timeout: 30_000 })
    const process = await processOf(team, 'a0')
    one.child.kill('SIGSTOP')
    await cluster.worker('two')
    expect((await task)?.text).toBe('fine')
    const before = await team.store.head()
    one.child.kill('SIGCONT')
    await vi.waitFor(() => expect(isRunning(process)).toBe(false), { timeout: 30_000 })
    expect(await team.store.head()).toBe(before)
    const { counts, extra } = await audit(team, cluster, 1)
    expect([extra, counts.CallOutcomeUnknown]).toEqual([1, 1])
  })

  test('what a newer release has written, and this one does not know, holds up nothing else and no drain', async () => {
    const cluster = await startCluster()
    const one = await cluster.worker('one', '2')
    const first = await cluster.client()
    await create(first, ['a0', 'a1'])
    const agents = ['a1', 'a1']
    const run = first.run({ kind: 'agents', pattern: 'sequential', agents, options: {} }, 'x', { id: 'r' })
    run.catch(() => {})
    await cluster.started(1)
    await first.close()
    one.child.kill('SIGKILL')
    await using store = await postgresStore(cluster.url, { access: 'shared' })
    for (const stream of ['agent/a0', 'run/a']) {
      const token = (await store.claim?.(stream)) ?? ''
      const summary = { status: 'running', open: true, info: {} }
      await store.append(stream, [{ type: 'Teleported', v: 1, data: {} }], { token, summary })
    }
    const two = await cluster.worker('two', '0')
    const team = await cluster.client()
    expect((await team.runs.result('r')).success).toBe(true)
    const asked = async () => (await team.agent('a0')).ask('x')
    await expect(asked()).rejects.toMatchObject({ _tag: 'UnknownFactError' })
    two.child.kill('SIGTERM')
    await two.exited
    expect(await placesOf(cluster.url)).toEqual([expect.objectContaining({ name: 'one' })])
  })

  test('a run of a client: its steps are asked in the workers, and another client that resumes it ends its execution', async () => {
    const cluster = await startCluster()
    await cluster.worker('one')
    await cluster.worker('two')
    const team = await cluster.client()
    await create(team, ['a0', 'a1'])
    const workflow = sequential(['a0', 'a1'])
    const { metadata } = await team.run(workflow, 'x', { id: 'r1' })
    expect(metadata.finalOutput).toBe('fine')
    const [first] = [team.run(workflow, 'x', { id: 'r2' })]
    first.catch(() => {})
    await cluster.started(3)
    const other = await cluster.client()
    expect((await other.runs.resume('r2', workflow)).metadata.finalOutput).toBe('fine')
    await expect(first).rejects.toThrow()
    await audit(team, cluster, 4)
  })
})

describe.skipIf(!hasPostgres)('claude-agents worker', { timeout: 240_000 }, () => {
  test('serves agents that other commands create and ask, is listed, and is drained', async () => {
    const database = await newDatabase()
    const { run, start } = await commandLine({ CLAUDE_AGENTS_DATABASE: database })
    const works = async (...words: string[]) => {
      const ran = await run(['--json', ...words])
      expect(ran, ran.stderr).toMatchObject({ exitCode: 0 })
      return ran.values
    }
    const words = [
      '--json',
      '--simulate',
      '--base-dir',
      'one',
      'worker',
      '--name',
      'one',
      '--drain',
      '60',
      '--health',
      '127.0.0.1:0',
    ]
    const worker = start(...words)
    await vi.waitFor(
      async () => expect(await works('cluster', 'workers')).toMatchObject([{ worker: 'one' }]),
      {
        timeout: 60_000,
      },
    )
    await works('agent', 'create', 'a', 'You help.')
    expect(await works('agent', 'ask', 'a', 'hello')).toMatchObject([
      { text: expect.stringContaining('hello') },
    ])
    // A process of its own waits for what a worker writes, and ends with it.
    await works('agent', 'ask', 'a', 'Write notes.md: first', '--task-id', 'notes', '--detach')
    const waiting = await start('--json', 'wait', 'notes')
    expect(waiting).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('"taskId":"notes"') })
    // The files are where the agent lives.
    expect(await works('agent', 'files', 'a')).toMatchObject([{ path: 'notes.md' }])
    expect(await works('agent', 'diff', 'a')).toMatchObject([{ files: [{ path: 'notes.md' }] }])
    expect(await works('--base-dir', 'one', 'agent', 'path', 'a')).toMatchObject([{ agent: 'a' }])
    expect(await run(['agent', 'path', 'a'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('that of the worker in which it lives'),
    })
    expect(await run(['serve'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('live in workers'),
    })
    const [row] = await works('cluster', 'workers')
    expect(Object.keys(row ?? {}).sort()).toEqual([
      ...['address', 'agents', 'draining', 'labels', 'release', 'since', 'worker'],
    ])
    expect(await works('metrics')).toContainEqual({
      ...{ name: 'claude_agents_worker_agents', labels: { worker: 'one', release: row?.release }, value: 1 },
    })
    expect(await works('--base-dir', 'one', 'ps')).toEqual([])
    const cron = ['--cron', '0 8 * * *', '--agent', 'a', 'hello']
    const scheduled = await run(['schedule', 'add', 'daily', ...cron])
    expect(scheduled).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('serve') })
    const fired = await run(['schedule', 'run', 'daily'])
    expect(fired).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('warn') })
    expect(await run(['serve', 'status'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('cluster workers'),
    })
    // What the page says of a worker.
    const connections = await query<{ count: number }>(
      database,
      "select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name like 'claude-agents%'",
    )
    expect(connections[0]?.count).toBeLessThanOrEqual(11)
    expect(
      await query(
        database,
        "select nspname || '.' || relname as name from pg_class join pg_namespace n on n.oid = relnamespace where relkind = 'r' and relname like '%cluster%' order by 1",
      ),
    ).toEqual(
      ['locks', 'runner_migrations', 'runners'].map((name) => ({ name: `claude_agents.cluster_${name}` })),
    )
    expect(await works('agent', 'list')).toMatchObject([{ id: 'a', worker: 'one' }])
    expect(await works('agent', 'show', 'a')).toMatchObject([{ id: 'a', worker: 'one' }])
    expect(await run(['agent', 'create', 'b', 'You help.', '--requires', 'gpu', 'eu'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('no worker has all of these labels'),
    })
    // It is another agent that waits for a label.
    await works('agent', 'create', 'c', 'You help.')
    await works('agent', 'edit', 'c', '--requires', 'gpu')
    expect(await works('agent', 'show', 'c')).toMatchObject([{ requires: ['gpu'], worker: null }])
    for (const words of [['cluster', 'workers'], ['doctor']])
      expect((await run(words)).stdout + (await run(words)).stderr).toContain(
        'no worker with gpu, which agent c requires',
      )
    await works('agent', 'edit', 'c', '--unset', 'requires')
    await works('agent', 'remove', 'c')
    await works('workflow', 'run', 'a', 'Write more.md: second', '--id', 'r1')
    expect(await works('cluster', 'drain', 'one')).toEqual([
      { worker: 'one', moved: expect.any(Number), leftMs: expect.any(Number) },
    ])
    const { stdout, exitCode } = await worker
    expect(exitCode).toBe(0)
    const [ready] = stdout.split('\n').map((line) => JSON.parse(line))
    const address = expect.stringMatching(/^127\.0\.0\.1:\d+$/)
    expect(ready).toEqual({ worker: 'one', listen: address, health: address, ready: true })
    expect(await works('cluster', 'workers')).toEqual([])
    // What the database has of its files can be seen without a worker.
    expect(await works('agent', 'files', 'a')).toMatchObject([{ path: 'more.md' }, { path: 'notes.md' }])
    expect(await works('agent', 'diff', 'a', '--turn', '2')).toMatchObject([
      { files: [{ path: 'notes.md' }] },
    ])
    expect(await works('workflow', 'diff', 'r1')).toMatchObject([
      { agents: [{ files: [{ path: 'more.md' }] }] },
    ])
  })

  test.each([
    ['--listen 0.0.0.0:0', 'nothing there checks who connects'],
    ['--shared-dir --listen 0.0.0.0:0 --insecure-listen', 'Say where they reach it: --advertise'],
    ['--listen localhost', 'Write it as HOST:PORT'],
    ['--name One', 'is not a valid worker id'],
  ])('refuses %s', async (words, said) => {
    const { run } = await commandLine({ CLAUDE_AGENTS_DATABASE: 'postgresql://127.0.0.1:1/none' })
    expect(await run(['worker', ...words.split(' ')])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(said),
    })
  })
})

async function processOf(team: Orchestrator, id: string): Promise<number | undefined> {
  for await (const { type, data } of team.store.read(`agent/${id}`))
    if (type === 'ProcessStarted') return Number(data.pid)
  return undefined
}
