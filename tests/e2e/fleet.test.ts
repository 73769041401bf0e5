/**
 * Four agents on the user's repository, with one command: each in a worktree of its own, two of them in conflict, all landed
 * through a gate, and nothing of the user touched. Real git, the real `claude` with its tools, and a model on loopback.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../src/testing/model/messages-api.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { commandLine } from '../cli/command.ts'

/** Writes what a task names, as the model does by default. Asked to settle a conflict, it reads the file and writes both lines. */
function model({ prompt, conversation }: ModelRequest) {
  if (prompt.startsWith('Resolve the conflicts')) return answer.toolUse('Read', { file_path: 'same.txt' })
  const [, before = ''] = conversation.at(-2) ?? []
  if (!before.startsWith('[Read')) return undefined
  return answer.toolUse('Write', { file_path: 'same.txt', content: 'one\ntwo\n' })
}

test('a fleet of four lands on a branch, and the tree, index, stash and settings of the user stay as they are', async () => {
  await using served = await simulatedModel({ reply: model })
  const cli = await commandLine(served.environment)
  const git = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], {
      cwd: cli.folder,
    }).stdout
  const write = (name: string, content: string) => writeFile(join(cli.folder, name), content)
  git('init', '-q', '-b', 'main')
  await write('shop.txt', 'a shop\n')
  await write('.gitignore', '.claude-agents\n')
  git('add', '-A')
  git('commit', '-qm', 'first')
  git('branch', 'release')
  await write('shop.txt', 'put away\n')
  git('stash', '-q')
  await write('shop.txt', 'staged\n')
  git('add', 'shop.txt')
  await write('shop.txt', 'the work of the user\n')
  await write('notes.txt', 'untracked\n')
  const own = async () => {
    const files = ['shop.txt', 'notes.txt', '.git/index', '.git/config', '.git/HEAD', '.git/refs/stash']
    const bytes = await Promise.all(files.map((file) => readFile(join(cli.folder, file), 'base64')))
    return [git('status', '--porcelain'), git('stash', 'list'), git('rev-parse', 'main'), ...bytes]
  }
  const before = await own()

  const tasks = ['Write a.txt: a', 'Write b.txt: b', 'Write same.txt: one', 'Write same.txt: two']
  const ran = await cli.run([
    ...[
      'fleet',
      ...tasks,
      '--land',
      '--into',
      'release',
      '--gate',
      'test -f shop.txt && ! grep -q "<<<" *.txt',
    ],
    ...['--id', 'shop', '--json'],
  ])
  expect(ran).toMatchObject({ exitCode: 0 })
  const done = { outcome: 'succeeded', files: 1, added: 1, removed: 0, landed: true }
  expect(ran.values).toMatchObject([{ runId: 'shop', tasks: tasks.map((task) => ({ ...done, task })) }])
  expect(git('ls-tree', '--name-only', 'release').split('\n')).toEqual([
    ...['.gitignore', 'a.txt', 'b.txt', 'same.txt', 'shop.txt'],
  ])
  expect(git('show', 'release:same.txt')).toBe('one\ntwo')
  expect(await own()).toEqual(before)
})
