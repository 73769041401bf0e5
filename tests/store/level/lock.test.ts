/** One owner per store: others are refused, and the lock of a dead process is taken over. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { StoreLockLost } from '../../../src/events/errors/store.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { lockStore } from '../../../src/store/level/lock.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { all, counted, faultyDatabase } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const inUse = (pid: number | undefined) => ({ _tag: 'StoreInUse', pid })

/** The pid of a process that has ended. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

test('A second opening in the same process is refused with its pid, even through a symbolic link', async () => {
  const directory = await temporaryDirectory()
  const link = join(await temporaryDirectory(), 'link')
  await symlink(directory, link)
  await using store = await levelStore(directory)
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(process.pid))
  await expect(levelStore(link)).rejects.toMatchObject(inUse(process.pid))
  await store.append('agent/a', [counted(1)])
})

test('A second opening is refused even if the lock files are gone', async () => {
  const directory = await temporaryDirectory()
  await using _store = await levelStore(directory)
  await rm(join(directory, 'lock'))
  await rm(join(directory, 'log', 'LOCK'))
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(process.pid))
})

/** An owner in a process of its own, started by a command such as `unshare`. */
async function ownerProcess(directory: string, ...command: string[]): Promise<ChildProcess> {
  const program = join(import.meta.dirname, '../fixtures', 'owner.mjs')
  const [file = '', ...args] = [...command, process.execPath, program, directory]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = once(child, 'close')
  child.kill('SIGKILL')
  await gone
}

test('Another process is refused while the owner lives, even if the lock files are gone', async () => {
  const directory = await temporaryDirectory()
  const owner = await ownerProcess(directory)
  await rm(join(directory, 'lock'))
  await rm(join(directory, 'log', 'LOCK'))
  await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'StoreInUse', pid: null })
  await expect(verifyStore(directory)).rejects.toMatchObject({ _tag: 'StoreInUse', pid: null })
  await killed(owner)
  await using store = await levelStore(directory)
  expect(await store.head()).toBe(1)
})

test('Another process is refused a base directory also where its log is elsewhere: the calls there would be taken for its own', async () => {
  const directory = await temporaryDirectory()
  const owner = await ownerProcess(directory)
  const runner = { ...scriptedRunner(), sweep: async () => 0 }
  const open = () => Orchestrator.open({ baseDir: directory, store: memoryStore(), runner })
  await expect(open()).rejects.toMatchObject(inUse(owner.pid))
  await killed(owner)
  const orchestrator = await open()
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(process.pid))
  await orchestrator.close()
  await using store = await levelStore(directory)
  expect(await store.head()).toBe(1)
})

describe('An owner whose lock file is taken away', () => {
  const takenAway = {
    removed: (lock: string) => rm(lock),
    'replaced by a copy': async (lock: string) => {
      await copyFile(lock, `${lock}.copy`)
      await rename(`${lock}.copy`, lock)
    },
  }
  test.each(Object.entries(takenAway))('(%s) acknowledges nothing more', async (_how, takeAway) => {
    const directory = await temporaryDirectory()
    const lost: string[] = []
    const onLost = ({ _tag }: StoreLockLost) => void lost.push(_tag)
    const store = await levelStore(directory, { onLost })
    const [first] = await store.append('agent/a', [counted(1)], { commitId: 'first' })
    await takeAway(join(directory, 'lock'))
    const appends = [
      store.append('agent/a', [counted(2)]),
      store.append('agent/b', [counted(1)], { expectedVersion: 7 }),
      store.append('agent/a', [counted(1)], { commitId: 'first' }),
    ]
    for (const { status, reason } of (await Promise.allSettled(appends)) as PromiseRejectedResult[])
      expect([status, reason._tag]).toEqual(['rejected', 'StoreLockLost'])
    await expect(store.append('agent/a', [counted(3)])).rejects.toMatchObject({ _tag: 'StoreLockLost' })
    await expect(all(store.readAll())).rejects.toMatchObject({ _tag: 'StoreLockLost' })
    expect(await all(store.follow())).toEqual([])
    expect(lost).toEqual(['StoreLockLost'])
    await store[Symbol.asyncDispose]()

    await rm(join(directory, 'lock'), { force: true })
    await using next = await levelStore(directory)
    expect((await all(next.readAll()))[0]).toEqual(first)
  })

  test.each(Object.entries(takenAway))('(%s) during a write does not acknowledge it', async (_, takeAway) => {
    const directory = await temporaryDirectory()
    const database = faultyDatabase()
    await using store = await levelStore(directory, { openDatabase: database.open })
    await store.append('agent/a', [counted(1)])
    database.duringWrite = () => takeAway(join(directory, 'lock'))
    await expect(store.append('agent/a', [counted(2)])).rejects.toMatchObject({ _tag: 'StoreLockLost' })
  })
})

const APART = ['unshare', '--pid', '--net', '--fork', '--mount-proc', '--kill-child']
const canUnshare = spawnSync(APART[0] ?? '', [...APART.slice(1), 'true']).status === 0

test.runIf(canUnshare)(
  'An owner in another container is not taken for a dead one, and a dead one not for a living one',
  async () => {
    const directory = await temporaryDirectory()
    const owner = await ownerProcess(directory, ...APART)
    const lock = await readFile(join(directory, 'lock'), 'utf8')
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'StoreInUse', pid: null })
    expect(await readFile(join(directory, 'lock'), 'utf8')).toBe(lock)
    await killed(owner)
    await using store = await levelStore(directory)
    expect(await store.head()).toBe(1)
  },
)

test('Another process is refused with the pid of the owner, even through a symbolic link', async () => {
  const directory = await temporaryDirectory()
  const link = join(await temporaryDirectory(), 'link')
  await symlink(directory, link)
  const child = await ownerProcess(directory)
  await rm(join(directory, 'log', 'LOCK'))
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(child.pid))
  await expect(levelStore(link)).rejects.toMatchObject(inUse(child.pid))
  await killed(child)
  await using store = await levelStore(link)
  expect(await store.head()).toBe(1)
})

test('The lock of a dead process is taken over, and so is an unreadable one', async () => {
  const directory = await temporaryDirectory()
  const stale = [
    JSON.stringify({ pid: await deadProcess(), started: '1 boot' }),
    // A process with this pid is alive, but it is another one.
    JSON.stringify({ pid: process.pid, started: '1 boot' }),
    '',
    '{"pid":',
    'null',
    '{"qid":1}',
  ]
  for (const content of stale) {
    await writeFile(join(directory, 'lock'), content)
    await using _store = await levelStore(directory)
    expect(JSON.parse(await readFile(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid })
  }
})

test('Of several processes that find the same stale lock, exactly one takes it over', async () => {
  const directory = await temporaryDirectory()
  await writeFile(join(directory, 'lock'), JSON.stringify({ pid: await deadProcess(), started: '1 boot' }))
  const program = join(import.meta.dirname, '../fixtures', 'locker.mjs')
  const lockers = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [program, directory], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  const answers = await Promise.all(
    lockers.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()),
  )
  for (const locker of lockers) locker.stdin.end()
  expect(answers.filter((answer) => answer === 'locked')).toHaveLength(1)
  expect(answers.filter((answer) => answer === 'StoreInUse')).toHaveLength(3)
})

test('A released lock can be taken again immediately', async () => {
  const directory = await temporaryDirectory()
  for (let round = 0; round < 3; round++) await (await lockStore(directory)).release()
})

test.runIf(process.platform === 'linux')('A zombie process holds no lock', async () => {
  const directory = await temporaryDirectory()
  // The shell becomes a program that never reaps its child.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void parent.kill())
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  await writeFile(join(directory, 'lock'), JSON.stringify({ pid, started: null }))
  await expect(lockStore(directory)).rejects.toMatchObject(inUse(pid))
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(async () => expect(await readFile(`/proc/${pid}/stat`, 'utf8')).toContain(') Z '), {
    timeout: 60_000,
  })
  await (await lockStore(directory)).release()
})
