/** What is sent to git and what it prints: all of it, and in time. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { WorkspaceError } from '../../../src/events/errors/workspace.ts'
import { git, gitAnswer, gitOutcome, gitPieces } from '../../../src/workspaces/files/git.ts'
import { mergingRepository } from '../../../src/workspaces/files/merge.ts'
import { FilesRepository } from '../../../src/workspaces/files/repository.ts'

async function repository(): Promise<string> {
  const { path } = new FilesRepository(join(mkdtempSync(join(tmpdir(), 'git-')), 'files.git'))
  await new FilesRepository(path).prepare()
  return path
}

/** More than a pipe holds. */
const MUCH = Buffer.alloc(1_000_000, 'sent and not read\n')

test('what git prints is returned byte for byte, whatever its last bytes are', async () => {
  const path = await repository()
  const ending = fc.constantFrom('', '\n', '\r\n', '\n\n', '\0')
  const content = fc.tuple(fc.uint8Array({ maxLength: 20 }), ending)
  await fc.assert(
    fc.asyncProperty(content, async ([begin, end]) => {
      const bytes = Buffer.concat([begin, Buffer.from(end)])
      const oid = (
        await git(['hash-object', '-w', '--stdin'], { repository: path, input: [bytes] })
      ).toString()
      expect(oid).toMatch(/^[0-9a-f]{40}\n$/)
      const reading = ['cat-file', 'blob', oid.trim()]
      expect(await git(reading, { repository: path })).toEqual(bytes)
      const pieces: Buffer[] = []
      for await (const piece of gitPieces(reading, { repository: path })) pieces.push(piece)
      expect(Buffer.concat(pieces)).toEqual(bytes)
    }),
    { numRuns: 5, examples: [[[new Uint8Array([1]), '\n']], [[new Uint8Array([1]), '\r\n']]] },
  )
})

test('an input that cannot be read ends git, and is what is told', async () => {
  const path = await repository()
  async function* broken() {
    yield MUCH
    throw new Error('the disk is gone')
  }
  await expect(git(['hash-object', '--stdin'], { repository: path, input: broken() })).rejects.toThrow(
    'the disk is gone',
  )
})

test('git that ends before it has read its input says why, and the input is ended', async () => {
  const path = await repository()
  let isEnded = false
  async function* endless() {
    try {
      for (;;) yield MUCH
    } finally {
      isEnded = true
    }
  }
  await expect(git(['fast-import', '--quiet'], { repository: path, input: endless() })).rejects.toThrow(
    'git fast-import failed: fatal: ',
  )
  expect(isEnded).toBe(true)
})

test('pieces that are not wanted end git, and so does a signal', async () => {
  const path = await repository()
  const oid = (await git(['hash-object', '-w', '--stdin'], { repository: path, input: [MUCH] })).toString()
  const reading = ['cat-file', 'blob', oid.trim()]
  for await (const piece of gitPieces(reading, { repository: path })) {
    expect(piece.length).toBeLessThan(MUCH.length)
    break
  }
  const ending = new AbortController()
  const waiting = gitOutcome(['cat-file', '--batch'], {
    repository: path,
    input: (async function* () {
      for (;;) {
        yield Buffer.from('HEAD\n')
        ending.abort(new Error('enough'))
      }
    })(),
    signal: ending.signal,
  })
  expect((await waiting).problem).toEqual(new Error('enough'))
})

test('git that was killed has answered nothing, and may be asked again', async () => {
  const path = await repository()
  expect(
    await gitAnswer(['rev-parse', '--verify', '--quiet', 'refs/heads/none'], { repository: path }),
  ).toBeNull()
  // An alias for a shell, which kills what has started it.
  const settings = { 'alias.die': '!kill -KILL $PPID' }
  await expect(gitAnswer(['die'], { repository: path, settings })).rejects.toMatchObject({
    _tag: 'WorkspaceError',
    retryable: true,
    message: expect.stringContaining('git die was killed (SIGKILL)'),
  })
  const half = { 'alias.half': '!echo "error: update-ref died of signal 9" >&2; exit 128' }
  await expect(gitAnswer(['half'], { repository: path, settings: half })).rejects.toMatchObject({
    retryable: true,
    message: expect.stringContaining('git half was killed (signal 9)'),
  })
})

test('a failure to read what git is sent is told as it is, also once git has ended', async () => {
  const path = await repository()
  let pid = 0
  const onStart = (started: number) => {
    pid = started
  }
  async function* late() {
    yield Buffer.from('one')
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { interval: 1 })
    throw new WorkspaceError({ path, problem: 'it was killed', retryable: true })
  }
  await expect(git(['version'], { repository: path, input: late(), onStart })).rejects.toThrow(WorkspaceError)
})

test('a repository of ours takes what several agents do at once: it is made, and a ref is set', async () => {
  const ours = new FilesRepository(join(mkdtempSync(join(tmpdir(), 'git-')), 'files.git'))
  const agents = Array.from({ length: 8 }, (_, index) => index)
  await Promise.all(agents.map(() => ours.prepare()))
  const common = await repository()
  const user = { path: common, common, isBare: true }
  const all = await Promise.all(agents.map(() => mergingRepository(ours, user)))
  expect(new Set(all).size).toBe(1)
  const tree = (await ours.git(['mktree'], { input: [] })).toString().trim()
  const by = { author: 'a', at: new Date(1e12) }
  const commit = (await ours.git(['commit-tree', tree, '-m', 'm'], { by })).toString().trim()
  await Promise.all(agents.map(() => ours.setRef('refs/bases/shared', commit)))
  expect(await ours.refAt('refs/bases/shared')).toBe(commit)
})
