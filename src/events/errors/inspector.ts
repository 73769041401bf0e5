/** What can go wrong with the web inspector. */
import { defineError } from './builder.ts'

/** The inspector cannot listen on the port that was asked for. */
export class PortUnavailableError extends defineError(
  'PortUnavailableError',
  ({ port, code }: { port: number; code: string }) => ({
    message: `The inspector cannot listen on port ${port} of 127.0.0.1: ${
      code === 'EADDRINUSE' ? 'another program is using it' : code
    }.`,
    hint: 'Choose another port, or leave it out to get a free one: --port N (in code: the option port).',
  }),
) {}
