/** Repositories placed in a workspace: what is checked out, and what never runs. */
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { CloneError, InputTooLargeError } from '../../../src/events/errors/workspace.ts'
import type { GitHubRepo } from '../../../src/events/task-input.ts'
import { emptyRepository, git, literalTree, makeTree, repository } from './git-world.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const LOCAL = { allowLocalRepos: true }
const place = (repo: GitHubRepo) => world.place({ repos: [repo] }, LOCAL)
const refusal = (repo: GitHubRepo) => world.refusal({ repos: [repo] }, LOCAL)

test('a repository is cloned shallowly, and git works in it', async () => {
  const repo = await repository(world)
  await repo.write('src/tool.sh', '#!/bin/sh\n')
  await repo.git('update-index', '--add', '--chmod=+x', 'src/tool.sh')
  await repo.git('commit', '--quiet', '--message=tool')
  const commit = await repo.git('rev-parse', 'HEAD')
  const [placed] = await place({ url: repo.path })
  expect(placed).toEqual({
    ...{
      kind: 'repo',
      source: repo.path,
      target: 'repo',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      commit,
    },
    ...{ files: 2, bytes: 17, skipped: 0 },
  })
  const clone = world.at('repo')
  expect((await lstat(`${clone}/src/tool.sh`)).mode & 0o777).toBe(0o700)
  expect(await git(clone, 'status', '--porcelain')).toBe('')
  expect(await git(clone, 'log', '--format=%s')).toBe('tool')
  expect(await git(clone, 'status', '--short', '--branch')).toBe('## main...origin/main')
  await writeFile(`${clone}/README.md`, 'changed')
  await git(clone, 'commit', '--quiet', '--all', '--message=by the agent')
})

test('placing again gives the same, and what was there is gone if the task says so', async () => {
  const repo = await repository(world)
  const once = await place({ url: repo.path })
  expect(await place({ url: repo.path })).toEqual(once)
  await writeFile(world.at('repo/added'), 'x')
  await mkdir(world.at('repo/.git/hooks'))
  expect(await world.place({ repos: [{ url: repo.path }], replace: true }, LOCAL)).toMatchObject(once)
  expect((await readdir(world.at('repo'))).sort()).toEqual(['.git', 'README.md'])
  expect(await readdir(world.at('repo/.git'))).not.toContain('hooks')
})

describe('a ref', () => {
  test('may be a branch, a tag, or the whole hash of a commit that no branch names', async () => {
    const repo = await repository(world)
    await repo.git('tag', '--annotate', '--message=one', 'v1.0.0')
    await repo.git('switch', '--quiet', '--create', 'feature/x')
    await repo.write('feature', 'x')
    const feature = await repo.commit()
    await repo.git('switch', '--quiet', 'main')
    await repo.write('last', 'x')
    await repo.commit()
    const commits = []
    for (const ref of ['feature/x', 'v1.0.0', repo.first]) {
      commits.push((await place({ url: repo.path, ref }))[0]?.commit)
      expect(await git(world.at('repo'), 'status', '--porcelain')).toBe('')
      expect(await git(world.at('repo'), 'rev-parse', 'HEAD')).toBe(commits.at(-1))
    }
    expect(commits).toEqual([feature, repo.first, repo.first])
  })

  test('may be a commit of a repository that hashes with sha256', async () => {
    const repo = await emptyRepository(world, 'repo', '--object-format=sha256')
    await repo.write('file', 'x')
    const commit = await repo.commit()
    expect(commit).toHaveLength(64)
    for (const ref of [commit, 'main']) {
      expect((await place({ url: repo.path, ref }))[0]).toMatchObject({ commit, files: 1 })
      expect(await git(world.at('repo'), 'status', '--porcelain')).toBe('')
    }
  })

  test.each(['nothing', 'abcdef1', '0'.repeat(40)])('that does not exist (%s) is reported', async (ref) => {
    const repo = await repository(world)
    const error = await refusal({ url: repo.path, ref })
    expect(error).toBeInstanceOf(CloneError)
    expect(error).toMatchObject({ retryable: false, details: { problem: 'ref-not-found' } })
  })
})

test('a repository that does not exist, or has no commit, is reported', async () => {
  const missing = await refusal({ url: world.source('missing') })
  expect(missing).toMatchObject({ _tag: 'CloneError', retryable: false, details: { problem: 'not-found' } })
  const { path } = await emptyRepository(world)
  expect(await refusal({ url: path })).toMatchObject({ details: { problem: 'empty' } })
})

test('without git, the error says what to install', async () => {
  const repo = await repository(world)
  const environment = { PATH: world.source('nowhere') }
  const error = await world.refusal({ repos: [{ url: repo.path }] }, { ...LOCAL, environment })
  expect(error).toMatchObject({
    details: { problem: 'git-missing' },
    hint: expect.stringContaining('Install git'),
  })
})

test('local repositories are rejected unless the program allows them', async () => {
  const repo = await repository(world)
  for (const url of [repo.path, `file://${repo.path}`, 'file:///etc']) {
    expect(await world.refusal({ repos: [{ url }] })).toBeInstanceOf(InvalidInputError)
  }
  expect(await place({ url: `file://${repo.path}` })).toHaveLength(1)
})

describe('in a repository', () => {
  test('a link becomes a file that contains its target', async () => {
    const repo = await repository(world)
    await symlink('/etc/passwd', `${repo.path}/link`)
    await symlink('/etc', `${repo.path}/directory`)
    await repo.commit()
    await place({ url: repo.path })
    for (const [name, path] of [
      ['link', '/etc/passwd'],
      ['directory', '/etc'],
    ]) {
      expect((await lstat(world.at(`repo/${name}`))).isFile()).toBe(true)
      expect(await readFile(world.at(`repo/${name}`), 'utf8')).toBe(path)
    }
    expect(await git(world.at('repo'), 'status', '--porcelain')).toBe('')
  })

  test('a link and a directory whose names differ only in case lead nowhere', async () => {
    const repo = await repository(world)
    const link = await repo.git('hash-object', '-w', '--', await world.give('target', '.git/hooks'))
    const hook = await repo.git(
      'hash-object',
      '-w',
      '--',
      await world.give('hook', `touch ${world.outside('marker')}`),
    )
    await repo.git('update-index', '--add', '--cacheinfo', `120000,${link},A`)
    await repo.git('update-index', '--add', '--cacheinfo', `100755,${hook},a/post-checkout`)
    await repo.git('commit', '--quiet', '--message=case')
    await place({ url: repo.path })
    expect(await readdir(world.at('repo/.git'))).not.toContain('hooks')
    expect(await readdir(world.outside('.'))).toEqual(['precious'])
  })

  test('hooks, filters and settings run nothing and are not copied', async () => {
    const repo = await repository(world)
    const touch = `touch ${world.outside('marker')}`
    for (const hook of [
      'post-checkout',
      'post-index-change',
      'reference-transaction',
      'post-merge',
      'pre-commit',
    ]) {
      await writeFile(`${repo.path}/.git/hooks/${hook}`, `#!/bin/sh\n${touch}\n`, { mode: 0o755 })
    }
    // What its owner configured is not ours to run either.
    await repo.git('config', 'uploadpack.packObjectsHook', touch)
    await repo.write('.githooks/post-checkout', touch)
    await repo.write('.gitattributes', '* filter=evil diff=evil merge=evil\n')
    await repo.write('.gitconfig', `[filter "evil"]\n\tsmudge = ${touch}\n[core]\n\tfsmonitor = ${touch}\n`)
    await repo.git('-c', 'core.hooksPath=/dev/null', 'add', '--all')
    await repo.git('-c', 'core.hooksPath=/dev/null', 'commit', '--quiet', '--message=evil')
    await place({ url: repo.path })
    expect(await git(world.at('repo'), 'status', '--porcelain')).toBe('')
    expect((await readdir(world.at('repo/.git'))).sort()).toEqual(
      ['HEAD', 'config', 'index', 'objects', 'packed-refs', 'refs', 'shallow'].sort(),
    )
    expect(await readFile(world.at('repo/.git/config'), 'utf8')).not.toMatch(/hook|filter|fsmonitor|command/i)
    expect(await readdir(world.outside('.'))).toEqual(['precious'])
  })

  test('submodules stay empty directories', async () => {
    const inner = await repository(world, 'inner')
    const repo = await repository(world)
    await repo.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', inner.path, 'inner')
    await repo.write(
      '.gitmodules',
      `[submodule "inner"]\n\tpath = inner\n\turl = ext::sh -c touch% ${world.outside('marker')}\n\tupdate = !touch ${world.outside('marker')}\n`,
    )
    await repo.commit()
    const [placed] = await place({ url: repo.path })
    expect(placed).toMatchObject({ files: 2 })
    expect(await readdir(world.at('repo/inner'))).toEqual([])
    expect(await readdir(world.at('repo/.git'))).not.toContain('modules')
    expect(await readdir(world.outside('.'))).toEqual(['precious'])
  })

  test.each(['.git', '.GIT', 'git~1', '..'])('a tree with an entry %s is rejected', async (name) => {
    const repo = await repository(world)
    const blob = await repo.git('hash-object', '-w', '--', await world.give('hook', 'touch marker'))
    const deep = await literalTree(repo.path, '100755', 'post-checkout', blob)
    const tree = await literalTree(repo.path, '40000', name, deep)
    await repo.git('update-ref', 'refs/heads/main', await repo.git('commit-tree', '-m', 'evil', tree))
    expect(await refusal({ url: repo.path })).toBeInstanceOf(CloneError)
    expect(await readdir(world.directories.workspace)).toEqual([])
  })
})

test('the size of a checkout is known before it is written', async () => {
  const repo = await repository(world)
  await repo.write('zeros', Buffer.alloc(50_000_000))
  await repo.commit()
  const steps: string[] = []
  const error = await world.refusal(
    { repos: [{ url: repo.path }] },
    { ...LOCAL, limits: { bytes: 10_000_000 }, onStep: ({ path }) => void steps.push(path) },
  )
  expect(error).toBeInstanceOf(InputTooLargeError)
  expect(error.details).toMatchObject({ limitedBy: 'bytes', source: repo.path })
  expect(steps).toEqual([])
})

test('a tree of a million files that takes a few bytes is rejected', async () => {
  const repo = await repository(world)
  const blob = await repo.git('hash-object', '-w', '--', await world.give('one', 'x'))
  let tree = blob
  for (let level = 0; level < 6; level += 1) {
    const entries = Array.from({ length: 10 }, (_, at) =>
      level === 0 ? `100644 blob ${tree}\t${at}` : `040000 tree ${tree}\t${at}`,
    )
    tree = await makeTree(repo.path, entries)
  }
  await repo.git('update-ref', 'refs/heads/main', await repo.git('commit-tree', '-m', 'bomb', tree))
  const error = await refusal({ url: repo.path })
  expect(error).toBeInstanceOf(InputTooLargeError)
  expect(error.details).toMatchObject({ limitedBy: 'files' })
})

test('names in a repository that mean something to a shell or to settings are just names', async () => {
  const repo = await repository(world)
  const branch = 'a"b;touch$(x)#]'
  await repo.git('switch', '--quiet', '--create', branch)
  await place({ url: repo.path, ref: branch })
  expect(await git(world.at('repo'), 'branch', '--show-current')).toBe(branch)
  expect(await git(world.at('repo'), 'config', '--list')).toContain(`branch.${branch}.remote=origin`)
})
