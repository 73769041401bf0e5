/** Nothing of a hostile repository is started, or waited for, by anything that an agent on it does. With real git. */
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { execaSync } from 'execa'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { OverloadedError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../../src/workspaces/operations.ts'
import { few } from '../../repetitions.ts'
import { type HostileRepository, hostileRepository } from './hostile-repository.ts'

type Work = (workspace: string, attempt: number) => Promise<void>

/** An orchestrator of a user whose PATH has the present directory in it. Each prompt names its work. */
async function orchestratorOn({ folder }: HostileRepository, works: Readonly<Record<string, Work>> = {}) {
  vi.stubEnv('XDG_STATE_HOME', join(folder, 'state'))
  vi.stubEnv('PATH', ['', '.', process.env.PATH].join(delimiter))
  onTestFinished(() => void vi.unstubAllEnvs())
  const runner = scriptedRunner({
    async reply({ directories, prompt, attempt }) {
      await works[prompt.trim()]?.(directories.workspace, attempt)
      return 'done'
    },
  })
  return Orchestrator.open({
    baseDir: join(folder, 'base'),
    runner: { ...runner, ...directoryOperations({ clock: systemClock }) },
    serve: false,
  })
}

const dev = ({ path }: HostileRepository, workspace: object = {}) => ({
  id: 'dev',
  systemPrompt: 'You work.',
  workspace: { repo: path, ...workspace },
  retry: { minDelayMs: 1, maxDelayMs: 1 },
})

/** A commit that a partial clone would fetch. */
const MISSING = '1234567890123456789012345678901234567890'

const work: Work = async (workspace, attempt) => {
  await writeFile(join(workspace, 'a.txt'), `attempt ${attempt}\n`)
  await writeFile(join(workspace, 'new.txt'), 'new\n')
  await rm(join(workspace, 'deep/b.txt'), { force: true })
}

/** Everything that can be done with an agent on a repository. */
async function life(repository: HostileRepository, workspace: object = {}): Promise<void> {
  await using orchestrator = await orchestratorOn(repository, {
    work,
    async fail(directory, attempt) {
      await work(directory, attempt)
      if (attempt === 1) throw new OverloadedError()
    },
  })
  const agent = await orchestrator.createAgent(dev(repository, workspace))
  await agent.ask('work')
  await agent.ask('fail')
  await agent.files.list()
  await agent.files.diff()
  await agent.files.diff({ turn: 1 })
  await agent.files.patch()
  await agent.files.undo()
  await agent.files.undo({ to: 1 })
  await agent.files.project()
  for (const since of ['--upload-pack=trap', '-x', '--output=trap', 'main', 'refs/heads/-x', MISSING])
    await agent.files.diff({ since }).catch(() => {})
  const [entry] = await orchestrator.landings.land(['dev'], { into: 'main' })
  expect(await orchestrator.landings.settled(entry?.entry ?? '')).toMatchObject({ status: 'landed' })
  const fork = await orchestrator.fork('dev', { as: 'fork' })
  await fork.ask('work')
  await rm(agent.workspace, { recursive: true })
  await agent.ask('work')
  await orchestrator.declareAgent(dev(repository, { base: 'main', ...workspace }))
  await orchestrator.removeAgent('fork', { force: true })
  await orchestrator.removeAgent('dev', { force: true })
  await orchestrator.createAgent(dev(repository, workspace))
}

test('the traps work: git as its user runs it starts them', () => {
  const repository = hostileRepository()
  const { user, write } = repository
  const attempt = (without: readonly string[], ...command: string[]) => {
    try {
      user(...without.flatMap((setting) => ['-c', setting]), ...command)
    } catch {}
  }
  write('a.txt', 'changed\n')
  const unmonitored = ['core.fsmonitor=false']
  const unfiltered = [
    ...unmonitored,
    'filter.trap.process=',
    'filter.trap.clean=cat',
    'filter.trap.required=false',
  ]
  attempt([], 'status')
  attempt(unmonitored, 'add', 'a.txt')
  attempt(unfiltered, 'commit', '-am', 'x')
  // Git itself stops at what is in it.
  write('.gitmodules', '')
  attempt(unfiltered, 'diff', 'HEAD')
  attempt(unfiltered, 'log', '-p')
  attempt([], 'cat-file', '-p', MISSING)
  expect(repository.started()).toEqual(
    expect.arrayContaining([
      ...['diff-command', 'filter-process', 'fsmonitor', 'gpg', 'instead-of', 'textconv'],
      ...['tracked-pre-commit', 'tracked-post-index-change'],
    ]),
  )
})

test('nothing of a hostile repository is started by anything that an agent on it does', async () => {
  const repository = hostileRepository()
  await life(repository)
  expect(repository.started()).toEqual([])
  expect(await readFile(join(repository.path, 'a.txt'), 'utf8')).toBe('one\n')
})

test('nor where a work tree, a configuration for it or other objects are named', async () => {
  const repository = hostileRepository()
  const { folder, path, write } = repository
  const other = hostileRepository({ isQuiet: true })
  await mkdir(join(folder, 'elsewhere'))
  write('.git/config.worktree', `[core]\n\tfsmonitor = ${repository.trap('worktree-config')}\n`)
  await writeFile(
    join(path, '.git/config'),
    `[extensions]\n\tworktreeConfig = true\n[core]\n\tworktree = ${join(folder, 'elsewhere')}\n`,
    { flag: 'a' },
  )
  write('.git/objects/info/alternates', `${join(other.path, '.git/objects')}\n`)
  await life(repository)
  expect(repository.started()).toEqual([])
  expect(await readdir(join(folder, 'elsewhere'))).toEqual([])
})

test.each(few(3, ['-x', '@{-1}', 'a..b', '--upload-pack=trap', '--output=trap', 'x y', ':/x', '../../x']))(
  'a branch or a commit that is named like an option or a question (%s) is refused, and leaves nothing',
  async (name) => {
    const repository = hostileRepository()
    await using orchestrator = await orchestratorOn(repository)
    await expect(orchestrator.createAgent(dev(repository, { branch: name }))).rejects.toThrow()
    if (!/^(@|:)/.test(name))
      await expect(orchestrator.createAgent(dev(repository, { base: name }))).rejects.toThrow()
    expect(await orchestrator.agents()).toEqual([])
    expect(repository.started()).toEqual([])
  },
)

test.skipIf(process.getuid?.() !== 0)(
  'a repository of another user is worked on, and nothing of it is started',
  async () => {
    const repository = hostileRepository()
    execaSync('chown', ['-R', '-h', '65534:65534', repository.path])
    await life(repository)
    expect(repository.started()).toEqual([])
  },
)

const READ_BY_GIT = [
  ...['.git/config', '.git/info/exclude', '.git/refs/heads/main', '.git/HEAD', '.git/packed-refs'],
  ...['.git/objects/info/alternates', '.git/info/attributes', '.git/shallow', '.git/info/grafts'],
  '.git/commondir',
]

test.each(few(3, READ_BY_GIT))('a pipe in place of %s is told, and not waited for', async (path) => {
  const repository = hostileRepository({ isQuiet: true })
  await rm(join(repository.path, path), { force: true })
  execFileSync('mkfifo', [join(repository.path, path)])
  await using orchestrator = await orchestratorOn(repository)
  await expect(orchestrator.createAgent(dev(repository))).rejects.toThrow(`${path} is a pipe`)
})

test('objects that are borrowed from a pipe or from nowhere are not waited for', async () => {
  const repository = hostileRepository({ isQuiet: true })
  const pipe = join(repository.folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  repository.write('.git/objects/info/alternates', `${pipe}\n/nonexistent\n`)
  await life(repository)
  expect(repository.started()).toEqual([])
})

test.each(few(1, ['.gitignore', 'deep/.gitignore', '.gitattributes', '.gitmodules']))(
  'a pipe that an agent makes of %s stops none of its turns',
  async (path) => {
    const repository = hostileRepository({ isQuiet: true })
    await using orchestrator = await orchestratorOn(repository, {
      work,
      async pipe(workspace) {
        await mkdir(join(workspace, 'deep'), { recursive: true })
        execFileSync('mkfifo', [join(workspace, path)])
      },
    })
    const agent = await orchestrator.createAgent(dev(repository))
    await agent.ask('pipe')
    await agent.ask('work')
    expect((await agent.files.diff({ turn: 2 })).files.map((file) => file.path)).toContain('new.txt')
    await agent.files.undo()
  },
)

/** What git and we read of a worktree, as an agent finds it. */
const READ_OF_WORKTREE: Readonly<Record<string, (workspace: string, record: string) => string>> = {
  '.git': (workspace) => join(workspace, '.git'),
  HEAD: (_, record) => join(record, 'HEAD'),
  gitdir: (_, record) => join(record, 'gitdir'),
  'its branch': (_, record) => join(record, '../../refs/heads/claude-agents/dev'),
}

test.each(few(2, Object.entries(READ_OF_WORKTREE)))(
  'a pipe that an agent makes of %s of its worktree is passed over or told, and not waited for',
  async (_, pathIn) => {
    const repository = hostileRepository({ isQuiet: true })
    await using orchestrator = await orchestratorOn(repository, {
      work,
      async pipe(workspace) {
        const link = await readFile(join(workspace, '.git'), 'utf8')
        const path = pathIn(workspace, link.replace('gitdir: ', '').trim())
        await rm(path)
        execFileSync('mkfifo', [path])
      },
    })
    const agent = await orchestrator.createAgent(dev(repository))
    for (const prompt of ['pipe', 'work'])
      expect(await agent.ask(prompt).then(({ text }) => text, String)).toMatch(/^done$|: it is a pipe\./)
  },
)

test.each(few(1, ['gitdir', 'HEAD', 'locked']))(
  'a pipe that an agent makes of %s of its worktree stops no other agent of that repository',
  async (name) => {
    const repository = hostileRepository({ isQuiet: true })
    await using orchestrator = await orchestratorOn(repository, {
      work,
      async pipe(workspace) {
        const link = await readFile(join(workspace, '.git'), 'utf8')
        const path = join(link.replace('gitdir: ', '').trim(), name)
        await rm(path, { force: true })
        execFileSync('mkfifo', [path])
      },
    })
    const agent = await orchestrator.createAgent(dev(repository))
    await agent.ask('pipe').catch(() => {})
    const other = await orchestrator.createAgent({ ...dev(repository), id: 'other' })
    expect((await other.ask('work')).text).toBe('done')
  },
)

test('undoing writes nothing through a link that an agent made of a directory', async () => {
  const repository = hostileRepository()
  const outside = join(repository.folder, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'b.txt'), 'mine')
  await using orchestrator = await orchestratorOn(repository, {
    async link(workspace) {
      await rm(join(workspace, 'deep'), { recursive: true })
      await symlink(outside, join(workspace, 'deep'))
    },
  })
  const agent = await orchestrator.createAgent(dev(repository))
  await agent.ask('link')
  await agent.files.undo()
  expect(await readFile(join(agent.workspace, 'deep/b.txt'), 'utf8')).toContain('two')
  expect(await readFile(join(outside, 'b.txt'), 'utf8')).toBe('mine')
  expect(repository.started()).toEqual([])
})
