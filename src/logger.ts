/** The logger the library needs: four of pino's methods, so that a pino instance qualifies. */
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
