/** JSON: what a fact may hold, without undefined fields, and as one canonical text. */

/** What a fact may hold: what comes out of the log must equal what went in. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json }

/** Whether JSON is an object, and no list. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** In characters. */
const LONG = 100
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/
/** What JSON escapes and a text seldom has. Halves of a surrogate pair are among it; whole pairs cannot be told from them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const SELDOM_ESCAPED = /[\u0000-\u0008\u000b-\u001f\ud800-\udfff]/

/** JSON as text, as `JSON.stringify` writes it, but that takes three times as long for a long text: it looks at each character. */
export function textOfJson(value: Json): string {
  if (typeof value === 'string') return quotedText(value)
  if (value === null || typeof value !== 'object') return String(value)
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${textOfJson(item)}`
    return `[${text}]`
  }
  const fields = value as JsonObject
  for (const name of Object.keys(fields))
    text += `${text === '' ? '' : ','}${quotedText(name)}:${textOfJson(fields[name] as Json)}`
  return `{${text}}`
}

function quotedText(text: string): string {
  if ((text.length < LONG ? ESCAPED : SELDOM_ESCAPED).test(text)) return JSON.stringify(text)
  if (text.length < LONG) return `"${text}"`
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
  return `"${escaped}"`
}

type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
type MaybeGiven<T> = { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> }

/**
 * The object without its undefined fields: JSON has no undefined, so an optional field is left out instead.
 *
 * @example
 * defined({ agent, runId: undefined }) // { agent }
 */
export function defined<const T extends object>(fields: T): Given<T> & MaybeGiven<T> {
  const kept: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value: unknown = fields[name as keyof T]
    if (value !== undefined) kept[name] = value
  }
  return kept as Given<T> & MaybeGiven<T>
}

/** Equal values as equal text: JSON with the fields of each object sorted by name. */
export const canonicalJson = (value: unknown): string => canonicalText(value) as string

/**
 * As `canonicalJson`; undefined for what JSON leaves out. Texts are joined: a copy of each object, for JSON to write out,
 * costs three times as much.
 *
 * @param textOf The text of a field or an item, for a caller that knows some of them.
 */
export function canonicalText(
  value: unknown,
  textOf: (part: unknown) => string | undefined = canonicalText,
): string | undefined {
  if (typeof value === 'string') return quotedText(value)
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${Array.from(value, (item) => textOf(item) ?? 'null').join(',')}]`
  if (!isPlain(value)) return orderedText(value)
  let text = ''
  for (const name of sorted(Object.keys(value))) {
    // JSON writes names that are numbers first.
    if (name >= '0' && name < ':') return orderedText(value)
    const field = textOf(value[name])
    if (field !== undefined) text += `${text === '' ? '' : ','}${quotedText(name)}:${field}`
  }
  return `{${text}}`
}

/** Sorts them where they are: names are few, and mostly in order. */
function sorted(names: string[]): readonly string[] {
  for (let end = 1; end < names.length; end++) {
    const name = names[end] as string
    let at = end
    for (; at > 0 && (names[at - 1] as string) > name; at--) names[at] = names[at - 1] as string
    names[at] = name
  }
  return names
}

/** Whether JSON writes it field by field, and not in its own way. */
function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value)
}

const orderedText = (value: object): string | undefined =>
  JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part) ? ordered(part) : part,
  )

function ordered(object: object): object {
  // Without a prototype, so that a field named __proto__ is a field like any other.
  const copy: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(object).sort()) copy[name] = (object as Record<string, unknown>)[name]
  return copy
}
