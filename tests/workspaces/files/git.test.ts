/** What git prints and answers, as it does. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { git, gitAnswer } from '../../../src/workspaces/files/git.ts'

async function world() {
  const repository = mkdtempSync(join(tmpdir(), 'git-'))
  onTestFinished(() => rm(repository, { recursive: true, force: true, maxRetries: 5 }))
  await git(['init', '--quiet', '--bare', '--template='], { repository })
  return repository
}

test('what git prints is taken byte for byte: a pack may end with the end of a line', async () => {
  const repository = await world()
  const bytes = Buffer.from([0, 255, 13, 10, 10])
  const oid = await git(['hash-object', '-w', '--stdin'], { repository, input: [bytes] })
  expect(await git(['cat-file', 'blob', oid.toString().trim()], { repository })).toEqual(bytes)
})

test('a git that is killed has answered nothing, and may be asked again', async () => {
  const repository = await world()
  expect(await gitAnswer(['rev-parse', '--verify', '--quiet', 'refs/heads/none'], { repository })).toBeNull()
  // An alias for a shell, which kills what has started it.
  const settings = { 'alias.die': '!kill -KILL $PPID' }
  await expect(gitAnswer(['die'], { repository, settings })).rejects.toMatchObject({
    _tag: 'WorkspaceError',
    retryable: true,
    message: expect.stringContaining('git die was killed (SIGKILL)'),
  })
})
