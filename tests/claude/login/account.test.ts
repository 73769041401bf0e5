import { expect, test } from 'vitest'
import { accountOf, isLoginFixed, loginVariables } from '../../../src/claude/login/account.ts'

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
