/** Files placed in a workspace: what is there afterwards, and what is never touched. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, link, lstat, mkdir, readdir, readFile, rename, stat, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import * as Schema from 'effect/Schema'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { InputKindError, InputNotFoundError, WorkspaceError } from '../../../src/events/errors/workspace.ts'
import { PlacedInput } from '../../../src/events/task-input.ts'
import { leftInHome, makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const modeOf = async (path: string) => (await stat(path)).mode & 0o7777

test('a file is copied, and what was placed can be recorded as a fact', async () => {
  const source = await world.give('notes.txt', 'hello')
  const placed = await world.place({ files: [{ source, target: 'docs/./deep/n.txt' }] })
  expect(placed).toEqual([
    {
      ...{ kind: 'file', source, target: 'docs/deep/n.txt', sha256: sha256('hello'), commit: null },
      ...{ files: 1, bytes: 5, skipped: 0 },
    },
  ])
  expect(Schema.decodeUnknownSync(PlacedInput)(JSON.parse(JSON.stringify(placed[0])))).toEqual(placed[0])
  expect(await readFile(world.at('docs/deep/n.txt'), 'utf8')).toBe('hello')
  expect(await modeOf(world.at('docs'))).toBe(0o700)
})

test('of the mode, only the execute permission is kept', async () => {
  const tool = await world.give('tool')
  const plain = await world.give('plain')
  await chmod(tool, 0o4755)
  await chmod(plain, 0o666)
  await world.place({ files: [{ source: tool }, { source: plain }] })
  expect(await modeOf(world.at('tool'))).toBe(0o700)
  expect(await modeOf(world.at('plain'))).toBe(0o600)
})

test('placing again what the agent has not changed replaces the target, with the same result', async () => {
  const source = await world.give('x', 'first')
  const once = await world.place({ files: [{ source }] })
  expect(await world.place({ files: [{ source }] })).toEqual(once)
  await world.give('x', 'second')
  await world.place({ files: [{ source }] })
  expect(await readFile(world.at('x'), 'utf8')).toBe('second')
  expect(await readdir(world.directories.workspace)).toEqual(['x'])
})

test('a directory at the target is replaced if the task says so, and kept beside', async () => {
  const source = await world.give('x', 'file')
  await mkdir(world.at('x/deep'), { recursive: true })
  await symlink(world.outside('precious'), world.at('x/deep/link'))
  await world.refusal({ files: [{ source }] })
  expect(await world.place({ files: [{ source }], replace: true })).toMatchObject([{ kept: 'x.replaced-1' }])
  expect(await readFile(world.at('x'), 'utf8')).toBe('file')
  expect(await readdir(world.at('x.replaced-1/deep'))).toEqual(['link'])
  expect(await readFile(world.outside('precious'), 'utf8')).toBe('precious')
  expect(await leftInHome(world)).toEqual([])
})

test('what a crash left behind is removed by the next placement', async () => {
  await mkdir(join(world.directories.home, 'incoming-old/deep'), { recursive: true })
  await symlink(world.outside('.'), join(world.directories.home, 'incoming-old/deep/link'))
  await world.place({ files: [{ source: await world.give('x') }] })
  expect(await leftInHome(world)).toEqual([])
  expect(await readdir(world.outside('.'))).toEqual(['precious'])
})

describe('a link in the workspace', () => {
  test('at the target is replaced, not followed', async () => {
    const source = await world.give('x', 'new')
    await symlink(world.outside('precious'), world.at('x'))
    await world.place({ files: [{ source }], replace: true })
    expect((await lstat(world.at('x'))).isFile()).toBe(true)
    expect(await readFile(world.outside('precious'), 'utf8')).toBe('precious')
  })

  test('to a directory at the target is replaced, not entered', async () => {
    const source = await world.give('x', 'new')
    await symlink(world.outside('.'), world.at('x'))
    await world.place({ files: [{ source }], replace: true })
    expect(await readdir(world.outside('.'))).toEqual(['precious'])
    expect(await readFile(world.at('x'), 'utf8')).toBe('new')
  })

  test('that dangles at the target does not create its target', async () => {
    const source = await world.give('x', 'new')
    await symlink(world.outside('marker'), world.at('x'))
    await world.place({ files: [{ source }], replace: true })
    expect(await readdir(world.outside('.'))).toEqual(['precious'])
  })

  test('that is hard leaves the other name unchanged', async () => {
    const source = await world.give('x', 'new')
    await link(world.outside('precious'), world.at('x'))
    await world.place({ files: [{ source }], replace: true })
    expect(await readFile(world.outside('precious'), 'utf8')).toBe('precious')
  })

  test.each(['out/x', 'out/deep/x', 'in/out/x'])('on the way to %s is rejected', async (target) => {
    const source = await world.give('x')
    await mkdir(world.at('in'))
    await symlink(world.outside('.'), world.at('out'))
    await symlink(world.outside('.'), world.at('in/out'))
    const error = await world.refusal({ files: [{ source, target }] })
    expect(error).toBeInstanceOf(WorkspaceError)
    expect(error.message).toContain('symbolic link')
    expect(error.message).not.toContain('/proc/')
  })

  test('in place of the workspace itself is rejected', async () => {
    const source = await world.give('x')
    await rename(world.directories.workspace, `${world.directories.workspace}-old`)
    await symlink(world.outside('.'), world.directories.workspace)
    expect(await world.refusal({ files: [{ source }] })).toBeInstanceOf(WorkspaceError)
  })
})

describe('a source', () => {
  test('that is a link is followed, as the caller named it', async () => {
    await world.give('real', 'content')
    await symlink('real', world.source('link'))
    const [placed] = await world.place({ files: [{ source: world.source('link') }] })
    expect(placed).toMatchObject({ target: 'link', sha256: sha256('content') })
    expect((await lstat(world.at('link'))).isFile()).toBe(true)
  })

  test.each(['nothing', 'file/below'])('that does not exist (%s) is reported', async (path) => {
    await world.give('file')
    const error = await world.refusal({ files: [{ source: world.source(path) }] })
    expect(error).toBeInstanceOf(InputNotFoundError)
    expect(error.message).toContain(world.source(path))
  })

  test('that is a folder must be declared as one, and the other way round', async () => {
    const source = await world.give('folder/file')
    const folder = await world.refusal({ files: [{ source: world.source('folder') }] })
    expect(folder).toBeInstanceOf(InputKindError)
    expect(folder.hint).toBe('Pass it as a folder: --folder (in code: folders).')
    const file = await world.refusal({ folders: [{ source }] })
    expect(file.hint).toBe('Pass it as a file: --file (in code: files).')
  })

  test('that is a pipe, device or socket is rejected at once', async () => {
    execFileSync('mkfifo', [world.source('pipe')])
    const server = createServer().listen(world.source('socket'))
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const found = []
    for (const source of [world.source('pipe'), '/dev/zero', '/dev/null', world.source('socket')]) {
      const error = await world.refusal({ files: [{ source, target: 'x' }] })
      expect(error).toBeInstanceOf(InputKindError)
      found.push(/this is a (\w+),/.exec(error.message)?.[1])
    }
    expect(found).toEqual(['pipe', 'device', 'device', 'socket'])
  })
})

test('targets are rejected before anything is written', async () => {
  const source = await world.give('x')
  for (const target of ['../x', '/tmp/x', '', '.git/hooks/post-checkout', 'a\0b']) {
    const error = await world.refusal({ files: [{ source }, { source, target }] })
    expect(error).toBeInstanceOf(InvalidInputError)
  }
  expect(await readdir(world.directories.workspace)).toEqual([])
})

test('if one input is unavailable, none is placed', async () => {
  const source = await world.give('x')
  await world.refusal({ files: [{ source }, { source: world.source('nothing') }] })
  expect(await readdir(world.directories.workspace)).toEqual([])
})

test('an aborted signal ends the placement with its reason', async () => {
  const controller = new AbortController()
  const source = await world.give('x', 'x'.repeat(10_000))
  const reason = new Error('called off')
  const error = await world.refusal(
    { files: [{ source }] },
    { signal: controller.signal, onStep: () => controller.abort(reason) },
  )
  expect(error).toBe(reason)
  expect(await readdir(world.directories.workspace)).toEqual([])
})
