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

/** The inspector was started to be looked at only, or cannot act on what it shows. */
export class InspectorReadOnlyError extends defineError(
  'InspectorReadOnlyError',
  ({ because = 'it was started with --read-only' }: { because?: string }) => ({
    details: {},
    message: `This inspector is read-only: ${because}.`,
    hint: 'To act on the page: claude-agents inspect (in code: inspector(orchestrator), without readOnly)',
  }),
) {}

/** A form that this inspector has not issued, or issued long ago: it may have been sent before. */
export class FormNotOpenError extends defineError('FormNotOpenError', (_: Record<string, never>) => ({
  details: {},
  message: 'This form is no longer open, and did nothing.',
  hint: 'Open it again on the page.',
})) {}
