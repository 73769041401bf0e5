/**
 * The point of it all: kill it at the worst moments, and nothing is lost or paid for twice. Real processes, the real
 * `claude`, and a model on loopback that holds its answers back as long as the test wants.
 */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { CLAUDE, commandLine } from '../cli/command.ts'
import { everyCase, few } from '../repetitions.ts'

/** Looks again after a while: what looks all the time takes the processor from what it waits for. */
const PATIENCE = { timeout: 60_000, interval: 10 }

type CommandLine = Awaited<ReturnType<typeof commandLine>>

async function withModel(reply: NonNullable<Parameters<typeof simulatedModel>[0]>['reply']) {
  const model = await simulatedModel(reply === undefined ? {} : { reply })
  const cli = await commandLine(model.environment)
  await cli.run(['agent', 'create', 'a', 'You are a test.'])
  return { model, cli }
}

/** The process of the last call, according to the log. */
async function lastProcess(cli: CommandLine): Promise<number> {
  const { values } = await cli.run(['log', '--stream', 'agent/a', '--json'])
  const started = values.findLast(({ type }) => type === 'ProcessStarted') as
    | { data: { pid: number } }
    | undefined
  if (!started) throw new Error('no process was started')
  return started.data.pid
}

/** Everything that the model received in its last request. */
const lastConversation = (model: SimulatedModel) => model.requests.at(-1)?.conversation ?? []

const timesSaid = (model: SimulatedModel, words: string) =>
  lastConversation(model).filter(([role, text]) => role === 'user' && text.includes(words)).length

async function transcripts(cli: CommandLine): Promise<Map<string, string>> {
  const home = join(cli.folder, '.claude-agents/agents/a/home')
  const files = (await readdir(home, { recursive: true })).filter((file) => file.endsWith('.jsonl'))
  return new Map(
    await Promise.all(
      files.map(
        async (file) =>
          [file.replace(/^.*\/|\.jsonl$/g, ''), await readFile(join(home, file), 'utf8')] as const,
      ),
    ),
  )
}

describe('two asks of one agent', () => {
  test.runIf(everyCase)(
    'are one conversation in two linked sessions, and the first transcript is unchanged',
    async () => {
      const { model, cli } = await withModel(['Paris.', 'Two million.'])
      await using _ = model
      const first = (await cli.run(['agent', 'ask', 'a', 'The capital of France?', '--json'])).values[0]
      const before = await transcripts(cli)
      const second = (await cli.run(['agent', 'ask', 'a', 'And its people?', '--json'])).values[0]
      const after = await transcripts(cli)

      expect(first).toMatchObject({ agent: 'a', text: 'Paris.', parentSessionId: null, attempts: 1 })
      expect(second).toMatchObject({ text: 'Two million.', parentSessionId: first?.sessionId, attempts: 1 })
      expect(second?.sessionId).not.toBe(first?.sessionId)
      expect(lastConversation(model)).toEqual([
        ['user', 'The capital of France?'],
        ['assistant', 'Paris.'],
        ['user', 'And its people?'],
      ])
      expect([...after.keys()].sort()).toEqual([first?.sessionId, second?.sessionId].sort())
      expect(after.get(String(first?.sessionId))).toBe(before.get(String(first?.sessionId)))
    },
  )
})

describe('kill -9 while the model is answering', () => {
  test.each(few(1, ['while', 'before']))(
    'the orphan finishes %s the recovery: its answer is harvested, and paid for once',
    async (when) => {
      const { model, cli } = await withModel([answer.held('It is 42.')])
      await using _ = model
      const asking = cli.start('agent', 'ask', 'a', 'What is it?', '--task-id', 'q')
      await model.waitForRequest(1)
      asking.kill('SIGKILL')
      await asking
      if (when === 'before') {
        const pid = await lastProcess(cli)
        model.release()
        await gone(pid)
      }
      const recovering = cli.run(['recover', '--json'])
      model.release()
      const { values, exitCode } = await recovering
      expect({ values, exitCode }).toEqual({
        values: [{ agent: 'a', taskId: 'q', outcome: 'harvested' }],
        exitCode: 0,
      })
      expect(model.requestCount).toBe(1)

      const shown = (await cli.run(['agent', 'show', 'a', '--json'])).values[0]
      expect(shown).toMatchObject({
        status: 'idle',
        queue: [],
        sessions: [{ taskId: 'q', parentSessionId: null }],
      })
      expect(shown?.currentSession).toBe(
        (shown?.sessions as { sessionId: string }[] | undefined)?.[0]?.sessionId,
      )

      // Asking again returns the reply, and the conversation continues from it.
      const again = (await cli.run(['agent', 'ask', 'a', 'What is it?', '--task-id', 'q', '--json']))
        .values[0]
      expect(again).toMatchObject({ text: 'It is 42.', sessionId: shown?.currentSession })
      expect(model.requestCount).toBe(1)
      await cli.run(['agent', 'ask', 'a', 'Are you sure?'])
      expect(lastConversation(model).slice(0, 2)).toEqual([
        ['user', 'What is it?'],
        ['assistant', 'It is 42.'],
      ])
    },
  )

  test('of both processes: the call is recorded as unknown, retried, and answered once', async () => {
    const { model, cli } = await withModel([answer.held('lost'), 'It is 42.'])
    await using _ = model
    const asking = cli.start('agent', 'ask', 'a', 'What is it?', '--task-id', 'q')
    await model.waitForRequest(1)
    asking.kill('SIGKILL')
    await asking
    const pid = await lastProcess(cli)
    process.kill(pid, 'SIGKILL')
    await gone(pid)

    expect((await cli.run(['recover', '--json'])).values).toEqual([
      { agent: 'a', taskId: 'q', outcome: 'retried' },
    ])
    expect(timesSaid(model, 'What is it?')).toBe(1)
    await cli.run(['agent', 'ask', 'a', 'Are you sure?'])
    expect(timesSaid(model, 'What is it?')).toBe(1)
    const { values } = await cli.run(['log', '--stream', 'agent/a', '--json'])
    expect(values.map(({ type }) => type)).toContain('CallOutcomeUnknown')
  })

  test.runIf(everyCase)(
    'of both processes, with no retry left: the outcome is unknown, and nothing is sent again',
    async () => {
      const { model, cli } = await withModel([answer.held('lost')])
      await using _ = model
      await cli.run(['agent', 'create', 'b', 'You are a test.', '--retries', '0'])
      const asking = cli.start('agent', 'ask', 'b', 'What is it?', '--task-id', 'q')
      await model.waitForRequest(1)
      asking.kill('SIGKILL')
      await asking
      const { values } = await cli.run(['log', '--stream', 'agent/b', '--json'])
      const { pid } = (values.at(-1) as { data?: { pid: number } } | undefined)?.data ?? { pid: 0 }
      process.kill(pid, 'SIGKILL')
      await gone(pid)
      expect((await cli.run(['recover', '--json'])).values).toEqual([
        { agent: 'b', taskId: 'q', outcome: 'unknown' },
      ])
      expect(model.requestCount).toBe(1)
      expect((await cli.run(['agent', 'show', 'b', '--json'])).values[0]).toMatchObject({ status: 'error' })
    },
  )
})

describe('kill -9 before the request leaves', () => {
  test.runIf(everyCase)('the call is sent again under the same ids, and answered once', async () => {
    const { model, cli } = await withModel(['It is 42.'])
    await using _ = model
    // A claude that is slow to start: it waits until it is killed.
    const slow = join(cli.folder, 'slow-claude')
    await writeFile(slow, `#!/bin/sh\n[ "$1" = --version ] && exec ${CLAUDE} --version\nexec sleep 1000\n`)
    await chmod(slow, 0o755)
    const asking = cli.start('agent', 'ask', 'a', 'What is it?', '--task-id', 'q', '--claude', slow)
    await logHas(cli, 'ProcessStarted')
    asking.kill('SIGKILL')
    await asking
    const pid = await lastProcess(cli)
    process.kill(pid, 'SIGKILL')
    await gone(pid)
    const before = (await cli.run(['log', '--stream', 'agent/a', '--json'])).values

    expect((await cli.run(['recover', '--json'])).values).toEqual([
      { agent: 'a', taskId: 'q', outcome: 'redispatched' },
    ])
    expect(model.requestCount).toBe(1)
    await cli.run(['agent', 'ask', 'a', 'Are you sure?'])
    expect(timesSaid(model, 'What is it?')).toBe(1)
    const started = before.find(({ type }) => type === 'CallStarted') as
      | { data: { sessionId: string } }
      | undefined
    const { sessions } = (await cli.run(['agent', 'show', 'a', '--json'])).values[0] as unknown as {
      sessions: { sessionId: string }[]
    }
    expect(sessions[0]?.sessionId).toBe(started?.data.sessionId)
  })
})

describe('Ctrl-C', () => {
  test('cancels the task, ends the process, and exits with code 130', async () => {
    const { model, cli } = await withModel([answer.held('never')])
    await using _ = model
    const asking = cli.start('agent', 'ask', 'a', 'What is it?')
    await model.waitForRequest(1)
    asking.kill('SIGINT')
    const { exitCode, stderr } = await asking
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 130,
      stderr: expect.stringContaining('cancelled'),
    })
    const pid = await lastProcess(cli)
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect((await cli.run(['agent', 'show', 'a', '--json'])).values[0]).toMatchObject({ status: 'idle' })
  })
})

/** Resolves when the process has ended. */
async function gone(pid: number): Promise<void> {
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), PATIENCE)
}

/** Resolves when the log's files contain a fact of this type: the store has an owner, so it cannot be asked. */
async function logHas(cli: CommandLine, type: string): Promise<void> {
  const folder = join(cli.folder, '.claude-agents/log')
  const holds = async (file: string) =>
    file.endsWith('.log') &&
    (await readFile(join(folder, file), 'latin1').catch(() => '')).includes(`"${type}"`)
  await vi.waitUntil(async () => {
    const files = await readdir(folder).catch(() => [])
    return (await Promise.all(files.map(holds))).includes(true)
  }, PATIENCE)
}
