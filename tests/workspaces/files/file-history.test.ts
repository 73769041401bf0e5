import { mkdtempSync } from 'node:fs'
import {
  chmod,
  lstat,
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
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execaSync } from 'execa'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FileHistory } from '../../../src/workspaces/files/file-history.ts'
import { FilesRepository } from '../../../src/workspaces/files/repository.ts'
import { repetitions } from '../../repetitions.ts'

const by = { author: 'dev', at: new Date('2026-01-02T03:04:05Z') }

async function world() {
  const base = mkdtempSync(join(tmpdir(), 'files-'))
  const directory = join(base, 'workspace')
  await mkdir(directory)
  const repository = new FilesRepository(join(base, 'files.git'))
  return { base, directory, repository, history: new FileHistory({ repository, agent: 'dev', directory }) }
}

async function picture(directory: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const stats = await lstat(path)
    const key = path.slice(directory.length + 1)
    if (stats.isSymbolicLink()) seen[key] = `link ${await readlink(path)}`
    else if (stats.isFile()) seen[key] = `${stats.mode & 0o100 ? 'x' : '-'} ${await readFile(path, 'latin1')}`
  }
  return seen
}

test('restores bytes, modes, links, deletions and repositories inside the files', async () => {
  const { directory, history } = await world()
  const empty = await history.save('first', by)
  await mkdir(join(directory, 'a/b'), { recursive: true })
  await writeFile(join(directory, 'a/b/c.txt'), 'one\r\n')
  await writeFile(join(directory, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
  await symlink('/etc/passwd', join(directory, 'out'))
  await writeFile(join(directory, 'new\nline "q" ä'), Buffer.from([0, 255, 10]))
  await mkdir(join(directory, 'sub'))
  execaSync('git', ['init', '-q', join(directory, 'sub')])
  await writeFile(join(directory, 'sub/inner'), 'inner')
  execaSync('git', ['init', '-q'], { cwd: directory })
  const first = await history.save('second', by)
  const before = await picture(directory)
  expect(await history.save('again', by)).toEqual({ ...first, changed: 0, added: 0, removed: 0 })

  await rm(join(directory, 'a'), { recursive: true })
  await writeFile(join(directory, 'a'), 'a file now')
  await chmod(join(directory, 'run.sh'), 0o644)
  await rm(join(directory, 'out'))
  await mkdir(join(directory, 'out/deep'), { recursive: true })
  await writeFile(join(directory, 'out/deep/x'), 'x')
  await writeFile(join(directory, 'sub/.git/HEAD'), 'ref: refs/heads/other\n')
  const second = await history.save('third', by)
  expect(second).toMatchObject({ added: 2, removed: 2 })
  const later = await picture(directory)
  const restored = await history.restore(first.commit, 'undo', by)
  expect(restored.after.tree).toBe(first.tree)
  expect(await picture(directory)).toEqual(before)
  const again = await history.restore(second.commit, 'redo', by)
  expect(again.after.tree).toBe(second.tree)
  expect(await picture(directory)).toEqual(later)
  await history.restore(empty.commit, 'clear', by)
  expect(await picture(directory)).toEqual({})
})

test('a snapshot that the git of a killed process completes meanwhile is continued from', async () => {
  const { directory, repository, history } = await world()
  await writeFile(join(directory, 'a'), 'one')
  const first = await history.save('first', by)
  let late = ''
  class SlowRepository extends FilesRepository {
    override async git(...call: Parameters<FilesRepository['git']>) {
      if (call[0][0] === 'fast-import' && late === '') {
        const commit = ['commit-tree', first.tree, '-p', first.commit, '-m', 'late']
        late = (await repository.git(commit, { by })).toString().trim()
        await repository.setRef(history.ref, late)
      }
      return super.git(...call)
    }
  }
  const next = new FileHistory({ repository: new SlowRepository(repository.path), agent: 'dev', directory })
  await writeFile(join(directory, 'a'), 'two')
  const { commit, changed } = await next.save('second', by)
  expect([changed, await repository.isAncestor(late, commit)]).toEqual([1, true])
})

test('what is ignored is not saved in a repository inside the files either', async () => {
  const { directory, repository } = await world()
  const history = new FileHistory({ repository, agent: 'dev', directory, ignored: {} })
  await mkdir(join(directory, 'sub'))
  execaSync('git', ['init', '-q', join(directory, 'sub')])
  await writeFile(join(directory, '.gitignore'), '*.log\n')
  for (const name of ['a', 'a.log']) await writeFile(join(directory, 'sub', name), name)
  const { commit } = await history.save('first', by)
  const saved = (await history.list(commit)).map(({ path }) => path)
  expect(saved.filter((path) => !path.includes('.git'))).toEqual(['sub/a'])
})

test.each(['sub', '.GIT', '.git@'])(
  'a `.git` that is no repository is saved with the files beside it, in a folder called %s too',
  async (name) => {
    const { directory, repository } = await world()
    const history = new FileHistory({ repository, agent: 'dev', directory, ignored: {} })
    const inner = join('x', name, '.git')
    await mkdir(join(directory, inner), { recursive: true })
    await writeFile(join(directory, 'x', name, 'a'), 'a')
    await history.save('first', by)
    await writeFile(join(directory, inner, 'note'), 'note')
    const { commit } = await history.save('second', by)
    expect((await history.list(commit)).map(({ path }) => path)).toContain(join(inner, 'note'))
    await rm(join(directory, 'x'), { recursive: true })
    await history.restore(commit, 'undo', by)
    expect(await readFile(join(directory, inner, 'note'), 'utf8')).toBe('note')
  },
)

test.each(['this process', 'the next process'])(
  'a file that is changed and changed back is seen by %s',
  async (who) => {
    const { directory, repository, history } = await world()
    const next = () =>
      who === 'this process' ? history : new FileHistory({ repository, agent: 'dev', directory })
    const write = (content: string) => writeFile(join(directory, 'a'), content)
    await write('one')
    await writeFile(join(directory, 'b'), 'b')
    const first = await history.save('first', by)
    for (const content of ['two', 'one', 'two']) {
      await write(content)
      expect(await next().save(content, by)).toMatchObject({ added: 0, changed: 1, removed: 0 })
      expect(await next().save('again', by)).toMatchObject({ added: 0, changed: 0, removed: 0 })
    }
    await rm(join(directory, 'a'))
    expect(await next().save('gone', by)).toMatchObject({ added: 0, changed: 0, removed: 1 })
    await write('one')
    const { tree } = await next().save('there', by)
    expect(tree).toBe(first.tree)
  },
)

const names = fc.constantFrom(
  'a',
  'b.txt',
  'dir',
  'ä',
  'x y',
  'q"uote',
  'new\nline',
  '-option',
  '.GIT',
  '.git',
  'node_modules',
)
const paths = fc.array(names, { minLength: 1, maxLength: 3 }).map((steps) => steps.join('/'))
const content = fc.oneof(
  fc.constantFrom('', 'one\n', 'one\r\ntwo\r\n', '$Id$\n', '*.txt eol=crlf filter=evil\n'),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.constant('x'.repeat(200_000)),
)
const operation = fc.oneof(
  fc.record({ do: fc.constant('write' as const), path: paths, content, mode: fc.constantFrom(0o644, 0o755) }),
  fc.record({ do: fc.constant('remove' as const), path: paths }),
  fc.record({
    do: fc.constant('link' as const),
    path: paths,
    to: fc.constantFrom('../outside', 'a', 'nowhere', '/nowhere/at/all'),
  }),
  fc.record({ do: fc.constant('chmod' as const), path: paths, mode: fc.constantFrom(0o600, 0o700) }),
  fc.record({ do: fc.constant('init' as const), path: paths }),
  fc.record({ do: fc.constant('rename' as const), path: paths, to: paths }),
  // At a path of its own: writing to a pipe would wait for its reader, and one that is in the way ends a restoration.
  fc.record({ do: fc.constant('pipe' as const), path: fc.constant('pipe') }),
)
type Operation = typeof operation extends fc.Arbitrary<infer One> ? One : never

async function apply(directory: string, one: Operation): Promise<void> {
  const path = join(directory, one.path)
  // What is done through a link is done elsewhere.
  await mkdir(dirname(path), { recursive: true })
  if ((await realpath(dirname(path))) !== join(await realpath(directory), dirname(one.path))) return
  if (one.do === 'init' && (await lstat(path).catch(() => null))?.isSymbolicLink()) return
  if (one.do === 'write') {
    await writeFile(path, Buffer.from(one.content, 'latin1'))
    await chmod(path, one.mode)
  }
  if (one.do === 'remove') await rm(path, { recursive: true })
  if (one.do === 'link') await symlink(one.to, path)
  if (one.do === 'chmod') if (!(await lstat(path)).isSymbolicLink()) await chmod(path, one.mode)
  if (one.do === 'init') execaSync('git', ['init', '-q', path], { reject: false })
  if (one.do === 'rename') await rename(path, join(directory, one.to))
  if (one.do === 'pipe') execaSync('mkfifo', [path], { reject: false })
}

test('any turns can be undone, redone and forked, whatever they did to the files', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { maxLength: 6 }), { minLength: 1, maxLength: 5 }),
      fc.infiniteStream(fc.nat()),
      async (turns, chosen) => {
        const { base, directory, repository, history } = await world()
        const seen: { commit: string; tree: string; files: Record<string, string> }[] = []
        for (const turn of turns) {
          for (const one of turn) await apply(directory, one).catch(() => {})
          const { commit, tree } = await history.save('turn', by)
          seen.push({ commit, tree, files: await picture(directory) })
        }
        for (let times = 0; times < 3; times++) {
          const to = seen[(chosen.next().value as number) % seen.length] as (typeof seen)[0]
          // Another process has no memory of the files.
          const history2 = new FileHistory({ repository, agent: 'dev', directory })
          expect((await history2.restore(to.commit, 'undo', by)).after.tree).toBe(to.tree)
          expect(await picture(directory)).toEqual(to.files)
        }
        const last = seen.at(-1) as (typeof seen)[0]
        const copy = join(base, 'copy')
        await mkdir(copy)
        const fork = new FileHistory({ repository, agent: 'fork', directory: copy })
        await fork.restore(last.commit, 'fork', by)
        expect(await picture(copy)).toEqual(last.files)
        await rm(base, { recursive: true, force: true, maxRetries: 10 })
      },
    ),
    { numRuns: repetitions('FILE_TURNS', { short: 3, long: 20 }) },
  )
})
