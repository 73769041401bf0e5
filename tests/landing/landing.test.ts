/** Work of agents lands on a branch: merged, judged by a gate, fixed where it has to be. With real git. */
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
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
  expect(good?.reason).toContain(`git -C ${repo} merge claude-agents/landed/${good?.entry}`)
  expect(at('a.txt')).toBe('one')
  git('merge', '--quiet', `claude-agents/landed/${good?.entry}`)
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
