/** A log that ends midway: no damage if a killed writer left it so, but damage if acknowledged facts are gone. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { scanLogFile } from '../../../src/store/files/log-file.ts'
import { readHeadFile } from '../../../src/store/level/head-file.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { repetitions } from '../../repetitions.ts'
import { all } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const CUTS = repetitions('CUTS', { short: 20, long: 200 })

/** A store whose writer was killed. */
async function killedStore(): Promise<string> {
  const directory = await temporaryDirectory()
  const program = join(import.meta.dirname, '../fixtures', 'writer.mjs')
  const child = spawn(process.execPath, [program, directory, '1', '4'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (text) => {
    said += text
    if (said.split('\n').length > 30) child.kill('SIGKILL')
  })
  await once(child, 'exit')
  return directory
}

const lastLog = async (directory: string) => {
  const names = (await readdir(join(directory, 'log'))).filter((name) => name.endsWith('.log')).sort()
  return join(directory, 'log', names.at(-1) ?? '')
}

async function factsOf(directory: string): Promise<Recorded[]> {
  await using store = await levelStore(directory)
  return await all(store.readAll())
}

test('After kill -9, a log truncated anywhere has all facts up to `head`, or is refused for its lost tail', async () => {
  const killed = await killedStore()
  const head = await readHeadFile(join(killed, 'head'), killed)
  expect(head?.position).toBeGreaterThan(0)
  const copy = join(await temporaryDirectory(), 'store')
  await cp(killed, copy, { recursive: true })
  const facts = await factsOf(copy)
  const { size } = await stat(await lastLog(killed))
  const seen = { whole: 0, refused: 0 }
  for (let cut = 0; cut <= CUTS; cut++) {
    await rm(copy, { recursive: true })
    await cp(killed, copy, { recursive: true })
    const length = Math.floor((size * cut) / CUTS)
    await truncate(await lastLog(copy), length)
    const { ok, findings } = await verifyStore(copy)
    const found = await factsOf(copy).catch((error) => error)
    if (ok) {
      seen.whole++
      expect(found.length).toBeGreaterThanOrEqual(head?.position ?? 0)
      expect(found).toEqual(facts.slice(0, found.length))
      // Whole commits, over all of their streams.
      const last = found.at(-1)?.data
      expect(Number(last?.index ?? 0) + 1).toBe(Number(last?.count ?? 1))
    } else {
      seen.refused++
      expect(findings).toContainEqual(expect.objectContaining({ kind: 'gap' }))
      expect({ length, tag: found._tag }).toEqual({
        length,
        tag: expect.stringMatching(/^(TailLoss|StoreDamaged)$/),
      })
    }
  }
  expect(seen.whole).toBeGreaterThan(0)
  expect(seen.refused).toBeGreaterThan((CUTS * 3) / 4)
})

test('A store that was closed has no torn record: a log truncated in the middle of one is damaged', async () => {
  const directory = await temporaryDirectory()
  {
    await using store = await levelStore(directory)
    for (let n = 1; n <= 5; n++) await store.append('agent/a', [{ type: 'Counted', v: 1, data: { n } }])
  }
  const log = await lastLog(directory)
  const content = await readFile(log)
  const borders = new Set(scanLogFile(content).records.map(({ offset }) => offset))
  for (let length = content.length - 1; length > 0; length -= 17) {
    await truncate(log, length)
    // A cut between two records leaves no trace in the file. Lost facts show in `head`, and a lost index is rebuilt.
    if (borders.has(length)) continue
    expect((await verifyStore(directory)).ok, `cut at ${length}`).toBe(false)
  }
})
