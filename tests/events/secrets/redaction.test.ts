/** Secrets and prompts are redacted in every form in which they may appear in a message. */
import { expect, test } from 'vitest'
import { oneLine, redactor, secretsOf } from '../../../src/events/secrets/redaction.ts'

test.each([
  ['the key sk-ant-api03-AbC_d-1234 was bad', 'the key [redacted] was bad'],
  ['sent Bearer abc.def-ghi to it', 'sent Bearer [redacted] to it'],
  ['x-api-key: 12345678', 'x-api-key: [redacted]'],
  ['{"api_key":"12345678"}', '{"api_key":"[redacted]"}'],
  ['proxy http://me:secret@proxy:8080 failed', 'proxy http://[redacted]@proxy:8080 failed'],
  ['Authorization: Token abc.def, next: 1', 'Authorization: [redacted], next: 1'],
  ['cloning https://ghp_token@github.com/a/b', 'cloning https://[redacted]@github.com/a/b'],
  ['proxy http://me:p@ss:w@proxy:8080 failed', 'proxy http://[redacted]@proxy:8080 failed'],
  ['see https://example.com/a@b and a@b.c', 'see https://example.com/a@b and a@b.c'],
  ['nothing secret here: 42', 'nothing secret here: 42'],
])('%j is printed as %j', (text, expected) => {
  expect(redactor({})(text)).toBe(expected)
})

test('values of variables with a secret name are redacted, others are not', () => {
  const secrets = secretsOf({
    ANTHROPIC_API_KEY: 'a-key-123',
    ANTHROPIC_AUTH_TOKEN: 'a-token-123',
    PATH: '/usr/bin',
  })
  expect(secrets).toEqual(['a-key-123', 'a-token-123'])
  expect(redactor({ secrets })('a-key-123 at /usr/bin')).toBe('[redacted] at /usr/bin')
})

test('the values of headers and the passwords in URLs are secret too', () => {
  expect(
    secretsOf({
      ANTHROPIC_CUSTOM_HEADERS: 'X-Gate: open-sesame\nX-Team: blue-team',
      HTTPS_PROXY: 'http://me:p%40ssword@proxy:8080',
      ANTHROPIC_BASE_URL: 'https://gateway.example',
    }),
  ).toEqual(['X-Gate: open-sesame\nX-Team: blue-team', 'open-sesame', 'blue-team', 'p%40ssword', 'p@ssword'])
})

test('a prompt is redacted as text and as JSON, unless it is too short', () => {
  const redact = redactor({ prompts: ['Line one\n"line two"', 'hi'] })
  expect(redact('Line one\n"line two"')).toBe('[prompt]')
  expect(redact('{"text":"Line one\\n\\"line two\\""}')).toBe('{"text":"[prompt]"}')
  expect(redact('hi there')).toBe('hi there')
})

test('oneLine returns one line of limited length, without control characters', () => {
  expect(oneLine('a\r\nb\u0000\u001b[2Jc \u001b[31;1mred\u001b[0m\u009b2Jd')).toBe('a b c redd')
  expect(oneLine('x'.repeat(50), 10)).toBe('xxxxxxx...')
})
