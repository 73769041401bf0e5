/** Bytes that change on disk: a reader gets what was written, or an error. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { ClaudeAgentError } from '../../../src/events/errors/base.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { repetitions } from '../../repetitions.ts'
import { all, countedTo } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

/** A store from several writers, with tables as well as one of LevelDB's log files. */
async function makeStore(directory: string): Promise<readonly Recorded[]> {
  for (let writer = 0; writer < 3; writer++) {
    await using store = await levelStore(directory)
    for (let n = 0; n < 20; n++)
      await store.append(`agent/a${n % 4}`, countedTo(3), { commitId: `${writer}-${n}` })
  }
  await using store = await levelStore(directory)
  return await all(store.readAll())
}

async function orKnownError(read: () => Promise<void>): Promise<void> {
  try {
    await read()
  } catch (error) {
    if (!(error instanceof ClaudeAgentError)) throw error
  }
}

test('A changed byte anywhere in the log causes an error, or changes nothing that is read', {
  timeout: 120_000,
}, async () => {
  const original = await temporaryDirectory()
  const facts = await makeStore(original)
  const names = new Set(facts.map(({ stream }) => stream))
  const log = join(original, 'log')
  const files = (await readdir(log)).filter((name) => /\.ldb$|\.log$|^MANIFEST/.test(name)).sort()
  const place = fc.record({
    file: fc.constantFrom(...files),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.integer({ min: 1, max: 255 }),
  })
  await fc.assert(
    fc.asyncProperty(place, async ({ file, at, byte }) => {
      const directory = await temporaryDirectory()
      await cp(original, directory, { recursive: true })
      const content = await readFile(join(log, file))
      const offset = Math.floor(content.length * at)
      if (content.length > 0) content[offset] = (content[offset] ?? 0) ^ byte
      await writeFile(join(directory, 'log', file), content)
      await orKnownError(async () => {
        await using store = await levelStore(directory)
        await orKnownError(async () => expect(await all(store.readAll())).toEqual(facts))
        // One stream alone, as an agent reads it without the rest of the log.
        for (const name of names) {
          const own = facts.filter(({ stream }) => stream === name)
          await orKnownError(async () => expect(await all(store.read(name))).toEqual(own))
        }
      })
      await rm(directory, { recursive: true })
    }),
    { numRuns: repetitions('DAMAGED_BYTES', { short: 30, long: 500 }) },
  )
})
