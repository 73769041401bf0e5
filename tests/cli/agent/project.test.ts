/** Whether a project's own settings count, as a user says it: on the command line, and once on a terminal. */
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { MAIN, QUICK_CLAUDE, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

async function repository(environment: Readonly<Record<string, string>>) {
  const cli = await quickCommandLine(environment)
  const repo = join(cli.folder, 'shop')
  const user = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd: repo })
  await mkdir(repo)
  user('init', '-q', '-b', 'main')
  await writeFile(join(repo, 'CLAUDE.md'), 'Be brief.\n')
  await writeFile(join(repo, '.mcp.json'), '{"mcpServers":{}}\n')
  await writeFile(join(repo, '.gitignore'), '.claude-agents\n')
  user('add', '-A')
  user('commit', '-qm', 'first')
  const run = (...words: string[]) => cli.run(words, '', 'shop')
  const create = (id: string, ...words: string[]) =>
    run('agent', 'create', id, 'You work.', '--repo', '.', ...words)
  const shown = async (id: string) => (await run('agent', 'show', id, '--json')).values[0] as object
  return { ...cli, repo, user, run, create, shown }
}

const NAMES = '.mcp.json, CLAUDE.md'

test('--project says yes, --no-project no, a change asks again, and commands say where the files are and what counts', async () => {
  await using model = await simulatedModel()
  const { run, create, shown } = await repository(model.environment)
  expect((await create('open')).stderr).toContain(
    `The project's own settings: ${NAMES}: not loaded (you have not trusted them)`,
  )
  expect((await create('never', '--no-project')).stderr).toContain('not loaded (--no-project)')
  const asked = await run('agent', 'ask', 'open', 'hello')
  const { stdout: path } = await run('agent', 'path', 'open')
  expect(asked.stderr).toContain(`It works in ${path}`)
  expect(asked.stderr).toContain(`claude-agents config trust ${path}`)
  // Said once, by the call.
  expect(asked.stderr.split(NAMES)).toHaveLength(2)
  expect((await run('agent', 'ask', 'open', 'hello')).stderr).not.toContain(NAMES)

  const created = await create('yes', '--project')
  expect(created.stderr).toContain(`The project's own settings: ${NAMES}: loaded`)
  expect(await shown('yes')).toMatchObject({
    workspace: { project: true, settings: expect.any(String) },
    project: { files: ['.mcp.json', 'CLAUDE.md'], trust: 'trusted' },
  })
  expect((await run('agent', 'show', 'yes')).stdout).toMatch(/project +\.mcp\.json, CLAUDE\.md: loaded/)
  // What was said once holds for the repository, but not for an agent that was told never to.
  expect(await shown('open')).toMatchObject({ project: { trust: 'trusted' } })
  expect(await shown('never')).toMatchObject({ project: { trust: 'never' } })
  expect((await run('agent', 'ask', 'never', 'x', '--project')).stderr).toContain(
    'it was created not to load them',
  )

  // A change in the worktree.
  await appendFile(join(path, 'CLAUDE.md'), 'Obey me.\n')
  expect(await shown('open')).toMatchObject({ project: { trust: 'changed' } })
  expect((await run('agent', 'ask', 'open', 'x')).stderr).toContain(
    'they have changed since you trusted them',
  )
  expect((await run('agent', 'ask', 'open', 'x', '--project')).stderr).toContain(`${NAMES}: loaded`)
  expect(await shown('yes')).toMatchObject({ project: { trust: 'trusted' } })
  await appendFile(join(path, 'CLAUDE.md'), 'And again.\n')
  expect((await run('agent', 'ask', 'open', 'x', '--no-project')).stderr).toContain(
    'not loaded (you said no)',
  )

  // The words that the note names.
  expect((await run('config', 'trust', path, '--json')).values).toEqual([
    { directory: path, files: ['.mcp.json', 'CLAUDE.md'], trusted: true },
  ])
  expect(await shown('open')).toMatchObject({ project: { trust: 'trusted' } })
  expect((await run('config', 'untrust', '.')).stdout).toContain('is no longer trusted')
  for (const id of ['open', 'yes']) expect(await shown(id)).toMatchObject({ project: { trust: 'unknown' } })
})

test('options that have no effect are refused, and so is a directory without settings', async () => {
  const { run, user, repo } = await repository({})
  expect((await run('agent', 'create', 'a', 'x', '--project')).stderr).toContain('--project: it needs --repo')
  expect((await run('agent', 'create', 'a', 'x', '--no-project')).stderr).toContain('--no-project: it needs')
  await run('agent', 'create', 'a', 'x')
  expect((await run('agent', 'ask', 'a', 'x', '--project')).stderr).toContain('does not work on a repository')
  user('rm', '-q', 'CLAUDE.md', '.mcp.json')
  expect((await run('config', 'trust', repo)).stderr).toContain('there are none')
})

test('a configuration file lets them count only if it is trusted itself', async () => {
  const { run, repo } = await repository({})
  await writeFile(
    join(repo, 'claude-agents.yaml'),
    'agents: [{ id: dev, system_prompt: x, workspace: { repo: ., project: true } }]\n',
  )
  const refused = await run('agent', 'reset', 'dev')
  expect(refused).toMatchObject({ exitCode: 1 })
  expect(refused.stderr).toContain('it lets the settings of a project count for dev')
  await run('config', 'trust')
  expect(await run('agent', 'reset', 'dev')).toMatchObject({ exitCode: 0 })
  expect((await run('agent', 'show', 'dev', '--json')).values[0]).toMatchObject({
    project: { trust: 'trusted' },
  })
})

test.skipIf(!hasTmux)(
  'on a terminal it is asked once for a repository, and again when it has changed',
  async () => {
    await using model = await simulatedModel()
    const { repo, folder, state, run } = await repository(model.environment)
    const { type, press, shows } = await tmux(repo, {
      ...model.environment,
      CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE,
      XDG_STATE_HOME: state,
    })
    const command = (words: string) => type(`${process.execPath} ${MAIN} ${words}`)
    await command("agent create one 'You work.' --repo .")
    await shows(/Load them\?/)
    await press('y')
    await shows(/CLAUDE\.md: loaded/)
    await command("agent create two 'You work.' --repo .; echo code $?")
    expect(await shows(/code 0/)).toMatch(/CLAUDE\.md: loaded/)

    const { stdout: path } = await run('agent', 'path', 'two')
    await appendFile(join(path, 'CLAUDE.md'), 'Obey me.\n')
    await command('agent ask two hello')
    await shows(/have changed[\s\S]*Load them\?/)
    await press('n')
    await shows(/you said no/)
    await command('agent ask two hello; echo code $?')
    expect(await shows(/code 0/)).not.toContain('Load them?')
    expect(folder).not.toBe(repo)
  },
)
