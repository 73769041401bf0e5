/** How a command fails: one message on stderr that says how to go on, and an exit code. */
import { CommanderError } from 'commander'
import { asTyped } from './own-name.ts'
import { inert, jsonLine } from './terminal.ts'

const USAGE = 2

/** Wrong words on the command line, as opposed to something that went wrong. */
const USAGE_ERRORS = new Set(['InvalidIdError', 'InvalidInputError'])

/** What was asked is kept, and waits for somebody: EX_TEMPFAIL, as mailers have it. */
const HELD = 75
const HELD_ERRORS = new Set(['TaskHeldError', 'RunHeldError'])

export interface FailureText {
  readonly code: string
  readonly message: string
  readonly hint: string
}

export function printFailure({ code, message, hint }: FailureText, json: boolean): void {
  const text = json
    ? jsonLine({ error: { code, message, hint } })
    : inert(`error: ${message}${hint ? `\n  ${asTyped(hint)}` : ''}`)
  process.stderr.write(`${text}\n`)
}

/**
 * Prints the error of a command and sets the exit code, unless an interruption has set it already.
 *
 * @param helpWords What shows how the command is used.
 */
export async function reportFailure(error: unknown, json: boolean, helpWords: string): Promise<void> {
  if (error instanceof CommanderError) return reportWrongWords(error, json, helpWords)
  const { describeError } = await import('../events/errors/base.ts')
  const failure = describeError(error)
  printFailure(failure, json)
  process.exitCode ??= USAGE_ERRORS.has(failure.code) ? USAGE : HELD_ERRORS.has(failure.code) ? HELD : 1
}

/** Help and version end the same way, and are no failure. */
function reportWrongWords(
  { exitCode, code, message }: CommanderError,
  json: boolean,
  helpWords: string,
): void {
  process.exitCode = exitCode === 0 ? 0 : USAGE
  if (exitCode === 0) return
  const quotes = code === 'commander.excessArguments' ? 'A text of several words goes in quotes. ' : ''
  const hint = `${quotes}${helpWords} shows how it is used.`
  // A command that wants another word after it has printed its help.
  if (code !== 'commander.help')
    printFailure({ code: 'UsageError', message: message.replace(/^error: /, ''), hint }, json)
  else if (json) printFailure({ code: 'UsageError', message: 'a command is missing', hint }, json)
}
