/** `--database`: the commands of the log, and all others that work through one store, on PostgreSQL. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { levelStore } from '../../../src/store/level/store.ts'
import { postgresStore } from '../../../src/store/postgres/store.ts'
import { hasPostgres, newDatabase } from '../../postgres/database.ts'
import { commandLine } from '../command.ts'

describe.skipIf(!hasPostgres)('--database', () => {
  test('works with agents in a database, and reads, verifies, copies and replays their log', async () => {
    const database = await newDatabase()
    const { run, start, folder } = await commandLine({ CLAUDE_AGENTS_DATABASE: database })
    const works = async (...words: string[]) => {
      const ran = await run(['--json', ...words])
      expect(ran).toMatchObject({ exitCode: 0 })
      return ran.values
    }
    await works('--simulate', 'agent', 'create', 'a', 'You help.')
    await works('--simulate', 'agent', 'ask', 'a', 'hello')
    expect(await works('agent', 'list')).toMatchObject([{ id: 'a' }])
    const facts = await works('log', '--agent', 'a')
    expect(facts.map(({ type }) => type)).toContain('CallSucceeded')
    expect(await works('log', 'verify')).toMatchObject([{ ok: true, findings: [] }])
    expect(await works('replay', '--verify')).toMatchObject([{ ok: true }])
    // A process of its own ends when it is done, and not before.
    expect(await start('log', 'hash')).toMatchObject({ exitCode: 0 })
    const checks = await works('doctor')
    expect(checks.filter(({ status }) => status === 'failed')).toEqual([])
    for (const name of ['database', 'rights', 'durability', 'standbys', 'latency', 'connections', 'log'])
      expect(checks.map((check) => check.name)).toContain(name)
    for (const name of ['lock', 'store']) expect(checks.map((check) => check.name)).not.toContain(name)
    const serving = start('--simulate', 'serve')
    const [said] = await once(serving.stdout, 'data')
    expect(String(said)).toMatch(/^Serving postgresql:\/\/owner@\/test_\w+\?host=\S+ as process \d+/)
    serving.kill('SIGTERM')
    expect(await serving).toMatchObject({ exitCode: 0 })
    // While another process works with it.
    const working = await postgresStore(database, { access: 'shared' })
    expect(await works('top', '--once')).toMatchObject([{ id: 'a', status: 'idle' }])
    expect((await works('metrics')).find(({ name }) => name === 'claude_agents_tasks_total')).toMatchObject({
      value: 1,
    })
    expect((await works('tail', '--no-follow', '--type', 'CallSucceeded')).length).toBe(1)
    const [accepted] = await works('log', '--type', 'TaskAccepted')
    const taskId = String(Object(accepted).data.taskId)
    expect(await works('wait', taskId)).toMatchObject([{ taskId }])
    const attached = await works('attach', `task/${taskId}`)
    expect(attached.map(({ type }) => type)).toContain('CallSucceeded')
    // They wait for what comes, and end when they are asked to.
    const following = [start('--json', 'attach', 'agent/a'), start('tail', '--lines', '1')].map((command) => {
      const told = { text: '' }
      command.stdout.on('data', (text) => {
        told.text += text
      })
      return { command, told }
    })
    const hasTold = (what: RegExp) =>
      vi.waitFor(() => following.map(({ told }) => expect(told.text).toMatch(what)), { timeout: 30_000 })
    await hasTold(/./)
    await working.append('agent/a', [{ type: 'AgentReset', v: 1, data: {} }])
    await hasTold(/AgentReset/)
    for (const { command } of following) command.kill('SIGINT')
    for (const { command } of following) expect(await command).toMatchObject({ exitCode: 130 })
    await working[Symbol.asyncDispose]()
    const detached = await run(['--simulate', 'agent', 'ask', 'a', 'hello', '--detach'])
    expect(detached).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('a log in a directory only'),
    })
    const [state] = await works('state', 'agent/a')
    const hashes = await works('log', 'hash')
    const backedUp = await works('log', 'backup', 'copy')
    expect(backedUp).toMatchObject([{ records: hashes.at(-1)?.position }])
    await works('log', 'export', 'lines')
    await works('log', 'restore', 'copy', '--to', 'restored')
    // Elsewhere, it is the same log.
    for (const [command, file] of [
      ['restore', 'copy'],
      ['import', 'lines'],
    ] as const) {
      const other = await commandLine({ CLAUDE_AGENTS_DATABASE: await newDatabase() })
      expect(await other.run(['--json', 'log', command, join(folder, file)])).toMatchObject({ exitCode: 0 })
      expect((await other.run(['--json', 'log', 'hash'])).values).toEqual(hashes)
      expect((await other.run(['--json', 'state', 'agent/a'])).values).toEqual([state])
      const again = await other.run(['log', command, join(folder, file)])
      expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('has a log already') })
    }
    const local = await commandLine()
    const inDirectory = ['--json', '--base-dir', join(folder, 'restored'), 'log', 'hash']
    expect((await local.run(inDirectory)).values).toEqual(hashes)
  })

  test('is used with a base directory by no two processes at once, whatever their logs', async () => {
    const { run, folder } = await commandLine({ CLAUDE_AGENTS_DATABASE: await newDatabase() })
    const create = ['--simulate', 'agent', 'create', 'a', 'You help.']
    const other = await levelStore(join(folder, '.claude-agents'))
    const refused = await run(create)
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('.claude-agents is in use by process'),
    })
    expect(await run(['agent', 'list'])).toMatchObject({ exitCode: 0 })
    await other[Symbol.asyncDispose]()
    expect(await run(create)).toMatchObject({ exitCode: 0 })
    await (await levelStore(join(folder, '.claude-agents')))[Symbol.asyncDispose]()
  })

  test.each([
    [['log', 'compact', '--keep', '1'], 'log compact works on a log in a directory only'],
    [['log', 'repair', '--to', 'x'], 'log repair works on a log in a directory only'],
    [['log', '--database', 'agents'], 'Write it like this: postgresql://'],
    ...[
      'me:s3cret@localhost/agents',
      'me@server:s3cret@localhost/agents',
      'me:12/s3cret@localhost:5432/agents',
      'localhost/agents?Password=s3cret',
    ].map((rest): [string[], string] => [['log', '--database', `postgresql://${rest}`], 'it has a password']),
  ])('refuses %j', async (words, said) => {
    const { run } = await commandLine({ CLAUDE_AGENTS_DATABASE: 'postgresql://localhost:1/none' })
    const { exitCode, stderr } = await run(words)
    expect({ exitCode, said: stderr }).toEqual({ exitCode: 2, said: expect.stringContaining(said) })
    expect(stderr).not.toContain('s3cret')
  })

  test.each([
    'me:12/s3cret@localhost:5432/agents',
    'me:12?s3cret@localhost:5432/agents',
    'me:12#s3cret@localhost:5432/agents',
  ])('takes no part of a password for anything else: %s', async (rest) => {
    const { run } = await commandLine({ CLAUDE_AGENTS_DATABASE: `postgresql://${rest}` })
    const { stdout, stderr } = await run(['agent', 'list'])
    expect(stderr).toContain('write / as %2F')
    expect(stdout + stderr).not.toMatch(/s3cret|12/)
  })

  test('says what is wrong with a database, and never its password', async () => {
    const { run, folder } = await commandLine({
      CLAUDE_AGENTS_DATABASE: 'postgresql://me:s3cret@127.0.0.1:1/agents',
    })
    await writeFile(join(folder, 'x'), '')
    for (const words of [
      ['log'],
      ['log', 'verify'],
      ['state', 'agent/a'],
      ['log', 'restore', 'x'],
      ['agent', 'list'],
    ]) {
      const { exitCode, stdout, stderr } = await run(words)
      expect({ words, exitCode }).toEqual({ words, exitCode: 1 })
      expect(stdout + stderr).not.toContain('s3cret')
      if (words[1] !== 'restore')
        expect(stderr).toContain('postgresql://me@127.0.0.1:1/agents cannot be opened')
    }
  })
})
