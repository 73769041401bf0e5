/**
 * Processes of calls: how they are listed, and how they end with the work they belong to. Real processes; a `claude`
 * that is a shell script whose tool has a session of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { runningProcesses } from '../../src/actors/agent/processes.ts'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { callProcesses, listProcesses } from '../../src/claude/process/list.ts'
import type { ProcessTable } from '../../src/claude/process/table.ts'
import { CallTimeoutError } from '../../src/events/errors/call.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { MAIN } from '../cli/command.ts'

const PATH = join(import.meta.dirname, 'fixtures/quick-claude.sh')

/** A store whose calls never end. */
async function busy(options: OrchestratorOptions = {}, more: Record<string, string> = {}) {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  const calls = join(baseDir, 'calls')
  const environment = {
    CALLS: calls,
    SECONDS_BUSY: '1000',
    WITH_TOOL: '1',
    ANTHROPIC_API_KEY: 'none',
    ...more,
  }
  const open = () =>
    Orchestrator.open({ baseDir, runner: claudeCli({ path: PATH, environment, graceMs: 1_000 }), ...options })
  const orchestrator = await open()
  onTestFinished(() => orchestrator.close())
  return { baseDir, orchestrator, open }
}

/** Resolves when that many calls have started their tool. */
const running = (baseDir: string, calls: number) =>
  vi.waitFor(
    async () => {
      const found = await listProcesses(baseDir)
      expect(found.filter(({ others }) => others >= 2)).toHaveLength(calls)
      return found
    },
    { timeout: 60_000, interval: 10 },
  )

async function ps(baseDir: string, ...more: string[]) {
  const { stdout, stderr } = await execa(process.execPath, [MAIN, '--base-dir', baseDir, 'ps', ...more])
  return {
    stdout,
    stderr,
    values: more.includes('--json') ? stdout.split('\n').map((line) => JSON.parse(line)) : [],
  }
}

describe('the processes of calls', () => {
  test('are listed by the owner, and by another process through it', async () => {
    const { baseDir, orchestrator } = await busy()
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
    agent.ask('x', { taskId: 't1' }).catch(() => {})
    const [found] = await running(baseDir, 1)
    const own = await orchestrator.processes()
    expect(own).toEqual([
      {
        agent: 'a',
        taskId: 't1',
        callId: found?.callId,
        pid: found?.pid,
        ageMs: expect.any(Number),
        others: 2,
        state: 'known',
        owner: process.pid,
      },
    ])
    expect(own[0]?.pid).toBe(agent.snapshot.context.current?.call?.process?.pid)
    const { values } = await ps(baseDir, '--json')
    expect(values).toMatchObject([{ ...own[0], ageMs: expect.any(Number) }])
    expect((await ps(baseDir)).stdout).toMatch(
      /^AGENT +TASK +CALL +PID +AGE +STATE\na +t1 +\S+ +\d+ \+2 +[\d.]+ s +known$/,
    )
  })

  test('are listed from outside even if the owner does not answer', async () => {
    const { baseDir, orchestrator } = await busy({ serve: false })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
    agent.ask('x', { taskId: 't1' }).catch(() => {})
    const [found] = await running(baseDir, 1)
    const { values, stderr } = await ps(baseDir, '--json')
    expect(values).toMatchObject([
      { agent: 'a', taskId: 't1', pid: found?.pid, state: 'known', owner: process.pid },
    ])
    expect(stderr).toContain(`process ${process.pid} has the store open`)
  })

  test('are gone when the owner has closed, whatever they had started, and the next owner resumes their tasks', async () => {
    const { baseDir, orchestrator, open } = await busy()
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
    agent.ask('x', { taskId: 't1' }).catch(() => {})
    await running(baseDir, 1)
    await orchestrator.close()
    expect(await listProcesses(baseDir)).toEqual([])
    await using next = await open()
    await running(baseDir, 1)
    expect((await next.processes()).map(({ taskId, state }) => [taskId, state])).toEqual([['t1', 'known']])
  })
})

describe('a call is killed with everything it started,', () => {
  test('when the signal of its run is aborted', async () => {
    const { baseDir, orchestrator } = await busy()
    for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'You are a test.' })
    const stop = new AbortController()
    const run = orchestrator.run(parallel(['a', 'b']), 'x', { signal: stop.signal })
    const ended = Promise.resolve(run).catch(() => {})
    await running(baseDir, 2)
    stop.abort('enough')
    await ended
    await Promise.all(['a', 'b'].map(async (id) => (await orchestrator.agent(id)).settled()))
    expect(await listProcesses(baseDir)).toEqual([])
  })

  test('when its task is cancelled', async () => {
    const { baseDir, orchestrator } = await busy()
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
    const stop = new AbortController()
    const task = agent.ask('x', { signal: stop.signal })
    const ended = task.catch(() => {})
    await running(baseDir, 1)
    stop.abort('enough')
    await ended
    await agent.settled()
    expect(await listProcesses(baseDir)).toEqual([])
  })

  test('when its time is up', async () => {
    const { baseDir, orchestrator } = await busy()
    const agent = await orchestrator.createAgent({
      id: 'a',
      systemPrompt: 'You are a test.',
      timeoutMs: 1_500,
    })
    await expect(agent.ask('x')).rejects.toBeInstanceOf(CallTimeoutError)
    await agent.settled()
    expect(await listProcesses(baseDir)).toEqual([])
  })

  test('when its agent is removed', async () => {
    const { baseDir, orchestrator } = await busy()
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
    agent.ask('x').catch(() => {})
    await running(baseDir, 1)
    await orchestrator.removeAgent('a')
    expect(await listProcesses(baseDir)).toEqual([])
  })
})

describe('the process table', () => {
  const table = (
    processes: readonly { pid: number; parent: number; marks: Record<string, string> }[],
  ): ProcessTable => ({
    entries: async () =>
      processes.map(({ pid, parent }) => ({ pid, parentPid: parent, startTime: `${pid}`, ended: false })),
    entry: async () => null,
    environment: async (pid) =>
      new Map(Object.entries(processes.find((one) => one.pid === pid)?.marks ?? {})),
  })
  const marks = (callId: string, home: string) => ({
    CLAUDE_AGENTS_CALL_ID: callId,
    CLAUDE_AGENTS_TASK_ID: `task of ${callId}`,
    CLAUDE_AGENTS_HOME: home,
  })

  test('has one row per call of this base directory, for the root of its processes', async () => {
    const found = await callProcesses(
      '/base',
      table([
        { pid: 12, parent: 11, marks: marks('one', '/base/agents/a/home') },
        { pid: 11, parent: 1, marks: marks('one', '/base/agents/a/home') },
        { pid: 20, parent: 1, marks: marks('two', '/base/agents/b/home') },
        { pid: 30, parent: 1, marks: marks('other', '/other/agents/a/home') },
        {
          pid: 31,
          parent: 12,
          marks: marks('inner', '/base/agents/a/workspace/.claude-agents/agents/a/home'),
        },
        { pid: 40, parent: 1, marks: {} },
      ]),
    )
    expect(found.map(({ agent, callId, pid, others }) => [agent, callId, pid, others])).toEqual([
      ['a', 'one', 11, 1],
      ['b', 'two', 20, 0],
    ])
  })

  test('knows a call if the log has it in flight; otherwise it is an orphan', () => {
    const found = ['one', 'two', 'three'].map((callId, index) => ({
      agent: 'a',
      taskId: null,
      callId,
      pid: index + 1,
      startTime: null,
      ageMs: 5,
      others: 0,
    }))
    const call = (callId: string) => ({
      callId,
      sessionId: 's',
      parentSessionId: null,
      rebuilt: false,
      leftMs: null,
      process: null,
    })
    const known = [
      { agent: 'a', taskId: 't1', call: call('one'), isOurs: true },
      { agent: 'a', taskId: 't2', call: call('two'), isOurs: false },
    ]
    expect(
      runningProcesses(found, known, 99).map(({ taskId, state, owner }) => [taskId, state, owner]),
    ).toEqual([
      ['t1', 'known', 99],
      ['t2', 'known', null],
      [null, 'orphan', null],
    ])
  })
})
