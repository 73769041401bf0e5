/**
 * Where each of the 25 cases of the contract with the CLI is tested. Change a title here whenever you change it
 * there.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const FAILURES = 'claude-cli-failures.test.ts'
const PROMPTS = 'claude-cli-prompts.test.ts'
const SESSIONS = 'claude-cli-sessions.test.ts'
const CONTRACT = 'contract.test.ts'
const RECOVERY = 'recovery.test.ts'
const HISTORY = 'session/history.test.ts'

/** The case and its tests: the file, and the start of the title. */
const CASES: readonly (readonly [
  number: number,
  subject: string,
  ...tests: (readonly [string, string])[],
])[] = [
  [1, 'a first turn under our session id', [SESSIONS, 'a call streams its text']],
  [2, 'a second turn carries the history', [SESSIONS, 'a second turn carries the history']],
  [
    3,
    'a fork leaves its parent unchanged',
    [SESSIONS, 'a second turn carries the history'],
    [HISTORY, 'over '],
  ],
  [4, 'a session id in use', [FAILURES, 'a session id that is already used is rejected']],
  [5, 'a session that does not exist', [FAILURES, 'a session that does not exist']],
  [6, 'transcripts that were cut off, or contain garbage', [CONTRACT, 'case 6']],
  [7, 'two turns at once', [CONTRACT, 'case 7']],
  [
    8,
    'a system prompt that changes',
    [PROMPTS, 'the system prompt reaches the model, even after it was changed'],
  ],
  [9, 'an API error that calls itself a success', [FAILURES, 'the CLI retries a server error']],
  [10, 'rate limits', [CONTRACT, 'case 10'], [FAILURES, '%s is reported after one request']],
  [11, 'an overloaded service', [FAILURES, '%s is reported after one request']],
  [
    12,
    'a rejected or missing login',
    [FAILURES, '%s is reported after one request'],
    [FAILURES, 'without a login nothing is sent'],
  ],
  [
    13,
    'a connection that is reset',
    [CONTRACT, 'case 13'],
    [CONTRACT, 'case 13: if it cannot'],
    [CONTRACT, 'case 13: an answer'],
    [CONTRACT, 'case 13: an answer that is cut'],
  ],
  [14, 'a stream that stalls', [CONTRACT, 'case 14'], [CONTRACT, 'case 14: a stream that the CLI']],
  [15, 'a silent service', [CONTRACT, 'case 15']],
  [16, 'a bad response', [CONTRACT, 'case 16']],
  [17, 'a turn limit', [FAILURES, 'a call that runs out of turns'], [CONTRACT, 'case 17']],
  [18, 'structured output', ['classification.test.ts', '%s: %j']],
  [19, 'an answer of 5 MB', [CONTRACT, 'case 19']],
  [
    20,
    'prompts that look like something else',
    [PROMPTS, 'the prompt %j reaches the model literally'],
    ['../e2e/literal-prompts.test.ts', 'every prompt of a chain reaches the model literally'],
  ],
  [21, 'a tree of tools at the end of a call', [CONTRACT, 'case 21']],
  [
    22,
    'a tree of tools when the CLI was killed',
    [CONTRACT, 'case 22'],
    [RECOVERY, 'a sweep kills what an earlier owner left'],
  ],
  [
    23,
    'two results, and a process that keeps running',
    ['faults.test.ts', 'a child that does this'],
    ['claude-cli-faults.test.ts', 'of two results, the last one counts'],
  ],
]

/** Cases the adapter has no part in; 24 is tested with the isolation. */
const ELSEWHERE = {
  24: 'isolation has its own tests',
  25: 'the adapter spawns one process per call: it has no persistent transport',
}

const tested = CASES.map(([number, subject, ...tests]) => ({ number, subject, tests }))

test.each(tested)('case $number, $subject, is tested', ({ tests }) => {
  expect(tests.length).toBeGreaterThan(0)
  for (const [file, title] of tests) {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8')
    const isThere = ["'", '`'].some((quote) => text.includes(quote + title))
    expect(isThere, `${file} has no test "${title}"`).toBe(true)
  }
})

test('all 25 cases are accounted for', () => {
  const numbers = [...CASES.map(([number]) => number), ...Object.keys(ELSEWHERE).map(Number)]
  expect(numbers).toEqual(Array.from({ length: 25 }, (_, index) => index + 1))
})
