/** Reads fields of JSON from another program, assuming nothing about its shape. */

export type UntrustedRecord = Readonly<Record<string, unknown>>

/** The value as a record; null if it is anything else. */
export function asRecord(value: unknown): UntrustedRecord | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as UntrustedRecord)
    : null
}

/** The record in a line of text; null if it is anything else, or not JSON. */
export function parseRecord(line: string): UntrustedRecord | null {
  // An exception costs more than a look, and a child may print millions of lines.
  const text = line.trim()
  if (!text.startsWith('{') || !text.endsWith('}')) return null
  try {
    return asRecord(JSON.parse(text))
  } catch {
    return null
  }
}

/** The value as JSON; null if there is none, or if it is nested too deeply to be written. */
export function jsonText(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null
  } catch {
    return null
  }
}

export function recordAt(record: UntrustedRecord | null, key: string): UntrustedRecord | null {
  return asRecord(record?.[key])
}

export function stringAt(record: UntrustedRecord | null, key: string): string | null {
  const value = record?.[key]
  return typeof value === 'string' ? value : null
}

/** No name or id is longer. */
const LONGEST_LABEL = 200

/** A text that is a name or an id. */
export const label = (text: string): string => text.slice(0, LONGEST_LABEL)

export function labelAt(record: UntrustedRecord | null, key: string): string | null {
  const text = stringAt(record, key)
  return text === null ? null : label(text)
}

/** A finite number, or null. */
export function numberAt(record: UntrustedRecord | null, key: string): number | null {
  const value = record?.[key]
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

export function listAt(record: UntrustedRecord | null, key: string): readonly unknown[] {
  const value = record?.[key]
  return Array.isArray(value) ? value : []
}

export const recordsAt = (record: UntrustedRecord | null, key: string): readonly UntrustedRecord[] =>
  recordsIn(listAt(record, key))

export const recordsIn = (items: readonly unknown[]): readonly UntrustedRecord[] =>
  items.map(asRecord).filter((item) => item !== null)
