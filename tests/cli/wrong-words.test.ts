/** What somebody sees who has typed the wrong words, and whether the hints can be copied as they stand. */
import { expect, test } from 'vitest'
import { readInput } from '../../src/cli/interactive/input.ts'
import { helpWords } from '../../src/cli/program.ts'
import { asTyped } from '../../src/cli/terminal/own-name.ts'
import { commandLine } from './command.ts'

test('A missing word is said once, with the help of the command that was meant', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['agent', 'ask', 'writer'])
  expect(exitCode).toBe(2)
  expect(stderr).toBe(
    "error: missing required argument 'prompt'\n  claude-agents agent ask --help shows how it is used.",
  )
})

test('A question without quotes is told what it wants', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['agent', 'ask', 'writer', 'What', 'is', 'this'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('A text of several words goes in quotes.')
})

test('Without a command there is help on stderr, and no error that nobody understands', async () => {
  const { run } = await commandLine()
  const { stdout, stderr, exitCode } = await run(['agent'])
  expect(exitCode).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^Usage: claude-agents agent/)
  expect(stderr).not.toContain('error')
  expect(JSON.parse((await run(['agent', '--json'])).stderr.split('\n').at(-1) ?? '')).toMatchObject({
    error: { code: 'UsageError', message: 'a command is missing' },
  })
})

test('One word for workflow run is the task, and the agents are asked for', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['workflow', 'run', 'writer'])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/^error: The agents: none is named, as the last word is the task\./)
})

test('The help that is named is that of the innermost command', () => {
  expect(helpWords([])).toBe('claude-agents --help')
  expect(helpWords(['--json', 'agnet', 'list'])).toBe('claude-agents --help')
  expect(helpWords(['agent', '--base-dir', 'x', 'ask', 'log'])).toBe('claude-agents agent ask --help')
})

test('Whoever uses npx is told to type npx, and nobody else', () => {
  const npx = { npm_lifecycle_event: 'npx', npm_lifecycle_script: "'claude-agents' 'agent' 'list'" }
  const hint = 'Make one: claude-agents init, see claude-agents.yaml, or npx claude-agents init'
  expect(asTyped(hint, npx)).toBe(
    'Make one: npx claude-agents init, see claude-agents.yaml, or npx claude-agents init',
  )
  for (const environment of [{}, { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'vitest' }])
    expect(asTyped(hint, environment)).toBe(hint)
})

test('A hint that is copied into an interactive session is a command, and is not asked of the agent', () => {
  expect(readInput('claude-agents agent list', 'writer')).toEqual({
    type: 'command',
    words: ['agent', 'list'],
  })
  expect(readInput('npx claude-agents workflow resume "r 1"', null)).toEqual({
    type: 'command',
    words: ['workflow', 'resume', 'r 1'],
  })
  expect(readInput('claude-agents is what we work on', 'writer')).toMatchObject({ type: 'ask' })
})
