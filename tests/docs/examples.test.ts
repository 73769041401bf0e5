/** `npm run example`, as a user types it: the examples, each in a process of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { QUICK_CLAUDE } from '../cli/command.ts'

const SCRIPT = resolve(import.meta.dirname, '../../scripts/example.mjs')

test('An example that was killed in the middle goes on where it was, and needs no login', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const env = { PATH: process.env.PATH ?? '', HOME: folder, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE }
  const example = (...words: string[]) =>
    execa(process.execPath, [SCRIPT, ...words], { cwd: folder, env, extendEnv: false, reject: false })

  const crashed = await example('9', '--simulate', 'crash')
  expect(crashed).toMatchObject({ exitCode: 137, stdout: expect.stringMatching(/collector: succeeded$/) })
  const resumed = await example('9', '--simulate')
  expect(resumed).toMatchObject({ exitCode: 0, stderr: '' })
  expect(resumed.stdout).toMatch(
    /^collector: reused\neditor: scheduled\n(.+\n)+3 steps, 1 of them from the log$/,
  )
  expect((await example('nine')).stderr).toContain('09-resume-after-a-crash.ts')
})
