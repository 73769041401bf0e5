/** Secrets that are known by their values are hidden however they are written, and however a text is divided. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Concealment, concealment, HIDDEN } from '../../../src/events/secrets/concealment.ts'
import { redactor } from '../../../src/events/secrets/redaction.ts'

const SECRET = 'hunter2-"x"/y+z ü'

/** What a program may make of a secret. */
const WRITTEN: Readonly<Record<string, (secret: string) => string>> = {
  'as it is': (secret) => secret,
  'in JSON': (secret) => JSON.stringify({ secret }),
  'in JSON in JSON': (secret) => JSON.stringify({ text: JSON.stringify({ secret }) }),
  'in a URL': (secret) => `https://example.com/?q=${encodeURIComponent(secret)}&n=1`,
  'in a form': (secret) => new URLSearchParams({ secret }).toString(),
  'in base64': (secret) => Buffer.from(secret).toString('base64'),
  'in base64 after a name': (secret) => `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`,
  'in base64 between others': (secret) => Buffer.from(`user:${secret}:more`).toString('base64url'),
}

/** No six characters of a secret, or of its base64, are left. */
function leftOf(secret: string, text: string): string[] {
  const forms = [
    secret,
    ...[0, 1, 2].map((at) =>
      Buffer.from(' '.repeat(at) + secret)
        .toString('base64')
        .slice(3, -4),
    ),
  ]
  return forms.flatMap((form) =>
    Array.from({ length: Math.max(0, form.length - 7) }, (_, at) => form.slice(at, at + 8)).filter((piece) =>
      text.includes(piece),
    ),
  )
}

test.each(Object.entries(WRITTEN))('a secret %s is hidden, in a text and in an error', (_, write) => {
  for (const secret of [SECRET, 'hunter2-xyz']) {
    const text = `so I say: ${write(secret)}, and more`
    for (const hide of [concealment([secret]).text, redactor({ secrets: [secret] })]) {
      expect(hide(text)).toContain(HIDDEN)
      expect(leftOf(secret, hide(text))).toEqual([])
    }
  }
})

test('what is no secret stays as it is, and so do the numbers and the shape of JSON', () => {
  const { json, text } = concealment(['hunter2-xyz', '123456', 'short'])
  expect(text('a short word')).toBe('a short word')
  const given = { cost: 123456, list: [{ 'the hunter2-xyz': 'is 123456' }, null, true], __proto__: null }
  expect(json(given)).toEqual({ cost: 123456, list: [{ 'the [redacted]': 'is [redacted]' }, null, true] })
  expect(concealment([]).json(given)).toBe(given)
})

const inPieces = ({ pieces }: Concealment, text: string, cuts: readonly number[]) => {
  const { add, end } = pieces()
  const at = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((one, other) => one - other), text.length]
  return at.map((from, index) => add(text.slice(from, at[index + 1] ?? text.length))).join('') + end()
}

const words = fc.array(
  fc.constantFrom('hunter', 'hunter2-xyz', '2-xyz', 'hunter2-xyhunter2-xyz', ' ', 'abcabcabd', 'abc'),
)

test('a text that comes in pieces is hidden as it is in one piece, wherever it is divided', () => {
  const secrets = concealment(['hunter2-xyz', 'abcabd'])
  fc.assert(
    fc.property(words, fc.array(fc.nat()), (said, cuts) => {
      const text = said.join('')
      expect(inPieces(secrets, text, cuts)).toBe(secrets.text(text))
    }),
  )
})

test('what may be the beginning of a secret stays when the text after it is taken back', () => {
  const { add, retract, end } = concealment(['hunter2-xyz']).pieces()
  expect(add('told: hunt')).toBe('told: ')
  expect(add('er2')).toBe('')
  expect(retract(3)).toBe(0)
  expect(end()).toBe('hunt')
})

test('what is taken back of such a text is what was shown for it, also of a secret', () => {
  const secrets = concealment(['hunter2-xyz'])
  fc.assert(
    fc.property(words, words, fc.array(fc.nat()), (before, broken, cuts) => {
      const { add, retract, end } = secrets.pieces()
      // A message begins where the one before it has ended.
      let shown = add(`${before.join('')}.`)
      const length = shown.length
      const text = `${broken.join('')}`
      const at = [
        0,
        ...cuts.map((cut) => cut % (text.length + 1)).sort((one, other) => one - other),
        text.length,
      ]
      for (const [index, from] of at.entries()) shown += add(text.slice(from, at[index + 1] ?? text.length))
      const taken = retract(text.length)
      expect(shown.slice(0, shown.length - taken)).toHaveLength(length)
      shown = shown.slice(0, shown.length - taken) + add('again') + end()
      expect(shown).toBe(`${secrets.text(`${before.join('')}.`)}again`)
    }),
  )
})
