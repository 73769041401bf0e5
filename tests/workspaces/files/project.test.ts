/** Which files of a working tree are the project's own settings, and when their hash changes. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { projectSettings } from '../../../src/workspaces/files/project.ts'
import { repetitions } from '../../repetitions.ts'

async function tree(files: Readonly<Record<string, string>> = {}) {
  const directory = await realpath(mkdtempSync(join(tmpdir(), 'project-')))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
  for (const [path, text] of Object.entries(files)) await write(path, text)
  return { directory, write, settings: () => projectSettings(directory) }
}

const SETTINGS = [
  'CLAUDE.md',
  '.mcp.json',
  '.claude/settings.json',
  '.claude/hooks/check.sh',
  '.claude/rules/deep/rule.md',
  'src/CLAUDE.md',
  'src/.claude/rules/rule.md',
]
const OTHERS = [
  'a.txt',
  'src/.mcp.json',
  'docs/notes.md',
  'CLAUDE.local.md',
  '.claude/settings.local.json',
  '.git/CLAUDE.md',
  'claude/settings.json',
]
const RUNS = repetitions('PROJECT_RUNS', { short: 40, long: 400 })

const change = fc.record({
  path: fc.constantFrom(...SETTINGS, ...OTHERS),
  text: fc.constantFrom(null, '', 'one', 'two'),
})

test('the hash of the settings changes with what claude would load, and with nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { maxLength: 8 }),
      fc.array(change, { maxLength: 8 }),
      async (one, other) => {
        const seen = async (changes: readonly (typeof one)[number][]) => {
          const { directory, write, settings } = await tree()
          const loaded = new Map<string, string>()
          for (const { path, text } of changes) {
            if (text === null) await rm(join(directory, path), { force: true })
            else await write(path, text)
            if (!SETTINGS.includes(path)) continue
            if (text === null) loaded.delete(path)
            else loaded.set(path, text)
          }
          const { files, hash } = await settings()
          await rm(directory, { recursive: true })
          expect([...files].sort()).toEqual([...loaded.keys()].sort())
          return { hash, loaded: [...loaded].sort().join() }
        }
        const [first, second] = [await seen(one), await seen(other)]
        expect(first.hash === second.hash).toBe(first.loaded === second.loaded)
      },
    ),
    { numRuns: RUNS },
  )
})

describe('the hash changes with', () => {
  test.each<[string, Record<string, string>, string]>([
    [
      'what CLAUDE.md includes',
      { 'CLAUDE.md': 'See @docs/my\\ rules.md and docs/other.md', 'docs/my rules.md': 'x' },
      'docs/my rules.md',
    ],
    [
      'what that includes',
      { 'CLAUDE.md': '@docs/a.md', 'docs/a.md': '@b.md', 'docs/b.md': 'x' },
      'docs/b.md',
    ],
    [
      'a script that a hook runs',
      {
        '.claude/settings.json': JSON.stringify({
          hooks: {
            Stop: [{ hooks: [{ type: 'command', command: 'sh "$CLAUDE_PROJECT_DIR"/tools/stop.sh --all' }] }],
          },
        }),
        'tools/stop.sh': 'x',
      },
      'tools/stop.sh',
    ],
    [
      'the program of an MCP server',
      {
        '.mcp.json': JSON.stringify({ mcpServers: { a: { command: 'node', args: ['./tools/server.js'] } } }),
        'tools/server.js': 'x',
      },
      'tools/server.js',
    ],
  ])('%s', async (_, files, path) => {
    const { settings, write } = await tree({ ...files, 'docs/other.md': 'x' })
    const before = await settings()
    await write('docs/other.md', 'y')
    expect(await settings()).toEqual(before)
    await write(path, 'y')
    expect((await settings()).hash).not.toBe(before.hash)
  })
})

describe('a link', () => {
  test('is followed in the tree: what it leads to is part of the hash', async () => {
    const { directory, settings, write } = await tree({
      'AGENTS.md': 'x',
      'config/skills/a.md': 'x',
      '.claude/a': 'x',
    })
    await symlink('AGENTS.md', join(directory, 'CLAUDE.md'))
    await symlink('../config/skills', join(directory, '.claude/skills'))
    // One that leads round in a circle ends.
    await symlink('..', join(directory, '.claude/round'))
    const hashes = [(await settings()).hash]
    for (const path of ['AGENTS.md', 'config/skills/a.md']) {
      await write(path, 'y')
      hashes.push((await settings()).hash)
    }
    expect(new Set(hashes).size).toBe(3)
  })

  test.each(['/etc', '../..', '/etc/hostname'])(
    'that leads out of it (%s) cannot be trusted',
    async (target) => {
      const { directory, settings } = await tree({ 'CLAUDE.md': 'x' })
      await symlink(target, join(directory, '.claude'))
      expect((await settings()).problem).toBe(`.claude leads out of ${directory}`)
    },
  )
})

test('a directory that cannot be read holds no settings, such as one whose name is not UTF-8', async () => {
  const { directory, settings } = await tree({ 'CLAUDE.md': 'Be brief.' })
  await mkdir(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe])]))
  expect((await settings()).files).toEqual(['CLAUDE.md'])
})

test('a pipe in place of a file is not waited for', async () => {
  const { directory, settings } = await tree()
  execFileSync('mkfifo', [join(directory, 'CLAUDE.md')])
  expect((await settings()).problem).toBe('CLAUDE.md is not a file that can be read')
})
