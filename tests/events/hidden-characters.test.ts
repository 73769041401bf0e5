import { expect, test } from 'vitest'
import { withoutHidden } from '../../src/events/hidden-characters.ts'

const shown = (text: string) => withoutHidden(text, () => '')

test.each([
  ['an override of the direction', 'a\u202eb', 'ab'],
  ['isolates', 'a\u2066b\u2069', 'ab'],
  ['a zero-width space', 'a\u200bb', 'ab'],
  ['a joiner between Latin letters', 'a\u200db', 'ab'],
  ['a soft hyphen and a byte order mark', 'a\u00adb\ufeff', 'ab'],
  ['a line separator', 'a\u2028b', 'ab'],
  ['tags', `a${String.fromCodePoint(0xe0041, 0xe0042)}b`, 'ab'],
  ['selectors in a row', `a\ufe01\ufe02${String.fromCodePoint(0xe0101)}b`, 'a\ufe01b'],
])('%s is hidden', (_, text, left) => {
  expect(shown(text)).toBe(left)
})

test.each(['👩‍💻 ❤️‍🔥 👨🏽‍🚀', 'می‌خواهم', 'क्‍ष', '日本語 ü é', '❤️'])('%s is as it was', (text) => {
  expect(shown(text)).toBe(text)
})
