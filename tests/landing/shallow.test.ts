/** Work lands in clones that have only a part of the history, whatever the user fetches in between. With real git. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test } from 'vitest'
import { repository } from './kit.ts'

/** A shallow clone of a repository with three commits, and agents that work there. */
async function shallowClone() {
  const { folder, repo: upstream, base, git: up, open } = await repository()
  const { orchestrator, landed } = await open()
  const commit = async (name: string) => {
    await writeFile(join(upstream, name), `${name}\n`)
    up('add', '-A')
    up('commit', '-qm', name)
  }
  await commit('second.txt')
  await commit('third.txt')
  const clone = join(folder, 'clone')
  execaSync('git', ['clone', '-q', '--depth', '1', `file://${upstream}`, clone])
  return {
    ...{ upstream, up, commit, base, landed, clone },
    git: (...command: string[]) => execaSync('git', command, { cwd: clone }).stdout,
    async work(id: string, task: string, repo = clone) {
      const agent = await orchestrator.createAgent({ id, systemPrompt: 'You work.', workspace: { repo } })
      await agent.ask(task)
    },
  }
}

test('work lands in a shallow clone, and after the clone was deepened, fetched anew and completed', async () => {
  const { clone, git, landed, work, commit } = await shallowClone()
  await work('one', 'one.txt=1')
  expect(await landed('one')).toMatchObject([{ status: 'landed', reason: null }])
  await work('two', 'two.txt=2')
  git('fetch', '-q', '--deepen', '1')
  expect(await landed('two', { squash: true })).toMatchObject([{ status: 'landed', reason: null }])
  await commit('fourth.txt')
  git('fetch', '-q')
  await work('three', 'three.txt=3')
  git('-c', 'user.name=U', '-c', 'user.email=u@e', 'merge', '-q', 'origin/main')
  expect(await landed('three')).toMatchObject([{ status: 'landed', reason: null }])
  await work('four', 'four.txt=4')
  git('fetch', '-q', '--unshallow')
  expect(await landed('four')).toMatchObject([{ status: 'landed', reason: null }])
  expect(existsSync(join(clone, '.git/shallow'))).toBe(false)
  const files = git('ls-tree', '--name-only', 'main').split('\n')
  expect(files).toEqual(
    ['a', 'four', 'fourth', 'one', 'second', 'third', 'three', 'two'].map((name) => `${name}.txt`),
  )
})

test('work that has lost its history to a fetch is set aside with what brings it back, and lands then', async () => {
  const { clone, git, landed, work, commit } = await shallowClone()
  await work('dev', 'dev.txt=1')
  await commit('fourth.txt')
  await commit('fifth.txt')
  git('fetch', '-q', '--depth', '1')
  git('reset', '-q', '--hard', 'origin/main')
  const [set] = await landed('dev')
  expect(set).toMatchObject({
    status: 'set-aside',
    reason: `The branch claude-agents/dev: it has no commit in common with what it is to land on in this shallow clone. Fetch the rest of the history, then land it again: git -C ${clone} fetch --unshallow`,
  })

  git('fetch', '-q', '--unshallow')
  expect(await landed('dev')).toMatchObject([{ status: 'landed', reason: null }])
})

test('what is kept of an agent is complete where its branch has moved to the end of another history', async () => {
  const { base, git, landed, work, commit } = await shallowClone()
  await work('dev', 'dev.txt=1')
  await commit('fourth.txt')
  await commit('fifth.txt')
  git('fetch', '-q', '--depth', '1')
  execaSync('git', ['reset', '-q', '--hard', 'origin/main'], { cwd: join(base, 'agents/dev/workspace') })
  git('branch', 'next', 'origin/main')
  expect(await landed('dev', { into: 'next' })).toMatchObject([{ status: 'landed' }])
  execaSync('git', ['fsck', '--connectivity-only'], { cwd: join(base, 'files.git') })
})

test('a shallow clone takes no history from another clone beside it', async () => {
  const { upstream, up, landed, work } = await shallowClone()
  up('branch', 'old', 'main~2')
  up('switch', '-q', 'old')
  await work('old', 'old.txt=1', upstream)
  up('switch', '-q', 'main')
  await work('dev', 'dev.txt=1')
  expect(await landed('dev')).toMatchObject([{ status: 'landed', reason: null }])
  expect(await landed('old', { into: 'main' })).toMatchObject([{ status: 'landed', reason: null }])
  await work('again', 'again.txt=1')
  expect(await landed('again')).toMatchObject([{ status: 'landed', reason: null }])
})

test('a branch without a commit in common is said to be one', async () => {
  const { up, upstream, landed, work } = await shallowClone()
  await work('dev', 'dev.txt=1', upstream)
  up('switch', '-q', '--orphan', 'pages')
  up('commit', '-q', '--allow-empty', '-m', 'pages')
  up('switch', '-q', 'main')
  const [set] = await landed('dev', { into: 'pages' })
  expect(set?.status).toBe('set-aside')
  expect(set?.reason).toMatch(
    /^The branch claude-agents\/dev: it has no commit in common .* on\. Land it on /,
  )
})
