/** The screen of `top`. */
import { expect, test } from 'vitest'
import { topLines } from '../../../src/cli/live/top.ts'

const plain = { style: (_: unknown, text: string) => text }
const agent = (id: string, status: 'idle' | 'busy', queue: number) => ({
  id,
  status,
  queue,
  version: 1,
  currentSession: null,
  totalInteractions: 2,
  totalTokens: 1000,
  totalCostUsd: 0.5,
  estimatedCostUsd: 0,
  held: 0,
  lateAnswers: 0,
})

test('Lists agents with what they are doing, and totals below', () => {
  const agents = [agent('writer', 'busy', 3), agent('critic', 'idle', 0)]
  expect(topLines(plain, { agents, runs: 1, accounts: [], owner: 7 })).toEqual([
    '2 agents, 1 call in flight, 2 tasks waiting, 1 run in progress  process 7 has the store open',
    'AGENT   STATUS   CALLS  OPEN    DONE        TOKENS        COST',
    'writer  busy         1     3       2          1000       $0.50',
    'critic  idle         0     0       2          1000       $0.50',
    'total                1     3       4          2000       $1.00',
  ])
})

test('An agent with only held tasks is shown as held, as in agent list', () => {
  const agents = [{ ...agent('writer', 'idle', 1), held: 1 }]
  expect(topLines(plain, { agents, runs: 0, accounts: [], owner: null })[2]).toMatch(/^writer {2}held {5}/)
})

test('More agents than the screen has rows are counted', () => {
  const agents = Array.from({ length: 30 }, (_, n) => agent(`a${n}`, 'idle', 0))
  const shown = topLines(plain, { agents, runs: 0, accounts: [], owner: null }, 10)
  expect(shown).toHaveLength(8)
  expect(shown.at(-2)).toBe('and 26 more')
})

test('The limits of accounts stand above the table, with the time when they reset', () => {
  const limit = { status: 'rejected', utilization: 1, resetsAt: '2026-01-01T17:00:00.000Z' }
  const account = {
    account: 'api.anthropic.com#3f9a',
    status: 'waiting' as const,
    windows: [
      { ...limit, name: 'five_hour' },
      { name: 'seven_day', status: 'allowed', utilization: 0.4, resetsAt: null },
    ],
    waitsUntil: '2026-01-01T17:00:30.000Z',
    said: null,
  }
  expect(topLines(plain, { agents: [], runs: 0, accounts: [account], owner: null })[1]).toBe(
    'api.anthropic.com#3f9a: five_hour 100% used, resets 2026-01-01 17:00 UTC; seven_day 40% used; waits until 2026-01-01 17:00 UTC',
  )
})

test('On a narrow terminal no line is wider than it, and names, states and costs stay', () => {
  const agents = [agent('a-writer-with-a-long-name', 'busy', 3), agent('critic', 'idle', 0)]
  const lines = (columns: number) =>
    topLines({ ...plain, columns }, { agents, runs: 1, accounts: [], owner: 7 })
  expect(lines(80)).toEqual([
    '2 agents, 1 call in flight, 2 tasks waiting, 1 run in progress',
    'process 7 has the store open',
    'AGENT                      STATUS  CALLS  OPEN  DONE  TOKENS   COST',
    'a-writer-with-a-long-name  busy        1     3     2    1000  $0.50',
    'critic                     idle        0     0     2    1000  $0.50',
    'total                                  1     3     4    2000  $1.00',
  ])
  expect(lines(60)[3]).toBe('a-writer-with-a-long-name  busy        1     3     2  $0.50')
  expect(lines(40)[3]).toBe('a-writer-with-a-lo…  busy       3  $0.50')
})
