/** What recovery finds after a crash in the middle of a call: the real `claude`, real orphans, real kills. */

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { writeCallFiles } from '../../src/claude/launch-plan.ts'
import { outputFiles } from '../../src/claude/process/call-output.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import type { Call } from '../../src/claude/runner.ts'
import { serverDirectory } from '../../src/claude/servers.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { prepareDirectories } from '../../src/workspaces/lifecycle.ts'
import { everyCase, few } from '../repetitions.ts'
import { collect, findTranscript, REAL_CLAUDE, type TestAgent, testAgent } from './calls.ts'
import { ownedCall } from './orphans.ts'

const never = new AbortController().signal

describe.runIf(process.platform === 'linux')('after a crash', () => {
  test('a call that outlived its owner is awaited, and its answer is taken with its cost', async () => {
    await using model = await simulatedModel({ reply: [answer.held('The orphan answers.')] })
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const call = agent.call('Answer me in your own time')
    const owned = await ownedCall(call, model.environment)
    await model.waitForRequest(1)
    await owned.killOwner()

    const recovering = runner.recover(call, { process: owned.identity, signal: never })
    model.release()
    expect(await recovering).toMatchObject({
      outcome: 'answered',
      result: {
        text: 'The orphan answers.',
        turns: 1,
        costUsd: expect.any(Number),
        model: 'claude-sonnet-4-5',
      },
    })
    expect(model.requestCount).toBe(1)
    expect(await linuxProcessTable.entry(owned.identity.pid)).toSatisfy((entry) => !entry || entry.ended)
  })

  test.runIf(everyCase)(
    'an answer that was complete before the recovery started is found as well',
    async () => {
      await using model = await simulatedModel({ reply: ['First.', 'Second.'] })
      const agent = await testAgent()
      const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
      const first = agent.call('The same words')
      await collect(runner, first)
      const second = agent.call('The same words', { parentSessionId: first.sessionId })
      await collect(runner, second)
      const recover = () => runner.recover(second, { process: null, signal: never })
      expect(await recover()).toMatchObject({ outcome: 'answered', result: { text: 'Second.' } })
    },
  )

  test.each(
    few(1, [
      [401, 'AuthenticationError', false],
      [529, 'OverloadedError', true],
    ] as const),
  )(
    'a call that ended in an error %i unobserved is that failure, and is not retried here',
    async (status, tag, retryable) => {
      await using model = await simulatedModel({ reply: () => answer.failure(status) })
      const agent = await testAgent()
      const environment = {
        ...model.environment,
        CLAUDE_CODE_MAX_RETRIES: '0',
        ANTHROPIC_API_KEY: 'sk-ant-the-secret',
      }
      const runner = claudeCli({ path: REAL_CLAUDE, environment })
      const call = agent.call('Answer me with an error')
      const owned = await ownedCall(call, environment)
      await model.waitForRequest(1)
      await owned.killOwner()
      const recovered = await runner.recover(call, { process: owned.identity, signal: never })
      expect(recovered).toMatchObject({ outcome: 'failed', error: { _tag: tag, retryable } })
      expect(JSON.stringify(recovered)).not.toMatch(/the-secret|Answer me/)
    },
  )

  test('a call killed during the answer is unanswered, even if its parent had the same prompt', async () => {
    await using model = await simulatedModel({
      reply: ['First.', answer.hanging(undefined, { afterChunks: 1 })],
    })
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const first = agent.call('The same words')
    await collect(runner, first)
    const second = agent.call('The same words', { parentSessionId: first.sessionId })
    const owned = await ownedCall(second, model.environment)
    await model.waitForRequest(2)
    await transcriptOf(agent, second)
    owned.killCall()
    await owned.killOwner()
    // With an estimate of its cost, if it had said anything by then.
    expect(await runner.recover(second, { process: owned.identity, signal: never })).toMatchObject({
      outcome: 'unanswered',
    })
  })

  test.runIf(everyCase)(
    'a call killed right after its request was sent is unanswered, even without a transcript',
    async () => {
      await using model = await simulatedModel({ reply: [answer.hanging()] })
      const agent = await testAgent()
      const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
      const call = agent.call('Killed at once')
      const owned = await ownedCall(call, model.environment)
      await model.waitForRequest(1)
      owned.killCall()
      await owned.killOwner()
      expect(await runner.recover(call, { process: owned.identity, signal: never })).toEqual({
        outcome: 'unanswered',
      })
    },
  )

  test('a call killed before it got its prompt is unsent, and is started again under its own id', async () => {
    await using model = await simulatedModel({ reply: ['Answered in the second go.'] })
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const call = agent.call('Was this sent?')
    const owned = await ownedCall(call, model.environment, null)
    await owned.killOwner()
    expect(await runner.recover(call, { process: owned.identity, signal: never })).toEqual({
      outcome: 'unsent',
    })
    expect(model.requestCount).toBe(0)
    const { result, error } = await collect(runner, call)
    expect(error).toBeNull()
    expect(result?.text).toBe('Answered in the second go.')
    expect(model.requests[0]?.conversation).toHaveLength(1)
  })

  test('a call without a process in the log is unsent, and whatever was started for it is killed', async () => {
    await using model = await simulatedModel()
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const call = agent.call('Nobody wrote down my process')
    const owned = await ownedCall(call, model.environment, null)
    expect(await runner.recover(call, { process: null, signal: never })).toEqual({ outcome: 'unsent' })
    expect(await linuxProcessTable.entry(owned.identity.pid)).toSatisfy((entry) => !entry || entry.ended)
  })

  test('a call that does not end is terminated when its time is up', async () => {
    await using model = await simulatedModel({ reply: [answer.hanging()] })
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const call = agent.call('Never answered')
    const owned = await ownedCall(call, model.environment)
    await model.waitForRequest(1)
    await transcriptOf(agent, call)
    await owned.killOwner()
    const deadline = new AbortController()
    const recovering = runner.recover(call, { process: owned.identity, signal: deadline.signal })
    deadline.abort()
    expect(await recovering).toEqual({ outcome: 'unanswered' })
    expect(await linuxProcessTable.entry(owned.identity.pid)).toSatisfy((entry) => !entry || entry.ended)
  })

  test('a process that reused the pid is left alone', async () => {
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE })
    const own = await linuxProcessTable.entry(process.pid)
    const call = agent.call('Whose pid is that?')
    const recover = (startTime: string | null) =>
      runner.recover(call, { process: { pid: process.pid, startTime }, signal: never })
    expect(await recover('1')).toEqual({ outcome: 'unsent' })
    expect(await recover(null)).toEqual({ outcome: 'unsent' })
    expect(await recover(own?.startTime ?? '')).toEqual({ outcome: 'unsent' })
  })

  test('the secrets of its servers are gone, whatever the agent is given now', async () => {
    const agent = await testAgent()
    const call = agent.call('Killed with the secrets of my servers')
    const servers = serverDirectory(call.directories.home)
    await mkdir(servers, { recursive: true })
    await writeFile(join(servers, 'docs.json'), '{"Authorization":"secret"}')
    const runner = claudeCli({ path: REAL_CLAUDE })
    expect(await runner.recover(call, { process: null, signal: never })).toEqual({ outcome: 'unsent' })
    await expect(stat(servers)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a sweep kills what an earlier owner left in these directories, except for the calls to keep', async () => {
    await using model = await simulatedModel({ reply: () => answer.hanging() })
    const [agent, other] = [await testAgent(), await testAgent()]
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const calls = [agent.call('swept'), agent.call('kept'), other.call('of another base')]
    const owned = await Promise.all(calls.map((call) => ownedCall(call, model.environment)))
    const kept = calls[1]?.callId ?? ''
    expect(await runner.sweep?.({ baseDir: agent.baseDir, keep: [kept] })).toBe(1)
    const entries = await Promise.all(owned.map(({ identity }) => linuxProcessTable.entry(identity.pid)))
    expect(entries.map((entry) => entry !== null && !entry.ended)).toEqual([false, true, true])
  })
})

/** The CLI writes its first lines a moment after it has sent the request. */
async function transcriptOf(agent: TestAgent, call: Call): Promise<void> {
  await vi.waitFor(async () => {
    const path = await findTranscript(agent.directories.home, call.sessionId)
    const text = path === null ? null : await readFile(path, 'utf8')
    expect(text).toContain(call.prompt)
  }, 10_000)
}

test.each([
  ['an answer', { subtype: 'success', is_error: false, result: 'The word is hunter2-xyz.' }],
  ['an error', { subtype: 'error_during_execution', is_error: true, errors: ['no such word: hunter2-xyz'] }],
])(
  '%s that an earlier process has left repeats no secret of a server, although its variable is gone',
  async (_, ended) => {
    const { call: callOf, directories } = await testAgent()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to a variable
    const docs = { command: 'docs', env: { WORD: '${WORD}' } }
    const call = callOf('What is the word?', { settings: { mcpServers: { docs } } })
    await prepareDirectories(directories)
    await writeCallFiles(call, { files: {} }, { WORD: 'hunter2-xyz' })
    const { stdout } = outputFiles(directories.home, call.callId)
    await mkdir(dirname(stdout), { recursive: true })
    await writeFile(stdout, `${JSON.stringify({ type: 'result', total_cost_usd: 1, ...ended })}\n`)
    const recovered = await claudeCli({ path: REAL_CLAUDE }).recover(call, { process: null, signal: never })
    expect(JSON.stringify(recovered)).toContain('word')
    expect(JSON.stringify(recovered) + (await readFile(stdout, 'utf8'))).not.toContain('hunter2')
    expect(recovered.outcome === 'failed' ? String(recovered.error) : JSON.stringify(recovered)).toContain(
      '[redacted]',
    )
    await expect(stat(serverDirectory(directories.home))).rejects.toThrow('ENOENT')
  },
)
