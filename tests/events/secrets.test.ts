/** Secrets of well-known services, and values under telling names, are redacted; innocent text is not. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { redactor } from '../../src/events/secrets/redaction.ts'

const redact = redactor({})

/** Text as in a token, made here so that no scanner takes this file for a leak. */
const noise = (length: number) => 'a1B2c3D4e5F6g7H8i9J0'.repeat(10).slice(0, length)
const capitals = (length: number) => 'Q2W3E4R5T6Y7U2I3O4P5'.slice(0, length)

const TOKENS: Readonly<Record<string, string>> = {
  Anthropic: `sk-ant-api03-${noise(93)}AA`,
  OpenAI: `sk-proj-${noise(40)}`,
  GitHub: `ghp_${noise(36)}`,
  'GitHub OAuth': `gho_${noise(36)}`,
  'GitHub fine-grained': `github_pat_${noise(82)}`,
  GitLab: `glpat-${noise(20)}`,
  'GitLab runner': `glrt-${noise(20)}`,
  AWS: `AKIA${capitals(16)}`,
  'AWS temporary': `ASIA${capitals(16)}`,
  Slack: `xoxb-${'123456789012-'.repeat(2)}${noise(24)}`,
  'Slack app': `xapp-1-A0-${noise(40)}`,
  'Slack rotating': `xoxe.xoxp-1-${noise(40)}`,
  Google: `AIza${noise(35)}`,
  'Google OAuth': `ya29.${noise(60)}`,
  Stripe: `sk_live_${noise(24)}`,
  npm: `npm_${noise(36)}`,
  PyPI: `pypi-${noise(80)}`,
  'Hugging Face': `hf_${noise(34)}`,
  DigitalOcean: `dop_v1_${noise(64)}`,
  SendGrid: `SG.${noise(22)}.${noise(43)}`,
  Vault: `hvs.${noise(90)}`,
  Telegram: `123456789:AA${noise(33)}`,
  Docker: `dckr_pat_${noise(27)}`,
  Databricks: `dapi${noise(32)}`,
  Shopify: `shpat_${noise(32)}`,
  Linear: `lin_api_${noise(40)}`,
  'JSON Web Token': `eyJ${noise(20)}.eyJ${noise(30)}.${noise(43)}`,
  'encrypted JSON Web Token': `eyJ${noise(20)}..${noise(16)}.${noise(30)}.${noise(22)}`,
}

describe.each(Object.entries(TOKENS))('a token of %s', (_, token) => {
  test.each([
    ['alone', token],
    ['in a sentence', `remote: the token ${token} has expired`],
    ['in quotes', `{"error":"bad credential '${token}'"}`],
    ['in an address', `GET https://api.example/v1?key=${token}&page=2`],
    ['on a line', `one\n${token}\nthree`],
    ['after a name', `X=${token}`],
  ])('is redacted %s', (_place, text) => {
    const clean = redact(text)
    expect(clean).toContain('[redacted]')
    expect(clean).not.toContain(token.slice(-12))
  })
})

test.each([
  ['password: x', 'password: [redacted]'],
  ['token=x', 'token=[redacted]'],
  ['DB_PASSWORD=hunter2 next', 'DB_PASSWORD=[redacted] next'],
  ['passwd = "correct horse battery"', 'passwd = "[redacted]"'],
  ["{'client_secret': 'it is \"quoted\"'}", "{'client_secret': '[redacted]'}"],
  ['{"accessToken":"abc","user":"me"}', '{"accessToken":"[redacted]","user":"me"}'],
  ['"{\\"apiKey\\":\\"abc\\",\\"n\\":1}"', '"{\\"apiKey\\":\\"[redacted]\\",\\"n\\":1}"'],
  ['?access_token=abc&page=2', '?access_token=[redacted]&page=2'],
  ['AccountKey=abc==;Endpoint=x', 'AccountKey=[redacted];Endpoint=x'],
  ['aws_secret_access_key = abc/def+ghi', 'aws_secret_access_key = [redacted]'],
  ['mysql --password hunter2 -h db', 'mysql --password [redacted] -h db'],
  ['gh --auth-token=abc run', 'gh --auth-token=[redacted] run'],
  ['curl -u me:hunter2 https://a.b', 'curl -u me:[redacted] https://a.b'],
  ['Cookie: session=abc; other=def', 'Cookie: [redacted]'],
  ['-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY----- done', '[redacted] done'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc, cut off', '[redacted]'],
  [
    'post to https://hooks.slack.com/services/T0/B0/abcdefgh now',
    'post to https://hooks.slack.com/[redacted] now',
  ],
])('%j is printed as %j', (text, expected) => {
  expect(redact(text)).toBe(expected)
})

test.each([
  'max_tokens: 4096, 300 tokens used, 20 tokens left',
  'the password is wrong, and no secret is set',
  'secretary: Ada, passwords: three, keys: 2',
  'task-12345678901234567890 of run 9f8e7d6c-5b4a-4321-8765-0123456789ab',
  'commit 3f786850e387550fdab836ed7e6dc881de23001b, sha256 of e3b0c44298fc1c149afbf4c8996fb924',
  'eyJ is how a token begins, and AKIA a key',
  'see https://example.com/docs/authentication#tokens',
  'sk-learn and risk-based, gl-matrix 3.4.1',
])('%j stays as it is', (text) => {
  expect(redact(text)).toBe(text)
})

test('a value under a telling name never stays, whatever it is and whatever is around it', () => {
  const names = fc.constantFrom(
    'password',
    'DB_PASSWORD',
    'token',
    'x-auth-token',
    'api_key',
    'apiKey',
    'clientSecret',
  )
  const value = fc.stringMatching(/^[A-Za-z0-9!@#$%^*()_+.-]{12,40}$/)
  const quote = fc.constantFrom('"', "'", '')
  fc.assert(
    fc.property(
      names,
      value,
      quote,
      fc.constantFrom(': ', '=', ' = ', ':'),
      fc.string(),
      (name, secret, mark, sign, around) => {
        const text = `${around}\n${name}${sign}${mark}${secret}${mark}\n${around}`
        expect(redact(text).split('\n').slice(1).join('\n')).not.toContain(secret)
      },
    ),
  )
})
