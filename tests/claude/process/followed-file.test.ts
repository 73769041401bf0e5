/** Reading a file while it is being written: all of it, in order, then the end. */
import { appendFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { followFile } from '../../../src/claude/process/call-output.ts'
import { systemClock } from '../../../src/clock.ts'

async function follow() {
  const directory = await mkdtemp(join(tmpdir(), 'claude-follow-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'output')
  await writeFile(path, '')
  const complete = new AbortController()
  let heard = ''
  let wake = () => {}
  const onChunk = (chunk: Uint8Array) => {
    heard += Buffer.from(chunk).toString('latin1')
    wake()
  }
  const until = async (text: string) => {
    while (heard !== text) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const file = await open(path)
  onTestFinished(() => file.close())
  const end = followFile({ file, path }, { clock: systemClock, onChunk, complete: complete.signal })
  return { path, complete, end, until, heard: () => heard }
}

test('what is written is read while the file is still growing', async () => {
  const { path, complete, end, until } = await follow()
  for (const expected of ['one', 'onetwo', 'onetwothree']) {
    await appendFile(path, expected.match(/one|two|three/g)?.at(-1) ?? '')
    await until(expected)
  }
  complete.abort()
  await end
})

test('what was written before the end is read after it', async () => {
  const { path, complete, end, heard } = await follow()
  const text = '0123456789'.repeat(100_000)
  await writeFile(path, text)
  complete.abort()
  await end
  expect(heard() === text).toBe(true)
})

test('a file that is never written to ends', async () => {
  const { complete, end, heard } = await follow()
  complete.abort()
  await end
  expect(heard()).toBe('')
})
