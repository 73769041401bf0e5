/** The logger the library needs: four of pino's methods, so that a pino instance qualifies. */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

const ignore = () => {}

/** The default: a library logs nothing unless asked to. */
export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }
