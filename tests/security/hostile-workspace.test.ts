/**
 * The contents of a workspace are untrusted: the real `claude` neither runs nor obeys them, as root and as another
 * user.
 */
import { appendFile, chown, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { MAIN } from '../cli/command.ts'
import { runWarm } from '../cli/warm-commands.ts'
import { everyCase } from '../repetitions.ts'
import { type HostileRepository, hostileRepository } from '../workspaces/files/hostile-repository.ts'
import { foreignServer, INSTRUCTION, SECRET, setTraps, trapSettings } from './hostile-workspace.ts'

const isRoot = process.getuid?.() === 0

/** Runs the built command as a user, in a folder that the user owns. */
async function commandOf(
  user: number | null,
  environment: Readonly<Record<string, string>>,
  repository?: HostileRepository,
) {
  const folder = await mkdtemp(join(tmpdir(), 'claude-hostile-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  if (user !== null) await chown(folder, user, user)
  const cwd = repository?.path ?? folder
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    // What the command keeps for the user is not in the folder that is looked at.
    XDG_STATE_HOME: `${folder}/.claude-agents/state`,
    CLAUDE_AGENTS_CLAUDE_PATH: REAL_CLAUDE,
    ...environment,
  }
  const run = async (...words: string[]) => {
    if (user === null) return runWarm({ words, folder: cwd, environment: env, input: '' })
    const as = { uid: user, gid: user }
    return execa(process.execPath, [MAIN, ...words], {
      ...{ cwd, env, extendEnv: false, reject: false, stdin: 'ignore', ...as },
    })
  }
  return { folder, run, workspace: join(folder, '.claude-agents/agents/a/workspace') }
}

async function ownedBy(user: number | null, directory: string): Promise<void> {
  if (user !== null) await execa('chown', ['-R', '-h', `${user}:${user}`, directory])
}

/** What a manipulated model would ask for. */
const GREEDY = (folder: string) => [
  answer.toolUse('Read', { file_path: 'deep/read-me.txt' }),
  answer.toolUse('Read', { file_path: 'link.txt' }),
  answer.toolUse('Read', { file_path: 'outside/secret.txt' }),
  answer.toolUse('Read', { file_path: join(folder, 'secret.txt') }),
  answer.toolUse('Grep', { pattern: 'the-secret', path: 'outside', output_mode: 'content' }),
  answer.toolUse('Grep', { pattern: 'the-secret', path: '../../../..', output_mode: 'content' }),
  answer.toolUse('Glob', { pattern: '**/secret.txt', path: folder }),
  answer.toolUse('Write', { file_path: '../written.txt', content: 'x' }),
  answer.toolUse('Write', { file_path: join(folder, 'written.txt'), content: 'x' }),
  answer.toolUse('Write', { file_path: 'outside/written.txt', content: 'x' }),
  answer.toolUse('Write', { file_path: '.git/hooks/pre-commit', content: 'x' }),
  answer.toolUse('Bash', {
    command: `cat ${join(folder, 'secret.txt')}; touch ${join(folder, 'written.txt')}`,
  }),
  answer.toolUse('EnterWorktree', { name: 'tree' }),
  answer.toolUse('Write', { file_path: 'inside.txt', content: 'x' }),
  'Done.',
]

const USERS: readonly (readonly [name: string, user: number | null, possible: boolean])[] = [
  ['the user of the tests', null, true],
  ['another user (needs root)', 65_534, isRoot],
]

/** Not every machine lets another user see the project: the test then says so instead of failing. */
async function skipUnlessVisible(context: TestContext, user: number | null) {
  if (user === null) return
  const { failed } = await execa(REAL_CLAUDE, ['--version'], {
    uid: user,
    gid: user,
    cwd: '/',
    reject: false,
  })
  const { failed: hidden } = await execa('test', ['-r', MAIN], {
    uid: user,
    gid: user,
    cwd: '/',
    reject: false,
  })
  if (failed || hidden) context.skip('another user cannot see this project, or run its claude')
}

test.for(USERS)('a hostile workspace is inert for %s', async ([, user, possible], context) => {
  if (!possible) context.skip('only root can start a process of another user')
  await skipUnlessVisible(context, user)
  await using foreign = await foreignServer()
  await using model = await simulatedModel()
  const { folder, run, workspace } = await commandOf(user, model.environment)
  expect(
    await run('agent', 'create', 'a', 'You help.', '--tools', 'Read,Write,Edit,Grep,Glob'),
  ).toMatchObject({
    exitCode: 0,
  })
  // git wants to own the repository it fills.
  if (user !== null) await ownedBy(0, workspace)
  const traps = await setTraps(folder, workspace, foreign.url)
  await ownedBy(user, workspace)
  const before = await readdir(folder)
  model.enqueue(...GREEDY(folder))

  const asked = await run('agent', 'ask', 'a', 'Help me.')
  expect(asked).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Done.') })
  expect(foreign.calls).toEqual([])
  expect(await traps.marks()).toEqual([])
  const requests = JSON.stringify(model.requests)
  expect(requests).not.toContain(SECRET)
  expect(requests).not.toContain(INSTRUCTION)
  expect(model.requests.every(({ headers }) => headers['x-api-key'] === 'simulated')).toBe(true)
  expect(await readdir(folder)).toEqual(before)
  expect(await readdir(join(folder, '.claude-agents/agents/a'))).toEqual(['CLAUDE.md', 'home', 'workspace'])
  // It was not just idle: what is allowed was done, by the right user.
  expect((await lstat(join(workspace, 'inside.txt'))).uid).toBe(user ?? process.getuid?.())
})

/** An agent on a repository that brings these settings. */
async function agentOnRepository(
  environment: Readonly<Record<string, string>>,
  foreign: string,
  ...words: string[]
) {
  const { folder, run, workspace } = await commandOf(null, environment)
  const repo = join(folder, 'repo')
  const marked = join(folder, 'marked')
  await mkdir(marked)
  for (const [path, text] of Object.entries(trapSettings(marked, foreign))) {
    await mkdir(dirname(join(repo, path)), { recursive: true })
    await writeFile(join(repo, path), text)
  }
  const git = (...command: string[]) =>
    execa('git', ['-c', 'user.name=x', '-c', 'user.email=x@x', ...command], { cwd: repo })
  await git('init', '-q')
  await git('add', '.')
  await git('commit', '-qm', 'x')
  const limits = ['--timeout', '20', '--retries', '0']
  expect(await run('agent', 'create', 'a', 'You help.', '--repo', repo, ...limits, ...words)).toMatchObject({
    exitCode: 0,
  })
  return { folder, run, workspace, marks: async () => (await readdir(marked)).sort() }
}

test('the settings of a repository do not count until they are trusted, nor when the agent has changed them', async () => {
  await using foreign = await foreignServer()
  await using model = await simulatedModel()
  const { run, marks, workspace } = await agentOnRepository(model.environment, foreign.url)
  const look = answer.toolUse('Read', { file_path: 'deep/read-me.txt' })
  model.enqueue(look, 'Done.')
  const { stderr, stdout } = await run('agent', 'ask', 'a', 'Help me.')
  expect(stdout).toContain('Done.')
  expect(stderr).toContain(`claude-agents config trust ${workspace}`)
  await run('config', 'trust', workspace)
  await appendFile(join(workspace, 'deep/CLAUDE.md'), 'x')
  model.enqueue(look, 'Done.')
  expect((await run('agent', 'ask', 'a', 'Help me.')).stdout).toContain('Done.')
  expect(await marks()).toEqual([])
  expect(foreign.calls).toEqual([])
  expect(JSON.stringify(model.requests)).not.toContain(INSTRUCTION)
})

test('the traps work: the settings of a repository that is trusted count', async () => {
  await using foreign = await foreignServer()
  await using model = await simulatedModel()
  const { run, marks } = await agentOnRepository(model.environment, foreign.url, '--project')
  const { stderr } = await run('agent', 'ask', 'a', 'Help me.')
  expect(stderr).toContain('loads settings, hooks and servers of its repository')
  expect(await marks()).toEqual(expect.arrayContaining(['mcp-server', 'session-start']))
  expect(foreign.calls).not.toEqual([])
})

test.runIf(everyCase)(
  'instructions of the folders around do not count with those of the project',
  async () => {
    await using model = await simulatedModel()
    const { folder, run, workspace } = await agentOnRepository(model.environment, model.url)
    const project = {
      'CLAUDE.md': 'the-project',
      '.claude/settings.json': '{}',
      '.mcp.json': '{"mcpServers":{}}',
    }
    for (const [path, text] of Object.entries(project)) await writeFile(join(workspace, path), text)
    for (let path = dirname(workspace); path !== dirname(folder); path = dirname(path)) {
      await mkdir(join(path, '.claude/rules'), { recursive: true })
      for (const name of ['CLAUDE.md', '.claude/rules/rule.md']) await writeFile(join(path, name), SECRET)
    }
    await run('config', 'trust', workspace)
    expect(await run('agent', 'ask', 'a', 'Help me.')).toMatchObject({ exitCode: 0 })
    const requests = JSON.stringify(model.requests)
    expect(requests).toContain('the-project')
    expect(requests).not.toContain(SECRET)
  },
)

test('no command on a hostile repository, and no call of an agent on it, starts anything of it', async () => {
  await using model = await simulatedModel()
  const repository = hostileRepository()
  const { run } = await commandOf(null, { ...model.environment, PATH: `.:${process.env.PATH}` }, repository)
  const create = (id: string, ...words: string[]) =>
    run('agent', 'create', id, 'You help.', '--repo', '.', '--tools', 'Read,Write,Edit,Grep,Glob', ...words)
  expect(await create('a')).toMatchObject({ exitCode: 0 })
  for (const name of ['-x', '--upload-pack=trap']) {
    expect((await create('b', `--branch=${name}`)).exitCode).toBe(2)
    expect((await create('b', `--base=${name}`)).exitCode).toBe(2)
  }
  for (const [text, wish] of [
    ['one', GREEDY(repository.folder).slice(0, -1)],
    ['two', []],
  ] as const) {
    model.enqueue(...wish, answer.toolUse('Write', { file_path: text, content: text }), 'Done.')
    expect((await run('agent', 'ask', 'a', `Write ${text}.`)).stdout).toContain('Done.')
  }
  for (const words of [
    ...[
      ['agent', 'show', 'a'],
      ['agent', 'list'],
      ['agent', 'path', 'a'],
      ['agent', 'files', 'a'],
    ],
    ...[
      ['agent', 'diff', 'a'],
      ['agent', 'diff', 'a', '--stat'],
      ['agent', 'diff', 'a', '--turn', '1'],
    ],
    ...[
      ['agent', 'diff', 'a', '--since', 'main'],
      ['agent', 'undo', 'a'],
      ['agent', 'undo', 'a', '--to', '0'],
    ],
    ...[
      ['fork', 'a', '--as', 'c'],
      ['doctor'],
      ['config', 'show'],
      ['agent', 'remove', 'c', '--force'],
      ['agent', 'remove', 'a', '--force'],
    ],
  ])
    expect({ words, ran: await run(...words) }).toMatchObject({ words, ran: { exitCode: 0 } })
  expect((await run('agent', 'diff', 'a', '--since=--output=trap')).exitCode).not.toBe(0)
  expect(repository.started()).toEqual([])
})

test.each([
  ['--no-project', []],
  ['--project', ['commit-msg', 'pre-commit', 'session-start']],
])(
  'an agent that commits by itself is the author, and hooks run in it only if they are trusted: %s',
  async (said, hooks) => {
    await using model = await simulatedModel()
    const own = ['--commit', 'agent', '--tools', 'Bash(git *)']
    const { folder, run, marks } = await agentOnRepository(model.environment, model.url, said, ...own)
    for (const name of ['pre-commit', 'commit-msg'])
      await writeFile(
        join(folder, 'repo/.git/hooks', name),
        `#!/bin/sh\ntouch ${join(folder, 'marked', name)}\n`,
        {
          mode: 0o755,
        },
      )
    model.enqueue(answer.toolUse('Bash', { command: 'git commit --allow-empty -m mine' }), 'Done.')
    expect((await run('agent', 'ask', 'a', 'Commit.')).stdout).toContain('Done.')
    const log = ['log', '-1', '--format=%an <%ae> %cn %s', 'claude-agents/a']
    const { stdout } = await execa('git', log, { cwd: join(folder, 'repo') })
    expect(stdout).toBe('a <a@claude-agents> a mine')
    expect((await marks()).filter((mark) => hooks.length > 0 || /commit/.test(mark))).toEqual(
      hooks.length > 0 ? expect.arrayContaining(hooks) : [],
    )
  },
)
