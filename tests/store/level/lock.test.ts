/** One owner per store: who is kept out, and whose lock counts for nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { lockStore } from '../../../src/store/level/lock.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { counted } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const inUse = (pid: number | undefined) => ({ _tag: 'StoreInUse', pid })

/** A process that has ended, and was nobody else when it had this number. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

test('A second opening in the same process is refused with its pid, also through a symbolic link', async () => {
  const directory = await temporaryDirectory()
  const link = join(await temporaryDirectory(), 'link')
  await symlink(directory, link)
  await using store = await levelStore(directory)
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(process.pid))
  await expect(levelStore(link)).rejects.toMatchObject(inUse(process.pid))
  await store.append('agent/a', [counted(1)])
})

test('It is refused even when the lock files are gone', async () => {
  const directory = await temporaryDirectory()
  await using _store = await levelStore(directory)
  await rm(join(directory, 'lock'))
  await rm(join(directory, 'log', 'LOCK'))
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(process.pid))
})

test('Another process is refused with the pid of the owner, also through a symbolic link', async () => {
  const directory = await temporaryDirectory()
  const link = join(await temporaryDirectory(), 'link')
  await symlink(directory, link)
  const child = spawn(process.execPath, [join(import.meta.dirname, '../fixtures', 'owner.mjs'), directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  await rm(join(directory, 'log', 'LOCK'))
  await expect(levelStore(directory)).rejects.toMatchObject(inUse(child.pid))
  await expect(levelStore(link)).rejects.toMatchObject(inUse(child.pid))
  child.kill('SIGKILL')
  await once(child, 'exit')
  await using store = await levelStore(link)
  expect(await store.head()).toBe(1)
})

test('The lock of a dead process counts for nothing, and neither does one that nobody can read', async () => {
  const directory = await temporaryDirectory()
  const stale = [
    JSON.stringify({ pid: await deadProcess(), started: '1 boot' }),
    // The number lives, but it is another process by now.
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

test('Of many who find the same stale lock, exactly one takes it over', async () => {
  const directory = await temporaryDirectory()
  await writeFile(join(directory, 'lock'), JSON.stringify({ pid: await deadProcess(), started: '1 boot' }))
  const program = join(import.meta.dirname, '../fixtures', 'taker.mjs')
  const takers = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [program, directory], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  const answers = await Promise.all(
    takers.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()),
  )
  for (const taker of takers) taker.stdin.end()
  expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1)
  expect(answers.filter((answer) => answer === 'StoreInUse')).toHaveLength(3)
})

test('A released lock is free at once', async () => {
  const directory = await temporaryDirectory()
  for (let round = 0; round < 3; round++) await (await lockStore(directory)).release()
})

test.runIf(process.platform === 'linux')('A killed process that nobody collects holds no lock', async () => {
  const directory = await temporaryDirectory()
  // The shell becomes a program that never waits for its child.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void parent.kill())
  const [line] = await once(parent.stdout, 'data')
  const pid = Number(String(line))
  await writeFile(join(directory, 'lock'), JSON.stringify({ pid, started: null }))
  await expect(lockStore(directory)).rejects.toMatchObject(inUse(pid))
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(async () => expect(await readFile(`/proc/${pid}/stat`, 'utf8')).toContain(') Z '))
  await (await lockStore(directory)).release()
})
