/** Folders placed in a workspace: what is copied, and what is not. */
import { execFileSync } from 'node:child_process'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { leftOutOf, type PlacedInput } from '../../../src/events/task-input.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const listing = async (path: string) => (await readdir(path, { recursive: true })).sort()
const linksIn = async (path: string) =>
  (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isSymbolicLink())
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

test('links that may lead out, pipes and sockets in it are left out, counted and named', async () => {
  await world.give('folder/file')
  await symlink('/etc/passwd', world.source('folder/link'))
  await symlink('/etc', world.source('folder/directory-link'))
  await symlink('../file', world.source('folder/up'))
  await symlink(world.source('folder/file'), world.source('folder/absolute'))
  execFileSync('mkfifo', [world.source('folder/pipe')])
  const server = createServer().listen(world.source('folder/socket'))
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const [placed] = await world.place(folder())
  const out = 'a link that may lead out of it'
  expect(placed).toMatchObject({
    files: 1,
    skipped: 6,
    leftOut: [
      { path: 'absolute', what: out },
      { path: 'directory-link', what: out },
      { path: 'link', what: out },
      { path: 'pipe', what: 'a pipe' },
      { path: 'socket', what: 'a socket' },
      { path: 'up', what: out },
    ],
  })
  expect(await listing(world.at('folder'))).toEqual(['file'])
})

test('of many entries that are left out, the first are named and all are counted', async () => {
  await mkdir(world.source('folder'))
  for (let number = 10; number < 35; number += 1)
    await symlink('/etc', world.source(`folder/${number}${'x'.repeat(240)}`))
  const [placed] = await world.place(folder())
  expect(placed).toMatchObject({ skipped: 25 })
  expect(placed?.leftOut).toHaveLength(10)
  expect(leftOutOf(placed as PlacedInput)).toMatch(
    /^folder: 25 entries were left out: "10x+" \(a link that may lead out of it\), .* and 15 more$/,
  )
})

test('links that stay inside come along as links', async () => {
  await world.give('folder/AGENTS.md', 'rules')
  await mkdir(world.source('folder/docs/deep'), { recursive: true })
  await symlink('AGENTS.md', world.source('folder/CLAUDE.md'))
  await symlink('../AGENTS.md', world.source('folder/docs/rules.md'))
  await symlink('../..', world.source('folder/docs/deep/top'))
  await symlink('docs', world.source('folder/manual'))
  await symlink('not-there', world.source('folder/dangling'))
  const [placed] = await world.place(folder())
  expect(placed).toMatchObject({ files: 1, bytes: 5, skipped: 0 })
  expect(placed).not.toHaveProperty('leftOut')
  expect(await readFile(world.at('folder/CLAUDE.md'), 'utf8')).toBe('rules')
  expect(await readlink(world.at('folder/docs/rules.md'))).toBe('../AGENTS.md')
  expect(await readFile(world.at('folder/manual/deep/top/docs/rules.md'), 'utf8')).toBe('rules')
  expect(await readlink(world.at('folder/dangling'))).toBe('not-there')
  // As it was placed: nothing of it counts as the agent's work.
  expect((await world.place(folder()))[0]).toEqual(placed)
  await rm(world.at('folder/CLAUDE.md'))
  await symlink('docs', world.at('folder/CLAUDE.md'))
  expect((await world.refusal(folder())).message).toContain('edited CLAUDE.md')
})

test('whatever links are in it, those that come along lead nowhere outside, and the others are counted', async () => {
  const step = fc.constantFrom('..', '.', 'a', 'b', '')
  const tree = fc.dictionary(
    fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((steps) => steps.join('/')),
    fc.oneof(
      fc.constant(null),
      fc.array(step, { minLength: 1, maxLength: 6 }).map((steps) => steps.join('/') || '.'),
    ),
    { maxKeys: 8 },
  )
  let round = 0
  await fc.assert(
    fc.asyncProperty(tree, async (entries) => {
      round += 1
      const name = `tree-${round}`
      await mkdir(world.source(name))
      for (const [path, target] of Object.entries(entries)) {
        // A path through something that is no folder of this tree is left away.
        const place = world.source(`${name}/${path}`)
        await (target === null
          ? mkdir(place, { recursive: true })
          : mkdir(dirname(place), { recursive: true }).then(() => symlink(target, place))
        ).catch(() => {})
      }
      const [placed] = await world.place({ folders: [{ source: world.source(name) }] })
      const top = await realpath(world.at(name))
      const kept = await linksIn(top)
      for (const { parentPath, name: link } of kept) {
        const leads = await realpath(join(parentPath, link)).catch(() => top)
        expect(`${leads}/`.startsWith(`${top}/`)).toBe(true)
      }
      expect(await linksIn(world.source(name))).toHaveLength(kept.length + (placed?.skipped ?? -1))
    }),
    { numRuns: 60 },
  )
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
