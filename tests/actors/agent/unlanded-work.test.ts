/** Work on a repository that is nowhere else: no removal loses it. With real git. */
import { lstat, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { parallel, pool } from '../../../src/index.ts'
import { factsOf, filesWorld, git, touch, visibleFiles } from './files-world.ts'

const dev = (repo: string) => ({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })

test('an agent is not removed while its commits are on no other branch, and keeps its tasks', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent(dev(repo))
  await agent.ask('one')
  await agent.ask('two')
  const waiting = agent.ask('three', { approval: true }).catch((error) => error)
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({
    _tag: 'UnlandedWorkError',
    details: { agent: 'dev', repository: repo, branch: 'claude-agents/dev', commits: 2, files: 0 },
    message: expect.stringContaining(
      `2 commits that no other branch of ${repo} has. It would also drop 1 held task.`,
    ),
    hint: expect.stringContaining('--force'),
  })
  expect(await orchestrator.held.list()).toHaveLength(1)
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt', 'one', 'two'])

  git(repo, 'branch', 'reviewed', 'claude-agents/dev')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ _tag: 'HeldTasksError' })
  expect(await orchestrator.removeAgent('dev', { force: true })).toEqual({ id: 'dev', kept: null })
  await expect(waiting).resolves.toMatchObject({ _tag: 'TaskCancelledError' })
})

test('an agent is not removed while files are in no commit, and what is ignored does not count', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const { workspace } = await orchestrator.createAgent(dev(repo))
  await writeFile(join(workspace, 'by-hand'), '')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 0, files: 1 } })
  await rename(join(workspace, 'by-hand'), join(workspace, 'build'))
  await orchestrator.removeAgent('dev')
})

test('work that landed as one commit is landed, and what came after it is not', async () => {
  const { repo, open } = await filesWorld(touch)
  git(repo, 'checkout', '-q', '--', 'a.txt')
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent(dev(repo))
  await agent.ask('one')
  await agent.ask('two')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 2, files: 0 } })
  const land = async () => {
    for (const { entry } of await orchestrator.landings.land(['dev'], { squash: true }))
      expect(await orchestrator.landings.settled(entry)).toMatchObject({ status: 'landed', reason: null })
  }
  await land()
  await agent.ask('three')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 1, files: 0 } })
  await land()
  // As a user takes it back: it is nowhere else.
  const landed = git(repo, 'rev-parse', 'main')
  git(repo, 'reset', '-q', '--hard', 'main~2')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 3, files: 0 } })
  git(repo, 'branch', 'kept', landed)
  expect(await orchestrator.removeAgent('dev')).toEqual({ id: 'dev', kept: null })
})

/** An agent that has changed a file and made two, on a repository whose tree is clean. */
async function withWork() {
  const { repo, open } = await filesWorld(async (workspace, prompt) => {
    if (prompt === 'change') await writeFile(join(workspace, 'a.txt'), 'changed\n')
    return touch(workspace, prompt, 1)
  })
  git(repo, 'checkout', '-q', '--', 'a.txt')
  const orchestrator = await open()
  onTestFinished(() => orchestrator.close())
  const agent = await orchestrator.createAgent(dev(repo))
  for (const prompt of ['change', 'one']) await agent.ask(prompt)
  const user = (...command: string[]) => git(repo, ...command)
  // The branch is no longer where the work began.
  await writeFile(join(repo, 'other.txt'), 'by the user\n')
  user('add', '-A')
  user('commit', '-qm', 'other')
  return { orchestrator, user }
}

test.each<[how: string, take: (user: (...command: string[]) => string) => void]>([
  [
    'squashed',
    (user) => {
      user('merge', '-q', '--squash', 'claude-agents/dev')
      user('commit', '-qm', 'squashed')
    },
  ],
  ['picked', (user) => user('cherry-pick', '--allow-empty', 'main~1..claude-agents/dev')],
  [
    'rebased, and gone on with',
    (user) => {
      user('switch', '-q', '--detach', 'claude-agents/dev')
      user('rebase', '-q', 'main')
      user('switch', '-q', '-C', 'main')
      user('rm', '-q', 'other.txt')
      user('commit', '-qm', 'without it')
    },
  ],
])('work that the user has taken over by hand is landed: %s', async (_, take) => {
  const { orchestrator, user } = await withWork()
  take(user)
  expect(await orchestrator.removeAgent('dev')).toEqual({ id: 'dev', kept: null })
})

test('work that the user has taken over in part, or has taken back, is not landed', async () => {
  const { orchestrator, user } = await withWork()
  const isRefused = () =>
    expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 2, files: 0 } })
  await isRefused()
  user('cherry-pick', 'claude-agents/dev~1')
  await isRefused()
  user('cherry-pick', 'claude-agents/dev')
  user('revert', '--no-edit', 'HEAD')
  await isRefused()
})

test('an agent that has left its branch is not removed while its own commits are on no branch', async () => {
  const { repo, open } = await filesWorld((workspace, prompt) => {
    git(workspace, 'switch', '-q', '--detach')
    git(workspace, 'commit', '-qm', prompt, '--allow-empty')
    return 'done'
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent(dev(repo))
  await agent.ask('mine')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 1, files: 0 } })
  const { kept } = await orchestrator.removeAgent('dev', { force: true })
  expect(git(repo, 'log', '-1', '--format=%s', kept?.ref ?? '')).toBe('mine')
})

test('a forced removal keeps commits and files under a ref, and the log names it', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const { workspace } = await orchestrator.createAgent(dev(repo))
  await orchestrator.sendTask('dev', 'one')
  await writeFile(join(workspace, 'by-hand'), 'mine\n')
  const { kept } = await orchestrator.removeAgent('dev', { force: true })
  expect(kept).toEqual({
    repository: repo,
    ref: expect.stringMatching(/^refs\/claude-agents\/kept\/dev\//),
    commit: expect.any(String),
  })
  expect((await factsOf(orchestrator)).at(-1)).toMatchObject({ type: 'AgentRemoved', data: { kept } })
  await expect(lstat(workspace)).rejects.toThrow('ENOENT')
  git(repo, 'branch', '-D', 'claude-agents/dev')
  git(repo, 'gc', '-q', '--prune=now')
  expect(git(repo, 'log', '--format=%s', kept?.ref ?? '').split('\n')).toEqual([
    'The work of dev when it was removed',
    'one',
    'first',
  ])
  expect(git(repo, 'show', `${kept?.ref}:by-hand`)).toBe('mine')
  // A new agent of that id has nothing to do with it.
  const again = await orchestrator.createAgent(dev(repo))
  expect(await visibleFiles(again.workspace)).toEqual(['.gitignore', 'a.txt'])
  expect(await orchestrator.removeAgent('dev')).toMatchObject({ kept: null })
})

test('an agent that is created again continues on the branch that it had left, with its files', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  await orchestrator.createAgent(dev(repo))
  await orchestrator.sendTask('dev', 'one')
  await orchestrator.removeAgent('dev', { force: true })
  const again = await orchestrator.createAgent(dev(repo))
  expect(await visibleFiles(again.workspace)).toEqual(['.gitignore', 'a.txt', 'one'])
  await again.ask('two')
  expect(git(repo, 'diff', '--name-status', 'main', 'claude-agents/dev')).toBe('A\tone\nA\ttwo')
})

test('cleaning up removes all agents but those with work that is not landed', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'You work.' })
  await orchestrator.createAgent(dev(repo))
  await orchestrator.createAgent({ ...dev(repo), id: 'z' })
  await orchestrator.sendTask('dev', 'one')
  await expect(orchestrator.cleanupAll()).rejects.toMatchObject({ details: { agent: 'dev' } })
  expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['dev'])
  await orchestrator.cleanupAll({ force: true })
  expect(await orchestrator.agents()).toEqual([])
})

test('the copies of a pool end with their run, and a ref keeps what they have done', async () => {
  const warnings: object[] = []
  const logger = { debug() {}, info() {}, warn: (data: object) => void warnings.push(data), error() {} }
  const { repo, open } = await filesWorld(
    async (workspace, prompt) => {
      await writeFile(join(workspace, 'work'), prompt)
      return prompt
    },
    { logger },
  )
  await using orchestrator = await open()
  await orchestrator.createAgent(dev(repo))
  await orchestrator.run(parallel([pool('dev', { size: 2 }), pool('dev', { size: 2 })]), 'one')
  expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['dev'])
  for (const copy of ['dev.1', 'dev.2']) {
    const [removed] = (await factsOf(orchestrator, `agent/${copy}`)).slice(-1)
    const { kept } = (removed as Recorded).data as unknown as { kept: { ref: string } }
    expect(git(repo, 'show', `${kept.ref}:work`)).toBe('one')
    expect(warnings).toContainEqual(expect.objectContaining({ agent: copy, ref: kept.ref }))
  }
})

test('an agent whose repository is gone is removed by force only, and its snapshots have its files', async () => {
  const { repo, base, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const { workspace } = await orchestrator.createAgent(dev(repo))
  await orchestrator.sendTask('dev', 'one')
  await writeFile(join(workspace, 'by-hand'), '')
  await rm(repo, { recursive: true })
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({
    _tag: 'UnlandedWorkError',
    message: expect.stringContaining('there is no such directory'),
  })
  const { kept } = await orchestrator.removeAgent('dev', { force: true })
  expect(kept?.repository).toBe(join(base, 'files.git'))
  const files = git(join(base, 'files.git'), 'ls-tree', '-r', '--name-only', kept?.ref ?? '')
  expect(files.split('\n')).toEqual(['.gitignore', 'a.txt', 'by-hand', 'one'])
})

test('work is refused to be lost although the worktree is gone already', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const { workspace } = await orchestrator.createAgent(dev(repo))
  await orchestrator.sendTask('dev', 'one')
  await rm(workspace, { recursive: true })
  git(repo, 'worktree', 'prune')
  git(repo, 'branch', '-D', 'claude-agents/dev')
  await expect(orchestrator.removeAgent('dev')).rejects.toMatchObject({ details: { commits: 1, files: 0 } })
})
