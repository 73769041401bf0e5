/** An agent with MCP servers and the other equipment of Claude Code, with the real `claude` and small real servers. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to variables
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { callProcesses } from '../../src/claude/process/list.ts'
import { serverFiles } from '../../src/claude/servers.ts'
import type { AgentOptions } from '../../src/events/options/agent.ts'
import type { McpServers } from '../../src/events/options/servers.ts'
import type { Logger } from '../../src/logger.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import type { AnswerBlock } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE, testAgent } from './calls.ts'

const COUNTER = join(import.meta.dirname, 'fixtures/stdio-server.mjs')
/** It looks like nothing that is known to be secret. */
const KEY = 'hunter2-of/the counter'
const TOKEN = 't0ken-of-the-web'

/**
 * A server over HTTP that has a tool for those who send the token.
 *
 * @param looking What is done before the tool answers.
 */
async function webServer(looking: () => Promise<void>) {
  const authorized: boolean[] = []
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'web', version: '1.0.0' })
    server.registerTool('look', { description: 'Looks.' }, async () => {
      await looking()
      return { content: [{ type: 'text', text: 'http looked' }] }
    })
    return server
  })
  const server = createServer(async (request, response) => {
    const isAuthorized = request.headers.authorization === `Bearer ${TOKEN}`
    authorized.push(isAuthorized)
    const body = await text(request)
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)])
    const answered = await handler.fetch(
      new Request(`http://${request.headers.host}${request.url}`, {
        method: request.method ?? 'GET',
        headers: Object.fromEntries(headers),
        ...(body === '' ? {} : { body }),
      }),
    )
    response.writeHead(isAuthorized ? answered.status : 401, Object.fromEntries(answered.headers))
    response.end(isAuthorized ? Buffer.from(await answered.arrayBuffer()) : '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  onTestFinished(() => server.closeAllConnections())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, authorized }
}

type Use = string | Extract<AnswerBlock, { type: 'tool_use' }>

const used = (tool: Use): AnswerBlock =>
  typeof tool === 'string' ? { type: 'tool_use', name: tool, input: {} } : tool

/** An agent whose model first uses tools, those of one list in each turn, and all that is said about it. */
async function equipped(options: Partial<AgentOptions>, ...turns: readonly (readonly Use[])[]) {
  const model = await simulatedModel({
    reply: ({ ordinal, messages }) => {
      const tools = turns[ordinal - 1] ?? []
      return tools.length > 0
        ? { kind: 'message', stopReason: 'tool_use', content: tools.map(used) }
        : JSON.stringify(messages)
    },
  })
  onTestFinished(() => model[Symbol.asyncDispose]())
  vi.stubEnv('COUNTER_TEST_KEY', KEY)
  onTestFinished(() => void vi.unstubAllEnvs())
  const said: string[] = []
  const log = (...words: unknown[]) => void said.push(JSON.stringify(words))
  const logger: Logger = { debug: log, info: log, warn: log, error: log }
  const { baseDir } = await testAgent()
  const runner = claudeCli({
    path: REAL_CLAUDE,
    logger,
    environment: { ...model.environment, CLAUDE_CODE_MAX_RETRIES: '0' },
  })
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ baseDir, runner, logger, store })
  onTestFinished(() => orchestrator.close())
  const agent = await orchestrator.createAgent({
    ...{ id: 'worker', systemPrompt: 'You work.', model: 'claude-sonnet-4-5', retry: { attempts: 0 } },
    ...options,
  })
  const facts = async () => {
    const found = []
    for await (const fact of store.read('agent/worker')) found.push(fact)
    return found
  }
  return { agent, model, said, facts, baseDir, orchestrator }
}

const counter = (more: object = {}): McpServers => ({
  counter: {
    ...{ command: process.execPath, args: [COUNTER], required: true, ...more },
    env: { COUNTER_KEY: '${COUNTER_TEST_KEY}' },
  },
})

/** The files below a directory that contain a text. */
async function placesOf(text: string, directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const found = await Promise.all(
    files.map(async (file) => ((await readFile(file, 'latin1')).includes(text) ? [file] : [])),
  )
  return found.flat()
}

/** Every file below a directory, as one text. */
async function filesBelow(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return (await Promise.all(files.map((file) => readFile(file, 'latin1')))).join('\n')
}

test('an agent uses the tools of a stdio and of an http server, and their secrets are nowhere but there', async () => {
  const lines: string[] = []
  const web = await webServer(async () => {
    // Some of them end at once.
    for (const { pid } of await callProcesses(baseDir))
      lines.push(await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => ''))
  })
  const file = join((await testAgent()).baseDir, 'authorization')
  await writeFile(file, `Bearer ${TOKEN}\n`)
  const { agent, said, facts, baseDir } = await equipped(
    { allowedTools: ['mcp__counter', 'mcp__web__look'], mcpServers: counter() },
    ['mcp__counter__count', 'mcp__web__look'],
  )
  const served: McpServers = {
    ...counter(),
    web: { url: web.url, headers: { Authorization: { file } }, required: true },
    gone: { command: '/nowhere/to/be/found' },
  }
  await agent.edit({ mcpServers: served })
  const { text: answer } = await agent.ask('go')
  expect(lines.join()).toContain('mcp.json')
  expect(lines.join()).not.toMatch(secrets)
  expect(answer).toContain(`stdio counted ${KEY.length}`)
  expect(answer).toContain('http looked')
  expect(new Set(web.authorized)).toEqual(new Set([true]))
  const all = await facts()
  expect(all.at(-1)).toMatchObject({
    type: 'CallSucceeded',
    data: {
      setup: {
        version: expect.stringMatching(/^2\./),
        model: expect.stringContaining('claude-sonnet-4-5'),
        tools: expect.arrayContaining(['Read', 'mcp__counter__count', 'mcp__web__look']),
        servers: expect.arrayContaining([
          { name: 'counter', status: 'connected' },
          { name: 'web', status: 'connected' },
          { name: 'gone', status: 'failed' },
        ]),
      },
    },
  })
  for (const place of [JSON.stringify(all), said.join('\n'), await filesBelow(baseDir)])
    expect(place).not.toMatch(secrets)
})

const secrets = new RegExp(`${KEY}|${TOKEN}`)

test('a secret that a server tells, and that its agent repeats, is in no answer, no fact, no output and no file', async () => {
  const { agent, facts, said, baseDir, model, orchestrator } = await equipped(
    { allowedTools: ['mcp__counter'], mcpServers: counter() },
    ['mcp__counter__tell'],
  )
  const heard: string[] = []
  const asked = agent.ask('go')
  for await (const message of asked) if (message.type === 'text') heard.push(message.text)
  const { text: answer } = await asked
  // The model was told, and said all that it was told.
  expect(JSON.stringify(model.requests.at(-1))).toContain(KEY)
  expect(answer).toContain('stdio told [redacted] and [redacted] and ')
  expect(heard.join('')).toBe(answer)
  const forms = [KEY, encodeURIComponent(KEY), Buffer.from(`me:${KEY}`).toString('base64').slice(8, -4)]
  // The transcript is what the next call continues from.
  await agent.ask('and again')
  expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain('stdio told [redacted]')
  const listed = JSON.stringify(await orchestrator.agents())
  const places = [
    JSON.stringify(await facts()),
    said.join('\n'),
    await filesBelow(baseDir),
    listed,
    heard.join(''),
  ]
  for (const place of places) for (const form of forms) expect(place).not.toContain(form)
})

test('a secret that a server tells a subagent, or in a text that is too long for a conversation, is in no file', async () => {
  const { agent, baseDir, model } = await equipped(
    { allowedTools: ['mcp__counter', 'Agent'], mcpServers: counter() },
    [
      {
        ...{ type: 'tool_use', name: 'Agent' },
        input: { subagent_type: 'general-purpose', description: 'Help', prompt: 'Help with it.' },
      },
    ],
    ['mcp__counter__tell'],
    [],
    ['mcp__counter__tell_at_length'],
  )
  await agent.ask('go')
  expect(JSON.stringify(model.requests.at(-1))).toContain('too long')
  expect(await placesOf(KEY, baseDir)).toEqual([])
})

test.each<[string, McpServers, string]>([
  ['does not exist', { counter: { command: '/nowhere/to/be/found', required: true } }, 'counter is failed'],
  [
    'ends at once, and prints what it was given',
    counter({ args: ['-e', 'process.stderr.write(process.env.COUNTER_KEY); process.exitCode = 3'] }),
    'counter is failed',
  ],
])('a call is not sent if a server that it requires %s', async (_, mcpServers, problem) => {
  const { agent, model, facts, said, baseDir } = await equipped({ mcpServers })
  await expect(agent.ask('go')).rejects.toMatchObject({
    _tag: 'McpServerError',
    message: expect.stringContaining(problem),
  })
  expect(model.requestCount).toBe(0)
  expect((await agent.budget()).spent).toMatchObject({ usd: 0, tokens: 0 })
  expect(said.join('\n') + JSON.stringify(await facts())).not.toMatch(secrets)
  expect(await placesOf(KEY, baseDir)).toEqual([])
})

test('a call is not made if what its server refers to is missing, and the error names it', async () => {
  const env = { KEY: '${NO_SUCH_VARIABLE}' }
  const { agent, model } = await equipped({ mcpServers: { counter: { command: 'node', env } } })
  await expect(agent.ask('go')).rejects.toMatchObject({
    _tag: 'McpSecretError',
    message: expect.stringContaining('env.KEY of the server counter needs the variable NO_SUCH_VARIABLE'),
  })
  expect(model.requestCount).toBe(0)
})

test('no values of variables add up to a reference, which claude would replace', async () => {
  const files = (ANY: string) =>
    serverFiles({ docs: { command: 'docs', env: { KEY: '$${ANY}' } } }, '/home/a', { ANY })
  await expect(files('{ANTHROPIC_API_KEY}')).rejects.toMatchObject({
    _tag: 'McpSecretError',
    message: expect.not.stringContaining('ANTHROPIC'),
  })
  expect((await files('1')).files['mcp.json']).toContain('"KEY":"$1"')
})

test.each(['message', 'sessionId', 'assist'])(
  'a value that the records of claude consist of is no secret, because they could not be read without it: %s',
  async (MODE) => {
    const server = { command: 'docs', env: { MODE: '${MODE}', OTHER: '${OTHER}' } }
    const { secrets } = await serverFiles({ docs: server }, '/home/a', { MODE, OTHER: 'hunter2' })
    expect(secrets).toEqual(['hunter2'])
  },
)

test('an agent has what it is equipped with: directories, variables, plugins, effort, and no tool that it may not use', async () => {
  const { baseDir } = await testAgent()
  const [beside, plugin] = [join(baseDir, 'beside'), join(baseDir, 'house')]
  await mkdir(join(plugin, '.claude-plugin'), { recursive: true })
  await mkdir(join(plugin, 'skills/greet'), { recursive: true })
  await mkdir(beside)
  await writeFile(join(plugin, '.claude-plugin/plugin.json'), '{"name":"house","version":"1.0.0"}')
  const skill = '---\nname: greet\ndescription: Greets.\n---\nSay ahoy.\n'
  await writeFile(join(plugin, 'skills/greet/SKILL.md'), skill)
  await writeFile(join(beside, 'note.txt'), 'the note beside')
  vi.stubEnv('GREETING_FOR_TOOLS', 'hello-from-outside')
  const model = await simulatedModel({
    reply: ({ ordinal, messages }) =>
      ordinal === 1
        ? {
            kind: 'message',
            stopReason: 'tool_use',
            content: [
              { type: 'tool_use', name: 'Read', input: { file_path: join(beside, 'note.txt') } },
              { type: 'tool_use', name: 'Bash', input: { command: 'echo "$GREETING_FOR_TOOLS"' } },
              { type: 'tool_use', name: 'Skill', input: { skill: 'house:greet' } },
            ],
          }
        : JSON.stringify(messages),
  })
  onTestFinished(() => model[Symbol.asyncDispose]())
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const orchestrator = await Orchestrator.open({
    baseDir: join(baseDir, 'base'),
    runner,
    store: memoryStore(),
  })
  onTestFinished(() => orchestrator.close())
  const agent = await orchestrator.createAgent({
    ...{ id: 'worker', systemPrompt: 'You work.', model: 'claude-sonnet-4-5' },
    appendClaudeMd: 'House rule: be brief.',
    allowedTools: ['Bash', 'Skill'],
    disallowedTools: ['WebFetch'],
    effort: 'high',
    fallbackModel: 'haiku',
    addDirs: [beside],
    plugins: [plugin],
    env: ['GREETING_FOR_TOOLS'],
  })
  const { text: answer } = await agent.ask('/help')
  for (const part of ['the note beside', 'hello-from-outside', 'Say ahoy.', '/help'])
    expect(answer).toContain(part)
  const [first] = model.requests
  expect(JSON.stringify(first?.system)).toContain('You work.\\n\\nHouse rule: be brief.')
  expect(first?.tools).not.toContain('WebFetch')
})
