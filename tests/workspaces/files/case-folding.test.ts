/** Names that differ only in case, on a file system that does not tell them apart. */
import { mkdtempSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { FileHistory } from '../../../src/workspaces/files/file-history.ts'
import { caseClash } from '../../../src/workspaces/files/paths.ts'
import { FilesRepository } from '../../../src/workspaces/files/repository.ts'
import type { Directory } from '../../../src/workspaces/inputs/directory.ts'

const folding = vi.hoisted(() => ({ directory: '' }))

/** The entries of one directory have lower-case names there, whatever they are called. */
vi.mock('../../../src/workspaces/inputs/directory.ts', async (original) => {
  const real = await original<typeof import('../../../src/workspaces/inputs/directory.ts')>()
  return {
    ...real,
    async openDirectory(...args: Parameters<typeof real.openDirectory>): Promise<Directory> {
      const opened = await real.openDirectory(...args)
      if (args[0] !== folding.directory) return opened
      return { ...opened, at: ((name: string) => opened.at(name.toLowerCase())) as Directory['at'] }
    },
  }
})

const BY = { author: 'dev', at: new Date(0) }

test('a snapshot with two names that differ only in case is refused where they would be one file, and nothing is written', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'case-'))
  const repository = new FilesRepository(join(folder, 'files.git'))
  const at = async (agent: string) => {
    const directory = join(folder, agent)
    await mkdir(directory)
    return { directory, history: new FileHistory({ repository, agent, directory }) }
  }
  const one = await at('one')
  await writeFile(join(one.directory, 'Readme'), 'upper\n')
  const apart = await one.history.save('one name', BY)
  await writeFile(join(one.directory, 'README'), 'all upper\n')
  const clash = await one.history.save('two names', BY)

  const folds = await at('folds')
  folding.directory = folds.directory
  await expect(folds.history.restore(clash.commit, 'fork', BY)).rejects.toThrow(
    'README and Readme differ only in case',
  )
  expect(await readdir(folds.directory)).toEqual([])
  await folds.history.restore(apart.commit, 'fork', BY)
  expect(await readdir(folds.directory)).toEqual(['readme'])
  const keeps = await at('keeps')
  await keeps.history.restore(clash.commit, 'fork', BY)
  expect((await readdir(keeps.directory)).sort()).toEqual(['README', 'Readme'])
})

test.each([
  [['a', 'b/A', 'b/a.txt'], undefined],
  [
    ['a', 'A'],
    ['a', 'A'],
  ],
  [
    ['lib/a', 'Lib/b'],
    ['lib', 'Lib'],
  ],
  [
    ['lib', 'LIB/a'],
    ['lib', 'LIB'],
  ],
  [
    ['\xc3\xa4', 'a\xcc\x88'],
    ['\xc3\xa4', 'a\xcc\x88'],
  ],
])('of %j, those that differ only in case are %j', (paths, clash) => {
  expect(caseClash(paths)).toEqual(clash)
})
