/** Untrusted text and values made safe for the page: bounded, and with hidden characters visible. */
import { visible } from '../events/hidden-characters.ts'
import type { Json } from '../events/json.ts'
import type { BodyLocation } from './view.ts'

/** The beginning of a text, on one line. */
export function brief(text: string, length = 160): string {
  const line = visible(text.slice(0, length * 2))
    .replace(/\s+/g, ' ')
    .trim()
  return line.length > length ? `${line.slice(0, length)}…` : line
}

/** The same of a text in Markdown, without its marks: what remains is read as a line. */
export const unmarked = (text: string, length = 160): string =>
  brief(
    text
      .slice(0, length * 3)
      .replace(/^[ \t]*(?:#{1,6}|>|[-*+]|\|[-:| ]*\|?$)[ \t]*/gm, '')
      .replace(/\*\*|__|`+/g, ''),
    length,
  )

const LONGEST_TEXT = 4000
const MOST_ITEMS = 200
const MOST_VALUES = 5000
const DEEPEST = 12

/** A value cut to a size that can be sent: long texts and lists are truncated, and `bodies` locates the full texts. */
export function bounded(value: unknown, path: string): { data: Json; bodies: readonly BodyLocation[] } {
  const bodies: BodyLocation[] = []
  let left = MOST_VALUES
  const cut = (part: unknown, where: string, depth: number): Json => {
    if (left-- <= 0 || depth > DEEPEST) return '…'
    if (typeof part === 'string') {
      if (part.length <= LONGEST_TEXT) return visible(part)
      bodies.push({ path: where, length: part.length })
      return `${visible(part.slice(0, LONGEST_TEXT))}…`
    }
    if (Array.isArray(part)) {
      const items = part.slice(0, MOST_ITEMS).map((item, index) => cut(item, `${where}.${index}`, depth + 1))
      return part.length > MOST_ITEMS ? [...items, `… ${part.length - MOST_ITEMS} more`] : items
    }
    if (part !== null && typeof part === 'object') {
      if (isReference(part)) bodies.push({ path: where, length: part.bytes })
      const entries = Object.entries(part).slice(0, MOST_ITEMS)
      return Object.fromEntries(
        entries.map(([key, item]) => [visible(key.slice(0, 200)), cut(item, `${where}.${key}`, depth + 1)]),
      )
    }
    return typeof part === 'number' || typeof part === 'boolean' ? part : null
  }
  return { data: cut(value, path, 0), bodies }
}

/** Whether a value refers to a body beside the log that has not been dropped. */
export function isReference(value: unknown): value is { sha256: string; bytes: number } {
  const { sha256, bytes, dropped } = (value ?? {}) as Record<string, unknown>
  return typeof sha256 === 'string' && typeof bytes === 'number' && dropped === undefined
}

/** The value at a path such as `error.message`. Only own properties count. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (part, key) =>
      part !== null && typeof part === 'object' && Object.hasOwn(part, key)
        ? (part as Record<string, unknown>)[key]
        : undefined,
    value,
  )
}
