/** The commands in the docs run as they stand, one after another, each page in a folder of its own. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { CLAUDE, MAIN, QUICK_CLAUDE } from '../cli/command.ts'
import { warmScript } from '../cli/warm-script.ts'
import { isLong } from '../repetitions.ts'
import { blocks, GUIDES, isTriedWithClaude, ROOT } from './documents.ts'

/** These set the project itself up, or install it: `.ci/run` does that. */
const SETS_UP = /^npm (ci|install)/m

/** Half a minute on a machine that does nothing else; others may be at work. */
const A_WHOLE_PAGE_MS = 300_000

const pages = GUIDES.map(
  (page) => [page, blocks(page, 'bash').filter((code) => !SETS_UP.test(code))] as const,
).filter(([, commands]) => commands.length > 0)

let model: SimulatedModel

beforeAll(async () => {
  model = await simulatedModel()
})
afterAll(() => model.close())

test('The docs hold commands to be tried', () => {
  expect(pages.map(([page]) => page)).toContain('README.md')
})

test.concurrent.each(pages)(
  'The commands of %s run',
  async (page, commands) => {
    const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
    // What npm would have put there.
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await symlink(ROOT, join(folder, 'node_modules/claude-multi-agent'))
    const command = join(folder, 'node_modules/.bin/claude-agents')
    if (isLong) await symlink(MAIN, command)
    await using _ = isLong ? null : await warmScript(command)
    // It takes longer than the command that it starts.
    if (!isLong)
      await writeFile(join(folder, 'node_modules/.bin/npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 })
    try {
      for (const code of commands) {
        const { exitCode, stderr } = await execa('bash', ['-euc', code], {
          cwd: folder,
          reject: false,
          // A command waits a while for text in a pipe.
          stdin: 'ignore',
          // As where it is installed globally.
          preferLocal: true,
          localDir: folder,
          env: {
            HOME: folder,
            ...model.environment,
            CLAUDE_AGENTS_CLAUDE_PATH: isTriedWithClaude(page) ? CLAUDE : QUICK_CLAUDE,
          },
        })
        expect({ code, exitCode, stderr }).toMatchObject({ exitCode: 0 })
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
  A_WHOLE_PAGE_MS,
)
