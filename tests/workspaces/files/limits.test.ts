/** What snapshots do with files that are large, many, or cannot be read. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FileHistory, type HistoryPlace } from '../../../src/workspaces/files/file-history.ts'
import { FilesRepository } from '../../../src/workspaces/files/repository.ts'

const BY = { author: 'dev', at: new Date(0) }
const MIB = 1024 * 1024

async function world(limits: Pick<HistoryPlace, 'largest' | 'most'> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'files-limits-'))
  const directory = join(folder, 'workspace')
  await mkdir(directory)
  const repository = new FilesRepository(join(folder, 'files.git'))
  const history = new FileHistory({ repository, agent: 'dev', directory, ...limits })
  const write = (name: string, content: string | Buffer) => writeFile(join(directory, name), content)
  const read = (name: string) => readFile(join(directory, name), 'utf8')
  return { directory, repository, history, write, read }
}

test('a file over the limit is named, and neither saved nor touched, until it is smaller', async () => {
  const { directory, history, write, read } = await world({ largest: 10 })
  await write('grows', 'small')
  const small = await history.save('small', BY)
  expect(small).not.toHaveProperty('left')
  await write('grows', 'much too large')
  await write('new', 'too large as well')
  await write('other', 'other')
  const large = await history.save('large', BY)
  expect(large).toMatchObject({ added: 1, changed: 0, removed: 0 })
  expect([...(large.left ?? [])].sort()).toEqual(['grows', 'new'])
  await history.restore(small.commit, 'undo', BY)
  expect(await read('grows')).toBe('much too large')
  expect(await read('new')).toBe('too large as well')
  expect(existsSync(join(directory, 'other'))).toBe(false)
  await write('new', 'small')
  expect(await history.save('smaller', BY)).toMatchObject({ added: 1, left: ['grows'] })
})

test('of more files than the limit the deepest are left, whatever else changes, until there is room', async () => {
  const { directory, repository, history, write, read } = await world({ most: 3 })
  await mkdir(join(directory, 'lib/deep'), { recursive: true })
  for (const name of ['lib/deep/z', 'lib/deep/y', 'lib/b', 'lib/a', 'x']) await write(name, name)
  const first = await history.save('too many', BY)
  expect(first).toMatchObject({ added: 3, left: ['lib/deep/y', 'lib/deep/z'] })
  expect(first).not.toHaveProperty('leftInAll')
  await write('x', 'changed')
  await write('lib/deep/y', 'changed and left')
  const second = await history.save('changed', BY)
  expect(second).toMatchObject({ added: 0, changed: 1, left: ['lib/deep/y', 'lib/deep/z'] })
  const undone = await history.restore(first.commit, 'undo', BY)
  expect(undone.after).toMatchObject({ tree: first.tree, left: ['lib/deep/y', 'lib/deep/z'] })
  expect(await read('x')).toBe('x')
  expect(await read('lib/deep/y')).toBe('changed and left')
  await rm(join(directory, 'x'))
  expect(await history.save('room', BY)).toMatchObject({ removed: 1, left: ['lib/deep/y', 'lib/deep/z'] })
  expect(await history.save('used', BY)).toMatchObject({ added: 1, left: ['lib/deep/z'] })

  // What a repository has may be more than that.
  const other = join(directory, '../other')
  await mkdir(other)
  const onBase = new FileHistory({
    repository,
    agent: 'other',
    directory: other,
    most: 1,
    base: first.commit,
  })
  const begun = await onBase.restore(first.commit, 'base', BY)
  expect(begun.after.tree).toBe(first.tree)
  for (let number = 0; number < 30; number += 1) await writeFile(join(other, `new-${number}`), '')
  const crowded = await onBase.save('crowded', BY)
  expect(crowded).toMatchObject({ added: 1, leftInAll: 29 })
  expect(crowded.left).toHaveLength(20)
})

test('a file of 10 MB is saved and brought back, and one of more than 100 MB is left', async () => {
  const { directory, history, write } = await world()
  const content = Buffer.alloc(10 * MIB, 'ten million bytes ')
  await write('large', content)
  const file = await open(join(directory, 'huge'), 'w')
  await file.truncate(101 * MIB)
  await file.close()
  const saved = await history.save('large', BY)
  expect(saved).toMatchObject({ added: 1, left: ['huge'] })
  await write('large', '')
  await history.restore(saved.commit, 'undo', BY)
  expect(content.equals(await readFile(join(directory, 'large')))).toBe(true)
  expect((await stat(join(directory, 'huge'))).size).toBe(101 * MIB)
})

test('of many contents, one at a time is in memory', async () => {
  const { directory, repository, write } = await world()
  const SIZE = MIB / 4
  const names = Array.from({ length: 12 }, (_, number) => `file-${number}`)
  let [read, mostHeld] = [0, 0]
  const held = async () => {
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size))
    return read - sizes.reduce((sum, size) => sum + size, 0)
  }
  class Watched extends FilesRepository {
    override async *pieces(...call: Parameters<FilesRepository['pieces']>) {
      for await (const piece of super.pieces(...call)) {
        read += piece.length
        mostHeld = Math.max(mostHeld, await held())
        yield piece
      }
    }
  }
  const history = new FileHistory({ repository: new Watched(repository.path), agent: 'dev', directory })
  for (const name of names) await write(name, Buffer.alloc(SIZE, name))
  const saved = await history.save('many', BY)
  for (const name of names) await write(name, '')
  await history.restore(saved.commit, 'undo', BY)
  expect(read).toBeGreaterThan(names.length * SIZE)
  expect(mostHeld).toBeLessThan(3 * SIZE)
})

test('pipes and devices are neither saved nor touched', async () => {
  const { directory, history, write } = await world()
  await write('a', 'a')
  execFileSync('mkfifo', [join(directory, 'pipe')])
  const saved = await history.save('with a pipe', BY)
  expect(saved).toMatchObject({ added: 1 })
  await write('a', 'b')
  await history.restore(saved.commit, 'undo', BY)
  expect((await stat(join(directory, 'pipe'))).isFIFO()).toBe(true)
})
