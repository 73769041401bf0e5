/**
 * Four agents on the user's repository, with one command or one by one: each in a worktree of its own, two of them in conflict,
 * all landed through a gate, and nothing of the user touched. Real git, the real `claude` with its tools, and a model on
 * loopback.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../src/testing/model/messages-api.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { commandLine } from '../cli/command.ts'
import { repositoryIn } from '../cli/repository.ts'
import { everyCase } from '../repetitions.ts'

/** Writes what a task names, as the model does by default. Asked to settle a conflict, it reads the file and writes both lines. */
function model({ prompt, conversation }: ModelRequest) {
  if (prompt.startsWith('Resolve the conflicts')) return answer.toolUse('Read', { file_path: 'same.txt' })
  const [, before = ''] = conversation.at(-2) ?? []
  if (!before.startsWith('[Read')) return undefined
  return answer.toolUse('Write', { file_path: 'same.txt', content: 'one\ntwo\n' })
}

/** A repository with a dirty tree, a stash, and what its user has staged. */
async function world(environment: Readonly<Record<string, string>>) {
  const cli = await commandLine(environment)
  const git = await repositoryIn(cli.folder, { 'shop.txt': 'a shop\n', '.gitignore': '.claude-agents\n' })
  const write = (name: string, content: string) => writeFile(join(cli.folder, name), content)
  git('branch', 'release')
  await write('shop.txt', 'put away\n')
  git('stash', '-q')
  await write('shop.txt', 'staged\n')
  git('add', 'shop.txt')
  await write('shop.txt', 'the work of the user\n')
  await write('notes.txt', 'untracked\n')
  /** All of it, byte for byte. */
  const own = async () => {
    const files = ['shop.txt', 'notes.txt', '.git/index', '.git/config', '.git/HEAD', '.git/refs/stash']
    const bytes = await Promise.all(files.map((file) => readFile(join(cli.folder, file), 'base64')))
    return [git('status', '--porcelain'), git('stash', 'list'), git('rev-parse', 'main'), ...bytes]
  }
  return { cli, git, own }
}

const TASKS = ['Write a.txt: a', 'Write b.txt: b', 'Write same.txt: one', 'Write same.txt: two']
const LANDING = ['--into', 'release', '--gate', 'test -f shop.txt && ! grep -q "<<<" *.txt']

function checkRelease(git: Awaited<ReturnType<typeof world>>['git']): void {
  expect(git('ls-tree', '--name-only', 'release').split('\n')).toEqual([
    ...['.gitignore', 'a.txt', 'b.txt', 'same.txt', 'shop.txt'],
  ])
  expect(git('show', 'release:same.txt')).toBe('one\ntwo')
}

test('a fleet of four lands on a branch, and the tree, index, stash and settings of the user stay as they are', async () => {
  await using served = await simulatedModel({ reply: model })
  const { cli, git, own } = await world(served.environment)
  const before = await own()
  const ran = await cli.run(['fleet', ...TASKS, '--land', ...LANDING, '--id', 'shop', '--json'])
  expect(ran).toMatchObject({ exitCode: 0 })
  const done = { outcome: 'succeeded', files: 1, added: 1, removed: 0, landed: true }
  expect(ran.values).toMatchObject([{ runId: 'shop', tasks: TASKS.map((task) => ({ ...done, task })) }])
  checkRelease(git)
  expect(await own()).toEqual(before)
})

test.runIf(everyCase)(
  'four agents that are created and asked one by one land with one command, and nothing of the user is touched',
  async () => {
    await using served = await simulatedModel({ reply: model })
    const { cli, git, own } = await world(served.environment)
    const before = await own()
    const ids = TASKS.map((_, at) => `dev${at + 1}`)
    for (const [at, task] of TASKS.entries()) {
      const id = ids[at] ?? ''
      expect(await cli.run(['agent', 'create', id, 'You work.', '--repo', '.'])).toMatchObject({
        exitCode: 0,
      })
      expect(await cli.run(['agent', 'ask', id, task])).toMatchObject({ exitCode: 0 })
    }
    const landed = await cli.run(['land', ...ids, ...LANDING, '--json'])
    expect(landed).toMatchObject({ exitCode: 0 })
    const ends = new Map(landed.values.map(({ agent, status }) => [agent, status]))
    expect([...ends]).toEqual(ids.map((id) => [id, 'landed']))
    expect(landed.values.map(({ status }) => status)).toContain('mending')
    checkRelease(git)
    expect(await own()).toEqual(before)
  },
)
