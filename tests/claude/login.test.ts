/** Where a login comes from, which account it is, and how a key is kept out of the environment. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { accountOf, hideLogin, isLoginFixed, loginVariables, storedLogin } from '../../src/claude/login.ts'

const home = '/home/me'
const isThere = () => true
const user = process.platform === 'darwin' ? '' : join(home, '.claude')

describe('a stored login', () => {
  test.each([
    ['in the home', {}, { CLAUDE_SECURESTORAGE_CONFIG_DIR: user }],
    [
      'in a custom directory',
      { CLAUDE_CONFIG_DIR: '/etc/me' },
      { CLAUDE_SECURESTORAGE_CONFIG_DIR: '/etc/me' },
    ],
    ['behind a gateway', { ANTHROPIC_BASE_URL: 'http://x' }, { CLAUDE_SECURESTORAGE_CONFIG_DIR: user }],
    ['when there is a key', { ANTHROPIC_API_KEY: 'k' }, {}],
    ['when there is a token', { CLAUDE_CODE_OAUTH_TOKEN: 't' }, {}],
    [
      'of AWS',
      { CLAUDE_CODE_USE_BEDROCK: '1' },
      { AWS_CONFIG_FILE: `${home}/.aws/config`, AWS_SHARED_CREDENTIALS_FILE: `${home}/.aws/credentials` },
    ],
    [
      'of AWS at a configured path',
      { CLAUDE_CODE_USE_BEDROCK: 'true', AWS_CONFIG_FILE: '/a', AWS_SHARED_CREDENTIALS_FILE: '/b' },
      {},
    ],
    [
      'of Google',
      { CLAUDE_CODE_USE_VERTEX: '1' },
      { GOOGLE_APPLICATION_CREDENTIALS: `${home}/.config/gcloud/application_default_credentials.json` },
    ],
    [
      'of a cloud that is disabled',
      { CLAUDE_CODE_USE_BEDROCK: '0' },
      { CLAUDE_SECURESTORAGE_CONFIG_DIR: user },
    ],
  ])('%s is found', (_, inherited, expected) => {
    expect(storedLogin({ HOME: home, ...inherited }, isThere)).toEqual(expected)
  })

  test('is not looked for without a home, nor named without a file', () => {
    expect(storedLogin({}, isThere)).toEqual({})
    expect(storedLogin({ HOME: home, CLAUDE_CODE_USE_VERTEX: '1' }, () => false)).toEqual({})
  })
})

describe('a key', () => {
  const start = (environment: Record<string, string>) => ({
    environment: { A: '1', ...environment },
    arguments: ['-p'],
  })

  test.each([
    ['ANTHROPIC_API_KEY', 'CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR'],
    ['CLAUDE_CODE_OAUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR'],
  ])('in %s is passed through a descriptor', (variable, by) => {
    expect(hideLogin(start({ [variable]: 'canary' }), 'linux')).toEqual({
      environment: { A: '1', [by]: '3' },
      arguments: ['-p'],
      secret: 'canary',
    })
  })

  test('for a gateway is passed by a command that does not contain it', () => {
    const hidden = hideLogin(start({ ANTHROPIC_AUTH_TOKEN: 'canary' }), 'linux')
    expect(hidden.secret).toBe('canary')
    expect(hidden.arguments).toEqual(['--settings', expect.stringContaining('apiKeyHelper'), '-p'])
    expect(JSON.stringify([hidden.environment, hidden.arguments])).not.toContain('canary')
    const { environment } = start({ ANTHROPIC_AUTH_TOKEN: 'canary' })
    const arguments_ = ['-p', '--settings', '{"claudeMdExcludes":[]}', '-x']
    expect(hideLogin({ environment, arguments: arguments_ }, 'linux').arguments).toEqual([
      ...['-p', '--settings', expect.stringMatching(/^\{"claudeMdExcludes":\[\],"apiKeyHelper"/), '-x'],
    ])
  })

  test.each<[string, Record<string, string>, NodeJS.Platform]>([
    ['there is none', {}, 'linux'],
    ['the system has no descriptors', { ANTHROPIC_API_KEY: 'canary' }, 'win32'],
    ['the command would not find it', { ANTHROPIC_AUTH_TOKEN: 'canary' }, 'darwin'],
    ['it has several lines', { ANTHROPIC_API_KEY: 'can\nary' }, 'linux'],
    ['a pipe would not hold it', { ANTHROPIC_API_KEY: 'x'.repeat(5000) }, 'linux'],
  ])('stays visible if %s', (_, environment, platform) => {
    expect(hideLogin(start(environment), platform)).toEqual(start(environment))
  })
})

const KEY = 'sk-ant-a-secret-key-that-nobody-may-see'

test('one login is one account; another key or another service is another', () => {
  const account = (inherited: Record<string, string>, added: Record<string, string> = {}) =>
    accountOf({ inherited, added })
  const own = account({ ANTHROPIC_API_KEY: KEY, PATH: '/bin' })
  expect(own).toMatch(/^api\.anthropic\.com#[0-9a-f]{12}$/)
  expect(account({ ANTHROPIC_API_KEY: KEY, PATH: '/usr/bin', LANG: 'C' })).toBe(own)
  expect(account({ ANTHROPIC_API_KEY: 'other' }, { ANTHROPIC_API_KEY: KEY })).toBe(own)
  const others = [
    account({ ANTHROPIC_API_KEY: `${KEY}2` }),
    account({ ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: 'https://user:password@gateway.example/v1' }),
    account({ HOME: '/home/one' }),
    account({ HOME: '/home/other' }),
    account({ HOME: '/home/one', CLAUDE_CODE_USE_BEDROCK: '1', AWS_PROFILE: 'work' }),
  ]
  expect(new Set([own, ...others]).size).toBe(6)
  expect(others[1]).toMatch(/^gateway\.example#/)
})

test('the name of an account contains nothing of its credentials', () => {
  const name = accountOf({
    inherited: {},
    added: { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: 'https://user:password@gateway.example' },
  })
  for (const secret of [KEY, KEY.slice(0, 8), 'user', 'password']) expect(name).not.toContain(secret)
})

test('a key is fixed, a stored login may be renewed', () => {
  const isFixed = (inherited: Record<string, string>, added: Record<string, string> = {}) =>
    isLoginFixed(loginVariables({ inherited, added }))
  expect(isFixed({ ANTHROPIC_API_KEY: KEY })).toBe(true)
  expect(isFixed({ HOME: '/home/one' }, { CLAUDE_CODE_OAUTH_TOKEN: 'x' })).toBe(true)
  expect(isFixed({ HOME: '/home/one' })).toBe(false)
})
