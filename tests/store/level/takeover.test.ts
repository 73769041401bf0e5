/** Taking over the lock of a dead process when another process has just done so. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { lockStore } from '../../../src/store/level/lock.ts'
import { temporaryDirectory } from '../temporary.ts'

/** Called when a lock file is about to be linked into its place. */
const beforeLink = vi.hoisted(() => ({ do: async (_path: string) => {} }))

vi.mock('node:fs/promises', async (original) => {
  const files = await original<typeof import('node:fs/promises')>()
  return {
    ...files,
    link: async (from: string, to: string) => {
      await beforeLink.do(to)
      return files.link(from, to)
    },
  }
})

async function otherProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--eval', 'process.stdin.resume(); console.log()'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child.pid ?? 0
}

test('A process that is about to take over a stale lock looks again, and finds the one that was faster', async () => {
  const directory = await temporaryDirectory()
  const lock = join(directory, 'lock')
  await writeFile(lock, JSON.stringify({ pid: process.pid, started: '1 boot' }))
  const faster = JSON.stringify({ pid: await otherProcess(), started: null })
  beforeLink.do = async (path) => {
    if (path === `${lock}.takeover`) await writeFile(lock, faster)
  }
  await expect(lockStore(directory)).rejects.toMatchObject({
    _tag: 'StoreInUse',
    pid: JSON.parse(faster).pid,
  })
  expect(await readFile(lock, 'utf8')).toBe(faster)
})
