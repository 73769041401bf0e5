/** Removing whatever an agent has made: any depth, any name, any permission, and again after a failure. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { openDirectory } from '../../../src/workspaces/inputs/directory.ts'
import { removeEntry } from '../../../src/workspaces/inputs/removal.ts'
import { removeDirectories } from '../../../src/workspaces/lifecycle.ts'
import { repetitions } from '../../repetitions.ts'
import { emptyRepository } from './git-world.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const isGone = (path: string) =>
  lstat(path).then(
    () => false,
    () => true,
  )

async function remove(name: string): Promise<void> {
  await using parent = await openDirectory(world.directories.workspace)
  await removeEntry(parent, name)
}

/** Bytes that are not UTF-8: "café" in Latin-1. */
const LATIN_1 = Buffer.from('caf\xe9', 'latin1')
const below = (directory: string, name: Buffer) => Buffer.concat([Buffer.from(`${directory}/`), name])

/** Directories in each other, deeper than a path can say. */
function nest(directory: string, levels: number, name: string): void {
  const script = `for (let level = 0; level < ${levels}; level += 1) { fs.mkdirSync('${name}'); process.chdir('${name}') }
fs.writeFileSync('file', '')`
  execFileSync(process.execPath, ['-e', `const fs = require('node:fs'); ${script}`], { cwd: directory })
}

test('directories whose names are not UTF-8 are removed, with everything in them', async () => {
  const odd = below(world.at('.'), LATIN_1)
  await mkdir(odd)
  await mkdir(Buffer.concat([odd, Buffer.from('/'), LATIN_1]))
  await writeFile(Buffer.concat([odd, Buffer.from('/'), LATIN_1, Buffer.from('/file')]), 'x')
  await removeDirectories(world.directories)
  expect(await isGone(world.directories.workspace)).toBe(true)
})

test('directories in each other, however many, are removed with a handful of descriptors', async () => {
  await mkdir(world.at('deep'))
  nest(world.at('deep'), repetitions('LEVELS', { short: 400, long: 3000 }), 'd'.repeat(200))
  const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
  const before = descriptors()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, descriptors())
  }, 1)
  await remove('deep')
  clearInterval(timer)
  expect(await isGone(world.at('deep'))).toBe(true)
  expect(most - before).toBeLessThan(20)
})

test('links anywhere in a tree are removed, and their targets are not', async () => {
  await mkdir(world.at('tree/a/b'), { recursive: true })
  for (const place of ['tree', 'tree/a', 'tree/a/b'])
    await symlink(world.outside('.'), world.at(`${place}/link`))
  await remove('tree')
  expect(await isGone(world.at('tree'))).toBe(true)
  expect(await readdir(world.outside('.'))).toEqual(['precious'])
})

test('directories that an agent locked are removed', async () => {
  await mkdir(world.at('cache/module/inner'), { recursive: true })
  await writeFile(world.at('cache/module/inner/file'), 'x')
  execFileSync('chmod', ['-R', 'a-w', world.at('cache')])
  execFileSync('chmod', ['000', world.at('cache/module')])
  await remove('cache')
  expect(await isGone(world.at('cache'))).toBe(true)
})

const canLock = (() => {
  try {
    const path = execFileSync('mktemp', { encoding: 'utf8' }).trim()
    execFileSync('chattr', ['+i', path], { stdio: 'ignore' })
    execFileSync('chattr', ['-i', path])
    execFileSync('rm', [path])
    return true
  } catch {
    return false
  }
})()

test.runIf(canLock)('a removal that fails says what to do, and can be repeated', async () => {
  await mkdir(world.at('a/b/c'), { recursive: true })
  const locked = world.at('a/b/c/locked')
  await writeFile(locked, 'x')
  execFileSync('chattr', ['+i', locked])
  onTestFinished(() => rm(world.directories.workspace, { recursive: true, force: true }))
  onTestFinished(() => {
    execFileSync('chattr', ['-R', '-i', world.root], { stdio: 'ignore' })
  })
  for (const _ of ['first', 'again']) {
    await expect(removeDirectories(world.directories)).rejects.toMatchObject({
      _tag: 'WorkspaceError',
      message: expect.stringContaining('chattr -i'),
    })
  }
  execFileSync('chattr', ['-R', '-i', world.root], { stdio: 'ignore' })
  await removeDirectories(world.directories)
  expect(await isGone(join(world.directories.workspace, '..'))).toBe(true)
})

test('a repository with a name that is not UTF-8 is cloned with it, and its agent can be removed', async () => {
  const repo = await emptyRepository(world)
  await mkdir(below(repo.path, LATIN_1))
  await writeFile(Buffer.concat([below(repo.path, LATIN_1), Buffer.from('/file')]), 'content')
  await repo.commit()
  const [placed] = await world.place({ repos: [{ url: repo.path }] }, { allowLocalRepos: true })
  expect(placed).toMatchObject({ files: 1, bytes: 7, skipped: 0 })
  expect((await readdir(world.at('repo'), { encoding: 'buffer' })).map(String)).toContain(String(LATIN_1))
  await removeDirectories(world.directories)
  expect(await isGone(world.directories.workspace)).toBe(true)
})
