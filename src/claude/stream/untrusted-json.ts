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
  try {
    return asRecord(JSON.parse(line))
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

/** A finite number, or null. */
export function numberAt(record: UntrustedRecord | null, key: string): number | null {
  const value = record?.[key]
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

export function listAt(record: UntrustedRecord | null, key: string): readonly unknown[] {
  const value = record?.[key]
  return Array.isArray(value) ? value : []
}

export function recordsAt(record: UntrustedRecord | null, key: string): readonly UntrustedRecord[] {
  return listAt(record, key)
    .map(asRecord)
    .filter((item) => item !== null)
}
