/** The command line of a call: every flag, and nothing that could be mistaken for one. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeArguments } from '../../src/claude/arguments.ts'
import type { Version } from '../../src/claude/program.ts'

const SESSION = '11111111-1111-4111-8111-111111111111'
const PARENT = '22222222-2222-4222-8222-222222222222'
const OLD: Version = [2, 1, 197]

const NEVER = ['ListAgents', 'SendMessage', 'EnterWorktree', 'ExitWorktree']

const first = { sessionId: SESSION, parentSessionId: null, settings: { systemPrompt: '' } }
const oldest = { version: OLD, systemPromptFile: null }
const after = (argv: readonly string[], flag: string) => argv[argv.indexOf(flag) + 1]

test('a first call starts a session with our id', () => {
  expect(claudeArguments(first, oldest)).toEqual([
    '-p',
    ...['--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    ...['--session-id', SESSION],
    ...['--setting-sources', '', '--strict-mcp-config', '--disable-slash-commands'],
    ...['--permission-mode', 'acceptEdits'],
    '--disallowedTools',
    ...NEVER,
    ...['Bash', 'Monitor', 'PowerShell'],
  ])
})

test('a later call forks its parent under a new id', () => {
  const argv = claudeArguments({ ...first, parentSessionId: PARENT }, oldest)
  expect(argv.slice(5, 10)).toEqual(['--resume', PARENT, '--fork-session', '--session-id', SESSION])
})

test('a call whose turn was paused continues its own session in place', () => {
  const argv = claudeArguments({ ...first, parentSessionId: SESSION }, oldest)
  expect(argv.slice(5, 8)).toEqual(['--resume', SESSION, '--setting-sources'])
})

test('every setting has its flag, and the variadic ones come last', () => {
  const settings = { systemPrompt: 'x', model: 'opus', maxTurns: 3, allowedTools: ['Write', 'Bash(git *)'] }
  const argv = claudeArguments({ ...first, settings }, { version: OLD, systemPromptFile: '/home/prompt.md' })
  expect(argv.slice(13)).toEqual([
    ...['--append-system-prompt-file', '/home/prompt.md'],
    ...['--model', 'opus', '--max-turns', '3'],
    ...['--allowedTools', 'Write(./**)', 'Bash(git *)'],
    '--disallowedTools',
    ...NEVER,
  ])
})

test.each<[Version, boolean]>([
  [[2, 1, 197], false],
  [[2, 1, 256], false],
  [[2, 1, 257], true],
  [[2, 2, 0], true],
  [[3, 0, 0], true],
])('version %j is told not to snapshot the system prompt: %s', (version, expected) => {
  const argv = claudeArguments(first, { version, systemPromptFile: null })
  expect(argv.includes('--system-prompt-snapshot')).toBe(expected)
  if (expected) expect(after(argv, '--system-prompt-snapshot')).toBe('off')
})

test.each(['--dangerously-skip-permissions', '-p', 'Write --add-dir /', '', 'Wri\nte', 'Bash(a'])(
  'the tool %j is rejected',
  (tool) => {
    const settings = { systemPrompt: '', allowedTools: [tool] }
    expect(() => claudeArguments({ ...first, settings }, oldest)).toThrow(/is not the name of a tool/)
  },
)

test.each(['--add-dir=/', '', 'opus --verbose'])('the model %j is rejected', (model) => {
  const settings = { systemPrompt: '', model }
  expect(() => claudeArguments({ ...first, settings }, oldest)).toThrow(/is not the name of a model/)
})

test('file tools are confined to the workspace, others are unchanged', () => {
  const settings = {
    systemPrompt: '',
    allowedTools: ['Read', 'Edit', 'Grep', 'Glob', 'Read(~/docs/**)', 'mcp__files__read', 'WebFetch'],
  }
  const argv = claudeArguments({ ...first, settings }, oldest)
  expect(argv.slice(argv.indexOf('--allowedTools') + 1, argv.indexOf('--disallowedTools'))).toEqual([
    ...['Read(./**)', 'Edit(./**)', 'Grep(./**)', 'Glob(./**)'],
    ...['Read(~/docs/**)', 'mcp__files__read', 'WebFetch'],
  ])
})

test('permissions are bypassed only if the settings say so', () => {
  const settings = { systemPrompt: '', permissions: 'bypass' } as const
  const argv = claudeArguments({ ...first, settings }, oldest)
  expect(argv).toContain('--dangerously-skip-permissions')
  expect(argv).not.toContain('--permission-mode')
  expect(argv).not.toContain('Bash')
})

test('the settings of a project are loaded, but none of an agent or of the folders around', () => {
  const of = (hasServers: boolean) =>
    claudeArguments(first, { ...oldest, project: { directory: '/base/agents/a', hasServers } })
  const argv = of(true)
  expect(after(argv, '--setting-sources')).toBe('project')
  expect(after(argv, '--mcp-config')).toBe('.mcp.json')
  expect(of(false)).not.toContain('--mcp-config')
  expect(of(false)).toContain('--strict-mcp-config')
  const { claudeMdExcludes } = JSON.parse(after(argv, '--settings') ?? '{}')
  for (const above of ['/base/agents', '/base', '/'])
    expect(claudeMdExcludes).toContain(join(above, 'CLAUDE.md'))
  expect(claudeMdExcludes).not.toContain('/base/agents/a/CLAUDE.md')
})
