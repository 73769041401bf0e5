/** The code in the docs runs as it stands: TypeScript in a folder of its own, commands in a shell, all of it with the
 * real `claude` and a simulated model. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { format } from 'node:util'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type SimulatedModel, simulatedModel } from '../../src/testing/simulated-model.ts'
import { CLAUDE, MAIN } from '../cli/command.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DOCUMENTS = [
  'README.md',
  'docs/configuration.md',
  'docs/workflows.md',
  'docs/limits.md',
  'docs/budgets.md',
  'docs/supervision.md',
  'docs/other-programs.md',
  'docs/live.md',
  'docs/replay.md',
]
/** These set the project itself up, or install it: `.ci/run` does that. */
const SETS_UP = /^npm (ci|install)/m

async function blocks(document: string, language: string): Promise<string[]> {
  const text = await readFile(join(ROOT, document), 'utf8')
  return [...text.matchAll(/```(\w+)\n(.*?)```/gs)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code ?? '')
}

/** What a program says that it prints, in comments behind `console.log`. */
const shownBy = (code: string) =>
  [...code.matchAll(/console\.log\(.*\) \/\/ (.+)$/gm)].map(([, comment]) => comment ?? '')

const titled = (document: string, codes: string[]) =>
  codes.map((code, index) => [`${document} ${index + 1}`, code] as const)

const examples = (await readdir(join(ROOT, 'examples'))).filter((file) => file.endsWith('.ts')).sort()
const programs: readonly (readonly [name: string, code: string])[] = [
  ...(
    await Promise.all(DOCUMENTS.map(async (document) => titled(document, await blocks(document, 'ts'))))
  ).flat(),
  ...(await Promise.all(
    examples.map(async (file) => [file, await readFile(join(ROOT, 'examples', file), 'utf8')] as const),
  )),
]
const commands = (await Promise.all(DOCUMENTS.map((document) => blocks(document, 'bash'))))
  .flat()
  .filter((code) => !SETS_UP.test(code))

let model: SimulatedModel

beforeAll(async () => {
  model = await simulatedModel()
  for (const [name, value] of Object.entries({ ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: CLAUDE })) {
    vi.stubEnv(name, value)
  }
})
afterAll(async () => {
  await model.close()
  vi.unstubAllEnvs()
})

describe('the docs', () => {
  test('hold programs and commands to be tried', () => {
    expect(programs.length).toBeGreaterThan(3)
    expect(commands.length).toBeGreaterThan(2)
  })

  test.each(programs)('%s runs', async (name, code) => {
    const file = join(ROOT, 'tests/docs', `.program-${name.replace(/\W+/g, '-')}.ts`)
    const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
    await writeFile(file, code)
    const said = vi.spyOn(console, 'log').mockImplementation(() => {})
    const wrote = vi.spyOn(process.stdout, 'write').mockImplementation(() => true)
    const where = vi.spyOn(process, 'cwd').mockReturnValue(folder)
    try {
      await import(file)
      const lines = said.mock.calls.map((values) => format(...values).replaceAll('\n', '\\n'))
      expect(lines.join('')).not.toBe('')
      for (const comment of shownBy(code))
        expect({ comment, lines: lines.filter((line) => comment.startsWith(line)) }).not.toEqual({
          comment,
          lines: [],
        })
    } finally {
      for (const spy of [said, wrote, where]) spy.mockRestore()
      await rm(file)
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('commands run, one after another, in one folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
    // What npm would have put there.
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await symlink(MAIN, join(folder, 'node_modules/.bin/claude-agents'))
    await symlink(ROOT, join(folder, 'node_modules/claude-multi-agent'))
    try {
      for (const code of commands) {
        const { exitCode, stderr } = await execa('bash', ['-euc', code], {
          cwd: folder,
          reject: false,
          // As where it is installed globally.
          preferLocal: true,
          localDir: folder,
        })
        expect({ code, exitCode, stderr }).toMatchObject({ exitCode: 0 })
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
