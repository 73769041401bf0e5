/** The environment of a call: what passes, what does not, and whose login counts. */
import { expect, test } from 'vitest'
import { callEnvironment } from '../../src/claude/environment.ts'

const call = { callId: 'call-1', home: '/base/agents/a/home', version: [2, 1, 330] as const }
const inherited = {
  PATH: '/bin',
  HOME: '/root',
  ANTHROPIC_API_KEY: 'mine',
  ANTHROPIC_AUTH_TOKEN: 'my token',
  CLAUDE_CODE_OAUTH_TOKEN: 'my login',
  HTTPS_PROXY: 'http://proxy',
  CLAUDECODE: '1',
  CLAUDE_CODE_ENTRYPOINT: 'cli',
  AWS_SECRET_ACCESS_KEY: 'secret',
  NODE_OPTIONS: '--require /evil.js',
  LANG: undefined,
}

test('the login, the proxy and the path pass; nothing else does', () => {
  const environment = callEnvironment({ ...call, inherited })
  expect(environment).toMatchObject({
    PATH: '/bin',
    LANG: 'C.UTF-8',
    ANTHROPIC_API_KEY: 'mine',
    CLAUDE_CODE_OAUTH_TOKEN: 'my login',
    HTTPS_PROXY: 'http://proxy',
    HOME: call.home,
    CLAUDE_CONFIG_DIR: `${call.home}/.claude`,
    CLAUDE_AGENTS_CALL_ID: 'call-1',
    CLAUDE_AGENTS_HOME: call.home,
  })
  for (const name of ['CLAUDECODE', 'CLAUDE_CODE_ENTRYPOINT', 'AWS_SECRET_ACCESS_KEY', 'NODE_OPTIONS']) {
    expect(environment).not.toHaveProperty(name)
  }
})

test('a login that is added replaces ours as a whole: a token of ours is never sent to another address', () => {
  const environment = callEnvironment({
    ...call,
    inherited,
    added: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' },
  })
  expect(environment.ANTHROPIC_BASE_URL).toBe('http://127.0.0.1:1')
  for (const name of ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN']) {
    expect(environment).not.toHaveProperty(name)
  }
})

test('the bounds may be changed, the marks and the home may not', () => {
  const added = { CLAUDE_CODE_MAX_RETRIES: '0', HOME: '/etc', CLAUDE_AGENTS_CALL_ID: 'other' }
  expect(callEnvironment({ ...call, inherited, added })).toMatchObject({
    CLAUDE_CODE_MAX_RETRIES: '0',
    HOME: call.home,
    CLAUDE_AGENTS_CALL_ID: 'call-1',
  })
})

test('files that a prompt mentions stay unread, in versions with a switch for that and in those without', () => {
  const of = (patch: number) => callEnvironment({ ...call, version: [2, 1, patch], inherited })
  expect(of(330)).toHaveProperty('CLAUDE_CODE_DISABLE_FILE_MENTIONS', '1')
  expect(of(330)).not.toHaveProperty('CLAUDE_CODE_DISABLE_ATTACHMENTS')
  expect(of(197)).toHaveProperty('CLAUDE_CODE_DISABLE_ATTACHMENTS', '1')
})
