/** The MCP servers of an agent, as its options name them: what is accepted, and what is refused without repeating a secret. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to variables
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { type AgentOptions, agentConfig } from '../../src/events/options/agent.ts'
import type { McpServers } from '../../src/events/options/servers.ts'

const configured = (options: object) =>
  agentConfig({ id: 'a', systemPrompt: 'You are a.', ...options } as AgentOptions)

test.each<[string, McpServers]>([
  ['a program', { 'my_docs-2': { command: 'docs', args: ['--stdio'], required: true } }],
  [
    'a program with references',
    { docs: { command: '/bin/docs', env: { KEY: '${DOCS_KEY}', PORT: '8080' } } },
  ],
  ['an address', { web: { url: 'https://example.com/mcp', type: 'sse' } }],
  [
    'an address with references',
    { web: { url: 'http://[::1]/', headers: { Authorization: 'Bearer ${T:-x}' } } },
  ],
  ['a secret in a file', { web: { url: 'https://example.com', headers: { 'X-Key': { file: '/run/key' } } } }],
  ['a secret in a variable', { docs: { command: 'docs', env: { PASSWORD: { env: 'DOCS_PASSWORD' } } } }],
])('%s is a server', (_, mcpServers) => {
  expect(configured({ mcpServers }).mcpServers).toEqual(mcpServers)
})

test('paths of a server are absolute, and a name without a slash is looked up', () => {
  const docs = { command: './docs', env: { KEY: { file: 'key' } } }
  expect(configured({ mcpServers: { docs, other: { command: 'other' } } }).mcpServers).toEqual({
    docs: { command: resolve('docs'), env: { KEY: { file: resolve('key') } } },
    other: { command: 'other' },
  })
})

const SECRET = 'hunter2-hunter2'
const web = (headers: object) => ({ web: { url: 'https://example.com', headers } })
const docs = (server: object) => ({ docs: { command: 'docs', ...server } })

test.each<[string, object]>([
  ['a name that is an option', { '--config': { command: 'docs' } }],
  ['a name with two underscores, which end the name in a tool', { a__b: { command: 'docs' } }],
  ['a name of ours', { 'claude-agents': { command: 'docs' } }],
  ['a name that is a prototype', JSON.parse('{ "__proto__": { "command": "docs" } }')],
  ['a name that leaves the directory', { '../docs': { command: 'docs' } }],
  ['neither a program nor an address', { docs: {} }],
  ['both a program and an address', docs({ url: 'https://example.com' })],
  ['headers of a program', docs({ headers: {} })],
  ['a key that does not exist', docs({ cwd: '/' })],
  ['a file in place of an address', { web: { url: 'file:///etc/passwd' } }],
  ['a password in an address', { web: { url: `https://user:${SECRET}@example.com` } }],
  ['a token in an address', { web: { url: `https://example.com/?token=${SECRET}` } }],
  ['a reference in an address', { web: { url: 'https://example.com/${TOKEN}' } }],
  ['a secret among arguments', docs({ args: ['--api-key', SECRET] })],
  ['a reference among arguments', docs({ args: ['${TOKEN}'] })],
  ['a secret as a header', web({ Authorization: `Bearer ${SECRET}` })],
  ['a secret beside a reference', web({ 'X-Any': `Bearer ${SECRET} \${TOKEN}` })],
  ['a secret as a variable', docs({ env: { API_KEY: SECRET } })],
  ['a secret by what it looks like', docs({ env: { ANY: 'ghp_0123456789abcdefghijABCDEFGHIJ012345' } })],
  ['a header within a header', web({ 'X-Any': 'one\r\nX-Other: two' })],
  ['a header without a proper name', web({ 'X Any:': 'one' })],
  ['a variable without a proper name', docs({ env: { 'A=B': 'one' } })],
  ['the login of claude', docs({ env: { KEY: '${ANTHROPIC_API_KEY}' } })],
  ['the login of claude, named alone', docs({ env: { KEY: { env: 'CLAUDE_CODE_OAUTH_TOKEN' } } })],
  ['the login of claude, made of two parts', docs({ env: { KEY: '$${ANY:-{ANTHROPIC_API_KEY}}' } })],
  ['the login of claude, as what a reference gives', docs({ env: { KEY: '${${ANY:-ANTHROPIC_API_KEY}}' } })],
  ['what claude would take for a reference', docs({ env: { KEY: '${ANTHROPIC_API_KEY:=x}' } })],
  ['a secret for want of a variable', web({ 'X-Any': `Bearer \${ANY:-${SECRET}}` })],
  ['a secret for want of a secret', docs({ env: { ANY: `\${API_KEY:-${SECRET}}` } })],
  ['a secret for want of any other', docs({ env: { API_KEY: `\${ANY:-${SECRET}}` } })],
  ['a variable of ours', docs({ env: { URL: '${CLAUDE_AGENTS_DATABASE}' } })],
  ['too many', Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`s${at}`, { command: 'docs' }]))],
  ['too much', docs({ args: ['x'.repeat(40_000)] })],
])('%s is refused, and no secret is repeated', (_, mcpServers) => {
  expect(() => configured({ mcpServers })).toThrow(
    expect.objectContaining({
      _tag: 'InvalidInputError',
      message: expect.not.stringMatching(`${SECRET}|ghp_`),
      hint: expect.not.stringMatching(`${SECRET}|ghp_`),
    }),
  )
})

test.each<[string, object]>([
  ['the login', { env: ['ANTHROPIC_API_KEY'] }],
  ['a setting of claude', { env: ['CLAUDE_CONFIG_DIR'] }],
  ['a value in place of a name', { env: [`KEY=${SECRET}`] }],
  ['an effort that is none', { effort: 'huge' }],
  ['an option in place of a model', { fallbackModel: 'haiku,--x' }],
  ['a tool that is none', { disallowedTools: ['Wriet'] }],
  ['a directory with a line break', { addDirs: ['a\nb'] }],
])('what an agent is equipped with has rules: %s is refused', (_, options) => {
  expect(() => configured(options)).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining(SECRET) }),
  )
})
