/** Verification: its report on intact stores, killed ones, and each kind of damage. It changes nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/events/json.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { BLOCK_TRAILER } from '../../../src/store/files/block.ts'
import { carveBlocks } from '../../../src/store/files/carving.ts'
import {
  checkpointKey,
  commitKey,
  headKey,
  openKey,
  pointersKey,
  recordKey,
} from '../../../src/store/level/entries.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { repetitions } from '../../repetitions.ts'
import { contents, counted, tamper } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

/** How many bytes lie between those that are changed, one at a time. */
const APART = repetitions('BYTES_APART', { short: 41, long: 5 })

let directory: string
const log = () => join(directory, 'log')

/** Ten facts in two alternating streams (agent/a has the odd positions), and one with a body. */
beforeEach(async () => {
  directory = await temporaryDirectory()
  await using store = await levelStore(directory)
  const summary = { status: 'busy', open: true }
  for (let n = 1; n <= 10; n++)
    await store.append(n % 2 ? 'agent/a' : 'agent/b', [counted(n)], { commitId: `commit-${n}`, summary })
  const body = (await store.blobs.put('a long text')) as unknown as JsonObject
  await store.append('agent/c', [{ type: 'Answered', v: 1, data: { text: body } }])
})

const findings = async () => (await verifyStore(directory)).findings

describe('An intact store', () => {
  test('has no findings, is counted, and is not changed', async () => {
    const before = await contents(directory)
    expect(await verifyStore(directory)).toMatchObject({
      ok: true,
      facts: 11,
      streams: 3,
      blobs: 1,
      findings: [],
      notes: [],
    })
    expect(await contents(directory)).toEqual(before)
  })

  test('verifies after kill -9, with the lock of the dead process', async () => {
    const killed = await temporaryDirectory()
    const program = join(import.meta.dirname, '../fixtures', 'writer.mjs')
    const child = spawn(process.execPath, [program, killed, '1', '8'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.once('data', () => child.kill('SIGKILL'))
    await once(child, 'exit')
    expect(await verifyStore(killed)).toMatchObject({ ok: true, findings: [] })
  })

  test('that is in use is not verified', async () => {
    await using _store = await levelStore(directory)
    await expect(verifyStore(directory)).rejects.toMatchObject({ _tag: 'StoreInUse', pid: process.pid })
  })
})

test('Every flipped bit of every file of the database is found, and its file is named', {
  timeout: 120_000,
}, async () => {
  // Tables as well as a log.
  for (let writer = 0; writer < 2; writer++) {
    await using store = await levelStore(directory)
    await store.append('agent/a', [counted(20 + writer)])
  }
  const files = (await readdir(log())).filter((name) => /\.ldb$|\.log$|^MANIFEST/.test(name))
  expect(files.filter((name) => name.endsWith('.ldb')).length).toBeGreaterThan(1)
  const missed: string[] = []
  for (const name of files) {
    const file = join(log(), name)
    const content = await readFile(file)
    for (let offset = 0; offset < content.length; offset += APART) {
      const flipped = Buffer.from(content)
      flipped[offset] = (flipped[offset] ?? 0) ^ (1 << (offset % 8))
      await writeFile(file, flipped)
      const found = await findings()
      if (!found.some((finding) => finding.file === file)) missed.push(`${name}:${offset}`)
    }
    await writeFile(file, content)
  }
  expect(missed).toEqual([])
  expect(await findings()).toEqual([])
})

describe('A file that a killed process left in the log, and that is not part of it,', () => {
  test.each([
    ['ldb', '999999.ldb'],
    ['log', '000001.log'],
    ['MANIFEST', 'MANIFEST-999999'],
  ])('is noted if it is intact, and a finding if it has changed on disk: %s', async (kind, name) => {
    // Reopening turns the log into a table.
    await (await levelStore(directory))[Symbol.asyncDispose]()
    const names = await readdir(log())
    const content = await readFile(join(log(), names.find((other) => other.includes(kind)) ?? ''))
    const file = join(log(), name)
    await writeFile(file, content)
    expect(await verifyStore(directory)).toMatchObject({
      ok: true,
      notes: [expect.stringContaining(`${file} is not part`)],
    })
    const missed: number[] = []
    for (let offset = 0; offset < content.length; offset += APART) {
      const flipped = Buffer.from(content)
      flipped[offset] = (flipped[offset] ?? 0) ^ (1 << (offset % 8))
      await writeFile(file, flipped)
      if (!(await findings()).some((finding) => finding.file === file)) missed.push(offset)
    }
    expect(missed).toEqual([])
    await writeFile(file, content.subarray(0, content.length * 0.6))
    expect(await verifyStore(directory)).toMatchObject({ ok: true, facts: 11 })
  })
})

test('A table that was cut off is not damage, wherever the cut falls', async () => {
  // Reopening turns the log into a table.
  await (await levelStore(directory))[Symbol.asyncDispose]()
  const name = (await readdir(log())).find((other) => other.endsWith('.ldb')) ?? ''
  const content = await readFile(join(log(), name))
  const [first] = carveBlocks(content)
  const end = (first?.size ?? 0) + BLOCK_TRAILER
  const file = join(log(), '999999.ldb')
  for (let length = 1; length <= 60; length++) {
    await writeFile(file, Buffer.concat([content.subarray(0, end), content.subarray(0, length)]))
    expect(await verifyStore(directory), `${length} bytes after a block`).toMatchObject({
      ok: true,
      notes: [expect.stringContaining(`${file} is not part`)],
    })
  }
})

describe('A finding on facts', () => {
  test('names the position of a missing fact and, from the index, its stream', async () => {
    await tamper(directory, (database) => database.del(recordKey(5)))
    const found = await findings()
    expect(found).toContainEqual(expect.objectContaining({ kind: 'gap', position: 5, stream: 'agent/a' }))
    expect(found).toContainEqual(expect.objectContaining({ kind: 'gap', position: 7, stream: 'agent/a' }))
  })

  test('names each changed fact', async () => {
    await tamper(directory, async (database) => {
      for (const position of [2, 5]) {
        const value = (await database.get(recordKey(position))) ?? ''
        await database.put(recordKey(position), value.replace('"n":', '"m":'))
      }
    })
    const found = await findings()
    for (const [position, stream] of [
      [2, 'agent/b'],
      [5, 'agent/a'],
    ])
      expect(found).toContainEqual(expect.objectContaining({ kind: 'record', position, stream }))
  })

  test('names the tail that the log lost', async () => {
    await tamper(directory, (database) =>
      database.batch([recordKey(10), recordKey(11)].map((key) => ({ type: 'del', key }))),
    )
    expect(await findings()).toContainEqual(expect.objectContaining({ kind: 'gap', position: 10 }))
  })
})

describe('The index', () => {
  test.each([
    ['a head', headKey('agent/a'), 'agent/a'],
    ['pointers', pointersKey('agent/b', 5), 'agent/b'],
    ['an open stream', openKey('agent/a'), 'agent/a'],
    ['a commit', commitKey('commit-3'), 'agent/a'],
    ['its checkpoint', checkpointKey(11), null],
  ])('that lost %s disagrees with the facts', async (_, key, stream) => {
    await tamper(directory, (database) => database.del(key))
    const found = await findings()
    expect(found.length).toBeGreaterThan(0)
    expect(found.every(({ kind }) => kind === 'index')).toBe(true)
    if (stream) expect(found.map((finding) => finding.stream)).toContain(stream)
  })

  test('that leads to the fact of another stream disagrees with it', async () => {
    await tamper(directory, async (database) =>
      database.put(headKey('agent/a'), (await database.get(headKey('agent/b'))) ?? ''),
    )
    expect(await findings()).toContainEqual(
      expect.objectContaining({ kind: 'index', key: headKey('agent/a') }),
    )
  })
})

describe('The files beside the log', () => {
  test.each(['head', 'store.json', 'log/CURRENT'])('%s is reported if it is missing', async (name) => {
    await rm(join(directory, name))
    const found = await findings()
    expect(found.map(({ file }) => file)).toContain(join(directory, name))
  })

  test('a body that is missing or changed is found, and one that no fact refers to is noted', async () => {
    const [folder = ''] = await readdir(join(directory, 'blobs'))
    const [name = ''] = await readdir(join(directory, 'blobs', folder))
    const file = join(directory, 'blobs', folder, name)
    await cp(file, join(directory, 'blobs', folder, 'stray'))
    await writeFile(file, 'another tex')
    const blob = { kind: 'blob', position: 11, stream: 'agent/c', file }
    expect(await verifyStore(directory)).toMatchObject({
      ok: false,
      findings: [blob],
      notes: [expect.stringContaining('stray')],
    })
    await rm(file)
    expect(await findings()).toMatchObject([{ ...blob, problem: 'it is missing' }])
  })
})
