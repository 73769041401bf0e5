/** Programs of a person and of a model that are clients of a cluster, as real processes with a real PostgreSQL. */
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { describe, expect, onTestFinished, test } from 'vitest'
import { commandLine, MAIN } from '../cli/command.ts'
import { hasTmux, tmux } from '../cli/tmux.ts'
import { hasPostgres } from '../postgres/database.ts'
import { startCluster } from './kit.ts'

async function started() {
  const cluster = await startCluster()
  await cluster.worker('one', '0')
  const team = await cluster.client()
  await team.createAgent({ id: 'helper', systemPrompt: 'You help.' })
  return { cluster, team, line: await commandLine({ CLAUDE_AGENTS_DATABASE: cluster.url }) }
}

describe.skipIf(!hasPostgres)('With agents that live in workers', { timeout: 120_000 }, () => {
  test('an MCP client lists them, asks one, creates another, and begins what it does not wait for', async () => {
    const { team, line } = await started()
    const client = new Client({ name: 'test', version: '1' })
    const transport = new StdioClientTransport({
      ...{ command: process.execPath, cwd: line.folder, env: line.environment, stderr: 'pipe' },
      args: [MAIN, 'mcp'],
    })
    const warned = text(transport.stderr as Readable)
    await client.connect(transport)
    onTestFinished(() => client.close())
    const call = (name: string, input: Record<string, unknown>) => client.callTool({ name, arguments: input })
    expect(await call('list_agents', {})).toMatchObject({
      structuredContent: { total: 1, agents: [{ agent: 'helper' }] },
    })
    expect(await call('ask_agent', { agent: 'helper', prompt: 'Hello?' })).toMatchObject({
      content: [{ type: 'text', text: 'fine' }],
    })
    await call('create_agent', { agent: 'other', system_prompt: 'You help as well.' })
    await call('ask_agent', { agent: 'other', prompt: 'Hello?', task_id: 't2', detach: true })
    expect((await (await team.agent('other')).reply('t2')).text).toBe('fine')
    await client.close()
    expect(await warned).toBe('')
  })

  test.runIf(hasTmux)('an interactive session (tmux) asks one, lists them, and leaves', async () => {
    const { line } = await started()
    const terminal = await tmux(line.folder, line.environment)
    await terminal.type(`${process.execPath} ${MAIN} interactive; echo "exit $?"`)
    await terminal.shows(/helper>\n*$/)
    await terminal.enter('Hello?')
    await terminal.shows(/^fine\n(.|\n)*helper>\n*$/m)
    await terminal.enter('list')
    await terminal.shows(/helper +idle(.|\n)*helper>\n*$/)
    await terminal.enter('exit')
    await terminal.shows(/exit 0\n/)
  })
})
