/** A key is for the service alone: an agent's commands do not find it, with the real `claude` and its Bash tool. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { collect, REAL_CLAUDE, testAgent } from '../claude/calls.ts'
import { few } from '../repetitions.ts'

const CANARY = 'sk-ant-canary-4e81d0c7'
/** A token must not make the CLI look up its owner. */
const OFFLINE = { HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1' }

/**
 * Everywhere an agent's command could look, except its parent's memory. The value it looks for is reversed, so that
 * the command itself does not match.
 */
const LOOK = [
  `key=$(echo ${[...CANARY].reverse().join('')} | rev)`,
  'find_in() { tr "\\0" "\\n" | grep -aF "$key" && echo "found in $1"; }',
  'env | find_in env',
  'find_in self </proc/self/environ',
  'find_in parent </proc/$PPID/environ',
  'find_in arguments </proc/$PPID/cmdline',
  'timeout 2 cat /proc/$PPID/fd/3 </dev/null | find_in descriptor',
  'timeout 2 cat <&3 | find_in inherited',
  'for file in $(grep -rlF "$key" "$HOME" "$PWD"); do echo "found in $file"; done',
  'echo looked everywhere',
].join('\n')

async function lookAround(variable: string, more: Readonly<Record<string, string>> = {}) {
  const model = await simulatedModel({ reply: [answer.toolUse('Bash', { command: LOOK }), 'Done.'] })
  await using _ = model
  const agent = await testAgent()
  const environment = { ANTHROPIC_BASE_URL: model.url, ...OFFLINE, [variable]: CANARY, ...more }
  const runner = claudeCli({ path: REAL_CLAUDE, environment })
  const call = agent.call('Look around', { settings: { allowedTools: ['Bash'] } })
  const { error } = await collect(runner, call)
  expect(error).toBeNull()
  const seen = model.requests.at(-1)?.conversation.at(-1)?.[1] ?? ''
  expect(seen).toContain('looked everywhere')
  return { seen, headers: model.requests[0]?.headers ?? {} }
}

describe.runIf(process.platform === 'linux')('what an agent finds with its commands', () => {
  const KEYS = few<[variable: string, header: string, sent: string]>(2, [
    ['ANTHROPIC_API_KEY', 'x-api-key', CANARY],
    ['CLAUDE_CODE_OAUTH_TOKEN', 'authorization', `Bearer ${CANARY}`],
    ['ANTHROPIC_AUTH_TOKEN', 'authorization', `Bearer ${CANARY}`],
  ])

  test.each(KEYS)('does not include %s, which is sent to the service', async (variable, header, sent) => {
    const { seen, headers } = await lookAround(variable)
    expect(headers[header]).toBe(sent)
    expect(seen).not.toContain('found in')
    expect(seen).not.toContain(CANARY)
  })

  test('includes the key if it was requested in the environment', async () => {
    const { seen } = await lookAround('ANTHROPIC_API_KEY', { CLAUDE_AGENTS_KEY_IN_ENVIRONMENT: '1' })
    expect(seen).toContain('found in env')
    expect(seen).toContain('found in parent')
  })
})

describe.runIf(process.platform === 'linux')("the user's login", () => {
  afterEach(() => vi.unstubAllEnvs())

  const stored = (accessToken: string) =>
    JSON.stringify({
      claudeAiOauth: {
        accessToken,
        refreshToken: 'sk-ant-refresh',
        expiresAt: Date.now() + 3_600_000,
        scopes: ['user:inference'],
      },
    })

  async function askAs(user: string, baseUrl: string, environment: Readonly<Record<string, string>> = {}) {
    for (const name of ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN']) {
      vi.stubEnv(name, undefined)
    }
    vi.stubEnv('CLAUDE_CONFIG_DIR', user)
    vi.stubEnv('ANTHROPIC_BASE_URL', baseUrl)
    for (const [name, value] of Object.entries(OFFLINE)) vi.stubEnv(name, value)
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment })
    return { agent, ...(await collect(runner, agent.call('Hello'))) }
  }

  test("is used in place, and leaves nothing in the agent's home", async () => {
    await using model = await simulatedModel({ reply: ['Hello.'] })
    const user = join((await testAgent()).baseDir, 'user')
    await mkdir(user)
    await writeFile(join(user, '.credentials.json'), stored(CANARY), { mode: 0o600 })
    const { agent, error } = await askAs(user, model.url)
    expect(error).toBeNull()
    expect(model.requests[0]?.headers.authorization).toBe(`Bearer ${CANARY}`)
    const own = join(agent.directories.home, '.claude/.credentials.json')
    await expect(readFile(own)).rejects.toThrow('ENOENT')
  })

  test('is not sent to an address that was given without a login', async () => {
    await using model = await simulatedModel({ reply: ['Hello.'] })
    const user = join((await testAgent()).baseDir, 'user')
    await mkdir(user)
    await writeFile(join(user, '.credentials.json'), stored(CANARY), { mode: 0o600 })
    const { error } = await askAs(user, 'http://127.0.0.1:1', { ANTHROPIC_BASE_URL: model.url })
    expect(error).toMatchObject({ _tag: 'AuthenticationError' })
    expect(model.requestCount).toBe(0)
  })

  test.each(few(1, ['{', '{}']))('that is %j is an error that says how to log in', async (text) => {
    await using model = await simulatedModel()
    const user = join((await testAgent()).baseDir, 'user')
    await mkdir(user)
    await writeFile(join(user, '.credentials.json'), text)
    const { error } = await askAs(user, model.url)
    expect(error).toMatchObject({ _tag: 'AuthenticationError', hint: expect.stringContaining('/login') })
    expect(model.requestCount).toBe(0)
  })
})

test.each(few(1, ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN']))(
  'a rejected %s is an error that says how to log in, without the key',
  async (variable) => {
    await using model = await simulatedModel({ reply: () => answer.failure(401) })
    const agent = await testAgent()
    const environment = { ANTHROPIC_BASE_URL: model.url, ...OFFLINE, [variable]: CANARY }
    const { error } = await collect(claudeCli({ path: REAL_CLAUDE, environment }), agent.call('Hello'))
    expect(error).toMatchObject({ _tag: 'AuthenticationError', hint: expect.stringContaining('/login') })
    expect(`${error} ${JSON.stringify(error)}`).not.toContain(CANARY)
  },
)
