/** The worst that a child can say, in every place where we read it: the work is bounded by us, not by its length. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { classify, endingOf } from '../../src/claude/classification.ts'
import { callResult } from '../../src/claude/process/call-ending.ts'
import { streamParser } from '../../src/claude/stream/parser.ts'
import { oneLine, redactor } from '../../src/events/secrets/redaction.ts'
import { cloneFailure } from '../../src/workspaces/inputs/clone-failure.ts'

const MEGABYTE = 2 ** 20

/** Each makes some pattern search long and in vain, from many places. */
const WORST = [
  ...['a', ' ', '\n', '\\', '"', '{', '[', '\u001b[', '\u009b1;', '-', '://', 'a://', '\u2028', '\ud83d'],
  ...['Bearer ', 'api_key ', 'x-api-key:', 'authorization\t', 'sk-ant-', 'auth-token "'],
  ...[
    'token=',
    'password: "',
    'password=x ',
    "secret: 'x",
    'tokentoken',
    '--token ',
    '-u ',
    'cookie:',
    'eyJ',
    'eyJabcdefgh.',
  ],
  ...[
    'ghp_',
    'AKIA',
    'xoxb-',
    '-----BEGIN PRIVATE KEY',
    '-----BEGIN PRIVATE KEY-----',
    '1234567890:AA',
    'hooks.slack.com/',
  ],
  ...['Session ID ', 'Remote branch ', 'Permission to ', 'repository ', 'fatal: ', 'a long word@'],
]

const redact = redactor({
  secrets: ['hunter2-hunter2', 'a'.repeat(5000)],
  prompts: ['a'.repeat(100_000), 'x a '.repeat(9000)],
})
// What it looks for is made for the first text.
redact('a')
const facts = () => streamParser(redact).facts

const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  redaction: redact,
  'one line': (text) => oneLine(text, 200),
  'a line that is no JSON': (text) => streamParser(redact).read(text),
  'the error of a retry': (text) =>
    streamParser(redact).read(JSON.stringify({ type: 'system', subtype: 'api_retry', error: text })),
  'a denied tool use': (text) =>
    callResult({ permission_denials: [{ tool_name: text, tool_input: { content: text } }] }, facts(), {
      costBefore: 0,
      redact,
    }),
  'the text of an error': (text) => failure({ is_error: true, result: text }),
  'the entries of errors[]': (text) => failure({ subtype: 'error_during_execution', errors: [text, text] }),
  'the output for errors': (text) => failure({}, text),
  'what git says': (text) =>
    cloneFailure({ url: 'https://host/a', credentials: null } as never, {
      exitCode: 1,
      isMissing: false,
      stderr: text,
    }),
}

const failure = (result: Record<string, unknown>, stderr = '') =>
  classify(
    {
      ...{ spawnError: null, workspaceExists: true, stopped: null, exitCode: 1, signal: null, stderr },
      ending: stderr === '' ? endingOf(result) : null,
      ...{ assistantError: null, endsUnreadable: false, structuredOutputRequested: false },
    },
    redact,
  )

/** How many characters regular expressions have gone over, and the longest text that one was given. */
function expressionWork(work: () => unknown): { characters: number; longest: number } {
  const seen = { characters: 0, longest: 0 }
  const { exec } = RegExp.prototype
  RegExp.prototype.exec = function count(text) {
    const from = this.global || this.sticky ? this.lastIndex : 0
    const found = exec.call(this, text)
    const to = found ? found.index + found[0].length : text.length
    seen.characters += Math.max(0, to - from)
    seen.longest = Math.max(seen.longest, text.length)
    return found
  }
  try {
    work()
  } finally {
    RegExp.prototype.exec = exec
  }
  return seen
}

/** What we look at, and what is longer by words that stand in place of secrets. */
const MOST_AT_ONCE = 2 * 16 * 1024

/** Longer than what we look at, also where that is the end of it. */
const LONG = 4 * MOST_AT_ONCE

/** Some fifty patterns, each over what we look at. */
const MOST_CHARACTERS = 50 * MOST_AT_ONCE

test.each(Object.entries(READERS))(
  '%s: no pattern sees more than we look at, however much is said',
  (_, read) => {
    for (const piece of WORST) {
      const [once, twice] = [1, 2].map((times) =>
        expressionWork(() => read(piece.repeat((times * LONG) / piece.length))),
      )
      expect({ piece, longest: once?.longest }).toSatisfy(({ longest }) => longest <= MOST_AT_ONCE)
      expect({ piece, characters: once?.characters }).toSatisfy(
        ({ characters }) => characters <= MOST_CHARACTERS,
      )
      expect({ piece, ...twice }).toEqual({ piece, ...once })
    }
  },
)

/** The regular expressions that a text is searched with. */
function patternsOf(read: (text: string) => unknown): readonly RegExp[] {
  const patterns = new Set<RegExp>()
  const { exec } = RegExp.prototype
  RegExp.prototype.exec = function note(text) {
    patterns.add(this)
    return exec.call(this, text)
  }
  try {
    read('x')
  } finally {
    RegExp.prototype.exec = exec
  }
  return [...patterns]
}

/** One part of a pattern with how often it may come; brackets stand for themselves, and what only looks around is left out. */
const PART =
  /\(\?<?[!=](?:\\.|[^()\\])*\)|(?<part>\\.|\[(?:\\.|[^\]\\])*\]|\(\?:|[^?*+{])(?<times>[*+?]|\{\d+,?\d*\})?\??/g
const BRACKETS = ['(', '(?:', ')']
const CHARACTERS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code))

/** The parts of a pattern that are repeated without end, fit the same text in a row, and have more to follow. */
function ambiguousParts({ source, flags }: RegExp): readonly string[] {
  const parts = [...source.matchAll(PART)].flatMap(({ groups }) =>
    groups?.part === undefined || BRACKETS.includes(groups.part)
      ? []
      : [{ part: groups.part, times: groups.times ?? '' }],
  )
  const isEndless = (times: string) => /[*+]|,\}/.test(times)
  const fits = (part: string) => {
    const expression = new RegExp(`^${part}$`, flags.replace('g', ''))
    return CHARACTERS.filter((character) => expression.test(character))
  }
  return parts.flatMap(({ part, times }, at) => {
    if (!isEndless(times)) return []
    const next = parts.findIndex((other, place) => place > at && !/^[?*]|\{0/.test(other.times))
    const rivals = parts.slice(at + 1, next + 1).filter((other) => isEndless(other.times))
    return next === parts.length - 1 ||
      !rivals.some((rival) => fits(rival.part).some((one) => fits(part).includes(one)))
      ? []
      : [`${part}${times}${rivals[0]?.part}`]
  })
}

test('no two parts of a pattern that redacts fit the same text in a row, which would be searched over and over', () => {
  expect(ambiguousParts(/-u[ =]+[^:]+:/)).toHaveLength(1)
  expect(ambiguousParts(/-u(?:[ =]+)([^:]+):/)).toHaveLength(1)
  expect(ambiguousParts(/-u[ =]+[^ =:]+:/)).toEqual([])
  const patterns = patternsOf(redact)
  expect(patterns.length).toBeGreaterThan(10)
  for (const pattern of patterns)
    expect({ pattern, parts: ambiguousParts(pattern) }).toEqual({ pattern, parts: [] })
})

test('many lines that are no JSON are reported a few times, and counted', () => {
  const parser = streamParser(redact)
  const messages = Array.from({ length: 10_000 }, () => parser.read('no JSON')).flat()
  expect(messages).toHaveLength(10)
  expect(messages.at(-1)).toMatchObject({ message: expect.stringContaining('further ones are not reported') })
  expect(parser.facts.unreadable).toBe(10_000)
})

test('millions of lines that are no JSON do not reach the JSON parser, whose exceptions are dear', () => {
  const parsing = vi.spyOn(JSON, 'parse')
  onTestFinished(() => parsing.mockRestore())
  const parser = streamParser(redact)
  for (const line of ['no JSON', '{', '}', '[]', '"text"', ' {"half": ', '7', '']) parser.read(line)
  expect(parsing).not.toHaveBeenCalled()
  expect(parser.read(' {"type":"assistant","message":{"content":[{"type":"text","text":"hi"}]}} \r')).toEqual(
    [{ type: 'text', text: 'hi' }],
  )
})

test('names of a megabyte, and any number of them, are cut', () => {
  const parser = streamParser(redact)
  const long = 'x'.repeat(MEGABYTE)
  const tools = Array.from({ length: 5000 }, () => long)
  const init = { type: 'system', subtype: 'init', session_id: long, model: long, claude_code_version: long }
  const messages = [
    ...parser.read(JSON.stringify({ ...init, tools: tools.slice(0, 3) })),
    ...parser.read(JSON.stringify({ ...init, tools: tools.map(() => 'Bash') })),
    ...parser.read(
      JSON.stringify({
        type: 'assistant',
        message: { content: [{ type: 'tool_use', name: long, id: long }] },
      }),
    ),
  ]
  for (let count = 0; count < 1000; count += 1)
    parser.read(JSON.stringify({ type: `${count} ${long.slice(0, 500)}` }))
  expect(JSON.stringify([messages, [...parser.facts.unknown]]).length).toBeLessThan(50_000)
})

test('the secret or the prompt in which the beginning of a long text ends is left out', () => {
  const prompt = 'Tell nobody of the plan to move the office to Lisbon. '.repeat(500)
  const quoted = redactor({ prompts: [prompt], secrets: ['hunter2-correct-horse'] })
  expect(quoted(`The request was refused: ${prompt.slice(0, 20_000)}`)).toBe('The request was refused: ...')
  const filler = 'word '.repeat(3275)
  expect(quoted(`${filler}hunter2-correct-horse ${filler}`)).not.toContain('hunter2')
  expect(quoted(`${filler}https://me:secret-word@host/ ${filler}`)).not.toContain('secret')
})

test('a tool input that is nested too deeply to be quoted does not lose the answer', () => {
  const tool_input = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`)
  const record = { result: 'paid', permission_denials: [{ tool_name: 'Write', tool_input }] }
  expect(callResult(record, facts(), { costBefore: 0, redact })).toMatchObject({ text: 'paid' })
  const structured = { result: 'paid', structured_output: tool_input }
  expect(callResult(structured, facts(), { costBefore: 0, redact })).toMatchObject({ text: 'paid' })
})
