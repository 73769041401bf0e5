/** What our texts advise can be done: every command, option, key and variable that they name exists. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { beforeAll, expect, test } from 'vitest'
import { commandNamed } from '../../src/cli/lazy-command.ts'
import { commandProgram, completeProgram } from '../../src/cli/program.ts'
import { SETTING_KEYS, variableOf } from '../../src/config/layers.ts'
import { LIMITS } from '../../src/events/options/limits.ts'

const SOURCES = join(import.meta.dirname, '../../src')
/** The arguments of other programs, and the scripts of shells. */
const OTHERS =
  /^(claude\/|inspector\/page|workspaces\/inputs\/(?:git-|clone)|workspaces\/files\/|inspector\/files\.ts|testing\/|cli\/setup\/completion|events\/redaction)/

/** Every line of the sources that is not a comment, with its place. */
const lines = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !OTHERS.test(file))
  .flatMap((file) =>
    readFileSync(join(SOURCES, file), 'utf8')
      .split('\n')
      .map((text, at) => ({ place: `${file}:${at + 1}`, text }))
      .filter(({ text }) => !/^\s*(\*|\/\/|\/\*)/.test(text)),
  )

/** What the pattern finds in the sources, each with its place. */
const named = (pattern: RegExp) =>
  lines.flatMap(({ place, text }) =>
    [...text.matchAll(pattern)].map(([, found = '']) => ({ place, found: found.trim() })),
  )

let program: Command
beforeAll(async () => {
  program = await completeProgram()
})

const withSubcommands = (command: Command): readonly Command[] => [
  command,
  ...command.commands.flatMap(withSubcommands),
]

test('every command that a text names exists', async () => {
  const found = named(/claude-agents ((?:[a-z][a-z-]* ?)+)/g)
  expect(found.length).toBeGreaterThan(50)
  for (const { place, found: text } of found) {
    const words = text.split(' ')
    const { command, names } = await commandNamed(commandProgram(), words)
    const isWhole = names.length > 0 && (command.commands.length === 0 || names.length > 1)
    // These do something without a subcommand as well.
    expect(
      isWhole || ['log', 'serve', 'inbox'].includes(command.name()),
      `${place}: claude-agents ${text}`,
    ).toBe(true)
  }
})

test('every option that a text names exists', () => {
  const known = new Set(withSubcommands(program).flatMap(({ options }) => options.map(({ long }) => long)))
  const found = named(/(?<![\w-])(--[a-z][a-z-]+)/g)
  expect(found.length).toBeGreaterThan(50)
  expect(found.filter(({ found: option }) => !known.has(option) && option !== '--help')).toEqual([])
})

test('every key and variable that a text names exists', () => {
  const variables = new Set(SETTING_KEYS.map(variableOf))
  const unknownVariables = named(/\b(CLAUDE_AGENTS_[A-Z_]+)\b/g).filter(
    ({ found }) => !variables.has(found) && !['CLAUDE_AGENTS_HOME', 'CLAUDE_AGENTS_DATABASE'].includes(found),
  )
  expect(unknownVariables).toEqual([])
  const keys = named(/['"` (]((?:limits|orchestrator|agent_defaults|logging)\.[a-z][a-zA-Z_]+)/g).filter(
    ({ place }) => place.startsWith('events/errors/'),
  )
  expect(keys.length).toBeGreaterThan(3)
  // The last is an option of claudeCli.
  const known = [...SETTING_KEYS, ...Object.keys(LIMITS).map((key) => `limits.${key}`), 'limits.idleMs']
  expect(keys.filter(({ found }) => !known.includes(found))).toEqual([])
})

test('a text that advises to raise something names it', () => {
  const advice = lines.filter(({ place, text }) => place.startsWith('events/') && /\braise\b/i.test(text))
  expect(advice.length).toBeGreaterThan(5)
  const raised =
    /raise (its limit: \$\{SETTING|orchestrator\.|\$\{key\}|limits\.|maxAgents|timeoutMs|the limit \(ulimit -n\)|the limit, then: claude-agents account)|\braise\(|raise = /i
  expect(advice.filter(({ text }) => !raised.test(text))).toEqual([])
})
