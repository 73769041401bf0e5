/** Folders placed in a workspace: what is copied, and what is not. */
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const listing = async (path: string) => (await readdir(path, { recursive: true })).sort()
const folder = (name = 'folder') => ({ folders: [{ source: world.source(name), target: 'folder' }] })

test('a folder is copied with everything in it', async () => {
  await world.give('folder/a', '1')
  await world.give('folder/deep/b', '22')
  await world.give('folder/.hidden', '333')
  await mkdir(world.source('folder/empty'))
  const [placed] = await world.place(folder())
  expect(placed).toMatchObject({ kind: 'folder', target: 'folder', files: 3, bytes: 6, skipped: 0 })
  expect(await listing(world.at('folder'))).toEqual(['.hidden', 'a', 'deep', 'deep/b', 'empty'])
  expect(await readFile(world.at('folder/deep/b'), 'utf8')).toBe('22')
})

test('the hash covers paths, contents and modes, wherever they are', async () => {
  const hashOf = async (name: string) => (await world.place(folder(name)))[0]?.sha256
  for (const name of ['one', 'two']) {
    // Created in a different order.
    for (const file of name === 'one' ? ['a', 'deep/b'] : ['deep/b', 'a'])
      await world.give(`${name}/${file}`, file)
  }
  const first = await hashOf('one')
  expect(await hashOf('two')).toBe(first)
  expect(await hashOf('one')).toBe(first)

  await chmod(world.source('two/a'), 0o755)
  const executable = await hashOf('two')
  await chmod(world.source('two/a'), 0o644)
  await world.give('two/a', 'b')
  const changed = await hashOf('two')
  await world.give('two/a', 'a')
  await rename(world.source('two/a'), world.source('two/c'))
  const renamed = await hashOf('two')
  expect(new Set([first, executable, changed, renamed]).size).toBe(4)
})

test('links, pipes and sockets in it are skipped and counted', async () => {
  await world.give('folder/file')
  await symlink('/etc/passwd', world.source('folder/link'))
  await symlink('/etc', world.source('folder/directory-link'))
  await symlink('file', world.source('folder/inner-link'))
  await symlink('.', world.source('folder/loop'))
  execFileSync('mkfifo', [world.source('folder/pipe')])
  const server = createServer().listen(world.source('folder/socket'))
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const [placed] = await world.place(folder())
  expect(placed).toMatchObject({ files: 1, skipped: 6 })
  expect(await listing(world.at('folder'))).toEqual(['file'])
})

test('a name that is not UTF-8 is copied byte by byte', async () => {
  await world.give('folder/file')
  const name = Buffer.from([0x66, 0xff])
  await writeFile(Buffer.concat([Buffer.from(world.source('folder/')), name]), 'x')
  expect((await world.place(folder()))[0]).toMatchObject({ files: 2, skipped: 0 })
  expect(await readdir(world.at('folder'), { encoding: 'buffer' })).toContainEqual(name)
})

test('a folder named by a link is followed, as the caller named it', async () => {
  await world.give('real/file')
  await symlink('real', world.source('link'))
  expect((await world.place(folder('link')))[0]).toMatchObject({ files: 1, skipped: 0 })
})

test('placing again replaces the whole folder, and a link in its place if the task says so', async () => {
  await world.give('folder/file')
  await world.give('folder/old')
  await world.place(folder())
  await rm(world.source('folder/old'))
  const once = await world.place(folder())
  expect(await listing(world.at('folder'))).toEqual(['file'])

  await rm(world.at('folder'), { recursive: true })
  await symlink(world.outside('.'), world.at('folder'))
  await world.refusal(folder())
  expect(await world.place({ ...folder(), replace: true })).toMatchObject(once)
  expect(await readdir(world.outside('.'))).toEqual(['precious'])
  expect(await listing(world.at('folder'))).toEqual(['file'])
})

test("a folder that contains the agent is copied without the agent's directories, and without those to leave out", async () => {
  await writeFile(join(world.root, 'file'), 'x')
  const [placed] = await world.place(
    { folders: [{ source: world.root, target: 'all' }] },
    { exclude: [world.outside('.')] },
  )
  expect(placed).toMatchObject({ skipped: 3 })
  expect(await listing(world.at('all'))).toEqual(['agents', 'agents/a', 'file', 'source'])
})

test('a folder that is one of those to leave out, or lies in one, is refused, through links as well', async () => {
  const out = world.outside('.')
  await mkdir(world.outside('below'))
  await symlink(out, join(world.root, 'link'))
  for (const source of [
    out,
    world.outside('below'),
    join(world.root, 'link'),
    join(world.root, 'link/below'),
  ]) {
    const placing = world.place({ folders: [{ source, target: 'all' }] }, { exclude: [out] })
    await expect(placing).rejects.toMatchObject({
      _tag: 'InvalidInputError',
      message: expect.stringMatching(/(is|lies in) .*, where the agents and their log are/),
    })
  }
  expect(await listing(world.at('.'))).toEqual([])
})

test('input inside another input is placed after it', async () => {
  await world.give('folder/file')
  const source = await world.give('extra')
  await world.place({ files: [{ source, target: 'folder/deep/extra' }], ...folder() })
  expect(await listing(world.at('folder'))).toEqual(['deep', 'deep/extra', 'file'])
})
