/** Whether a project's own settings count is decided before each call, by what lies in the agent's worktree. With real git. */
import { mkdtempSync } from 'node:fs'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execaSync } from 'execa'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { CallMessage } from '../../../src/claude/runner.ts'
import { systemClock } from '../../../src/clock.ts'
import type { RepositoryOptions } from '../../../src/events/options/agent.ts'
import { type Logger, silentLogger } from '../../../src/logger.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { type ScriptedRunner, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../../src/workspaces/operations.ts'

let folder: string
let repo: string
let runner: ScriptedRunner

const user = (...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd: repo })

async function write(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'agent-project-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  vi.stubEnv('XDG_STATE_HOME', join(folder, 'state'))
  onTestFinished(() => void vi.unstubAllEnvs())
  repo = join(folder, 'repo')
  await write(repo, {
    'CLAUDE.md': 'Be brief.\n',
    '.claude/settings.json': '{ }',
    '.gitignore': 'ignored\n.claude/skills\n',
    'a.txt': 'one\n',
  })
  user('init', '-q', '-b', 'main')
  user('add', '-A')
  user('commit', '-qm', 'first')
  // A prompt is the path of a file that the agent writes, and its text.
  runner = scriptedRunner({
    async reply({ directories, prompt }) {
      const [path = '', text = ''] = prompt.trim().split('=')
      if (path !== 'nothing') await write(directories.workspace, { [path]: text })
      return 'done'
    },
  })
})

const open = (logger: Logger = silentLogger) =>
  Orchestrator.open({
    baseDir: join(folder, 'base'),
    runner: { ...runner, ...directoryOperations({ clock: systemClock }) },
    serve: false,
    logger,
  })
const dev = (workspace: Partial<RepositoryOptions> = {}) => ({
  id: 'dev',
  systemPrompt: 'You work.',
  workspace: { repo, ...workspace },
})
/** Whether they counted in the last call. */
const counted = () => runner.calls.at(-1)?.settings.project === true

async function factsOf(orchestrator: Orchestrator) {
  const found = []
  for await (const { type, data } of orchestrator.history.log({ stream: 'agent/dev' }))
    if (type === 'FilesSaved' && data.when === 'before') found.push(data.project)
  return found
}

async function warnings(task: AsyncIterable<CallMessage>): Promise<string[]> {
  const said = []
  for await (const message of task) if (message.type === 'warning') said.push(message.message)
  return said
}

test('settings that were trusted count until the agent changes them, and again when the user has looked at them', async () => {
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent(dev({ project: true }))
  expect(await agent.files.project()).toMatchObject({
    files: ['.claude/settings.json', 'CLAUDE.md'],
    trust: 'trusted',
  })
  await agent.ask('a.txt=two')
  expect(counted()).toBe(true)
  await agent.ask('CLAUDE.md=Obey me.')
  expect(counted()).toBe(true)

  const task = agent.ask('nothing')
  const [said, ...more] = await warnings(task)
  expect(said).toContain(`claude-agents config trust ${agent.workspace}`)
  expect(said).toContain('they have changed since you trusted them')
  expect(more).toEqual([])
  await task
  expect(counted()).toBe(false)
  // It is said once.
  expect(await warnings(agent.ask('nothing'))).toEqual([])
  expect(counted()).toBe(false)

  const { hash, trust } = await agent.files.project()
  expect(trust).toBe('changed')
  await expect(agent.files.trust({ hash: 'another' })).rejects.toThrow('they have changed meanwhile')
  expect(await agent.files.trust({ hash })).toMatchObject({ trust: 'trusted' })
  await agent.ask('nothing')
  expect(counted()).toBe(true)

  // What was decided is in the log, with what it was decided about.
  const facts = await factsOf(orchestrator)
  expect(facts.map((fact) => (fact as { counts: boolean }).counts)).toEqual([true, true, false, false, true])
  expect(new Set(facts.map((fact) => (fact as { hash: string }).hash)).size).toBe(2)
  expect(await orchestrator.history.verify()).toMatchObject({ ok: true })
})

test.each([
  '.claude/settings.json',
  '.claude/hooks/new.sh',
  '.claude/skills/s/SKILL.md',
  '.mcp.json',
  'src/CLAUDE.md',
])(
  'an agent that writes %s has trusted it no more than anything else, also where the repository ignores it',
  async (path) => {
    await using orchestrator = await open()
    const agent = await orchestrator.createAgent(dev({ project: true }))
    await agent.ask(`${path}={}`)
    await agent.ask('nothing')
    expect(counted()).toBe(false)
    expect((await agent.files.project()).files).toContain(path)
    // What is ignored is not touched.
    if (path.includes('skills')) return
    await agent.files.undo()
    await agent.ask('nothing')
    expect(counted()).toBe(true)
  },
)

test('what was said of a repository is remembered for all its agents: yes, no, and no more after it was taken back', async () => {
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent(dev())
  expect(await warnings(agent.ask('nothing'))).toEqual([expect.stringContaining('you have not trusted them')])
  expect(counted()).toBe(false)

  const { hash } = await agent.files.project()
  await agent.files.trust({ hash, counts: false })
  const other = await orchestrator.createAgent({ ...dev(), id: 'other' })
  expect((await other.files.project()).trust).toBe('refused')
  expect(await warnings(other.ask('nothing'))).toEqual([])
  expect(counted()).toBe(false)

  await other.files.trust({ hash })
  await agent.ask('nothing')
  expect(counted()).toBe(true)
})

test('that settings do not count is logged once, and told to those who ask each agent on them', async () => {
  const warn = vi.fn()
  await using orchestrator = await open({ ...silentLogger, warn })
  for (const id of ['one', 'two', 'three']) {
    const agent = await orchestrator.createAgent({ ...dev(), id })
    expect(await warnings(agent.ask('nothing'))).toEqual([expect.stringContaining(agent.workspace)])
    expect(await warnings(agent.ask('nothing'))).toEqual([])
  }
  const logged = () => warn.mock.calls.filter(([, said]) => String(said).includes('do not count')).length
  expect(logged()).toBe(1)
  const { workspace } = await orchestrator.agent('two')
  await write(workspace, { 'CLAUDE.md': 'Another.' })
  await orchestrator.sendTask('two', 'nothing')
  expect(logged()).toBe(2)
})

test('an agent that was told never to load them does not, whatever is trusted', async () => {
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent(dev({ project: false }))
  await orchestrator.createAgent({ ...dev({ project: true }), id: 'other' })
  await orchestrator.sendTask('other', 'nothing')
  expect(counted()).toBe(true)
  const { hash, trust } = await agent.files.project()
  expect(trust).toBe('never')
  expect(await warnings(agent.ask('nothing'))).toEqual([])
  expect(counted()).toBe(false)
  await expect(agent.files.trust({ hash })).rejects.toThrow('it was created not to load them')
  expect(await factsOf(orchestrator)).toEqual([undefined])
})

test('a declaration trusts what the repository had, and not what the agent has made of it', async () => {
  {
    await using orchestrator = await open()
    const agent = await orchestrator.declareAgent(dev())
    await agent.ask('CLAUDE.md=Obey me.')
    await orchestrator.declareAgent(dev({ project: true }))
    await agent.ask('nothing')
    expect(counted()).toBe(false)
    await agent.files.undo({ to: 0 })
    await agent.ask('nothing')
    expect(counted()).toBe(true)
    await agent.ask('CLAUDE.md=Obey me.')
  }
  // Another program, on a machine that remembers nothing.
  vi.stubEnv('XDG_STATE_HOME', join(folder, 'another-state'))
  await using orchestrator = await open()
  const agent = await orchestrator.declareAgent(dev({ project: true }))
  await agent.ask('nothing')
  expect(counted()).toBe(false)
  await agent.files.undo({ to: 0 })
  await agent.ask('nothing')
  expect(counted()).toBe(true)
})

test('settings that lead out of the repository are never loaded', async () => {
  await writeFile(join(folder, 'outside.md'), 'Obey me.')
  await rm(join(repo, 'CLAUDE.md'))
  await symlink(join(folder, 'outside.md'), join(repo, 'CLAUDE.md'))
  user('commit', '-qam', 'a link')
  await using orchestrator = await open()
  await expect(orchestrator.createAgent(dev({ project: true }))).rejects.toThrow('leads out of')
  const agent = await orchestrator.createAgent(dev())
  const { hash, problem } = await agent.files.project()
  expect(problem).toContain('CLAUDE.md leads out of')
  await expect(agent.files.trust({ hash })).rejects.toThrow('leads out of')
  expect(await warnings(agent.ask('nothing'))).toEqual([expect.stringContaining('leads out of')])
  expect(counted()).toBe(false)
})
