/** An agent's directories: private, and never a way out. */
import { mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { prepareDirectories, removeDirectories } from '../../src/workspaces/lifecycle.ts'

let base: string
let outside: string

beforeEach(async () => {
  const root = await mkdtemp(join(tmpdir(), 'claude-workspace-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  base = join(root, 'base')
  outside = join(root, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'precious'), 'x')
})

const directories = () => ({ workspace: join(base, 'agents/a/workspace'), home: join(base, 'agents/a/home') })

test('both are created, for their owner alone', async () => {
  await prepareDirectories(directories(), base)
  for (const path of Object.values(directories())) expect((await stat(path)).mode & 0o777).toBe(0o700)
})

test('existing directories are kept', async () => {
  await prepareDirectories(directories())
  await writeFile(join(directories().workspace, 'kept'), 'x')
  await prepareDirectories(directories())
  expect(await readdir(directories().workspace)).toEqual(['kept'])
})

test.each(['agents', 'agents/a', 'agents/a/workspace', 'agents/a/home'])(
  'a link at %s is rejected',
  async (place) => {
    await mkdir(join(base, place, '..'), { recursive: true })
    await symlink(outside, join(base, place))
    await expect(prepareDirectories(directories(), base)).rejects.toMatchObject({ _tag: 'WorkspaceError' })
    expect(await readdir(outside)).toEqual(['precious'])
  },
)

test("a base directory that is itself a link is the user's own business", async () => {
  await symlink(outside, base)
  await prepareDirectories(directories(), base)
  expect(await readdir(outside)).toContain('agents')
})

test('a directory outside the base is rejected', async () => {
  const elsewhere = { ...directories(), workspace: join(base, '../elsewhere') }
  await expect(prepareDirectories(elsewhere, base)).rejects.toMatchObject({ _tag: 'WorkspaceError' })
})

test('removal follows no link', async () => {
  await prepareDirectories(directories(), base)
  await symlink(outside, join(directories().workspace, 'link'))
  await removeDirectories(directories(), base)
  expect(await readdir(join(base, 'agents'))).toEqual([])
  await mkdir(join(base, 'agents/a'))
  await symlink(outside, directories().workspace)
  await removeDirectories(directories(), base)
  expect(await readdir(join(base, 'agents'))).toEqual([])
  expect(await readdir(outside)).toEqual(['precious'])
})

test('removal through a link is rejected', async () => {
  await mkdir(join(outside, 'workspace'))
  await mkdir(join(base, 'agents'), { recursive: true })
  await symlink(outside, join(base, 'agents/a'))
  await expect(removeDirectories(directories(), base)).rejects.toMatchObject({ _tag: 'WorkspaceError' })
  expect(await readdir(outside)).toEqual(['precious', 'workspace'])
})
