/** A tool call that a person decides: the turn ends at it, waits as long as it takes, and continues from there. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AgentRef } from '../../../src/actors/agent/ref.ts'
import type { Call, DeferredTool } from '../../../src/claude/runner.ts'
import { AgentBusyError } from '../../../src/events/errors/agent.ts'
import { ApiUnavailableError, SessionNotFoundError } from '../../../src/events/errors/call.ts'
import { InboxDecisionError, InboxEntryGoneError } from '../../../src/events/errors/hold.ts'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { ASK_HUMAN } from '../../../src/events/options/tools.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { crashSweep } from '../../../src/testing/crash-sweep.ts'
import type { ScriptedAnswer } from '../../../src/testing/scripted-runner.ts'
import { until, world } from '../world.ts'

const ignored = <T>(reply: PromiseLike<T>): PromiseLike<T> => {
  reply.then(
    () => {},
    () => {},
  )
  return reply
}

const DAY = 24 * 3_600_000
const worker = { id: 'worker', systemPrompt: 'You work.', approveTools: ['Bash'], questions: true }
const usage = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 0, cacheCreationTokens: 0 }
const bash: DeferredTool = { tool: 'Bash', toolUseId: 'u1', input: { command: 'make' } }
const question: DeferredTool = {
  ...{ tool: ASK_HUMAN, toolUseId: 'u1' },
  input: { question: 'Which one?', choices: ['left', 'right'] },
}

/** What a model says once its tool call has been decided. */
const outcomeOf = ({ resumes }: Call) =>
  resumes?.verdict === 'deny'
    ? `denied: ${resumes.reason}`
    : `ran ${JSON.stringify(resumes?.updatedInput ?? resumes?.input)}`

/** Defers the first tool call of each task, and then tells what was decided. */
const asking =
  (deferred: DeferredTool = bash) =>
  (call: Call): ScriptedAnswer =>
    call.resumes
      ? { text: outcomeOf(call), costUsd: 0.2, usage }
      : { deferred, spent: { costUsd: 0.1, usage } }

const inTime = (delayMs: number, answer: ScriptedAnswer): ScriptedAnswer =>
  typeof answer === 'object' ? { delayMs, ...answer } : answer

const isHeld = (agent: AgentRef) => agent.status === 'held'
const onlyId = async ({ inbox }: Orchestrator) => (await inbox())[0]?.id ?? ''

describe('A tool call that needs approval', () => {
  test('waits a day over three restarts without a request and without a timer, and then runs', async () => {
    const here = await world()
    let opened = await here.open({ reply: asking() })
    const agent = await opened.orchestrator.createAgent({ ...worker, timeoutMs: 60_000 })
    const told: string[] = []
    ignored(agent.ask('go', { taskId: 't1', onHeld: ({ message }) => told.push(message) }))
    await until(() => told.length > 0)
    const [first] = opened.runner.calls
    const at = new Date(here.clock.now()).toISOString()
    expect(told).toEqual([
      'Task t1 of agent "worker" is held: it needs approval to use Bash: {"command":"make"}',
    ])
    const entry = {
      ...{ kind: 'tool', agent: 'worker', run: null, since: at, prompt: 'go', tool: 'Bash', choices: null },
      ...{ id: `tool:worker:${first?.callId}`, input: { command: 'make' }, costUsd: 0.1 },
      question: told[0],
      command: `claude-agents inbox approve tool:worker:${first?.callId}`,
    }
    for (let restarts = 3; restarts > 0; restarts -= 1) {
      expect(await opened.orchestrator.inbox()).toEqual([entry])
      await opened.orchestrator.close()
      await here.clock.advance(DAY / 3)
      opened = await here.open({ reply: asking() })
      expect(await opened.orchestrator.recover()).toEqual([])
      expect(here.clock.nextAt).toBeNull()
      expect(opened.runner.calls).toEqual([])
    }
    const { orchestrator, runner } = opened
    expect(await orchestrator.agents()).toMatchObject([{ status: 'held', queue: 1, held: 1 }])
    await orchestrator.inbox.approve(entry.id, { by: 'Ada' })
    const reply = await (await orchestrator.agent('worker')).reply('t1')
    expect(reply).toMatchObject({ text: 'ran {"command":"make"}', attempts: 2 })
    expect(reply.costUsd).toBeCloseTo(0.3)
    expect(runner.calls).toMatchObject([
      { parentSessionId: first?.sessionId, resumes: { ...bash, verdict: 'allow' }, attempt: 2 },
    ])
    expect(await here.types('worker')).toEqual([
      ...['AgentCreated', 'TaskAccepted', 'CallStarted', 'CallDeferred', 'ToolDecided', 'CallStarted'],
      'CallSucceeded',
    ])
    await expect(orchestrator.inbox.approve(entry.id)).rejects.toThrow(/it was approved by Ada at 20/)
    // The conversation is one chain, without what was deferred in between.
    expect(await (await orchestrator.agent('worker')).sessions()).toMatchObject([{ parentSessionId: null }])
  })

  test('is denied with a reason, which the model is told, and called with another input', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({ reply: asking() })
    const agent = await orchestrator.createAgent(worker)
    const denied = ignored(agent.ask('one'))
    await until(() => isHeld(agent))
    await orchestrator.inbox.deny(await onlyId(orchestrator), { by: 'Bob', reason: 'not today' })
    expect((await denied).text).toBe('denied: not today')
    const edited = ignored(agent.ask('two'))
    await until(() => isHeld(agent))
    const id = await onlyId(orchestrator)
    await orchestrator.inbox.approve(id, { input: { command: 'make -n' } })
    expect((await edited).text).toBe('ran {"command":"make -n"}')
    expect(runner.calls.at(-1)?.resumes).toEqual({
      ...{ ...bash, verdict: 'allow', updatedInput: { command: 'make -n' } },
    })
    await expect(orchestrator.inbox.deny(id)).rejects.toBeInstanceOf(InboxEntryGoneError)
    for (const input of [[], 'x', null, 1])
      await expect(orchestrator.inbox.approve(id, { input: input as never })).rejects.toBeInstanceOf(
        InvalidInputError,
      )
  })

  test('is remembered by a rule of its agent, also after a restart, until the agent is removed', async () => {
    const here = await world()
    const first = await here.open({ reply: asking() })
    const agent = await first.orchestrator.createAgent(worker)
    ignored(agent.ask('one', { taskId: 't1' }))
    await until(() => isHeld(agent))
    const id = await onlyId(first.orchestrator)
    await expect(first.orchestrator.inbox.approve(id, { always: 'no rule at all' })).rejects.toBeInstanceOf(
      InvalidInputError,
    )
    await first.orchestrator.inbox.approve(id, { by: 'Ada', always: 'Bash(make)' })
    await agent.reply('t1')
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open({ reply: () => 'done' })
    await (await orchestrator.agent('worker')).ask('two')
    expect(runner.calls.at(-1)?.settings).toMatchObject({
      ...{ approveTools: ['Bash'], approvedRules: ['Bash(make)'], questions: true },
    })
    await orchestrator.removeAgent('worker')
    await (await orchestrator.createAgent(worker)).ask('three')
    expect(runner.calls.at(-1)?.settings.approvedRules ?? []).toEqual([])
  })

  test('keeps its agent for its turn: what is asked meanwhile waits, and its deadline stands still', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({
      // 50 of the 60 s that the task has.
      reply: (call) =>
        call.prompt === 'go' ? inTime(call.resumes ? 30_000 : 20_000, asking()(call)) : `echo ${call.prompt}`,
    })
    const agent = await orchestrator.createAgent({ ...worker, timeoutMs: 60_000 })
    const reply = ignored(agent.ask('go'))
    await until(() => runner.calls.length === 1)
    await here.clock.advance(20_000)
    await until(() => isHeld(agent))
    const next = ignored(agent.ask('next'))
    await here.clock.advance(DAY)
    await expect(agent.reset()).rejects.toBeInstanceOf(AgentBusyError)
    const waiting = await onlyId(orchestrator)
    await expect(agent.reset()).rejects.toMatchObject({
      message: expect.stringContaining('it needs approval to use Bash'),
      hint: expect.stringContaining(`claude-agents inbox approve ${waiting}`),
    })
    expect(runner.calls.length).toBe(1)
    // Nothing waits for what is held.
    expect(await orchestrator.drain()).toBe(true)
    await orchestrator.inbox.approve(await onlyId(orchestrator))
    await until(() => runner.calls.length === 2)
    await here.clock.advance(30_000)
    expect((await reply).text).toContain('ran')
    expect((await next).text).toBe('echo next')
    const prompts = runner.calls.map(({ prompt, resumes }) => [prompt, resumes?.verdict])
    expect(prompts).toEqual([
      ['go', undefined],
      ['go', 'allow'],
      ['next', undefined],
    ])
    expect(runner.calls[2]?.parentSessionId).toBe(runner.calls[1]?.sessionId)
  })

  test('ends with its task, which can be cancelled and rejected', async () => {
    const here = await world()
    const { orchestrator } = await here.open({ reply: asking() })
    const agent = await orchestrator.createAgent(worker)
    for (const [end, became] of [
      [() => agent.cancel('t1', 'no need'), 'its task was cancelled: no need'],
      [() => orchestrator.held.reject('t2', { by: 'Bob', reason: 'no' }), 'it was denied by Bob'],
    ] as const) {
      const reply = ignored(agent.ask('go', { taskId: became.includes('denied') ? 't2' : 't1' }))
      await until(() => isHeld(agent))
      const id = await onlyId(orchestrator)
      await end()
      await expect(reply)
        .rejects.toMatchObject({ _tag: /Task(Cancelled|Rejected)Error/ } as never)
        .catch(() => {})
      await expect(orchestrator.inbox.approve(id)).rejects.toThrow(became)
      expect(agent.status).toBe('idle')
    }
    expect(await orchestrator.inbox()).toEqual([])
  })

  test('is asked about again, not lost, if its session is gone', async () => {
    const here = await world()
    let isGone = true
    const { orchestrator, runner } = await here.open({
      reply: (call) => {
        if (!call.resumes || !isGone) return asking()(call)
        isGone = false
        return new SessionNotFoundError()
      },
    })
    const agent = await orchestrator.createAgent(worker)
    const reply = ignored(agent.ask('go'))
    await until(() => isHeld(agent))
    const id = await onlyId(orchestrator)
    await orchestrator.inbox.approve(id)
    await until(() => isHeld(agent))
    expect(await onlyId(orchestrator)).not.toBe(id)
    await orchestrator.inbox.approve(await onlyId(orchestrator))
    expect((await reply).text).toContain('ran')
    expect(runner.calls.map(({ resumes, parentSessionId }) => [resumes?.verdict, parentSessionId])).toEqual([
      [undefined, null],
      ['allow', runner.calls[0]?.sessionId],
      [undefined, null],
      ['allow', runner.calls[2]?.sessionId],
    ])
  })

  test('is decided once: a retry of the call that resumes repeats the decision', async () => {
    const here = await world()
    let failures = 1
    const { orchestrator, runner } = await here.open({
      reply: (call) => (call.resumes && failures-- > 0 ? new ApiUnavailableError() : asking()(call)),
    })
    const agent = await orchestrator.createAgent(worker)
    const reply = ignored(agent.ask('go'))
    await until(() => isHeld(agent))
    await orchestrator.inbox.approve(await onlyId(orchestrator))
    await until(() => runner.calls.length === 2 && agent.status === 'retry' && here.clock.nextAt !== null)
    await here.clock.advance(1000)
    expect((await reply).text).toContain('ran')
    expect(runner.calls.slice(1)).toMatchObject([
      { resumes: { verdict: 'allow' }, parentSessionId: runner.calls[0]?.sessionId },
      { resumes: { verdict: 'allow' }, parentSessionId: runner.calls[0]?.sessionId },
    ])
  })

  test('has its cost in its budget, which holds the rest of the turn; no other task comes between', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({
      reply: (call) => (call.prompt === 'go' ? asking()(call) : 'other'),
    })
    const agent = await orchestrator.createAgent({ ...worker, budget: { usd: 5 } })
    // The budget of the run has no room for the rest of the turn; that of the agent has room for the other task.
    const run = orchestrator.run(parallel(['worker']), 'go', { id: 'r1', budget: { usd: 0.15 } })
    await run.rested()
    expect(await agent.budget()).toMatchObject({ spent: { usd: 0.1 }, reserved: { usd: 0 } })
    const other = ignored(agent.ask('other'))
    await orchestrator.inbox.approve(await onlyId(orchestrator))
    await until(() => agent.snapshot.context.queue[0]?.hold?.reason === 'budget')
    expect(agent.snapshot.context.queue.map(({ prompt }) => prompt)).toEqual(['go', 'other'])
    await here.clock.advance(DAY)
    expect(runner.calls.length).toBe(1)
    await orchestrator.budgets.set({ usd: 5 }, { run: 'r1' })
    expect(await run).toMatchObject({ success: true })
    expect((await other).text).toBe('other')
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['go', 'go', 'other'])
  })

  test('holds the step of a run, and the run says so', async () => {
    const here = await world()
    const { orchestrator } = await here.open({ reply: asking() })
    await orchestrator.createAgent(worker)
    const states: string[] = []
    const run = orchestrator.run(parallel(['worker']), 'go', { id: 'r1' })
    run.subscribe(({ state }) => states.push(state))
    await run.rested()
    expect(await orchestrator.runs.list({ open: true })).toMatchObject([{ status: 'held' }])
    const [entry] = await orchestrator.inbox()
    expect(entry).toMatchObject({ kind: 'tool', run: 'r1' })
    await orchestrator.inbox.approve(entry?.id ?? '')
    expect(await run).toMatchObject({ success: true })
    expect(states).toEqual(['scheduled', 'held', 'released', 'succeeded'])
  })
})

describe('A question to a person', () => {
  test('waits for an answer that is one of its choices, which the model gets', async () => {
    const here = await world()
    const { orchestrator } = await here.open({ reply: asking(question) })
    const agent = await orchestrator.createAgent(worker)
    const reply = ignored(agent.ask('go'))
    await until(() => isHeld(agent))
    const [entry] = await orchestrator.inbox()
    const id = entry?.id ?? ''
    expect(entry).toMatchObject({
      ...{ kind: 'question', tool: null, question: 'Which one?', choices: ['left', 'right'] },
      ...{ input: question.input, command: `claude-agents inbox answer ${id} left` },
    })
    await expect(orchestrator.inbox.approve(id)).rejects.toBeInstanceOf(InboxDecisionError)
    await expect(orchestrator.inbox.answer(id, 'up')).rejects.toThrow('none of the choices: "left", "right"')
    await orchestrator.inbox.answer(id, 'right', { by: 'Ada' })
    expect(JSON.parse((await reply).text.slice('ran '.length))).toEqual({
      ...question.input,
      answer: 'right',
    })
    await expect(orchestrator.inbox.answer(id, 'left')).rejects.toThrow(/it was answered by Ada at 20/)
  })

  test('takes any answer if it has no choices, whatever the model made of the form', async () => {
    const forms = fc.record({
      question: fc.oneof(fc.string(), fc.constant(undefined), fc.integer(), fc.string({ minLength: 70_000 })),
      choices: fc.oneof(fc.constant(undefined), fc.constant([]), fc.constant('x'), fc.array(fc.integer())),
    })
    await fc.assert(
      fc.asyncProperty(forms, fc.string({ minLength: 1 }), async (input, text) => {
        const given = JSON.parse(JSON.stringify(input))
        const here = await world()
        const { orchestrator } = await here.open({ reply: asking({ ...question, input: given }) })
        const agent = await orchestrator.createAgent(worker)
        const reply = ignored(agent.ask('go'))
        await until(() => isHeld(agent))
        await orchestrator.inbox.answer(await onlyId(orchestrator), text)
        expect(JSON.parse((await reply).text.slice('ran '.length))).toEqual({ ...given, answer: text })
        await orchestrator.close()
      }),
      { numRuns: 10 },
    )
  })
})

test('Stopped at any append and run again, a run with approvals and questions has the same result, without a repeated request', async () => {
  const decide = async (orchestrator: Orchestrator, ended: () => boolean) => {
    while (!ended()) {
      for (const { id, kind } of await orchestrator.inbox()) {
        const decision =
          kind === 'question'
            ? orchestrator.inbox.answer(id, 'left', { by: 'Ada' })
            : id.includes('two')
              ? orchestrator.inbox.deny(id, { by: 'Ada', reason: 'no' })
              : orchestrator.inbox.approve(id, { by: 'Ada', always: 'Bash(make)' })
        await decision.catch((error: unknown) => {
          if (!(error instanceof InboxEntryGoneError)) throw error
        })
      }
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }
  const { recovered } = await crashSweep({
    reply: (call) => {
      const { resumes, agent } = call
      if (!resumes) return { deferred: agent === 'three' ? question : bash, spent: { costUsd: 0.1, usage } }
      // The first asks twice in one turn.
      if (agent === 'one' && resumes.toolUseId === 'u1') return { deferred: { ...bash, toolUseId: 'u2' } }
      return outcomeOf(call)
    },
    async scenario(orchestrator) {
      const known = new Set((await orchestrator.agents()).map(({ id }) => id))
      for (const id of ['one', 'two', 'three'])
        if (!known.has(id)) await orchestrator.createAgent({ ...worker, id })
      let hasEnded = false
      const run = orchestrator.run(parallel(['one', 'two', 'three']), 'go', { id: 'r1' })
      const ended = () => {
        hasEnded = true
      }
      run.then(ended, ended)
      await decide(orchestrator, () => hasEnded)
      const { success, results } = await run
      return { success, results }
    },
  })
  expect(recovered.deferred).toBeGreaterThan(0)
})
