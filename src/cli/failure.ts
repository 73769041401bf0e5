/** How a command fails: one message on stderr that says what to do next, and an exit code. */
import { CommanderError } from 'commander'
import { jsonLine } from '../events/hidden-characters.ts'
import { endLine, writeNote } from './terminal/live-lines.ts'
import { asTyped } from './terminal/own-name.ts'
import { inert } from './terminal/text.ts'

/** Wrong words on the command line, as opposed to something that went wrong. */
const USAGE = 2
/** The task is kept and waits for the user: EX_TEMPFAIL of sysexits.h. */
const HELD = 75
/** As `timeout` exits. */
const TIMED_OUT = 124

/** What a command exits with because of an error; by default 1. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  ...{ InvalidIdError: USAGE, InvalidInputError: USAGE, OtherRunnerError: USAGE },
  ...{ TaskHeldError: HELD, RunHeldError: HELD, NotEndedError: TIMED_OUT },
}

/** What is known of the command that was meant. */
export interface MeantCommand {
  /** What to type for help with it. */
  readonly help: () => Promise<string> | string
  /** Whether it takes a text, which may have been given without quotes. */
  readonly takesText: () => Promise<boolean> | boolean
  /** The option that was given and takes all words that follow it: `--approve`. */
  readonly takesTheRest: () => Promise<string | null> | null
  /** The command that was meant by a word in the wrong place, or, with null, by the one that is too many. */
  readonly commandWith: (word: string | null) => Promise<string | null> | null
}

interface FailureText {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/**
 * Prints the error of a command and sets the exit code, unless an interruption has set it already.
 */
export async function reportFailure(error: unknown, json: boolean, meant: MeantCommand): Promise<void> {
  if (error instanceof CommanderError) return reportUsage(error, json, meant)
  const { describeError } = await import('../events/errors/base.ts')
  const failure = describeError(error)
  printFailure(failure, json)
  process.exitCode ??= EXIT_CODES[failure.code] ?? 1
}

async function reportUsage(
  { exitCode, code, message }: CommanderError,
  json: boolean,
  { help, takesText, takesTheRest, commandWith }: MeantCommand,
): Promise<void> {
  if (exitCode === 0) return
  process.exitCode = USAGE
  const isUnquoted = code === 'commander.excessArguments' && (await takesText())
  const greedy = code === 'commander.missingArgument' ? await takesTheRest() : null
  const advice = [
    ...(isUnquoted ? ['Put text of several words in quotes.'] : []),
    ...(greedy === null ? [] : [`${greedy} takes all words that follow it: write it last.`]),
  ]
  const hint = [...advice, `See ${await help()}`].join(' ')
  const [, unknown = ''] = /^error: unknown command '([^']*)'/.exec(message) ?? []
  const isMisplaced = unknown !== '' || (code === 'commander.excessArguments' && !isUnquoted)
  const whole = isMisplaced ? await commandWith(unknown || null) : null
  const wrong = unknown === '' ? message : `unknown command '${unknown}'`
  const said = whole === null ? message : `${wrong} (Did you mean ${whole}?)`
  // A command that needs a subcommand has printed its help already.
  if (code !== 'commander.help')
    printFailure({ code: 'UsageError', message: said.replace(/^error: /, ''), hint }, json)
  else if (json) printFailure({ code: 'UsageError', message: 'a command is missing', hint }, json)
}

export function printFailure({ code, message, hint }: FailureText, json: boolean): void {
  const typed = asTyped(hint)
  const text = json
    ? jsonLine({ error: { code, message, hint: typed } })
    : inert(`error: ${message}${typed ? `\n  ${typed}` : ''}`)
  endLine()
  writeNote(`${text}\n`)
}
