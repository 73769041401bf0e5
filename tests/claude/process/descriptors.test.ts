/** A lack of file descriptors delays a call, and neither fails it nor ends the host. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { withDescriptors } from '../../../src/workspaces/descriptors.ts'
import { few } from '../../repetitions.ts'

const lack = () => Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })

test('what fails for lack of descriptors is tried again, with longer and longer pauses', async () => {
  const clock = virtualClock()
  let tries = 0
  const work = withDescriptors(
    () => {
      tries += 1
      if (tries < 4) throw lack()
      return 'done'
    },
    { clock },
  )
  for (const [pauseMs, expected] of [
    [20, 2],
    [40, 3],
    [80, 4],
  ] as const) {
    await clock.advance(pauseMs)
    expect(tries).toBe(expected)
  }
  expect(await work).toBe('done')
})

test('it is given up after a minute, or when the call is cancelled; other errors count at once', async () => {
  const clock = virtualClock()
  const given = expect(withDescriptors(() => Promise.reject(lack()), { clock })).rejects.toThrow('EMFILE')
  await clock.advance(60_000)
  await given
  await expect(
    withDescriptors(() => Promise.reject(lack()), { clock, signal: AbortSignal.abort() }),
  ).rejects.toThrow('EMFILE')
  await expect(withDescriptors(() => Promise.reject(new Error('no')), { clock })).rejects.toThrow('no')
})

/** How many are left: not enough for the files of the call, or for its process. */
test.runIf(process.platform === 'linux').each(few(2, [0, 6, 1, 4, 8]))(
  'a call that starts with %i descriptors left is answered',
  async (left) => {
    const base = await mkdtemp(join(tmpdir(), 'claude-descriptors-'))
    onTestFinished(() => rm(base, { recursive: true, force: true }))
    const fixtures = join(import.meta.dirname, '../fixtures')
    const library = join(import.meta.dirname, '../../../dist/index.js')
    const command = 'ulimit -n 256; exec "$0" "$@"'
    const script = join(fixtures, 'without-descriptors.mjs')
    const { stdout } = await promisify(execFile)('/bin/sh', [
      ...['-c', command, process.execPath, script, library, join(fixtures, 'fake-claude.sh'), base],
      String(left),
    ])
    expect(JSON.parse(stdout)).toMatchObject({ text: 'fine' })
  },
)
