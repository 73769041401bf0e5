/** `claude-agents mcp` as clients start it: a process that speaks MCP on its stdin and stdout, and nothing else. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { expect, onTestFinished, test } from 'vitest'
import { answer } from '../../../src/testing/model/answer.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { claudeHome, runClaude } from '../../testing/claude-process.ts'
import { MAIN, quickCommandLine } from '../command.ts'

/** A command line whose owner in the background does not outlive the test. */
async function team(options: SimulatedModelOptions = {}) {
  const model = await simulatedModel(options)
  const line = await quickCommandLine(model.environment)
  onTestFinished(async () => {
    await line.run(['serve', 'stop', '--now'])
    await model[Symbol.asyncDispose]()
  })
  const types = async () =>
    (await line.run(['log', '--json'])).values.map(({ type }) => type as unknown as string)
  const begin = () => {
    const server = spawn(process.execPath, [MAIN, 'mcp'], { cwd: line.folder, env: line.environment })
    onTestFinished(() => void server.kill('SIGKILL'))
    const said = text(server.stdout)
    const send = (message: object) =>
      server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    send({
      ...{ id: 1, method: 'initialize' },
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
    })
    send({ method: 'notifications/initialized' })
    const call = (id: number, name: string, input: object) =>
      send({ id, method: 'tools/call', params: { name, arguments: input } })
    return { server, said, send, call }
  }
  return { ...line, model, types, begin }
}

const linesOf = (said: string) => said.split('\n').filter((line) => line !== '')

test('a client of the SDK creates an agent and asks it, through an owner that stays when the client is gone', async () => {
  const { folder, environment, run } = await team({ reply: ['Hello from the agent.'] })
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StdioClientTransport({
    ...{ command: process.execPath, cwd: folder, env: environment, stderr: 'pipe' },
    args: [MAIN, 'mcp', '--allow-approve'],
  })
  const warned = text(transport.stderr as Readable)
  await client.connect(transport)
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('approve')
  // Looking makes no store, and starts no owner.
  await client.callTool({ name: 'list_agents', arguments: {} })
  expect((await run(['serve', 'status'])).exitCode).toBe(3)
  const role = { agent: 'helper', system_prompt: 'You help.' }
  await client.callTool({ name: 'create_agent', arguments: role })
  const asked = await client.callTool({ name: 'ask_agent', arguments: { agent: 'helper', prompt: 'Hello?' } })
  expect(asked).toMatchObject({ content: [{ type: 'text', text: 'Hello from the agent.' }] })
  // Node warns of more than ten listeners.
  for (let i = 0; i < 12; i++) await client.callTool({ name: 'list_agents', arguments: {} })
  await client.close()
  expect(await warned).toBe('')
  expect((await run(['serve', 'status'])).exitCode).toBe(0)
  expect((await run(['agent', 'list', '--json'])).values).toMatchObject([{ id: 'helper' }])
})

test.each([
  ['its stdin ends', (server: ReturnType<typeof spawn>) => void server.stdin?.end(), 0],
  ['it is ended by SIGTERM', (server: ReturnType<typeof spawn>) => void server.kill('SIGTERM'), 143],
])(
  'when %s, it cancels what its client waits for, leaves what that detached, and ends',
  async (_, end, code) => {
    const { begin, model, run, types } = await team({ reply: [answer.held('one'), 'two'] })
    await run(['agent', 'create', 'waited', 'You help.'])
    await run(['agent', 'create', 'left', 'You help.'])
    const { server, said, call } = begin()
    call(2, 'ask_agent', { agent: 'waited', prompt: 'x', task_id: 't1' })
    await model.waitForRequest(1)
    call(3, 'ask_agent', { agent: 'left', prompt: 'y', task_id: 't2', detach: true })
    await model.waitForRequest(2)
    end(server)
    const [exitCode] = await once(server, 'exit')
    expect(exitCode).toBe(code)
    for (const line of linesOf(await said)) expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' })
    expect(await types()).toContain('TaskCancelled')
    expect(await run(['wait', 't2', '--timeout', '60'])).toMatchObject({ stdout: 'two' })
  },
)

test('what is not MCP is passed over, and what is too long ends the connection, not the team', async () => {
  const { begin } = await team()
  const strange = begin()
  strange.server.stdin.write('not JSON\n[]\n{"jsonrpc":"2.0"}\n\0\n')
  strange.call(2, 'list_agents', {})
  strange.send({ id: 3, method: 'tools/call', params: { name: '__proto__', arguments: {} } })
  strange.send({ id: 4, method: 'no/such' })
  const heard = new Promise<void>((resolve) => {
    let all = ''
    strange.server.stdout.on('data', (piece) => {
      all += piece
      if (['"id":2', '"id":3', '"id":4'].every((id) => all.includes(id))) resolve()
    })
  })
  await heard
  strange.server.stdin.end()
  await once(strange.server, 'exit')
  const answers = linesOf(await strange.said).map((line) => JSON.parse(line))
  expect(answers.find(({ id }) => id === 2)).toMatchObject({ result: { structuredContent: { total: 0 } } })
  expect(answers.find(({ id }) => id === 3)).toMatchObject({ error: {} })
  expect(answers.find(({ id }) => id === 4)).toMatchObject({ error: { code: -32601 } })

  const long = begin()
  long.server.stdin.on('error', () => {})
  long.server.stdin.write('x'.repeat(11 * 2 ** 20))
  const [exitCode] = await once(long.server, 'exit')
  expect(exitCode).toBe(0)
})

test('the real claude creates an agent and asks it, as the tools of a server', async () => {
  const { folder, environment, model } = await team({
    reply({ tools, ordinal }) {
      // The agent has no such tools.
      if (!tools.includes('mcp__agents__ask_agent')) return 'Forty-two.'
      if (ordinal === 1)
        return answer.toolUse('mcp__agents__create_agent', { agent: 'oracle', system_prompt: 'You know.' })
      if (ordinal === 2)
        return answer.toolUse('mcp__agents__ask_agent', { agent: 'oracle', prompt: 'What is the answer?' })
      return 'It says so.'
    },
  })
  await using home = await claudeHome()
  const args = [MAIN, '--base-dir', join(folder, '.claude-agents'), 'mcp']
  // Otherwise the first request may come before the server is connected, or leave its tools to a search.
  const agents = { command: process.execPath, args, env: environment, alwaysLoad: true }
  const config = JSON.stringify({ mcpServers: { agents } })
  const flags = ['--mcp-config', config, '--allowedTools', 'mcp__agents']
  const { result, lines } = await runClaude(home, model.environment, 'Ask the oracle.', flags)
  expect(lines.find(({ subtype }) => subtype === 'init')).toMatchObject({
    // On a busy machine it may connect a moment later.
    mcp_servers: [{ name: 'agents', status: expect.stringMatching(/^(connected|pending)$/) }],
  })
  expect(result).toMatchObject({ result: 'It says so.' })
  expect(JSON.stringify(model.requests.at(-1)?.messages)).toContain('Forty-two.')
})
