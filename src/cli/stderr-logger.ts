/** The library's log on stderr, one line each, from a level on. */
import type { Logger } from '../index.ts'
import { writeNote } from './live-lines.ts'
import { inert, jsonLine } from './terminal.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export function stderrLogger(level: string): Logger {
  const threshold = LOG_LEVELS.indexOf(level.toLowerCase() as (typeof LOG_LEVELS)[number])
  const at = (name: (typeof LOG_LEVELS)[number]) => (fields: Record<string, unknown>, message: string) => {
    if (LOG_LEVELS.indexOf(name) < threshold) return
    writeNote(`${name} ${inert(message)} ${jsonLine(plain(fields))}\n`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors have no enumerable properties: say what they say. */
function plain(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  )
}
