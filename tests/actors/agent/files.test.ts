/** An agent on a git repository: its files are part of its turns. With real git. */
import { lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OverloadedError } from '../../../src/events/errors/call.ts'
import { filesWorld, git, touch, visibleFiles } from './files-world.ts'

test('a turn is saved, looked at, undone, and the undoing undone', async () => {
  const { repo, open } = await filesWorld(async (workspace, prompt) => {
    await writeFile(join(workspace, `${prompt}.txt`), `${prompt}\n`)
    await rm(join(workspace, 'a.txt'), { force: true })
    return 'done'
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  expect(await readFile(join(agent.workspace, 'a.txt'), 'utf8')).toBe('one\n')
  await agent.ask('b')
  await agent.ask('c')
  expect(await agent.files.diff({ turn: 1 })).toMatchObject({
    files: [
      { path: 'a.txt', status: 'removed', added: 0, removed: 1 },
      { path: 'b.txt', status: 'added', added: 1, removed: 0 },
    ],
  })
  expect((await agent.files.diff()).files.map(({ path }) => path)).toEqual(['a.txt', 'b.txt', 'c.txt'])
  expect(await agent.files.patch({ turn: 2 })).toContain('+c')

  const undone = await agent.files.undo()
  expect(undone).toMatchObject({ agent: 'dev', version: agent.version })
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'b.txt'])
  await agent.files.undo()
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt'])
  await agent.files.undo({ to: 2 })
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'b.txt', 'c.txt'])
  await expect(agent.files.undo({ to: 3 })).rejects.toThrow('its turns are 1 to 2')

  // Each turn is a commit of the agent on its branch, as it was answered.
  const log = git(
    repo,
    'log',
    '--format=%an|%s|%(trailers:key=Task,valueonly,separator=)',
    'claude-agents/dev',
  )
  expect(log.split('\n').map((line) => line.replace(/[0-9a-f-]{36}$/, 'ID'))).toEqual([
    'dev|c|ID',
    'dev|b|ID',
    'User|first|',
  ])
  expect(git(repo, 'show', '--stat', '--format=', 'claude-agents/dev')).toContain('c.txt | 1 +')

  // The user's tree is as it was.
  expect(await readFile(join(repo, 'a.txt'), 'utf8')).toBe('the work of the user\n')
  expect(git(repo, 'status', '--porcelain')).toBe(' M a.txt')
})

test('an agent whose turn waits for a person undoes nothing, and says what it waits for', async () => {
  const { open, repo } = await filesWorld(async (workspace, prompt) => {
    await writeFile(join(workspace, prompt), '')
    return { deferred: { tool: 'Bash', toolUseId: 'u1', input: { command: 'make' } } }
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({
    ...{ id: 'dev', systemPrompt: 'You work.', workspace: { repo }, approveTools: ['Bash'] },
  })
  await new Promise<unknown>((onHeld) => agent.ask('b.txt', { taskId: 't1', onHeld }).catch(() => {}))
  await expect(agent.files.undo()).rejects.toMatchObject({
    ...{ _tag: 'AgentBusyError', message: expect.stringContaining('Task t1 of agent "dev" is held') },
    hint: expect.stringContaining('claude-agents inbox approve tool:dev:'),
  })
})

test('undoing goes one turn further each time, and never back to one that was undone', async () => {
  const { repo, open } = await filesWorld(async (workspace, prompt) => {
    if (prompt !== 'nothing') await writeFile(join(workspace, prompt), '')
    return 'done'
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  const files = async () => (await visibleFiles(agent.workspace)).slice(2).join(' ')
  await writeFile(join(agent.workspace, 'by-hand'), '')
  expect((await agent.files.list()).map(({ path }) => path)).toEqual(['.gitignore', 'a.txt', 'by-hand'])
  for (const prompt of ['one', 'two', 'nothing', 'three']) await agent.ask(prompt)

  const seen = [await files()]
  for (let times = 0; times < 3; times += 1) {
    await agent.files.undo()
    seen.push(await files())
  }
  expect(seen).toEqual(['by-hand one three two', 'by-hand one two', 'by-hand one', 'by-hand'])
  await expect(agent.files.undo()).rejects.toThrow('no turn is left to undo')
  expect(await files()).toBe('by-hand')

  await agent.files.undo({ to: 2 })
  await agent.ask('four')
  await agent.files.undo()
  expect(await files()).toBe('by-hand one two')
  await agent.files.undo()
  expect(await files()).toBe('by-hand one')
})

test('who looks at the files of an agent disturbs neither its calls nor another who looks', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await writeFile(join(agent.workspace, 'by-hand'), '')
  const looks = [agent.files.diff(), agent.files.list(), agent.files.diff()]
  const [{ attempts }, ...seen] = await Promise.all([agent.ask('one'), ...looks])
  expect([attempts, seen.length]).toEqual([1, 3])
  expect((await agent.files.diff()).files.map(({ path }) => path)).toEqual(['by-hand', 'one'])
})

test('what has changed since a branch, a commit or a snapshot is told, and an unknown one is refused', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  const [turn] = await agent.files.turns()
  const main = git(repo, 'rev-parse', 'main')
  for (const since of ['main', main.slice(0, 8), turn?.before ?? ''])
    expect(await agent.files.diff({ since })).toMatchObject({ files: [{ path: 'one', status: 'added' }] })
  expect(await agent.files.diff({ since: 'main' })).toMatchObject({ base: main })
  await expect(agent.files.diff({ since: 'nope' })).rejects.toThrow(
    'The commit nope: there is no such commit',
  )
})

test('a call that failed leaves nothing for the next one, and what it did is in a snapshot', async () => {
  const { repo, open } = await filesWorld(async (workspace, _, attempt) => {
    const seen = (await visibleFiles(workspace)).join(' ')
    await writeFile(join(workspace, `attempt-${attempt}`), '')
    await mkdir(join(workspace, 'build'), { recursive: true })
    await writeFile(join(workspace, 'build/out'), 'ignored')
    if (attempt === 1) throw new OverloadedError()
    return seen
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({
    id: 'dev',
    systemPrompt: 'You work.',
    workspace: { repo },
    retry: { minDelayMs: 1, maxDelayMs: 1 },
  })
  const { text } = await agent.ask('go')
  // What the repository ignores is not touched.
  expect(text).toBe('.gitignore a.txt build')
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt', 'attempt-2', 'build'])
  const restored = []
  for await (const { type, data } of orchestrator.history.log({ stream: 'agent/dev' }))
    if (type === 'FilesRestored') restored.push(data as { from: string; to: string })
  const [{ from, to } = { from: '', to: '' }] = restored
  expect((await agent.files.diff({ since: to })).files.map(({ path }) => path)).toEqual(['attempt-2'])
  expect((await agent.files.diff({ since: from })).files).toMatchObject([
    { path: 'attempt-1', status: 'removed' },
    { path: 'attempt-2', status: 'added' },
  ])
})

test('a fork takes the files of its version along, and a copy of a pool has a branch of its own', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  const at = agent.version
  await agent.ask('two')
  const fork = await orchestrator.fork('dev', { at, as: 'other' })
  expect(await visibleFiles(fork.workspace)).toEqual(['.gitignore', 'a.txt', 'one'])
  expect(
    git(repo, 'branch', '--list', 'claude-agents/*')
      .split('\n')
      .map((line) => line.slice(2)),
  ).toEqual(['claude-agents/dev', 'claude-agents/other'])
})

test('a worktree that is gone is made again from the newest snapshot', async () => {
  const { repo, open } = await filesWorld(async (workspace, prompt) => {
    const seen = (await visibleFiles(workspace)).join(' ')
    await writeFile(join(workspace, prompt), '')
    return seen
  })
  {
    await using orchestrator = await open()
    await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
    await orchestrator.sendTask('dev', 'one')
    await rm((await orchestrator.agent('dev')).workspace, { recursive: true })
  }
  git(repo, 'worktree', 'prune')
  git(repo, 'branch', '-D', 'claude-agents/dev')
  git(repo, 'gc', '-q', '--prune=now')
  await using orchestrator = await open()
  expect(await orchestrator.sendTask('dev', 'two')).toBe('.gitignore a.txt one')
})

test('to look at an agent whose worktree is gone makes it again from the newest snapshot', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  await rm(agent.workspace, { recursive: true })
  const { base, files } = await agent.files.diff({ since: 'main' })
  expect(base).toBe(git(repo, 'rev-parse', 'main'))
  expect(files).toMatchObject([{ path: 'one', status: 'added' }])
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt', 'one'])
})

test('an agent whose branch is checked out elsewhere, as that of a restored copy is, can be looked at', async () => {
  const { folder, repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  await rm(agent.workspace, { recursive: true })
  git(repo, 'worktree', 'prune')
  const original = join(folder, 'the original')
  git(repo, 'worktree', 'add', '-q', original, 'claude-agents/dev')
  expect((await agent.files.diff()).files).toMatchObject([{ path: 'one', status: 'added' }])
  expect((await agent.files.list()).map(({ path }) => path)).toEqual(['.gitignore', 'a.txt', 'one'])
  // To work on, it needs the branch.
  await expect(agent.ask('two')).rejects.toMatchObject({ hint: expect.stringContaining('switch --detach') })
  git(original, 'switch', '-q', '--detach')
  await agent.ask('three')
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt', 'one', 'three'])
})

test('a new agent under the id of a removed one begins at its base, and its branch continues from there', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const options = { id: 'dev', systemPrompt: 'You work.', workspace: { repo } }
  await (await orchestrator.createAgent(options)).ask('one')
  git(repo, 'merge', '-q', 'claude-agents/dev')
  await orchestrator.removeAgent('dev')
  git(repo, '-c', 'core.hooksPath=/dev/null', 'commit', '-qm', 'mine', '--allow-empty')
  const again = await orchestrator.createAgent(options)
  expect((await again.files.diff()).files).toEqual([])
  await again.ask('two')
  // When it is removed, its commit is there.
  await orchestrator.removeAgent('dev', { force: true })
  expect(git(repo, 'log', '--format=%s', 'claude-agents/dev').split('\n')).toEqual([
    'two',
    'mine',
    'one',
    'first',
  ])
})

test('a removed agent leaves its branch and its snapshots, and no worktree', async () => {
  const { repo, open } = await filesWorld(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  const { workspace } = agent
  await orchestrator.removeAgent('dev', { force: true })
  await expect(lstat(workspace)).rejects.toThrow('ENOENT')
  expect(git(repo, 'worktree', 'list').split('\n')).toHaveLength(1)
  expect(git(repo, 'branch', '--list', 'claude-agents/*')).toContain('claude-agents/dev')
})

test('a folder that is no repository, an unknown base and a hostile branch are refused', async () => {
  const { folder, repo, open } = await filesWorld(async () => 'done')
  await using orchestrator = await open()
  const creating = (workspace: { repo: string; base?: string; branch?: string }) =>
    orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace })
  await expect(creating({ repo: join(folder, 'nowhere') })).rejects.toThrow('there is no such directory')
  await expect(creating({ repo: folder })).rejects.toThrow('it is not in a git repository')
  await expect(creating({ repo, base: 'nothing' })).rejects.toThrow('there is no such commit')
  await expect(creating({ repo, base: '--upload-pack=evil' })).rejects.toThrow('is not a name')
  await expect(creating({ repo, branch: '-D' })).rejects.toThrow('is not a name')
  const names = [
    'a..b',
    'HEAD',
    '@',
    '@{-1}',
    'a@{1}',
    'a.lock',
    'a.lock/b',
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a.',
  ]
  for (const branch of names)
    await expect(creating({ repo, branch }), branch).rejects.toMatchObject({
      _tag: 'InvalidInputError',
      summary: `workspace.branch: "${branch}" is not a name that git allows for a branch.`,
      hint: expect.stringContaining('feature/parser'),
    })
  expect(await orchestrator.agents()).toEqual([])
})

test('the message of a turn is made from a template, and an agent that commits by itself is left to it', async () => {
  const { repo, open } = await filesWorld(async (workspace, prompt) => {
    await writeFile(join(workspace, prompt.split(' ')[0] ?? ''), '')
    if (prompt.startsWith('own')) {
      git(workspace, 'add', '-A')
      git(workspace, 'commit', '-qm', 'by the agent itself')
    }
    return 'done'
  })
  await using orchestrator = await open()
  const create = (id: string, workspace: object) =>
    orchestrator.createAgent({ id, systemPrompt: 'You work.', workspace: { repo, ...workspace } })
  const subjects = (id: string) => git(repo, 'log', '--format=%s', `main..claude-agents/${id}`).split('\n')

  const templated = await create('templated', { message: 'feat({agent}): {subject}\n\nRefs: {task}{run}' })
  const { taskId } = await templated.ask('add {agent} to the list\nand more')
  expect(subjects('templated')).toEqual(['feat(templated): add {agent} to the list'])
  const body = git(repo, 'log', '-1', '--format=%b', 'claude-agents/templated')
  expect(body).toContain(`Refs: ${taskId}\n`)
  expect(body).toContain(`Task: ${taskId}\n`)

  const own = await create('own', { commit: 'agent' })
  await own.ask('left alone')
  await own.ask('own')
  expect(subjects('own')).toEqual(['by the agent itself'])
  expect((await own.files.diff({ turn: 1 })).files.map(({ path }) => path)).toEqual(['left'])
  // It is as it was said last, from the next task on.
  await orchestrator.declareAgent({
    id: 'own',
    systemPrompt: 'You work.',
    workspace: { repo, commit: 'turn' },
  })
  await own.ask('again by us')
  expect(subjects('own')).toEqual(['again by us', 'by the agent itself'])

  for (const wrong of [{ commit: 'never' }, { message: '{subjekt}' }, { message: '' }])
    await expect(create('wrong', wrong)).rejects.toThrow(/workspace\.(commit|message)/)
})
