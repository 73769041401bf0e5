/** Random damage as disks and people cause it: to one file of a store, in one of five ways. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { buildStore } from '../../../src/store/care/store-builder.ts'
import type { Database } from '../../../src/store/level/database.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { randomNumbers } from '../random-numbers.ts'
import { tamper } from '../store-kit.ts'

export const WAYS = ['flip', 'zero', 'garbage', 'truncate', 'delete'] as const

export interface Damage {
  readonly way: (typeof WAYS)[number]
  readonly file: string
  /** The kind of file: `.ldb`, `.log`, MANIFEST, ... */
  readonly kind: string
  readonly offset: number
  readonly length: number
  /** Whether any byte differs from before. */
  readonly changed: boolean
}

/** LevelDB starts compactions of its own at four tables, which would not be reproducible: there are always fewer. */
const WRITERS = 6
const COMPACTED_AFTER = 3

/**
 * Creates a store with small and large records, blobs, an old table, two new ones and a log, by several writers. The same
 * seed gives the same store, byte for byte.
 */
export async function makeStoreToDamage(directory: string, seed: number): Promise<void> {
  const random = randomNumbers(seed)
  const text = (length: number) => Buffer.from(Array.from({ length }, () => random(256))).toString('base64')
  const storeId = `seed-${String(seed).padStart(8, '0')}`
  await buildStore(directory, { storeId, forReading: false }, async () => {})
  for (let writer = 0; writer < WRITERS; writer++) {
    if (writer === COMPACTED_AFTER) await tamper(directory, (database) => compacted(database))
    await using store = await levelStore(directory, { clock: virtualClock() })
    for (let n = 0; n < 25; n++) {
      const size = n % 16 === 7 ? 60_000 : 10 + random(400)
      const body = n % 20 === 3 ? { ...(await store.blobs.put(text(5000))) } : null
      const facts = Array.from({ length: 1 + random(3) }, (_, index) => ({
        type: 'Written',
        v: 1,
        data: { n, index, body, text: text(size) },
      }))
      const summary = { status: n % 2 ? 'busy' : 'idle', open: n % 2 === 1 }
      await store.append(`agent/a${random(6)}`, facts, { commitId: `${writer}-${n}`, summary })
    }
  }
}

const compacted = (database: Database) =>
  (database as unknown as { compactRange(from: string, to: string): Promise<void> }).compactRange('', '\x7f')

/** Damages one file of the store in a directory. */
export function damage(directory: string, random: (below: number) => number): Damage {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  // The kind of file is chosen first, so that the many tables do not get most of the damage.
  const kinds = [...new Set(files.map(kindOf))]
  const kind = kinds[random(kinds.length)] ?? ''
  const candidates = files.filter((file) => kindOf(file) === kind)
  const file = candidates[random(candidates.length)] ?? ''
  const way = WAYS[random(WAYS.length)] ?? 'flip'
  const before = readFileSync(file)
  const offset = random(Math.max(1, before.length))
  const length = Math.min(before.length - offset, way === 'flip' ? 1 : 1 + random(2000))
  if (way === 'delete') rmSync(file)
  else writeFileSync(file, changed(before, way, offset, length, random))
  const after = way === 'delete' ? null : readFileSync(file)
  return {
    way,
    file: relative(directory, file),
    kind,
    offset,
    length,
    changed: after === null || !after.equals(before),
  }
}

const kindOf = (file: string) =>
  /blobs/.test(file) ? 'blob' : (/\.(ldb|log)$|MANIFEST|[^/]+$/.exec(file)?.[0] ?? 'other')

function changed(
  before: Buffer,
  way: Damage['way'],
  offset: number,
  length: number,
  random: (below: number) => number,
): Buffer {
  if (way === 'truncate') return before.subarray(0, offset)
  const content = Buffer.from(before)
  for (let at = offset; at < offset + length; at++) {
    if (way === 'zero') content[at] = 0
    else if (way === 'garbage') content[at] = random(256)
    else content[at] = (content[at] ?? 0) ^ (1 << random(8))
  }
  return content
}
