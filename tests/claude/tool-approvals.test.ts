/** A tool call that a person decides, with the real `claude`: two requests in all, however long it waits. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { AgentRef } from '../../src/actors/agent/ref.ts'
import { askingFile, askingPlan, askingProgram } from '../../src/claude/asking/plan.ts'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { callProcesses } from '../../src/claude/process/list.ts'
import { systemProcessTable } from '../../src/claude/process/table.ts'
import type { CallSettings } from '../../src/claude/runner.ts'
import type { AgentOptions } from '../../src/events/options/agent.ts'
import { ASK_HUMAN } from '../../src/events/options/tools.ts'
import type { InboxEntry } from '../../src/inbox/entry.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type AnswerBlock, answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { everyCase } from '../repetitions.ts'
import { collect, REAL_CLAUDE, testAgent } from './calls.ts'

const PATIENCE = { timeout: 60_000, interval: 20 }

const use = (name: string, input: Record<string, unknown>): AnswerBlock => ({ type: 'tool_use', name, input })
const bash = (command: string) => use('Bash', { command })

/** A model that uses these tools in its first message, and then says what came of it. */
async function modelUsing(...first: readonly AnswerBlock[]) {
  const model = await simulatedModel({
    reply: ({ messages, ordinal }) =>
      ordinal === 1
        ? { kind: 'message', stopReason: 'tool_use', content: first }
        : `The results: ${JSON.stringify(resultsIn(messages))}`,
  })
  onTestFinished(() => model[Symbol.asyncDispose]())
  return model
}

/** What the model was told of its tool calls. */
function resultsIn(messages: unknown): readonly string[] {
  const found: string[] = []
  const look = (value: unknown) => {
    if (Array.isArray(value)) return value.forEach(look)
    if (typeof value !== 'object' || value === null) return
    const { type, content } = value as { type?: unknown; content?: unknown }
    if (type === 'tool_result') found.push(typeof content === 'string' ? content : JSON.stringify(content))
    else Object.values(value).forEach(look)
  }
  look(messages)
  return found
}

type Model = Awaited<ReturnType<typeof modelUsing>>

const WORKER: AgentOptions = { id: 'worker', systemPrompt: 'You work.', model: 'claude-sonnet-4-5' }

async function askedWorker(model: Model, options: Partial<AgentOptions>) {
  const { baseDir } = await testAgent()
  const environment = { ...model.environment, CLAUDE_CODE_MAX_RETRIES: '0' }
  const runner = claudeCli({ path: REAL_CLAUDE, environment })
  const orchestrator = await Orchestrator.open({ baseDir, runner, store: memoryStore() })
  onTestFinished(() => orchestrator.close())
  const agent = await orchestrator.createAgent({ ...WORKER, ...options })
  await mkdir(agent.workspace, { recursive: true })
  const reply = agent.ask('go')
  reply.then(
    () => {},
    () => {},
  )
  return { orchestrator, agent, reply, baseDir, path: (name: string) => join(agent.workspace, name) }
}

const held = async (orchestrator: Orchestrator, agent: AgentRef): Promise<InboxEntry> => {
  await vi.waitFor(() => expect(agent.status).toBe('held'), PATIENCE)
  return (await orchestrator.inbox())[0] as InboxEntry
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

describe('A Bash call that needs approval', () => {
  test('waits 24 hours over 3 SIGKILLs with no process alive, is approved, and runs: 2 requests in all', async () => {
    const model = await modelUsing(bash('echo done > done.txt'))
    const { baseDir } = await testAgent()
    const environment = { ...model.environment, CLAUDE_CODE_MAX_RETRIES: '0' }
    const begin = Date.UTC(2026, 0, 1)
    const HOUR = 3_600_000
    /** Runs an owner until it has told something, and kills it. */
    const told = async (hours: number, what: object) => {
      const given = { baseDir, path: REAL_CLAUDE, environment, at: begin + hours * HOUR, ...what }
      const program = join(import.meta.dirname, 'fixtures/waiting-owner.mjs')
      const owner = spawn(process.execPath, [program, JSON.stringify(given)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(owner, 'exit')
      const lines = createInterface({ input: owner.stdout })
      const wanted = 'verdict' in what ? 'reply' : 'inbox'
      let found: Record<string, unknown> = {}
      for await (const line of lines) {
        found = JSON.parse(line)
        if (wanted in found || 'error' in found) break
      }
      owner.kill('SIGKILL')
      await ended
      return found
    }
    const agent = { ...WORKER, approveTools: ['Bash'], timeoutMs: 60_000 }
    const first = await told(0, { agent, task: 'go' })
    expect(first).toMatchObject({ status: 'held', inbox: [{ kind: 'tool', tool: 'Bash', prompt: 'go' }] })
    for (const hours of [8, 16]) {
      expect(await callProcesses(baseDir, systemProcessTable)).toEqual([])
      expect(await told(hours, {})).toEqual(first)
    }
    expect(await exists(join(baseDir, 'agents/worker/workspace/done.txt'))).toBe(false)
    const { reply } = await told(24, { verdict: { by: 'Ada' } })
    expect(reply).toMatchObject({ text: expect.stringContaining('The results'), attempts: 2 })
    expect(await exists(join(baseDir, 'agents/worker/workspace/done.txt'))).toBe(true)
    expect(model.requestCount).toBe(2)
  })

  test.runIf(everyCase)('is denied: the model is told why, and nothing has run', async () => {
    const model = await modelUsing(bash('echo done > done.txt'))
    const { orchestrator, agent, reply, path } = await askedWorker(model, { approveTools: ['Bash'] })
    const { id } = await held(orchestrator, agent)
    await orchestrator.inbox.deny(id, { reason: 'not on a Friday' })
    expect((await reply).text).toContain('not on a Friday')
    expect(await exists(path('done.txt'))).toBe(false)
    expect(model.requestCount).toBe(2)
  })

  test('runs as a person has edited it', async () => {
    const model = await modelUsing(bash('echo done > done.txt'))
    const { orchestrator, agent, reply, path } = await askedWorker(model, { approveTools: ['Bash'] })
    const { id, input } = await held(orchestrator, agent)
    expect(input).toEqual({ command: 'echo done > done.txt' })
    await orchestrator.inbox.approve(id, { input: { command: 'echo edited > edited.txt' } })
    await reply
    expect(await exists(path('done.txt'))).toBe(false)
    expect(await readFile(path('edited.txt'), 'utf8')).toBe('edited\n')
    expect(model.requestCount).toBe(2)
  })

  test.runIf(everyCase)(
    'is asked about one by one: of two in a message the first waits, and the model sees what became of both',
    async () => {
      const model = await modelUsing(bash('echo one > one.txt'), bash('echo two > two.txt'))
      const { orchestrator, agent, reply, path } = await askedWorker(model, { approveTools: ['Bash'] })
      const { id, input } = await held(orchestrator, agent)
      expect(input).toEqual({ command: 'echo one > one.txt' })
      await orchestrator.inbox.approve(id)
      expect((await reply).text).toContain('One at a time')
      expect([await exists(path('one.txt')), await exists(path('two.txt'))]).toEqual([true, false])
      expect(model.requestCount).toBe(2)
    },
  )

  test('is not asked about if a rule was remembered, and is if it does more than that', async () => {
    const model = await simulatedModel({
      reply: [
        ...['touch one.txt', 'touch one.txt', 'touch one.txt; touch two.txt'].map((command) => ({
          ...{ kind: 'message' as const, stopReason: 'tool_use' as const, content: [bash(command)] },
        })),
        'done',
      ],
    })
    onTestFinished(() => model[Symbol.asyncDispose]())
    const { orchestrator, agent, reply, path } = await askedWorker(model, { approveTools: ['Bash'] })
    const { id } = await held(orchestrator, agent)
    await orchestrator.inbox.approve(id, { always: 'Bash(touch one.txt)' })
    const next = await held(orchestrator, agent)
    expect(next.input).toEqual({ command: 'touch one.txt; touch two.txt' })
    expect(model.requestCount).toBe(3)
    await orchestrator.inbox.deny(next.id)
    expect((await reply).text).toBe('done')
    expect([await exists(path('one.txt')), await exists(path('two.txt'))]).toEqual([true, false])
  })
})

test('A question to a person waits, and the model gets the answer: 2 requests in all', async () => {
  const model = await modelUsing(use(ASK_HUMAN, { question: 'Which?', choices: ['left', 'right'] }))
  const { orchestrator, agent, reply } = await askedWorker(model, { questions: true })
  const { id, kind, question, choices } = await held(orchestrator, agent)
  expect({ kind, question, choices }).toEqual({
    kind: 'question',
    question: 'Which?',
    choices: ['left', 'right'],
  })
  await orchestrator.inbox.answer(id, 'right', { by: 'Ada' })
  expect((await reply).text).toContain('right')
  expect(model.requestCount).toBe(2)
})

describe('An approved call', () => {
  test('does not lead out of the workspace through a link, nor does another one that was not approved', async () => {
    const { baseDir } = await testAgent()
    const outside = join(baseDir, 'outside')
    await mkdir(outside)
    const model = await modelUsing(use('Write', { file_path: 'out/a.txt', content: 'x' }))
    const asked = await askedWorker(model, { approveTools: ['Write'] })
    const { id } = await held(asked.orchestrator, asked.agent)
    await symlink(outside, asked.path('out'))
    await asked.orchestrator.inbox.approve(id)
    expect((await asked.reply).text).toContain('leads out of the workspace through a link')
    expect(await exists(join(outside, 'a.txt'))).toBe(false)
  })

  test.runIf(everyCase)(
    'leaves the limits of the others: what no rule names is as free as before',
    async () => {
      const { baseDir } = await testAgent()
      const outside = join(baseDir, 'outside.txt')
      const model = await modelUsing(
        use('Write', { file_path: outside, content: 'x' }),
        use('Write', { file_path: 'inside.txt', content: 'x' }),
      )
      const { reply, path } = await askedWorker(model, { approveTools: ['Write(src/**)'] })
      await reply
      expect([await exists(outside), await exists(path('inside.txt'))]).toEqual([false, true])
      expect(model.requestCount).toBe(2)
    },
  )
})

test('A hook that cannot read what it was given refuses the call', async () => {
  const model = await modelUsing(bash('echo done > done.txt'))
  const { orchestrator, agent, reply, path, baseDir } = await askedWorker(model, { approveTools: ['Bash'] })
  const { id } = await held(orchestrator, agent)
  const file = join(baseDir, 'agents/worker/home/asking.json')
  const stop = new AbortController()
  const spoil = async () => {
    // What the agent could do: it never ends in an approval.
    while (!stop.signal.aborted) {
      await writeFile(file, '{"rules":{"approve":[],"approved":["Bash"],"allowed":[]}}').catch(() => {})
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const spoiling = spoil()
  await orchestrator.inbox.deny(id)
  const { text } = await reply
  stop.abort()
  await spoiling
  expect(text).toContain('cannot be checked')
  expect(await exists(path('done.txt'))).toBe(false)
})

describe('No tool runs that nobody approved', () => {
  // One call of an agent whose workspace has these files.
  async function called(model: Model, settings: Partial<CallSettings>, files: Record<string, object> = {}) {
    const agent = await testAgent()
    const { workspace } = agent.directories
    await mkdir(join(workspace, '.claude'), { recursive: true })
    for (const [name, content] of Object.entries(files))
      await writeFile(join(workspace, name), JSON.stringify(content))
    const environment = { ...model.environment, CLAUDE_CODE_MAX_RETRIES: '0' }
    const runner = claudeCli({ path: REAL_CLAUDE, environment })
    const { messages, text } = await collect(runner, agent.call('go', { settings }))
    return { text, deferred: messages.some(({ type }) => type === 'deferred'), workspace }
  }

  test.runIf(everyCase)('by a project that turns hooks off', async () => {
    const model = await modelUsing(bash('echo done > done.txt'))
    const given = { '.claude/settings.json': { disableAllHooks: true, permissions: { allow: ['Bash'] } } }
    const { deferred, workspace } = await called(model, { project: true, approveTools: ['Bash'] }, given)
    expect([deferred, await exists(join(workspace, 'done.txt'))]).toEqual([true, false])
  })

  test.runIf(everyCase)('after a broken stream, from a message with several calls', async () => {
    const two = ['one.txt', 'two.txt'].map((file_path) => use('Write', { file_path, content: 'x' }))
    const model = await simulatedModel({
      reply: ({ ordinal }) => {
        if (ordinal === 1) return answer.raw('', { contentType: 'text/event-stream' })
        return ordinal === 2 ? { kind: 'message', stopReason: 'tool_use', content: two } : 'done'
      },
    })
    onTestFinished(() => model[Symbol.asyncDispose]())
    const { workspace } = await called(model, { approveTools: ['Write'] })
    const written = await Promise.all(['one.txt', 'two.txt'].map((name) => exists(join(workspace, name))))
    expect(written).toEqual([false, false])
  })

  test.runIf(everyCase)(
    'in another folder than it was asked for: every command begins in the workspace',
    async () => {
      const model = await simulatedModel({
        reply: ({ ordinal, messages }) => {
          const command = ['mkdir sub && cd sub', 'pwd'][ordinal - 1]
          if (command === undefined) return resultsIn(messages).at(-1) ?? ''
          return { kind: 'message', stopReason: 'tool_use', content: [bash(command)] }
        },
      })
      onTestFinished(() => model[Symbol.asyncDispose]())
      const { text, workspace } = await called(model, { approveTools: ['Write'], allowedTools: ['Bash'] })
      expect(text.split('\n', 1)).toEqual([workspace])
    },
  )

  test('nor waits in vain: the model is told at once of a call that is too long to continue from', async () => {
    const { directories, call } = await testAgent()
    const { home, workspace } = directories
    await Promise.all([home, workspace].map((path) => mkdir(path, { recursive: true })))
    const plan = askingPlan(call('go', { settings: { approveTools: ['Bash'] } }), join(home, 'waiting'))
    await writeFile(askingFile(home), JSON.stringify(plan))
    const hash = createHash('sha256').update(JSON.stringify(plan)).digest('hex')
    const said = (command: string) => {
      const input = { tool_name: 'Bash', tool_use_id: 'u', cwd: workspace, tool_input: { command } }
      const words = [askingProgram('hook'), askingFile(home), hash]
      return spawnSync(process.execPath, words, { input: JSON.stringify(input) }).stdout.toString()
    }
    expect(said('x'.repeat(600_000))).toContain('too long')
    expect(said('x'.repeat(400_000))).toContain('"defer"')
  })
})
