/** Parsers for arguments and options; a wrong one is refused with what to write instead. */
import { existsSync } from 'node:fs'
import { InvalidArgumentError } from 'commander'
import { isJsonObject, type JsonObject } from '../events/json.ts'

export const zeroOrMore = (text: string) => {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

export const oneOrMore = (text: string) => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number of at least 1.')
}

export const seconds = (text: string) => {
  if (/^\d{1,9}(\.\d{1,3})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a number of seconds.')
}

export const date = (text: string) => dateOr(text)

/** @param others Other ways to write it, for the message. */
function dateOr(text: string, others = ''): Date {
  const parsed = isoTime(text)
  if (parsed !== null) return parsed
  const none = ISO_TIME.test(text) ? 'There is no such time. ' : ''
  throw new InvalidArgumentError(`${none}Write it as ${others}2026-01-31 or 2026-01-31T12:00:00Z.`)
}

const ISO_TIME = /^(\d{4}-\d\d-(\d\d))(?:[T ]((\d\d):\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/

/**
 * A day at midnight in UTC, or a time, which is local to this machine unless it has a zone; null for anything else, which
 * `Date` would guess at: it takes 30 February for 2 March, and an hour that the clocks skip for the next one.
 */
function isoTime(text: string): Date | null {
  const [, day = '', ofMonth, time, hour, zone = ''] = ISO_TIME.exec(text) ?? []
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(ofMonth)) return null
  const parsed = new Date(
    time === undefined ? day : `${day}T${time}${zone.replace(/(\d\d)(\d\d)$/, '$1:$2')}`,
  )
  if (Number.isNaN(parsed.getTime())) return null
  const isSkipped = hour !== undefined && zone === '' && parsed.getHours() !== Number(hour) % 24
  return isSkipped ? null : parsed
}

/** A date, or how long ago: `30m`, `2h`, `7d`. */
export const since = (text: string) => {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count === undefined) return dateOr(text, '30m, 2h, 7d, ')
  return new Date(Date.now() - Number(count) * (UNITS_MS[unit] ?? 0))
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `a,b c`: separated by commas or as arguments of their own. A comma within parentheses belongs to the item. */
export const listedNames = (text: string, before: readonly string[] = []) => [
  ...before,
  ...text.split(/,\s*(?![^()]*\))/).filter((item) => item !== ''),
]

/** `SRC` or `SRC:TARGET`; an existing path may contain a colon itself. */
export const mappings = (text: string, before: readonly { source: string; target?: string }[] = []) => {
  const colon = existsSync(text) ? -1 : text.lastIndexOf(':')
  const mapping =
    colon > 0 ? { source: text.slice(0, colon), target: text.slice(colon + 1) } : { source: text }
  return [...before, mapping]
}

/** `URL` or `URL#REF` */
export const repos = (text: string, before: readonly { url: string; ref?: string }[] = []) => {
  const hash = text.lastIndexOf('#')
  return [...before, hash > 0 ? { url: text.slice(0, hash), ref: text.slice(hash + 1) } : { url: text }]
}

export const jsonObject = (text: string): JsonObject => {
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonObject(value)) return value
  } catch {}
  throw new InvalidArgumentError('Write it as a JSON object: \'{"command": "npm test"}\'.')
}

/** `section.key=value` */
export const assignments = (text: string, before: Readonly<Record<string, string>> = {}) => {
  const equals = text.indexOf('=')
  if (equals <= 0) throw new InvalidArgumentError('Write it as orchestrator.max_agents=20.')
  return { ...before, [text.slice(0, equals).trim()]: text.slice(equals + 1) }
}

/** Empty where a variable of a script was: not the same as none. */
export const pathText = (text: string) => {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('It must be a path.')
}

export const port = (text: string) => {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw new InvalidArgumentError('It must be a port, from 0 (any free one) to 65535.')
}
