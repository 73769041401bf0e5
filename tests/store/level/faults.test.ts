/** Real faults of the system around a store: each gives one typed error that says what to do. */
import { execFile, execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { archiveFile } from '../../../src/store/care/archive/source.ts'
import { backup } from '../../../src/store/care/backup.ts'
import { repairStore } from '../../../src/store/care/repair.ts'
import { restoreStore } from '../../../src/store/care/restore.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { canMount, mounted } from '../../mounted.ts'
import { all, counted } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const MEGABYTE = 1024 * 1024

/** Text that does not compress, the same each time. */
const noise = (n: number) =>
  Array.from({ length: 40 }, (_, part) => hash('sha512', `${n} ${part}`, 'base64')).join('')

describe.skipIf(!canMount)('A disk', () => {
  test('that is full makes the store read-only until there is room again, and nothing acknowledged is lost', async () => {
    const disk = await mounted('-t', 'tmpfs', '-o', 'size=16m', 'none')
    const filler = join(disk, 'filler')
    await writeFile(filler, Buffer.alloc(8 * MEGABYTE))
    const clock = virtualClock()
    const directory = join(disk, 'store')
    const acknowledged: number[] = []
    {
      await using store = await levelStore(directory, { clock })
      const large = { type: 'Large', v: 1, data: { text: 'x'.repeat(200_000) } }
      const fill = async () => {
        for (;;) acknowledged.push((await store.append('agent/a', [large]))[0]?.position ?? 0)
      }
      await expect(fill()).rejects.toMatchObject({
        _tag: 'StoreReadOnly',
        hint: expect.stringContaining('Free some space'),
      })
      expect(acknowledged.length).toBeGreaterThan(5)
      expect(await all(store.readAll())).toHaveLength(acknowledged.length)
      await rm(filler)
      await clock.advance(100)
      acknowledged.push((await store.append('agent/a', [counted(1)]))[0]?.position ?? 0)
    }
    expect(await verifyStore(directory)).toMatchObject({ ok: true })
    await using store = await levelStore(directory)
    const positions = (await all(store.readAll())).map(({ position }) => position)
    expect(positions).toEqual(expect.arrayContaining(acknowledged))
  })

  test('that is full prevents opening a store until there is room again', async () => {
    const disk = await mounted('-t', 'tmpfs', '-o', 'size=8m', 'none')
    const directory = join(disk, 'store')
    {
      await using store = await levelStore(directory)
      await store.append('agent/a', [counted(1)])
    }
    const filler = join(disk, 'filler')
    await writeFile(filler, Buffer.alloc(16 * MEGABYTE)).catch(() => {})
    await expect(levelStore(directory)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringMatching(/ENOSPC|No space|Free some space/),
    })
    await rm(filler)
    await using store = await levelStore(directory)
    expect(await all(store.readAll())).toHaveLength(1)
  })

  test('that is full prevents a restore or a repair, and nothing is left on it', async () => {
    const disk = await mounted('-t', 'tmpfs', '-o', 'size=300k', 'none')
    const [directory, folder] = [await temporaryDirectory(), await temporaryDirectory()]
    const file = join(folder, 'x.backup')
    {
      await using store = await levelStore(directory)
      for (let n = 0; n < 400; n++)
        await store.append('agent/a', [{ ...counted(n), data: { n, noise: noise(n) } }])
      await backup(store, file)
    }
    const full = expect.stringMatching(/No space left|no space left/)
    await expect(restoreStore(await archiveFile(file), join(disk, 'store'))).rejects.toMatchObject({
      _tag: 'ArchiveNotWritten',
      message: full,
    })
    await expect(repairStore(directory, join(disk, 'store'))).rejects.toMatchObject({
      _tag: 'RepairFailed',
      message: full,
    })
    expect(await readdir(disk)).toEqual([])
  })

  test('that is mounted read-only prevents opening a store, but not verifying it', async () => {
    const directory = await temporaryDirectory()
    {
      await using store = await levelStore(directory)
      await store.append('agent/a', [counted(1)])
    }
    const readOnly = await mounted('--bind', directory)
    execFileSync('mount', ['-o', 'remount,ro,bind', readOnly])
    await expect(levelStore(readOnly)).rejects.toMatchObject({
      _tag: 'StoreNotOpened',
      details: { code: 'EROFS' },
    })
    expect(await verifyStore(readOnly)).toMatchObject({ ok: true, facts: 1 })
  })
})

test('A store whose directory is removed while it is open acknowledges nothing more, and does not reappear', async () => {
  const directory = join(await temporaryDirectory(), 'store')
  const clock = virtualClock()
  const store = await levelStore(directory, { clock })
  await store.append('agent/a', [counted(1)])
  await rm(directory, { recursive: true })
  const gone = { _tag: 'StoreLockLost', message: expect.stringContaining('its directory was removed') }
  await expect(store.blobs.put('x'.repeat(100_000))).rejects.toMatchObject({ _tag: 'StoreReadOnly' })
  await expect(store.append('agent/a', [counted(2)])).rejects.toMatchObject(gone)
  expect(existsSync(directory)).toBe(false)
  await mkdir(directory)
  await clock.advance(100)
  await expect(store.append('agent/a', [counted(2)])).rejects.toMatchObject(gone)
  await store[Symbol.asyncDispose]()
  expect(await readdir(directory)).toEqual([])
})

test('A store that loses its head file, or has it replaced, stops at once and says which file', async () => {
  for (const isReplaced of [false, true]) {
    const directory = await temporaryDirectory()
    const head = join(directory, 'head')
    let onLost: (error: Error) => void = () => {}
    const lost = new Promise<Error>((resolve) => {
      onLost = resolve
    })
    await using store = await levelStore(directory, { onLost })
    await copyFile(head, `${head}.copy`)
    await (isReplaced ? rename(`${head}.copy`, head) : rm(head))
    // Nothing is written.
    expect(await lost).toMatchObject({ _tag: 'StoreLockLost', details: { file: head } })
    await expect(store.append('agent/a', [counted(1)])).rejects.toMatchObject({ _tag: 'StoreLockLost' })
  }
})

test('Too many open files are a typed error, and work resumes once some are closed', async () => {
  const [directory, other] = [await temporaryDirectory(), await temporaryDirectory()]
  const program = join(import.meta.dirname, '../fixtures', 'few-files.mjs')
  const args = ['--nofile=128', process.execPath, program, directory, other]
  const { stdout } = await promisify(execFile)('prlimit', args)
  const report = JSON.parse(stdout) as Record<'open' | 'append' | 'body', string> & { last: number }
  expect(report.open).toMatch(/^StoreNotOpened: .*EMFILE.*ulimit -n/)
  // Appending opens no file, so it still works; a blob needs one.
  expect(report.append).toBe('done')
  expect(report.body).toMatch(/^StoreReadOnly: .*EMFILE/)
  expect(report.last).toBe(3)
})

test('A clock that is set back does not change the order of facts', async () => {
  const directory = await temporaryDirectory()
  for (const [n, time] of [
    [1, Date.UTC(2026, 5, 1)],
    [2, Date.UTC(2020, 0, 1)],
    [3, Date.UTC(2026, 5, 2)],
  ] as const) {
    await using store = await levelStore(directory, { clock: virtualClock(time) })
    await store.append('agent/a', [counted(n)])
  }
  await using store = await levelStore(directory)
  const facts = await all(store.read('agent/a'))
  expect(facts.map(({ data }) => data.n)).toEqual([1, 2, 3])
  expect(facts.map(({ at }) => at.slice(0, 4))).toEqual(['2026', '2020', '2026'])
})
