/** Work of agents lands on a branch: merged, judged by a gate, fixed where it has to be. With real git. */
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { LandingNotFoundError } from '../../src/events/errors/workspace.ts'
import type { LandingEntry } from '../../src/landing/landings.ts'
import { repository, write } from './kit.ts'

test('work lands on a clean checked-out branch, with its files and its index', async () => {
  const { repo, git, open } = await repository()
  const { agent, landed } = await open()
  await agent('dev', 'b.txt=two', 'c.txt=three')
  const [entry] = await landed('dev')
  expect(entry).toMatchObject({ agent: 'dev', status: 'landed', target: 'main', reason: null })
  expect(entry?.commit).toBe(git('rev-parse', 'main'))
  expect(git('status', '--porcelain')).toBe('')
  expect(await readFile(join(repo, 'c.txt'), 'utf8')).toBe('three\n')
  expect(git('log', '-1', '--format=%an|%P|%(trailers:key=Landing,valueonly,separator=)')).toBe(
    `dev|${git('rev-parse', 'main^1')} ${git('rev-parse', 'claude-agents/dev')}|${entry?.entry}`,
  )
  expect(git('for-each-ref', 'refs/claude-agents/landing')).toBe('')
})

test('the gate judges the merged files, in a tree of its own, and what fails it does not land', async () => {
  const { repo, base, git, open, at } = await repository()
  const { agent, landed } = await open()
  await agent('good', 'b.txt=two')
  await agent('bad', 'c.txt=wrong')
  await writeFile(join(repo, 'unsaved.txt'), 'mine\n')
  const gate = 'test -f a.txt && ! grep -q wrong *.txt && git rev-parse HEAD && touch left-by-gate'
  const [good] = await landed('good', { gate })
  expect(good?.status).toBe('landed')
  // The tree of the user is not clean.
  expect(good?.reason).toContain(`git -C ${repo} merge claude-agents/landed/main`)
  expect(at('a.txt')).toBe('one')
  git('merge', '--quiet', 'claude-agents/landed/main')
  expect(at('b.txt')).toBe('two')

  const [bad] = await landed('bad', { gate })
  expect(bad).toMatchObject({ status: 'set-aside', commit: null })
  expect(bad?.reason).toContain('the gate failed')
  expect(git('ls-tree', '--name-only', 'main').split('\n')).toEqual(['a.txt', 'b.txt'])
  expect(git('status', '--porcelain')).toBe('?? unsaved.txt')
  expect(git('worktree', 'list').split('\n')).toHaveLength(3)
  expect(readdirSync(join(base, 'landing'))).toEqual([])
})

test('an agent whose work conflicts fixes it, without a shell, and then it lands', async () => {
  const { git, open, at } = await repository(async (workspace, prompt) => {
    if (!prompt.includes('could not be landed')) return write(workspace, prompt)
    const text = await readFile(join(workspace, 'a.txt'), 'utf8')
    expect(text).toContain('<<<<<<<')
    await writeFile(join(workspace, 'a.txt'), 'one\nfirst and second\n')
  })
  const { orchestrator, agent, landed } = await open()
  await agent('one', 'a.txt=first')
  await agent('two', 'a.txt=second')
  const seen: LandingEntry[] = []
  orchestrator.landings.changes().subscribe((entry) => seen.push(entry))
  const ended = await landed(['one', 'two'])
  expect(ended.map(({ status, reason }) => [status, reason])).toEqual([
    ['landed', null],
    ['landed', null],
  ])
  expect(at('a.txt')).toBe('one\nfirst and second')
  const [, two] = ended
  // Who waits for the end and who watches read the log each for themselves.
  await vi.waitFor(
    () => expect(seen.some(({ entry, status }) => entry === two?.entry && status === 'landed')).toBe(true),
    30_000,
  )
  expect(seen.filter(({ entry }) => entry === two?.entry).map(({ status }) => status)).toEqual([
    'queued',
    'merging',
    'queued',
    'merging',
    'mending',
    'queued',
    'merging',
    'landed',
  ])
  expect(git('status', '--porcelain')).toBe('')
})

test('an entry is cancelled while it waits, and an unknown one is refused', async () => {
  const { git, open } = await repository()
  const { orchestrator, agent, landed } = await open()
  await agent('dev', 'b.txt=two')
  const { landings } = orchestrator
  await expect(landings.cancel('nothing')).rejects.toThrow(LandingNotFoundError)
  await expect(landings.settled('nothing')).rejects.toThrow(LandingNotFoundError)
  await expect(landings.land(['nobody'])).rejects.toThrow('No agent "nobody"')
  await expect(landings.land(['dev'], { into: 'nowhere' })).rejects.toThrow('there is no such branch')
  const [entry] = await landings.land(['dev'], { gate: 'sleep 600' })
  const cancelled = await landings.cancel(entry?.entry ?? '')
  expect(cancelled).toMatchObject({ status: 'cancelled', commit: null })
  expect(await landings.cancel(entry?.entry ?? '')).toEqual(cancelled)
  const [again] = await landed('dev', { squash: true })
  expect(again).toMatchObject({ status: 'landed' })
  expect(git('log', '--format=%an %s').split('\n')).toEqual(['dev b.txt=two', 'User first'])
})

test('an agent that leaves the marks of a conflict is asked once more, and then its work does not land', async () => {
  const prompts: string[] = []
  const { git, open, at } = await repository(async (workspace, prompt) => {
    prompts.push(prompt)
    if (!prompt.includes('could not be landed')) await write(workspace, prompt)
  })
  const { agent, landed } = await open()
  await agent('one', 'a.txt=first')
  await agent('two', 'a.txt=second')
  const [, two] = await landed(['one', 'two'])
  expect(two).toMatchObject({ status: 'set-aside', commit: null })
  expect(two?.reason).toContain('it conflicts with main; its agent was asked 2 times to fix it')
  expect(prompts.filter((prompt) => prompt.includes('could not be landed'))).toHaveLength(2)
  expect(at('a.txt')).toBe('first')
  expect(git('status', '--porcelain')).toBe('')
})

test('an agent that has no budget left to fix its work holds up no other, and lands once it has', async () => {
  const { open, at } = await repository(async (workspace, prompt) => {
    if (!prompt.includes('could not be landed')) await write(workspace, prompt)
    else await writeFile(join(workspace, 'a.txt'), 'both\n')
  })
  const { orchestrator, agent, landed } = await open()
  const { landings, budgets, held } = orchestrator
  await agent('one', 'a.txt=first')
  await agent('two', 'a.txt=second')
  await agent('three', 'c.txt=third')
  await budgets.set({ usd: 0.001 }, { agent: 'two' })
  await landed('one')
  const [two] = await landings.land(['two'])
  expect(await landed('three')).toMatchObject([{ status: 'landed' }])
  expect(await landings.list()).toMatchObject([{ agent: 'one' }, { agent: 'two', status: 'mending' }, {}])
  await expect.poll(() => held.list()).not.toEqual([])
  await budgets.set({ usd: 5 }, { agent: 'two' })
  expect(await landings.settled(two?.entry ?? '')).toMatchObject({ status: 'landed' })
  expect(at('a.txt')).toBe('both')
})
