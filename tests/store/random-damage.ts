/** Damage as disks and people do it, at random: to one file of a store, in one of five ways. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { levelStore } from '../../src/store/level-store.ts'
import { randomNumbers } from './random-numbers.ts'

export const WAYS = ['flip', 'zero', 'garbage', 'truncate', 'delete'] as const

export interface Damage {
  readonly way: (typeof WAYS)[number]
  readonly file: string
  /** The kind of file: `.ldb`, `.log`, MANIFEST, ... */
  readonly kind: string
  readonly offset: number
  readonly length: number
  /** Whether any byte is another one now. */
  readonly changed: boolean
}

/** A store with small and large records, bodies, tables and a log, made by several writers. */
export async function makeStoreToDamage(directory: string, seed: number): Promise<void> {
  const random = randomNumbers(seed)
  const text = (length: number) => Buffer.from(Array.from({ length }, () => random(256))).toString('base64')
  for (let writer = 0; writer < 4; writer++) {
    await using store = await levelStore(directory)
    for (let n = 0; n < 40; n++) {
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

/** Does one damage to the store in a directory. */
export function damage(directory: string, random: (below: number) => number): Damage {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  // A kind first, so that the many tables do not draw all of it upon themselves.
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
