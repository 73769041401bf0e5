/** Repairs: what is kept, what is lost, how it is reported, and that the damaged store is only read. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/events/json.ts'
import { archiveFile } from '../../../src/store/care/archive/source.ts'
import { writeArchive } from '../../../src/store/care/archive/writer.ts'
import { backup } from '../../../src/store/care/backup.ts'
import { type Candidate, repairPlan } from '../../../src/store/care/repair/plan.ts'
import { repairStore } from '../../../src/store/care/repair.ts'
import { importStore, restoreStore } from '../../../src/store/care/restore.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { headKey, recordKey } from '../../../src/store/level/entries.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { all, contents, counted, tamper } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

let directory: string
let target: string
const summary = { status: 'busy', open: true }

/** Ten facts in two alternating streams: agent/a has the odd positions. */
beforeEach(async () => {
  directory = await temporaryDirectory()
  target = join(await temporaryDirectory(), 'repaired')
  await using store = await levelStore(directory)
  for (let n = 1; n <= 10; n++)
    await store.append(n % 2 ? 'agent/a' : 'agent/b', [counted(n)], { commitId: `commit-${n}`, summary })
})

const numbers = async (stream: string) => {
  await using store = await levelStore(target)
  return (await all(store.read(stream))).map(({ data }) => data.n)
}

interface Compactable {
  compactRange(from: string, to: string): Promise<void>
}

/** Removes a fact from every file: LevelDB keeps what was removed until it compacts. */
const lose = (position: number) =>
  tamper(directory, async (database) => {
    await database.del(recordKey(position))
    await (database as unknown as Compactable).compactRange('a', 'z')
  })

test('A repair keeps what is intact, cuts the stream that lost a fact, and leaves the original unchanged', async () => {
  await lose(5)
  const before = await contents(directory)
  const report = await repairStore(directory, target)
  expect(await contents(directory)).toEqual(before)
  expect(report).toMatchObject({
    kept: 7,
    lost: [{ from: 5, to: 5, stream: 'agent/a', versions: { from: 3, to: 3 } }],
    quarantined: 2,
    streams: [{ stream: 'agent/a', kept: 2, reached: 5, quarantined: 2 }],
    moved: [
      { from: 6, to: 5, count: 1 },
      { from: 8, to: 6, count: 1 },
      { from: 10, to: 7, count: 1 },
    ],
  })
  expect(await verifyStore(target)).toMatchObject({ ok: true, facts: 7, storeId: report.storeId })
  expect(await numbers('agent/a')).toEqual([1, 3])
  expect(await numbers('agent/b')).toEqual([2, 4, 6, 8, 10])
  const quarantine = (await readFile(join(target, 'quarantine.ndjson'), 'utf8')).trimEnd().split('\n')
  expect(quarantine.map((line) => JSON.parse(line))).toMatchObject([
    { position: 7, stream: 'agent/a', version: 4, value: expect.stringContaining('"n":7') },
    { position: 9, stream: 'agent/a', version: 5 },
  ])
  expect(JSON.parse(await readFile(join(target, 'loss-report.json'), 'utf8'))).toEqual(report)
})

test('Facts keep their ids, times and commits, and a cut stream has no work to resume', async () => {
  await using original = await levelStore(directory)
  const before = await all(original.readAll())
  await original[Symbol.asyncDispose]()
  await lose(9)
  await repairStore(directory, target)
  await using store = await levelStore(target)
  const facts = await all(store.readAll())
  const kept = before.filter(({ position }) => position !== 9)
  expect(facts.map(({ id, at, epoch }) => ({ id, at, epoch }))).toEqual(
    kept.map(({ id, at, epoch }) => ({ id, at, epoch })),
  )
  expect(await store.append('agent/b', [counted(6)], { commitId: 'commit-6' })).toMatchObject([
    { position: 6 },
  ])
  const open = await all(store.streams({ open: true }))
  expect(open.map(({ stream }) => stream)).toEqual(['agent/b'])
  expect(await store.append('agent/a', [counted(9)], { commitId: 'commit-9' })).toMatchObject([
    { version: 5 },
  ])
})

test('A fact that was overwritten or removed is recovered if the files still have it', async () => {
  await tamper(directory, async (database) => {
    await database.put(recordKey(5), 'garbage')
    await database.del(recordKey(6))
  })
  expect(await repairStore(directory, target)).toMatchObject({ kept: 10, lost: [], quarantined: 0 })
  expect(await verifyStore(target)).toMatchObject({ ok: true, facts: 10 })
})

test('A store with damage only in its index loses nothing', async () => {
  await tamper(directory, (database) => database.del(headKey('agent/a')))
  expect(await repairStore(directory, target)).toMatchObject({
    kept: 10,
    lost: [],
    quarantined: 0,
    streams: [],
  })
  expect(await verifyStore(target)).toMatchObject({ ok: true, facts: 10 })
})

test.each(['log/CURRENT', 'store.json', 'head'])('A store without %s loses nothing', async (name) => {
  await rm(join(directory, name))
  expect(await repairStore(directory, target)).toMatchObject({ kept: 10, lost: [] })
  expect(await verifyStore(target)).toMatchObject({ ok: true, facts: 10 })
})

test('Tables that no MANIFEST names are read nevertheless', async () => {
  {
    await using store = await levelStore(directory)
    await store.append('agent/a', [counted(11)])
  }
  const log = join(directory, 'log')
  for (const name of await readdir(log)) if (/^MANIFEST/.test(name)) await rm(join(log, name))
  expect(await repairStore(directory, target)).toMatchObject({ kept: 11, lost: [] })
})

test('A lost body is in the report, and recorded as lost in the repaired store', async () => {
  {
    await using store = await levelStore(directory)
    const text = (await store.blobs.put('a long text')) as unknown as JsonObject
    const other = (await store.blobs.put('another one')) as unknown as JsonObject
    await store.append('agent/c', [{ type: 'Answered', v: 1, data: { text, other } }])
  }
  const [folder = ''] = await readdir(join(directory, 'blobs'))
  const [name = ''] = await readdir(join(directory, 'blobs', folder))
  await writeFile(join(directory, 'blobs', folder, name), 'x')
  const report = await repairStore(directory, target)
  expect(report.blobs).toMatchObject({ kept: 1, lost: [{ sha256: name, position: 11, stream: 'agent/c' }] })
  expect(await verifyStore(target)).toMatchObject({ ok: true, notes: [expect.stringContaining(name)] })
})

test('A repaired store that lost a body can be read, backed up, restored, exported and imported', async () => {
  {
    await using store = await levelStore(directory)
    const text = (await store.blobs.put('a long text')) as unknown as JsonObject
    await store.append('agent/c', [{ type: 'Said', v: 1, data: { text } }])
  }
  await rm(join(directory, 'blobs'), { recursive: true })
  await repairStore(directory, target)
  const bodyOf = async (store: EventStore) => {
    const [fact] = await all(store.read('agent/c'))
    return store.blobs.get(fact?.data.text as never)
  }
  const lost = { _tag: 'BodyLost', message: expect.stringContaining('lost before the store was repaired') }
  await using store = await levelStore(target)
  await expect(bodyOf(store)).rejects.toMatchObject(lost)
  const folder = await temporaryDirectory()
  const file = join(folder, 'x.backup')
  expect(await backup(store, file)).toMatchObject({ records: 11, blobs: 0, lostBlobs: 1 })
  await restoreStore(await archiveFile(file), join(folder, 'restored'))
  expect(await verifyStore(join(folder, 'restored'))).toMatchObject({ ok: true, facts: 11 })
  await using restored = await levelStore(join(folder, 'restored'))
  await expect(bodyOf(restored)).rejects.toMatchObject(lost)
  expect(await writeArchive(restored, join(folder, 'x.ndjson'), {})).toMatchObject({
    records: 11,
    lostBlobs: 1,
  })
  await importStore(await archiveFile(join(folder, 'x.ndjson')), join(folder, 'imported'), () => {})
  expect(await verifyStore(join(folder, 'imported'))).toMatchObject({ ok: true, facts: 11 })
  // A lost body can be put back.
  await restored.blobs.put('a long text')
  expect(await bodyOf(restored)).toBe('a long text')
})

test('A repair refuses a target inside the store or not empty, and a store that is open', async () => {
  const into = { _tag: 'InvalidInputError' }
  await expect(repairStore(directory, join(directory, 'repaired'))).rejects.toMatchObject(into)
  await expect(repairStore(directory, directory)).rejects.toMatchObject({ _tag: 'DirectoryNotEmpty' })
  await using _store = await levelStore(directory)
  await expect(repairStore(directory, target)).rejects.toMatchObject({ _tag: 'StoreInUse' })
})

describe('The plan', () => {
  /** A chain of facts: `a1` is version 1 of stream a; a `+` means that its append continues. */
  const chain = (...facts: string[]): Candidate[] =>
    facts.map((fact, index) => ({
      position: index + 1,
      sequence: index + 1,
      hash: `hash ${index + 1}`,
      previousHash: `hash ${index}`,
      stream: fact[0] ?? '',
      version: Number(fact[1]),
      noted: !fact.endsWith('+'),
    }))
  const plan = (candidates: readonly Candidate[], last: number) =>
    repairPlan({ candidates, head: null, last, commits: [] })
  const names = (candidates: readonly Candidate[]) =>
    candidates.map(({ stream, version }) => `${stream}${version}`)
  const without = (candidates: readonly Candidate[], position: number) =>
    candidates.filter((candidate) => candidate.position !== position)

  test('keeps everything of an intact chain', () => {
    const { kept, lost, refused } = plan(chain('a1', 'b1', 'a2+', 'a3'), 4)
    expect(names(kept)).toEqual(['a1', 'b1', 'a2', 'a3'])
    expect([...lost, ...refused]).toEqual([])
  })

  test('keeps no part of an append that lost its last fact, or its first', () => {
    const facts = chain('a1', 'b1', 'a2+', 'a3+', 'a4', 'b2')
    expect(names(plan(without(facts, 5), 6).kept)).toEqual(['a1', 'b1', 'b2'])
    expect(names(plan(without(facts, 3), 6).kept)).toEqual(['a1', 'b1', 'b2'])
  })

  test('keeps a fact only if the next one names it', () => {
    const facts = chain('a1', 'a2', 'a3')
    const forged = { ...facts[1], hash: 'another', sequence: 9 } as Candidate
    expect(names(plan([...facts, forged], 3).kept)).toEqual(['a1', 'a2', 'a3'])
    const replaced = plan([...without(facts, 2), forged], 3)
    expect(names(replaced.kept)).toEqual(['a1'])
    expect(replaced.refused.map(({ reason }) => reason)).toContain('the fact after it does not follow it')
  })

  test('cuts at an append that is torn according to the index, even if its facts have no note', () => {
    const facts = without(chain('a1+', 'a2+', 'a3+'), 3)
    const { kept } = repairPlan({ candidates: facts, head: null, last: 3, commits: [{ first: 2, count: 2 }] })
    expect(names(kept)).toEqual(['a1'])
  })
})
