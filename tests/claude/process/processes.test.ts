/** Telling processes apart and terminating them, against a simulated process table. */
import { expect, test } from 'vitest'
import {
  descendantsOf,
  isRunning,
  linuxProcessTable,
  type ProcessEntry,
  type ProcessTable,
  parseEnvironment,
  parseProcessList,
  parseStat,
  portableProcessTable,
} from '../../../src/claude/process/table.ts'
import { sweepBase, sweepCall, terminate, waitForEnd } from '../../../src/claude/process/termination.ts'
import { type VirtualClock, virtualClock } from '../../../src/testing/virtual-clock.ts'

interface Made {
  pid: number
  parentPid?: number
  startTime?: string
  environment?: Record<string, string>
  /** The signals that take effect. */
  ignores?: NodeJS.Signals
}

function madeUp(processes: Made[]) {
  const sent: string[] = []
  const entries = (): ProcessEntry[] =>
    processes.map(({ pid, parentPid = 1, startTime = `${pid}` }) => ({
      pid,
      parentPid,
      startTime,
      ended: false,
    }))
  const table: ProcessTable = {
    entries: async () => entries(),
    entry: async (pid) => entries().find((entry) => entry.pid === pid) ?? null,
    environment: async (pid) => {
      const found = processes.find((process) => process.pid === pid)?.environment
      return found ? new Map(Object.entries(found)) : null
    },
  }
  const kill = (pid: number, signal: NodeJS.Signals) => {
    sent.push(`${signal} ${pid}`)
    const index = processes.findIndex((process) => process.pid === pid && process.ignores !== signal)
    if (index !== -1) processes.splice(index, 1)
  }
  const clock = virtualClock()
  return { table, sent, clock, processes, context: { table, clock, graceMs: 5_000, kill } }
}

/** Waiting for a process polls the table. */
async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  await clock.advance(1_000)
  return promise
}

test('a process is sent SIGTERM, and its descendants are killed', async () => {
  const { sent, context, clock } = madeUp([
    { pid: 10 },
    { pid: 11, parentPid: 10 },
    { pid: 12, parentPid: 11 },
    { pid: 13 },
  ])
  await settled(clock, terminate({ pid: 10, startTime: '10' }, context))
  expect(sent).toEqual(['SIGTERM 10', 'SIGKILL 11', 'SIGKILL 12'])
})

test('a process that does not exit is killed after the grace period', async () => {
  const { sent, context, clock } = madeUp([{ pid: 10, ignores: 'SIGTERM' }])
  const terminated = terminate({ pid: 10, startTime: '10' }, context)
  await clock.advance(4_900)
  expect(sent).toEqual(['SIGTERM 10'])
  await clock.advance(200)
  await terminated
  expect(sent).toEqual(['SIGTERM 10', 'SIGKILL 10'])
})

test('a process that reused the pid is not touched', async () => {
  const { sent, context } = madeUp([{ pid: 10, startTime: 'later' }])
  await terminate({ pid: 10, startTime: '10' }, context)
  expect(sent).toEqual([])
})

test('the end of a foreign process is noticed, and waiting for it can be cancelled', async () => {
  const { context, clock, processes } = madeUp([{ pid: 10 }, { pid: 11 }])
  const abort = new AbortController()
  const seen = waitForEnd({ pid: 10, startTime: '10' }, context)
  const calledOff = waitForEnd({ pid: 11, startTime: '11' }, context, abort.signal)
  await clock.advance(1_000)
  processes.shift()
  await clock.advance(1_000)
  await seen
  abort.abort()
  await calledOff
})

const marks = (callId: string, home: string) => ({ CLAUDE_AGENTS_CALL_ID: callId, CLAUDE_AGENTS_HOME: home })

test('a sweep kills the processes with the marker of a call, and nothing else', async () => {
  const { sent, context } = madeUp([
    { pid: 10, environment: marks('a', '/base/agents/x/home') },
    { pid: 11, environment: marks('b', '/base/agents/x/home') },
    { pid: 12 },
  ])
  expect(await sweepCall('a', context)).toBe(1)
  expect(sent).toEqual(['SIGKILL 10'])
})

test('a sweep of a call whose first process is known looks at none that is older', async () => {
  const { sent, context } = madeUp([
    { pid: 10, startTime: '900' },
    { pid: 11, startTime: '1000', environment: marks('a', '/base/agents/x/home') },
    { pid: 12, startTime: '1000', environment: marks('b', '/base/agents/x/home') },
    { pid: 9, startTime: '1001', environment: marks('a', '/base/agents/x/home') },
  ])
  const looked: number[] = []
  const table: ProcessTable = {
    ...context.table,
    environment: (pid) => {
      looked.push(pid)
      return context.table.environment(pid)
    },
  }
  expect(await sweepCall('a', { ...context, table }, { pid: 11, startTime: '1000' })).toBe(2)
  expect(sent).toEqual(['SIGKILL 11', 'SIGKILL 9'])
  expect(looked).not.toContain(10)
  // Other systems tell when a process started in another way, which does not order them.
  expect(await sweepCall('b', { ...context, table }, { pid: 1, startTime: 'Sun Nov 29 23:50:00 2026' })).toBe(
    1,
  )
})

test('a sweep of a base directory spares the calls to keep with their descendants, and other base directories', async () => {
  const { processes, context } = madeUp([
    { pid: 10, environment: marks('old', '/base/agents/x/home') },
    { pid: 20, environment: marks('kept', '/base/agents/y/home') },
    { pid: 21, parentPid: 20, environment: marks('nested', '/base/agents/y/workspace/base/agents/z/home') },
    { pid: 30, environment: marks('other', '/base-2/agents/x/home') },
  ])
  expect(await sweepBase({ baseDir: '/base', keep: ['kept'] }, context)).toBe(1)
  expect(processes.map((process) => process.pid)).toEqual([20, 21, 30])
})

test('a sweep spares the sweeping process and its ancestors', async () => {
  const { sent, context } = madeUp([
    { pid: 40, environment: marks('outer', '/base/agents/x/home') },
    { pid: process.pid, parentPid: 40, environment: marks('outer', '/base/agents/x/home') },
  ])
  expect(await sweepBase({ baseDir: '/base', keep: [] }, context)).toBe(0)
  expect(sent).toEqual([])
})

test('a process is parsed whatever its name', () => {
  const rest = `S 7 ${Array.from({ length: 17 }, (_, index) => index).join(' ')} 4711 0`
  expect(parseStat(9, `9 (a) b (c) ${rest}`)).toEqual({
    pid: 9,
    parentPid: 7,
    startTime: '4711',
    ended: false,
  })
  expect(parseStat(9, `9 (x) ${rest.replace('S', 'Z')}`)?.ended).toBe(true)
  expect(parseStat(9, '')).toBeNull()
  expect([...parseEnvironment('A=1\0B=x=y\0\0=bad\0C')]).toEqual([
    ['A', '1'],
    ['B', 'x=y'],
  ])
})

test('the output of ps is parsed', () => {
  const output =
    '    1     0 Ss   Mon Jan  5 10:00:00 2026\n  42     1 Z+   Mon Jan  5 10:00:01 2026\nnonsense\n'
  expect(parseProcessList(output)).toEqual([
    { pid: 1, parentPid: 0, startTime: 'Mon Jan  5 10:00:00 2026', ended: false },
    { pid: 42, parentPid: 1, startTime: 'Mon Jan  5 10:00:01 2026', ended: true },
  ])
})

test('descendants are found over generations and in any order, even in a cycle', () => {
  const entry = (pid: number, parentPid: number) => ({ pid, parentPid, startTime: '', ended: false })
  const entries = [entry(4, 3), entry(3, 2), entry(2, 1), entry(9, 8), entry(8, 9)]
  expect(
    descendantsOf(2, entries)
      .map(({ pid }) => pid)
      .sort(),
  ).toEqual([3, 4])
})

test.each([
  ['linux', linuxProcessTable],
  ['other', portableProcessTable],
])('our own process runs, according to the table for %s systems', async (system, table) => {
  if (system === 'linux' && process.platform !== 'linux') return
  const entry = await table.entry(process.pid)
  expect(await isRunning(table, { pid: process.pid, startTime: entry?.startTime ?? null })).toBe(true)
  expect(await isRunning(table, { pid: process.pid, startTime: 'another' })).toBe(false)
})
