/**
 * Characters that a reader does not see, and that change what is read: those that turn the direction of writing, have no
 * width, or are tags and selectors in which a text can be hidden (Unicode Technical Report 36; Trojan Source,
 * CVE-2021-42574).
 */

const UNSEEN =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: each is meant on its own
  /[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/u
/** A joiner is a letter's or an emoji's own where both its neighbours are: it joins nothing else. */
const STRAY_JOINER =
  /(?<![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d]|(?<=\p{ASCII})[\u200c\u200d]|[\u200c\u200d](?![\p{L}\p{M}\p{Extended_Pictographic}])|[\u200c\u200d](?=\p{ASCII})/u
/** The second of two selectors selects nothing. */
const STRAY_SELECTOR = /(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]/u

const HIDDEN = new RegExp([UNSEEN, STRAY_JOINER, STRAY_SELECTOR].map(({ source }) => source).join('|'), 'gu')

/** All that most texts have, and none of it is hidden. The expression below takes longer to compile than a short command. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are not hidden ones
const ASCII = /^[\u0000-\u007f]*$/

/** The text with each hidden character replaced. */
export const withoutHidden = (text: string, replacement: (character: string) => string): string =>
  ASCII.test(text) ? text : text.replace(HIDDEN, replacement)

/** A character as JSON escapes it: `\u202e`. */
export const jsonEscape = (character: string): string =>
  Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('')

/** One JSON value on one line, with hidden characters and the line breaks of Unicode as escapes. */
export const jsonLine = (value: unknown): string => escapedJson(JSON.stringify(value))

/** JSON with hidden characters as escapes. Some terminals obey C1 control characters, which are legal in JSON. */
export function escapedJson(json: string): string {
  return withoutHidden(json.replace(/[\u007f-\u009f]/g, jsonEscape), jsonEscape)
}

/** Control characters except tab and line feed. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to make visible
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Replaces control and hidden characters by escapes such as `\x1b`. */
export const visible = (text: string): string => withoutHidden(text.replace(CONTROL, escaped), escaped)

/** The same for a name, which is one line. */
export const visibleName = (name: string): string => visible(name).replace(/[\t\n]/g, escaped)

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code < 256) return `\\x${code.toString(16).padStart(2, '0')}`
  return code < 0x10000 ? `\\u${code.toString(16)}` : `\\u{${code.toString(16)}}`
}
