/** Backups: taken during appends by this or another process, and restored to an identical store or refused. */
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { ArchiveNotWritten } from '../../../src/events/errors/archive.ts'
import { TailLoss, UnsupportedFormat } from '../../../src/events/errors/store.ts'
import { archiveFile } from '../../../src/store/care/archive/source.ts'
import { backup, backupDirectory } from '../../../src/store/care/backup.ts'
import { withLiveCopy } from '../../../src/store/care/live-copy.ts'
import { restoreStore } from '../../../src/store/care/restore.ts'
import { storedTextOf } from '../../../src/store/fact-text.ts'
import type { ChainedStore } from '../../../src/store/level/chained-store.ts'
import { encodeRecord, genesisHash, joinText, recordKey } from '../../../src/store/level/entries.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { canMount, mounted } from '../../mounted.ts'
import { repetitions } from '../../repetitions.ts'
import { all, contents, counted, countedTo } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const ROUNDS = repetitions('BACKUPS', { short: 1, long: 5 })

const restored = async (file: string, directory: string) => restoreStore(await archiveFile(file), directory)

/** Every record of the log. */
const chainOf = async (store: ChainedStore) =>
  (await all(store.chain())).map(({ recorded, note, previousHash, hash, seal, text }) => ({
    recorded,
    note,
    previousHash,
    hash,
    seal,
    text,
  }))

async function storeWithEverything(directory: string): Promise<ChainedStore> {
  const store = await levelStore(directory)
  const body = await store.blobs.put('a long body ü \u2028\n')
  await store.append('agent/a', countedTo(3), { commitId: 'first' })
  await store.append(
    'agent/b',
    [{ type: 'Said', v: 1, data: { body: { ...body }, odd: '\ud800', list: [1, null] } }],
    {
      summary: { status: 'busy', open: true },
    },
  )
  await store.append('agent/a', [counted(4)])
  return store
}

describe('A backup', () => {
  test('goes through pipes, devices and links, and replaces none of them', async () => {
    const directory = await temporaryDirectory()
    await using store = await storeWithEverything(join(directory, 'store'))
    const at = (name: string) => join(directory, name)
    execFileSync('mkfifo', [at('pipe')])
    const [read] = await Promise.all([readFile(at('pipe')), backup(store, at('pipe'))])
    expect((await lstat(at('pipe'))).isFIFO()).toBe(true)
    await writeFile(at('real'), 'old')
    for (const [link, target] of [
      ['link', 'real'],
      ['dangling', 'new'],
    ] as const) {
      await symlink(target, at(link))
      await backup(store, at(link))
      expect((await lstat(at(link))).isSymbolicLink()).toBe(true)
      expect(gunzipSync(await readFile(at(target)))).toEqual(gunzipSync(read))
    }
    await symlink('circle', at('circle'))
    await expect(backup(store, at('circle'))).rejects.toThrow(ArchiveNotWritten)
    await backup(store, '/dev/null')
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true)
  })

  test('restores to the same store: same id, same chain, same bodies, same index', async () => {
    const [directory, target] = [await temporaryDirectory(), await temporaryDirectory()]
    await using store = await storeWithEverything(directory)
    const file = join(directory, 'x.backup')
    const { storeId } = store
    expect(await backup(store, file)).toEqual({ storeId, records: 5, position: 5, blobs: 1, lostBlobs: 0 })
    expect(await restored(file, target)).toEqual({ storeId, records: 5, forReading: false })

    await using again = await levelStore(target)
    expect(again.storeId).toBe(storeId)
    expect(await chainOf(again)).toEqual(await chainOf(store))
    expect(await all(again.streams())).toEqual(await all(store.streams()))
    expect(await all(again.streams({ open: true }))).toHaveLength(1)
    const [said] = await all(again.read('agent/b'))
    expect(await again.blobs.get(said?.data.body as never)).toBe('a long body ü \u2028\n')
    // Commit ids are known, and appends continue where the original ended.
    expect(await again.append('agent/a', countedTo(3), { commitId: 'first' })).toHaveLength(3)
    expect((await again.append('agent/a', [counted(5)], { expectedVersion: 4 }))[0]?.position).toBe(6)
  })

  test('of an empty store restores to an empty store', async () => {
    const [directory, target] = [await temporaryDirectory(), await temporaryDirectory()]
    await using store = await levelStore(directory)
    await backup(store, join(directory, 'x'))
    await restored(join(directory, 'x'), target)
    await using again = await levelStore(target)
    expect([again.storeId, await again.head()]).toEqual([store.storeId, 0])
  })

  test('ends where the log ended when it began', async () => {
    const directory = await temporaryDirectory()
    await using store = await storeWithEverything(join(directory, 'store'))
    const growing: ChainedStore = {
      ...store,
      async *chain(range) {
        await store.append('agent/a', [counted(5)])
        yield* store.chain(range)
      },
    }
    expect(await backup(growing, join(directory, 'x'))).toMatchObject({ position: 5 })
    expect(await backup(store, join(directory, 'y'))).toMatchObject({ position: 6 })
  })

  test('taken during appends at full speed is a prefix of the log', async () => {
    const [directory, target] = [await temporaryDirectory(), await temporaryDirectory()]
    await using store = await levelStore(directory)
    let going = true
    const appending = Promise.all(
      Array.from({ length: 8 }, async (_, name) => {
        for (let n = 1; going; n++) {
          const blob = n % 50 === 0 ? await store.blobs.put(`${name} ${n} ${'x'.repeat(5000)}`) : null
          await store.append(`agent/a${name}`, [
            { type: 'Counted', v: 1, data: { n, blob: blob && { ...blob } } },
          ])
        }
      }),
    )
    for await (const { position } of store.follow()) if (position >= 2000) break
    const before = await store.head()
    const { position } = await backup(store, join(directory, 'x'))
    going = false
    await appending
    expect(position).toBeGreaterThanOrEqual(before)
    expect(await store.head()).toBeGreaterThan(position)
    await restored(join(directory, 'x'), target)
    await using again = await levelStore(target)
    expect(await chainOf(again)).toEqual(await all(firstOf(await chainOf(store), position)))
  })

  test('taken while another process appends at full speed is a prefix of its log', async () => {
    const directory = await temporaryDirectory()
    const results: { readonly position: number; readonly target: string; readonly file: string }[] = []
    const writer = spawn(
      process.execPath,
      [join(import.meta.dirname, '../fixtures', 'writer.mjs'), directory, '1', '16'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const gone = once(writer, 'exit')
    let acknowledged = 0
    createInterface({ input: writer.stdout }).on('line', (line) => {
      const [, first, count] = line.split(' ')
      acknowledged = Math.max(acknowledged, Number(first) + Number(count) - 1)
    })
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        while (acknowledged < round * 3000) await once(writer.stdout, 'data')
        const known = acknowledged
        const out = await temporaryDirectory()
        const file = join(out, 'x.backup')
        const { position } = await backupDirectory(directory, file)
        // The head file may lag slightly behind what was acknowledged.
        expect(position).toBeGreaterThan(known - 3000)
        results.push({ position, file, target: join(out, 'restored') })
        expect(await readdir(out)).toEqual(['x.backup'])
      }
    } finally {
      writer.kill('SIGKILL')
      await gone
    }
    await using original = await levelStore(directory)
    const chain = await chainOf(original)
    for (const { position, file, target } of results) {
      await restored(file, target)
      await using again = await levelStore(target)
      expect(await again.head()).toBe(position)
      expect(await chainOf(again)).toEqual(await all(firstOf(chain, position)))
    }
  })

  test.skipIf(process.getuid?.() === 0 && !canMount)(
    'of a store that may only be read needs no lock of it',
    async () => {
      const directory = await temporaryDirectory()
      const store = await storeWithEverything(directory)
      const chain = await chainOf(store)
      await store[Symbol.asyncDispose]()
      const readOnly = canMount ? await mounted('--bind', directory) : directory
      if (canMount) execFileSync('mount', ['-o', 'remount,ro,bind', readOnly])
      else await chmod(directory, 0o500)
      onTestFinished(() => chmod(directory, 0o700))
      const out = await temporaryDirectory()
      expect(await backupDirectory(readOnly, join(out, 'x'))).toMatchObject({ records: 5, blobs: 1 })
      expect(await readdir(out)).toEqual(['x'])
      await restored(join(out, 'x'), join(out, 'copy'))
      await using copy = await levelStore(join(out, 'copy'))
      expect(await chainOf(copy)).toEqual(chain)
    },
  )

  test('of a store with a missing body is refused, and leaves nothing behind', async () => {
    const directory = await temporaryDirectory()
    const out = await temporaryDirectory()
    await using store = await levelStore(directory)
    const body = { sha256: 'a'.repeat(64), bytes: 3 }
    await store.append('agent/a', [{ type: 'Said', v: 1, data: { body } }])
    await expect(backup(store, join(out, 'x'))).rejects.toMatchObject({ _tag: 'CorruptBlob' })
    expect(await readdir(out)).toEqual([])
  })

  test('that cannot be written is a typed error', async () => {
    const directory = await temporaryDirectory()
    await using store = await levelStore(directory)
    await expect(backup(store, join(directory, 'nowhere', 'x'))).rejects.toMatchObject({
      _tag: 'ArchiveNotWritten',
    })
  })
})

describe('A copy of a store that another process has open', () => {
  const torn = () => new TailLoss({ expected: 2, found: 1, file: 'log' })

  test('is retried until it is consistent, and leaves nothing behind', async () => {
    const [directory, out] = [await temporaryDirectory(), await temporaryDirectory()]
    await using store = await storeWithEverything(directory)
    let tries = 0
    const result = await withLiveCopy(directory, join(out, 'copying'), async (copy, acknowledged) => {
      tries++
      if (tries < 3) throw torn()
      await using copied = await levelStore(copy)
      return [copied.storeId, acknowledged, (await chainOf(copied)).length]
    })
    expect(result).toEqual([store.storeId, 5, 5])
    expect(await readdir(out)).toEqual([])
  })

  test('fails with the cause after ten attempts, or immediately if a retry cannot help', async () => {
    const [directory, out] = [await temporaryDirectory(), await temporaryDirectory()]
    await using _ = await storeWithEverything(directory)
    const failing = (error: Error) =>
      withLiveCopy(directory, join(out, 'copying'), () => Promise.reject(error))
    await expect(failing(torn())).rejects.toMatchObject({
      _tag: 'LiveCopyFailed',
      details: { attempts: 10 },
      cause: { _tag: 'TailLoss' },
    })
    await expect(failing(new UnsupportedFormat({ path: 'x', found: 2, known: 1 }))).rejects.toMatchObject({
      _tag: 'UnsupportedFormat',
    })
    expect(await readdir(out)).toEqual([])
  })
})

describe('A restore', () => {
  async function backedUp() {
    const directory = await temporaryDirectory()
    await using store = await storeWithEverything(directory)
    const file = join(await temporaryDirectory(), 'x.backup')
    await backup(store, file)
    return file
  }

  test('refuses a directory that is not empty, and leaves it unchanged', async () => {
    const file = await backedUp()
    const target = await temporaryDirectory()
    await mkdir(join(target, 'sub'))
    await writeFile(join(target, 'notes.txt'), 'mine')
    const before = await contents(target)
    await expect(restored(file, target)).rejects.toMatchObject({ _tag: 'DirectoryNotEmpty' })
    expect(await contents(target)).toEqual(before)
  })

  const changes: readonly [string, (lines: string[]) => string[] | string, object][] = [
    [
      'a changed fact',
      (lines) => lines.map((line) => line.replace('"n":2', '"n":7')),
      { line: 3, position: 2, message: expect.stringContaining('hash does not match') },
    ],
    [
      'a missing fact',
      (lines) => lines.toSpliced(2, 1),
      { line: 3, position: 3, message: expect.stringContaining('position 2 is missing') },
    ],
    [
      'facts in the wrong order',
      (lines) => [...lines.slice(0, 2), String(lines[3]), String(lines[2]), ...lines.slice(4)],
      { line: 3, message: expect.stringContaining('position 2 is missing') },
    ],
    [
      'a changed body',
      (lines) => lines.map((line) => line.replace('a long body', 'a song body')),
      { line: 5, message: expect.stringContaining('does not match its hash') },
    ],
    [
      'a missing body',
      (lines) => lines.filter((line) => !line.startsWith('{"blob"')),
      { line: 5, position: 4, message: expect.stringContaining('is missing') },
    ],
    [
      'a missing end',
      (lines) => lines.slice(0, -1),
      { line: 7, message: expect.stringContaining('its end is missing') },
    ],
    [
      'another store',
      (lines) => lines.map((line) => line.replace(/"storeId":"./, '"storeId":"X')),
      { line: 2 },
    ],
    [
      'a fact that names another one before it',
      (lines) => rechained(lines, 2),
      { line: 3, position: 2, message: expect.stringContaining('does not follow') },
    ],
    ['an end truncated midway', (lines) => lines.join('\n').slice(0, -40), { line: 8 }],
    ['nothing', () => '', { line: null }],
    ['something else', () => 'hello\nworld\n', { line: 1 }],
    [
      'an archive of a newer version',
      (lines) => lines.map((line) => line.replace('"version":1,"storeId"', '"version":3,"storeId"')),
      { line: 1, hint: expect.stringContaining('Upgrade') },
    ],
  ]
  test.each(changes)('refuses %s, names the line, and leaves nothing behind', async (_, change, expected) => {
    const file = await backedUp()
    const lines = gunzipSync(await readFile(file))
      .toString()
      .trimEnd()
      .split('\n')
    const changed = change(lines)
    const text = typeof changed === 'string' ? changed : `${changed.join('\n')}\n`
    for (const content of [text, gzipSync(text)]) {
      await writeFile(file, content)
      const out = await temporaryDirectory()
      await expect(restored(file, join(out, 'x'))).rejects.toMatchObject({
        _tag: 'InvalidArchive',
        ...expected,
      })
      expect(await readdir(out)).toEqual([])
    }
  })

  test('refuses a file that was truncated or has a flipped bit', async () => {
    const file = await backedUp()
    const whole = await readFile(file)
    const out = await temporaryDirectory()
    const content = async (directory: string) => {
      await using store = await levelStore(directory)
      return await all(store.readAll())
    }
    await restored(file, join(out, 'original'))
    const original = await content(join(out, 'original'))
    for (let at = 0; at < whole.length; at += 7) {
      const flipped = Buffer.from(whole)
      flipped.writeUInt8(whole.readUInt8(at) ^ 0x10, at)
      await writeFile(file, flipped)
      const result = await restored(file, join(out, String(at))).catch((error: Error) => error)
      // A few bits mean nothing: some of the header, and what pads the last byte of the compressed data.
      if (result instanceof Error) expect(result).toMatchObject({ _tag: 'InvalidArchive' })
      else expect(await content(join(out, String(at))), `byte ${at}`).toEqual(original)
      await writeFile(file, whole.subarray(0, at))
      await expect(restored(file, join(out, `cut ${at}`))).rejects.toMatchObject({ _tag: 'InvalidArchive' })
    }
  })
})

/** The archive with a record that names another previous one, and hashes that match its content. */
function rechained(lines: readonly string[], position: number): string[] {
  const { storeId } = JSON.parse(lines[0] ?? '')
  const body = lines.slice(0, -1).map((text) => {
    const line = JSON.parse(text)
    if (line.position !== position) return text
    const previousHash = genesisHash('another store')
    const { note = null, previousHash: _, hash: __, text: exact, ...recorded } = line
    const content = exact ?? joinText(storedTextOf(storeId, recorded), note)
    const { hash } = encodeRecord(recordKey(position), previousHash, content)
    return JSON.stringify({ ...line, previousHash, hash })
  })
  const sha256 = createHash('sha256')
  for (const line of body) sha256.update(`${line}\n`)
  return [...body, JSON.stringify({ ...JSON.parse(lines.at(-1) ?? ''), sha256: sha256.digest('hex') })]
}

async function* firstOf<Item extends { readonly recorded: Recorded }>(items: readonly Item[], count: number) {
  yield* items.slice(0, count)
}
