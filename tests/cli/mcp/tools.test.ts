/** The tools that a person's own Claude works with the team by, called as a client of the SDK calls them. */
import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientServer } from '../../../src/cli/mcp/server.ts'
import type { ToolTeam } from '../../../src/cli/mcp/team.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import { TEAM_SERVER_TOOLS } from '../../../src/team/tools.ts'
import type { ScriptedRunnerOptions } from '../../../src/testing/scripted-runner.ts'
import { ECHO, until, world } from '../../actors/world.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, unknown>>
}

interface Called {
  readonly isError?: boolean
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: each tool has data of its own
  readonly data: any
}

/** A client connected to the tools of a team that lives in this process. */
async function connected(
  script: ScriptedRunnerOptions = {},
  { mayDecide = false, ...options }: OrchestratorOptions & { readonly mayDecide?: boolean } = {},
) {
  const here = await world()
  const { orchestrator, runner } = await here.open(script, options)
  onTestFinished(() => orchestrator.close())
  const work: ToolTeam['work'] = (use) => use({ orchestrator, owner: null })
  const team: ToolTeam = { declared: ['planned'], configFile: undefined, read: work, work }
  const tools = clientServer(team, mayDecide)
  const [theirs, ours] = InMemoryTransport.createLinkedPair()
  const client = new Client({ name: 'test', version: '1' })
  await Promise.all([tools.server().connect(ours), client.connect(theirs)])
  onTestFinished(() => client.close())
  return {
    ...{ here, orchestrator, runner, client, tools },
    async call(name: string, input: object = {}, how: object = {}): Promise<Called> {
      const result = await client.callTool({ name, arguments: input as Record<string, unknown> }, how)
      const [block] = result.content as readonly { readonly text: string }[]
      return {
        ...(result.isError === true && { isError: true }),
        text: block?.text ?? '',
        data: result.structuredContent,
      }
    },
  }
}

const textsIn = (schema: unknown): readonly Record<string, unknown>[] =>
  typeof schema !== 'object' || schema === null
    ? []
    : [
        ...('type' in schema && schema.type === 'string' ? [schema as Record<string, unknown>] : []),
        ...Object.values(schema).flatMap(textsIn),
      ]

describe('The tools of the MCP server', () => {
  test('say of everything that they take what it is, bound every text, and refuse what they do not name', async () => {
    const { client } = await connected({}, { mayDecide: true })
    const { tools } = await client.listTools()
    expect(tools.length).toBeGreaterThan(15)
    for (const { name, description, inputSchema, annotations } of tools) {
      expect([name, description?.length ?? 0]).toEqual([name, expect.toSatisfy((length) => length > 40)])
      expect([name, inputSchema.additionalProperties]).toEqual([name, false])
      expect(annotations?.readOnlyHint).toBeTypeOf('boolean')
      for (const [key, property] of Object.entries(inputSchema.properties ?? {}))
        expect([name, key, Object(property).description]).toEqual([name, key, expect.any(String)])
    }
    const unbounded = tools.flatMap(({ name, inputSchema }) =>
      textsIn(inputSchema.properties)
        .filter((text) => !/"(maxLength|pattern|enum)":/.test(JSON.stringify(text)))
        .map((text) => [name, text]),
    )
    expect(unbounded).toEqual([])
  })

  test('name an agent `agent`, for your own Claude and for the agents of the team', async () => {
    const { client } = await connected({}, { mayDecide: true })
    const theirs = TEAM_SERVER_TOOLS.map(({ name, schema }) => ({
      name,
      inputSchema: schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' }) as Schema,
    }))
    const named = [...(await client.listTools()).tools, ...theirs].flatMap(({ name, inputSchema }) =>
      Object.entries(inputSchema.properties ?? {})
        .filter(([, field]) => /^(The id of the|The|Only this) agent\b/.test(Object(field).description))
        .map(([field]) => `${name}: ${field}`),
    )
    expect(named).toContain('create_agent: agent')
    expect(named).toContain('read_log: agent')
    // Any address will do.
    expect(named.filter((one) => !one.endsWith(': agent'))).toEqual(['send_message: to'])
  })

  test('create an agent, ask it, and show what it did', async () => {
    const { call } = await connected()
    expect(await call('list_agents')).toMatchObject({
      data: { agents: [{ agent: 'planned', status: 'declared' }] },
    })
    expect(await call('create_agent', { agent: 'echo', system_prompt: 'You repeat.' })).toMatchObject({
      data: { agent: 'echo' },
    })
    const asked = await call('ask_agent', { agent: 'echo', prompt: 'hello', task_id: 't1' })
    expect(asked).toMatchObject({
      text: 'echo: hello',
      data: { taskId: 't1', agent: 'echo', status: 'answered', answer: { text: 'echo: hello' } },
    })
    expect(await call('show_agent', { agent: 'echo' })).toMatchObject({
      data: { agent: 'echo', status: 'idle', done: 1 },
    })
    const log = await call('read_log', { agent: 'echo' })
    expect(log.data.facts.map(({ type }: { type: string }) => type)).toContain('CallSucceeded')
    const { position } = log.data.facts.at(-1)
    expect((await call('why', { position })).text).toContain('TaskAccepted')
  })

  test('tell a model what happened, to what, and what to do next', async () => {
    const { call, orchestrator } = await connected()
    await orchestrator.createAgent(ECHO)
    const wrong = await call('ask_agent', { agent: 'ecko', prompt: 'hello' })
    expect(wrong).toMatchObject({ isError: true, data: { error: { code: 'AgentNotFoundError' } } })
    expect(wrong.text).toMatch(/"ecko".*"echo".*list_agents/s)
    const unknown = await call('ask_agent', { agent: 'echo', prompt: 'hello', promt: 'x' })
    expect(unknown).toMatchObject({ isError: true, text: expect.stringContaining('promt') })
    const missing = await call('ask_agent', { agent: 'echo' })
    expect(missing).toMatchObject({ isError: true, text: expect.stringContaining('prompt') })
    const neither = await call('run_workflow', { input: 'x' })
    expect(neither).toMatchObject({ isError: true, text: expect.stringContaining('list_workflows') })
    await expect(call('approve', { id: 'task:echo:t1' })).rejects.toThrow('approve')
  })

  test('tell the progress of an ask, and cancel its task when the call is cancelled', async () => {
    const { call, orchestrator, here } = await connected({
      reply: ({ prompt }) => (prompt === 'slow' ? { text: 'late', delayMs: 60_000 } : prompt),
    })
    await orchestrator.createAgent(ECHO)
    const heard: number[] = []
    const onprogress = ({ progress }: { progress: number }) => heard.push(progress)
    await call('ask_agent', { agent: 'echo', prompt: 'quick' }, { onprogress })
    expect(heard[0]).toBe(1)
    const stop = new AbortController()
    const asked = call('ask_agent', { agent: 'echo', prompt: 'slow', task_id: 't2' }, { signal: stop.signal })
    asked.catch(() => {})
    const agent = await orchestrator.agent('echo')
    await until(() => agent.snapshot.context.current?.taskId === 't2')
    stop.abort('enough')
    await expect(asked).rejects.toThrow()
    await agent.settled()
    expect(await here.types('echo')).toContain('TaskCancelled')
  })

  test('leave a detached task to its owner, and wait for it', async () => {
    const { call, orchestrator, here } = await connected({ reply: () => ({ text: 'done', delayMs: 1000 }) })
    await orchestrator.createAgent(ECHO)
    const begun = await call('ask_agent', { agent: 'echo', prompt: 'long', detach: true })
    expect(begun).toMatchObject({ data: { status: 'running' } })
    const { taskId } = begun.data
    expect(await call('wait', { id: taskId, timeout_seconds: 0 })).toMatchObject({
      data: { status: 'running' },
    })
    const waited = call('wait', { id: taskId })
    const agent = await orchestrator.agent('echo')
    await until(() => agent.snapshot.context.current?.call != null)
    await here.clock.advance(1000)
    expect(await waited).toMatchObject({ text: 'done', data: { status: 'answered' } })
    expect(await call('cancel', { id: taskId })).toMatchObject({ data: { cancelled: false } })
  })

  test('run a workflow, tell its steps, and pause it when the call is cancelled', async () => {
    const { call, orchestrator, tools } = await connected({
      reply: ({ prompt }) => (prompt.startsWith('wait') ? { text: 'late', delayMs: 60_000 } : `${prompt}!`),
    })
    await orchestrator.createAgent(ECHO)
    await orchestrator.createAgent({ ...ECHO, id: 'second' })
    const steps: unknown[] = []
    const input = { agents: ['echo', 'second'], input: 'go', run_id: 'r1' }
    const run = await call('run_workflow', input, {
      onprogress: ({ message }: { message?: string }) => steps.push(message),
    })
    expect(run).toMatchObject({ data: { runId: 'r1', status: 'succeeded', steps: 2 } })
    expect(steps).toEqual(['echo: scheduled', 'echo: succeeded', 'second: scheduled', 'second: succeeded'])
    expect(await call('show_run', { run_id: 'r1' })).toMatchObject({
      data: { status: 'succeeded', steps: [{ agent: 'echo' }, { agent: 'second' }] },
    })
    const stop = new AbortController()
    const slow = call(
      'run_workflow',
      { agents: ['echo'], input: 'wait', run_id: 'r2' },
      { signal: stop.signal },
    )
    slow.catch(() => {})
    const agent = await orchestrator.agent('echo')
    await until(() => agent.snapshot.context.current !== null)
    stop.abort('enough')
    await expect(slow).rejects.toThrow()
    await tools.settled()
    expect(await call('list_runs')).toMatchObject({
      data: { runs: [{ runId: 'r2', status: 'paused' }, { runId: 'r1' }], total: 2 },
    })
    expect(await call('wait', { id: 'r2' })).toMatchObject({ data: { status: 'held' } })
    expect(await call('cancel', { id: 'r2' })).toMatchObject({ data: { cancelled: true } })
  })

  test('show what waits for a person, and decide it only where the person allows that', async () => {
    const hold = async (mayDecide: boolean) => {
      const opened = await connected({}, { mayDecide })
      await opened.orchestrator.createAgent(ECHO)
      const agent = await opened.orchestrator.agent('echo')
      await agent.accept('careful', { taskId: 't1', approval: 'it goes out' })
      return opened
    }
    const guest = await hold(false)
    expect(await guest.call('list_inbox')).toMatchObject({ data: { entries: [{ id: 'task:echo:t1' }] } })
    expect((await guest.client.listTools()).tools.map(({ name }) => name)).not.toContain('approve')
    expect(await guest.call('wait', { id: 't1' })).toMatchObject({ data: { status: 'held' } })
    const host = await hold(true)
    expect(await host.call('approve', { id: 'task:echo:t1' })).toMatchObject({
      data: { decision: 'approved' },
    })
    expect(await host.call('wait', { id: 't1' })).toMatchObject({ text: 'echo: careful' })
    const again = await host.call('deny', { id: 'task:echo:t1' })
    expect(again).toMatchObject({ isError: true, data: { error: { code: 'InboxEntryGoneError' } } })
  })

  test('give a long answer in pieces that make up the whole', async () => {
    const pieces = fc.array(fc.constantFrom('a long word ', '𝒳', 'é', '\n'), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const whole = parts
          .join('')
          .repeat(Math.ceil(40_000 / parts.join('').length))
          .trim()
        const { call, orchestrator } = await connected({ reply: () => whole })
        await orchestrator.createAgent(ECHO)
        let { data } = await call('ask_agent', { agent: 'echo', prompt: 'tell', task_id: 't1' })
        let read = data.answer.text
        while (data.answer.nextOffset !== null) {
          expect(data.answer.text.length).toBeLessThanOrEqual(16_000)
          data = (await call('wait', { id: 't1', offset: data.answer.nextOffset })).data
          read += data.answer.text
        }
        expect(read).toBe(whole)
      }),
      { numRuns: 5 },
    )
  })

  test('answer whatever a client sends with a result or an error of bounded size', async () => {
    const { call, client, orchestrator } = await connected({}, { mayDecide: true })
    await orchestrator.createAgent(ECHO)
    const { tools } = await client.listTools()
    const names = tools.map(({ name }) => name).filter((name) => name !== 'wait')
    const ids = fc.constantFrom(
      'echo',
      '../etc',
      'agent/echo',
      '__proto__',
      'a'.repeat(5000),
      '\u001b[2J',
      '',
    )
    const value = fc.oneof(ids, fc.jsonValue(), fc.integer(), fc.constant(Number.MAX_VALUE))
    const fields = fc.constantFrom(
      ...new Set(tools.flatMap(({ inputSchema }) => Object.keys(inputSchema.properties ?? {}))),
      '__proto__',
      'constructor',
    )
    const input = fc.dictionary(fields, value, { maxKeys: 5 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), input, async (name, given) => {
        const { text, data, isError = false } = await call(name, given)
        expect(text.length + JSON.stringify(data ?? {}).length).toBeLessThan(100_000)
        expect(isError && text.includes('should not have')).toBe(false)
      }),
      { numRuns: 150 },
    )
    expect(await call('list_agents')).toMatchObject({ data: { total: expect.any(Number) } })
  })

  test('refuse the calls of a client that floods, and serve it when the others have ended', async () => {
    const { call, orchestrator, here, tools } = await connected({
      reply: () => ({ text: 'done', delayMs: 1000 }),
    })
    await orchestrator.createAgent(ECHO)
    const calls = Array.from({ length: 200 }, (_, at) =>
      call('ask_agent', { agent: 'echo', prompt: 'hello', task_id: `t${at}` }),
    )
    const refused = (await Promise.all(calls.slice(32))).filter(({ isError }) => isError)
    expect(refused.length).toBe(168)
    expect(refused[0]?.text).toMatch(/32 calls.*in flight/)
    const agent = await orchestrator.agent('echo')
    for (let open = 32; open > 0; open--) {
      await until(() => agent.snapshot.context.current?.call != null)
      const { taskId } = agent.snapshot.context.current ?? {}
      await here.clock.advance(1000)
      await until(() => agent.snapshot.context.current?.taskId !== taskId)
    }
    expect((await Promise.all(calls.slice(0, 32))).every(({ text }) => text === 'done')).toBe(true)
    await tools.settled()
    expect(await call('list_agents')).not.toMatchObject({ isError: true })
  })
})
