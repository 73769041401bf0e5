/** Whether a test is quick follows from its imports, so there is no list to maintain. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { sortTests } from './quick-tests.ts'

async function project(files: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  return root
}

test('a test is quick unless its imports start a process, lazily or not, or run a program', async () => {
  const root = await project({
    'tests/kit.ts': "import { execa } from 'execa'",
    'src/git.ts': "export const git = async () => (await import('execa')).execa('git')",
    'src/page.ts': "export const page = new URL('../dist/page/', import.meta.url)",
    'src/orchestrator.ts': "import { git } from './git.ts'",
    'src/types.ts': "import type { ChildProcess } from 'node:child_process'",
    'tests/direct.test.ts': "import { spawn } from 'node:child_process'",
    'tests/kit.test.ts': "import {\n  one,\n} from './kit.ts'",
    'tests/lazy.test.ts': "import { git } from '../src/git.ts'",
    'tests/page.test.ts': "import { page } from '../src/page.ts'",
    'tests/program.test.ts': "const program = join(import.meta.dirname, 'fixtures/writer.mjs')",
    'tests/facade.test.ts': "import { open } from '../src/orchestrator.ts'",
    'tests/types.test.ts': "import { one } from '../src/types.ts'",
    // Written so that this file itself is not one of them.
    'tests/mocks.test.ts': ['vi', "mock('../src/git.ts')"].join('.'),
    'tests/path.test.ts': ['process.env', "PATH = '/nowhere'"].join('.'),
  })
  const { quick, others, alone } = sortTests(root)
  expect(quick).toEqual(['tests/facade.test.ts', 'tests/types.test.ts'])
  expect(Object.fromEntries(others)).toEqual({
    'tests/direct.test.ts': ['tests/direct.test.ts', 'node:child_process'],
    'tests/kit.test.ts': ['tests/kit.test.ts', 'tests/kit.ts', 'execa'],
    'tests/lazy.test.ts': ['tests/lazy.test.ts', 'src/git.ts', 'execa'],
    'tests/page.test.ts': ['tests/page.test.ts', 'src/page.ts', '/dist/'],
    'tests/program.test.ts': ['tests/program.test.ts', 'fixtures/writer.mjs'],
    'tests/mocks.test.ts': ['tests/mocks.test.ts', ['vi', 'mock('].join('.')],
    'tests/path.test.ts': ['tests/path.test.ts', ['process.env', 'PATH = '].join('.')],
  })
  expect(alone).toEqual(['tests/mocks.test.ts', 'tests/path.test.ts'])
})
