/** What becomes of work that is to land when the world is unlucky, or hostile. With real git. */
import { existsSync, readdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository, write } from './kit.ts'

test('an agent whose fixing task fails does not keep its entry for ever, whatever the task has failed with', async () => {
  const { repo, open, at } = await repository(async (workspace, prompt) => {
    if (prompt.includes('could not be landed')) throw new Error('it broke')
    await write(workspace, prompt)
  })
  const { orchestrator, agent, landed } = await open()
  const options = { systemPrompt: 'x', retry: { attempts: 1 }, workspace: { repo } }
  const dev = await orchestrator.createAgent({ id: 'dev', ...options })
  await dev.ask('b.txt=two')
  await agent('other', 'c.txt=three')
  const [failed, other] = await landed(['dev', 'other'], { gate: 'test ! -e b.txt' })
  expect(failed).toMatchObject({ status: 'set-aside', commit: null })
  expect(failed?.reason).toMatch(/^it could not be fixed: /)
  expect(other).toMatchObject({ status: 'landed' })
  expect(at('c.txt')).toBe('three')
})

test('what landed beside the target and was deleted by the user does not come back, and the repository is complete', async () => {
  const { repo, git, open, at } = await repository()
  const { agent, landed } = await open()
  await agent('one', 'b.txt=two')
  await agent('two', 'c.txt=three')
  await writeFile(join(repo, 'mine.txt'), '')
  await landed('one')
  git('branch', '-D', 'claude-agents/landed/main')
  git('reflog', 'expire', '--expire=now', '--all')
  git('gc', '--quiet', '--prune=now')
  await rm(join(repo, 'mine.txt'))
  expect(await landed('two')).toMatchObject([{ status: 'landed', reason: null }])
  expect(git('fsck', '--no-dangling', '--no-progress')).toBe('')
  expect(git('ls-tree', '--name-only', 'main').split('\n')).toEqual(['a.txt', 'c.txt'])
  // Its work is where it was, and lands when that is asked for again.
  expect(await landed('one')).toMatchObject([{ status: 'landed', reason: null }])
  expect([at('b.txt'), at('c.txt')]).toEqual(['two', 'three'])
})

test('all that waits beside a target is taken over by one command, also if the user is on that branch', async () => {
  const { repo, git, open, at } = await repository()
  const { agent, landed } = await open()
  for (const id of ['one', 'two', 'three']) await agent(id, `${id}.txt=${id}`)
  await writeFile(join(repo, 'mine.txt'), '')
  const reasons = [(await landed('one'))[0]?.reason, (await landed('two'))[0]?.reason]
  expect(reasons[0]).toBe(reasons[1])
  expect(git('branch', '--list', 'claude-agents/landed/*').trim()).toBe('claude-agents/landed/main')
  // The user looks at it, and commits there.
  const looking = join(repo, '..', 'looking')
  git('worktree', 'add', '--quiet', looking, 'claude-agents/landed/main')
  const [three] = await landed('three')
  expect(git('-C', looking, 'status', '--porcelain')).toBe('')
  const command = / merge (.*)$/.exec(three?.reason ?? '')?.[1] ?? ''
  expect(command).toBe(`claude-agents/landed/main-${three?.entry}`)
  git('merge', '--quiet', command)
  for (const id of ['one', 'two', 'three']) expect(at(`${id}.txt`)).toBe(id)
})

test('work that was squashed before is not merged once more: what comes after it lands alone', async () => {
  const { git, open, at } = await repository()
  const { agent, landed, scripted } = await open()
  const dev = await agent('dev', 'b.txt=two')
  await landed('dev', { squash: true })
  await dev.ask('b.txt=three')
  expect(await landed('dev', { squash: true })).toMatchObject([{ status: 'landed', reason: null }])
  await dev.ask('b.txt=four')
  expect(await landed('dev')).toMatchObject([{ status: 'landed', reason: null }])
  expect(at('b.txt')).toBe('four')
  expect(git('log', '--first-parent', '--format=%s').split('\n')).toEqual([
    'Merge claude-agents/dev',
    'b.txt=three',
    'b.txt=two',
    'first',
  ])
  expect(git('log', '-1', '--format=%b', 'main~1')).not.toContain('b.txt=two')
  expect(scripted.calls).toHaveLength(3)
})

test('what a gate leaves running holds up neither its work, nor that of others, nor this process', async () => {
  const { base, open } = await repository()
  const { agent, landed } = await open()
  const pipes = () => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length
  await agent('one', 'b.txt=two')
  await agent('two', 'c.txt=three')
  const before = pipes()
  const loop = 'while test -e ../../go; do mkdir -p x/y; : > x/y/z; : > x/a; done'
  await writeFile(join(base, 'go'), '')
  const gate = `setsid sh -c '${loop}' & while ! test -e x; do :; done`
  try {
    expect(await landed('one', { gate })).toMatchObject([{ status: 'landed' }])
    expect(await landed('two', { gate })).toMatchObject([{ status: 'landed' }])
    expect(pipes()).toBe(before)
  } finally {
    await rm(join(base, 'go'))
  }
  expect(existsSync(join(base, 'landing'))).toBe(true)
  expect(readdirSync(join(base, 'landing')).every((name) => name.startsWith('shop-'))).toBe(true)
})

test('only a branch is taken for one, and not what git finds from a name', async () => {
  const { git, open } = await repository()
  const { orchestrator, agent } = await open()
  git('commit', '--quiet', '--allow-empty', '-m', 'second')
  await agent('dev', 'b.txt=two')
  for (const into of ['main~1', 'main^', 'main@{0}', '../heads/main', '-q'])
    await expect(orchestrator.landings.land(['dev'], { into })).rejects.toThrow('there is no such branch')
})

test('work lands beside a target also if an agent is called landed', async () => {
  const { repo, git, open } = await repository()
  const { agent, landed } = await open()
  await agent('landed', 'b.txt=two')
  await writeFile(join(repo, 'mine.txt'), '')
  const [entry] = await landed('landed')
  expect(entry).toMatchObject({ status: 'landed', reason: expect.stringContaining('To take it over: ') })
  expect(git('show', 'claude-agents/landed-main:b.txt')).toBe('two')
})
