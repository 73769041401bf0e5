/** The owner's record and socket: who has a store open, and which records are trusted. */
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { PROTOCOL } from '../../src/owner/wire.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { connectOwner } from '../../src/remote/client.ts'
import { remoteOrchestrator } from '../../src/remote/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { contents } from '../store/store-kit.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { connected, served } from './kit.ts'

const open = (baseDir: string, more: object = {}) =>
  Orchestrator.open({ baseDir, runner: scriptedRunner(), ...more })

const recordOf = async (baseDir: string) => JSON.parse(await readFile(join(baseDir, 'owner.json'), 'utf8'))
const mode = async (path: string) => (await stat(path)).mode & 0o777

/** A store that no process has open, with something else in place of the record. */
async function forged(write: (file: string, baseDir: string) => Promise<unknown>) {
  const baseDir = await temporaryDirectory()
  await (await open(baseDir)).close()
  await write(join(baseDir, 'owner.json'), baseDir)
  return baseDir
}

const written = (record: object, permissions = 0o600) =>
  forged((file) => writeFile(file, JSON.stringify(record), { mode: permissions }))

const ALIVE = { protocol: PROTOCOL, pid: process.pid, started: null, storeId: 'x' }

/** Every file below a directory that an owner might write again, with its content. */
async function found(directory: string): Promise<ReadonlyMap<string, string>> {
  const files = [...(await contents(directory))].filter(([path]) => !path.includes('-moved'))
  return new Map(files)
}

describe('An owner', () => {
  test('has a socket and a record that are private to its user, and removes them when it closes', async () => {
    const { baseDir, own } = await served()
    const { socket, pid, storeId } = await recordOf(baseDir)
    expect({ pid, storeId }).toEqual({ pid: process.pid, storeId: own.store.storeId })
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(100)
    expect(await mode(dirname(socket))).toBe(0o700)
    expect(await mode(socket)).toBe(0o600)
    expect(await mode(join(baseDir, 'owner.json'))).toBe(0o600)
    await own.close()
    expect(existsSync(socket)).toBe(false)
    expect(existsSync(join(baseDir, 'owner.json'))).toBe(false)
  })

  test('that loses its lock ends all work, says why, and closes; its log is intact', async () => {
    const baseDir = await temporaryDirectory()
    const failures: string[] = []
    // A call that is still running.
    const runner = scriptedRunner({ reply: () => ({ text: 'late', delayMs: 60_000_000 }) })
    const own = await open(baseDir, {
      runner,
      onFailure: ({ _tag }: Error & { _tag: string }) => failures.push(_tag),
    })
    const agent = await own.createAgent({ id: 'a', systemPrompt: 'You are a' })
    const asked = agent.ask('hello').catch((error) => error)
    await vi.waitFor(() => expect(runner.calls).toHaveLength(1), { timeout: 60_000 })
    await rm(join(baseDir, 'lock'))
    const lost = { _tag: 'StoreLockLost', hint: expect.stringContaining('Restart') }
    await expect(own.createAgent({ id: 'b', systemPrompt: 'You are b' })).rejects.toMatchObject(lost)
    expect(await own.failed).toMatchObject(lost)
    expect(await asked).toMatchObject(lost)
    await expect(own.createAgent({ id: 'c', systemPrompt: 'You are c' })).rejects.toMatchObject(lost)
    await own.close()
    expect(failures).toEqual(['StoreLockLost'])
    await using next = await open(baseDir)
    expect((await next.agents()).map(({ id }) => id)).toEqual(['a'])
  })

  describe('whose base directory', () => {
    /** How a base directory goes away; each leaves something, or nothing, in its place. */
    const ways: Record<string, (baseDir: string) => Promise<unknown>> = {
      'is removed': (baseDir) => rm(baseDir, { recursive: true }),
      'is moved away': (baseDir) => rename(baseDir, `${baseDir}-moved`),
      'is moved with its parent': (baseDir) => rename(dirname(baseDir), `${dirname(baseDir)}-moved`),
      'is replaced by another store': async (baseDir) => {
        const other = `${baseDir}-other`
        await (await open(other)).close()
        await writeFile(join(other, 'owner.json'), 'of another owner')
        await rename(baseDir, `${baseDir}-moved`)
        await rename(other, baseDir)
      },
      'is replaced by a file': async (baseDir) => {
        await rename(baseDir, `${baseDir}-moved`)
        await writeFile(baseDir, 'a file')
      },
    }
    test.each(Object.entries(ways))('%s while calls run fails them at once, and closes', async (_, take) => {
      const baseDir = join(await temporaryDirectory(), 'project', 'base')
      await mkdir(dirname(baseDir))
      const runner = scriptedRunner({ reply: () => ({ text: 'late', delayMs: 60_000_000 }) })
      const own = await open(baseDir, { runner })
      const remote = await remoteOrchestrator(Orchestrator, await connected(baseDir))
      const agent = await own.createAgent({ id: 'a', systemPrompt: 'You are a' })
      await own.createAgent({ id: 'b', systemPrompt: 'You are b' })
      await own.createAgent({ id: 'c', systemPrompt: 'You are c' })
      const work = [
        agent.ask('running'),
        agent.ask('queued'),
        own.run(sequential(['b', 'a']), 'a run'),
        remote.sendTask('c', 'for another process'),
      ].map((asked) => Promise.resolve(asked).then(String, (error) => error))
      await vi.waitFor(() => expect(runner.calls).toHaveLength(3), { timeout: 60_000 })
      await take(baseDir)
      const gone = {
        _tag: 'StoreLockLost',
        message: expect.stringContaining('its directory was removed, moved or replaced'),
      }
      const left = await found(dirname(dirname(baseDir)))
      for (const error of await Promise.all(work)) expect(error).toMatchObject(gone)
      expect(await own.failed).toMatchObject(gone)
      await expect(own.createAgent({ id: 'd', systemPrompt: 'You are d' })).rejects.toMatchObject(gone)
      await own.close()
      // Nothing reappears, and another store in its place is not touched.
      expect(await found(dirname(dirname(baseDir)))).toEqual(left)
    })
  })

  test('does not serve if told not to, or if the store is not one that it opened', async () => {
    const baseDir = await temporaryDirectory()
    await using _first = await open(baseDir, { serve: false })
    await using _second = await open(baseDir, { store: memoryStore() })
    expect(existsSync(join(baseDir, 'owner.json'))).toBe(false)
  })

  test('removes the socket of a killed owner, but not a file that a record merely names', async () => {
    const { baseDir, own } = await served()
    const { socket } = await recordOf(baseDir)
    const left = join(dirname(socket), `999999999-${'0'.repeat(16)}.sock`)
    const server = createServer().listen(left)
    onTestFinished(() => void server.close())
    await own.close()
    const precious = join(baseDir, 'precious')
    await writeFile(precious, 'x')
    for (const named of [left, precious]) {
      await writeFile(
        join(baseDir, 'owner.json'),
        JSON.stringify({ ...ALIVE, pid: 999999999, socket: named }),
        {
          mode: 0o600,
        },
      )
      expect(await connectOwner(baseDir)).toBeNull()
      await (await open(baseDir)).close()
    }
    expect(existsSync(left)).toBe(false)
    expect(existsSync(precious)).toBe(true)
  })
})

describe('A record is not trusted', () => {
  test.each([
    ['that is a symbolic link', () => forged((file) => symlink('/etc/hostname', file)), 'symbolic link'],
    ['that is a directory', () => forged((file) => mkdir(file)), 'not a file'],
    [
      'that other users can read',
      () => written({ ...ALIVE, socket: '/x' }, 0o644),
      'other users have access',
    ],
    ['that is not an owner record', () => written([]), 'form of an owner record'],
    ['that is too large', () => written({ ...ALIVE, socket: 'x'.repeat(5000) }), 'too large'],
    [
      'that names the socket of another program',
      () => written({ ...ALIVE, socket: '/run/docker.sock' }),
      'cannot be that of an owner',
    ],
    [
      'that leads out of the directory of sockets',
      () => written({ ...ALIVE, socket: `/tmp/claude-agents-1/../x/${process.pid}-${'0'.repeat(16)}.sock` }),
      'cannot be that of an owner',
    ],
    [
      'that names a path that is too long',
      () => written({ ...ALIVE, socket: `/${'x'.repeat(200)}` }),
      'cannot be that of an owner',
    ],
  ])('%s', async (_, make, problem) => {
    await expect(connectOwner(await make())).rejects.toMatchObject({
      _tag: 'OwnerRecordRefused',
      message: expect.stringContaining(problem),
    })
  })

  test('whose socket is in a directory that is not private, or is not a socket', async () => {
    const folder = join(await temporaryDirectory(), 'claude-agents-1')
    await mkdir(folder, { mode: 0o700 })
    const socket = join(folder, `${process.pid}-${'0'.repeat(16)}.sock`)
    await writeFile(socket, 'x')
    const baseDir = await written({ ...ALIVE, socket })
    await expect(connectOwner(baseDir)).rejects.toThrow('not a socket')
    await chmod(folder, 0o755)
    await expect(connectOwner(baseDir)).rejects.toThrow('not private')
  })

  test('that leads to the owner of another store', async () => {
    const { baseDir } = await served()
    const other = await written(await recordOf(baseDir))
    await expect(connectOwner(other)).rejects.toMatchObject({
      _tag: 'OwnerRecordRefused',
      message: expect.stringContaining('another process answers'),
    })
  })

  test('of another version of the protocol, and the error says which side to upgrade', async () => {
    const newer = await written({ protocol: 9, pid: process.pid })
    await expect(connectOwner(newer)).rejects.toMatchObject({
      _tag: 'OwnerProtocolMismatch',
      hint: expect.stringContaining('Upgrade this program'),
    })
  })

  test('of a process that has ended, or whose pid has been reused', async () => {
    expect(await connectOwner(await written({ ...ALIVE, pid: 999999999 }))).toBeNull()
    expect(await connectOwner(await written({ ...ALIVE, started: 'before' }))).toBeNull()
    const gone = `/tmp/claude-agents-${process.getuid?.()}/${process.pid}-${'0'.repeat(16)}.sock`
    expect(await connectOwner(await written({ ...ALIVE, socket: gone }))).toBeNull()
  })
})

test('A copy of a base directory is not served by the owner of the original', async () => {
  const { baseDir, own } = await served()
  const copy = join(await temporaryDirectory(), 'copy')
  await cp(baseDir, copy, { recursive: true })
  expect((await recordOf(copy)).storeId).toBe(own.store.storeId)
  expect(await connectOwner(copy)).toBeNull()
})

test('A directory without a store has no owner', async () => {
  const nowhere = join(await temporaryDirectory(), 'nowhere')
  expect(await connectOwner(nowhere)).toBeNull()
  await rm(nowhere, { recursive: true, force: true })
  expect(existsSync(nowhere)).toBe(false)
})
