/** The library's log: one line per entry on stderr, of JSON with `--json`, and as lines of JSON in a file if one is configured. */

import { jsonLine } from '../events/hidden-characters.ts'
import { LOG_LEVELS, type Logger } from '../logger.ts'
import type { GlobalOptions } from './global-options.ts'
import { writeNote } from './terminal/live-lines.ts'
import { inert } from './terminal/text.ts'

type Level = (typeof LOG_LEVELS)[number]
type Fields = Record<string, unknown>
type Write = (level: Level, fields: Fields, message: string) => void

/** Throws InvalidInputError when the file cannot be written. */
export async function commandLogger({ logLevel, config, json }: GlobalOptions): Promise<Logger> {
  const { logFile } = config
  const toStderr = json ? jsonToStderr : textToStderr
  const writes = [toStderr, ...(logFile === undefined ? [] : [await toFile(logFile, config, toStderr)])]
  const threshold = LOG_LEVELS.indexOf(logLevel as Level)
  const at = (level: Level) => (fields: Fields, message: string) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return
    const plain = plainFields(fields)
    for (const write of writes) write(level, plain, message)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

const textToStderr: Write = (level, fields, message) =>
  writeNote(`${level} ${inert(message)} ${jsonLine(fields)}\n`)

const jsonToStderr: Write = (...entry) => writeNote(`${asJson(...entry)}\n`)

const asJson = (...[level, fields, message]: Parameters<Write>) =>
  jsonLine({ level, time: new Date().toISOString(), ...fields, msg: message })

/** A log that can no longer be written, as when the disk is full, must not fail what is logged. */
async function toFile(path: string, config: GlobalOptions['config'], toStderr: Write): Promise<Write> {
  const { logFile } = await import('./log-file.ts')
  const append = logFile(path, config)
  let hasWarned = false
  return (level, fields, message) => {
    try {
      append(asJson(level, fields, message))
    } catch (error) {
      if (!hasWarned)
        toStderr('warn', { problem: (error as Error).message }, 'logging.file cannot be written')
      hasWarned = true
    }
  }
}

/** Errors have no enumerable properties, so they are logged by their message. */
function plainFields(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? value.message : value]),
  )
}
