/** The logger the library needs: four of pino's methods, so that a pino instance qualifies. */
import { callListener } from './events/listener.ts'

export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

/** `silent` is a threshold only. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const ignore = () => {}

/** The default: a library logs nothing unless asked to. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** The host's logger, or a silent one. It is called in the middle of other work, so what it throws goes to the host. */
export function hostLogger(logger: Logger | undefined): Logger {
  if (logger === undefined) return silentLogger
  const method = (level: keyof Logger) => (fields: Record<string, unknown>, message: string) =>
    callListener(() => logger[level](fields, message))
  return { debug: method('debug'), info: method('info'), warn: method('warn'), error: method('error') }
}
