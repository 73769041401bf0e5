/** `agent remove` with work that is nowhere else, and what `doctor` finds of worktrees. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from '../command.ts'
import { repositoryIn } from '../repository.ts'

async function world(environment: Readonly<Record<string, string>> = {}) {
  const cli = await quickCommandLine(environment)
  const repo = join(cli.folder, 'shop')
  const git = await repositoryIn(repo)
  expect((await cli.run(['agent', 'create', 'dev', 'You work.', '--repo', 'shop'])).exitCode).toBe(0)
  const doctor = async () => {
    const { values } = await cli.run(['--json', '--simulate', 'doctor'])
    return values.filter(({ name }) => name === 'worktrees')
  }
  return { ...cli, repo, git, doctor, workspace: join(cli.folder, '.claude-agents/agents/dev/workspace') }
}

test('agent remove says what would be lost, and with --force where it is kept', async () => {
  const { run, repo, git, workspace } = await world()
  await writeFile(join(workspace, 'new.txt'), 'work\n')
  const refused = await run(['agent', 'remove', 'dev'])
  expect(refused.exitCode).toBe(1)
  expect(refused.stderr).toContain('It has work that is not landed: 1 file that is in no commit.')
  expect(refused.stderr).toContain('claude-agents agent remove dev --force')
  expect(await readFile(join(workspace, 'new.txt'), 'utf8')).toBe('work\n')

  const removed = await run(['agent', 'remove', 'dev', '--force'])
  expect(removed.exitCode).toBe(0)
  const [, ref = ''] = /is kept: git -C \S+ log (\S+)/.exec(removed.stdout) ?? []
  expect(removed.stdout).toContain(repo)
  expect(git('show', `${ref}:new.txt`)).toBe('work')
  await run(['agent', 'create', 'dev', 'You work.', '--repo', 'shop'])
  expect((await run(['agent', 'remove', 'dev', '--json'])).values).toEqual([
    { id: 'dev', removed: true, droppedTasks: 0 },
  ])
})

test('doctor finds agents without their worktree or repository, and the next task says that it was made again', async () => {
  await using model = await simulatedModel()
  const { run, repo, git, workspace, doctor } = await world(model.environment)
  await run(['agent', 'ask', 'dev', 'hello'])
  expect(await doctor()).toMatchObject([{ status: 'ok', message: '1 agent with a worktree' }])
  await rm(workspace, { recursive: true })
  git('worktree', 'prune')
  expect(await doctor()).toMatchObject([
    {
      status: 'warning',
      message: `the worktree of dev is gone: ${workspace}`,
      fix: expect.stringContaining('next task'),
    },
  ])
  const asked = await run(['agent', 'ask', 'dev', 'again'])
  expect(asked.stderr).toContain('its workspace was gone: it was made again from the newest snapshot')
  expect(await doctor()).toMatchObject([{ status: 'ok' }])
  await rename(repo, `${repo}-moved`)
  expect(await doctor()).toMatchObject([
    { status: 'warning', message: `the repository of dev is gone: ${repo}` },
  ])
})

test('doctor finds worktrees whose agent is gone', async () => {
  const { folder, run, workspace, git } = await world()
  await rm(join(folder, '.claude-agents'), { recursive: true })
  await run(['agent', 'create', 'other', 'You work.', '--repo', 'shop'])
  const { values } = await run(['--json', '--simulate', 'doctor'])
  expect(values.filter(({ name }) => name === 'worktrees')).toMatchObject([
    {
      status: 'warning',
      message: expect.stringContaining(`${workspace} is a worktree of `),
      fix: expect.stringContaining('worktree prune'),
    },
  ])
  expect(git('worktree', 'list')).toContain(workspace)
})
