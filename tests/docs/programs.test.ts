/** The programs in the docs and the examples run as they stand, each in a folder of its own, and print what they say. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { format } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { CLAUDE, QUICK_CLAUDE } from '../cli/command.ts'
import { blocks, GUIDES, isTriedWithClaude, ROOT } from './documents.ts'

const examples = (await readdir(join(ROOT, 'examples'))).filter((file) => file.endsWith('.ts')).sort()
const programs: readonly (readonly [name: string, code: string, claude: string])[] = [
  ...GUIDES.flatMap((page) =>
    blocks(page, 'ts').map(
      (code, index) =>
        [`${page} ${index + 1}`, code, isTriedWithClaude(page) ? CLAUDE : QUICK_CLAUDE] as const,
    ),
  ),
  ...(await Promise.all(
    examples.map(
      async (file) => [file, await readFile(join(ROOT, 'examples', file), 'utf8'), QUICK_CLAUDE] as const,
    ),
  )),
]

/** What a program says that it prints, in comments behind `console.log`. */
const shownBy = (code: string) =>
  [...code.matchAll(/console\.log\(.*\) \/\/ (.+)$/gm)].map(([, comment]) => comment ?? '')

let model: SimulatedModel

beforeAll(async () => {
  model = await simulatedModel()
  for (const [name, value] of Object.entries(model.environment)) vi.stubEnv(name, value)
})
afterAll(async () => {
  await model.close()
  vi.unstubAllEnvs()
})

test('The docs hold programs to be tried', () => {
  expect(programs.length).toBeGreaterThan(20)
})

test.each(programs)('%s runs', async (name, code, claude) => {
  const file = join(ROOT, 'tests/docs', `.program-${name.replace(/\W+/g, '-')}.ts`)
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  await writeFile(file, code)
  vi.stubEnv('CLAUDE_AGENTS_CLAUDE_PATH', claude)
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
