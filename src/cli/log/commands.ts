/** `log`: what happened, as it was written, and the care of the log itself. */
import type { Command } from 'commander'
import { zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { archiveCommands } from './archive.ts'
import { factLine } from './fact-line.ts'
import { repairCommands } from './repair.ts'

export function logCommands(command: Command): void {
  command
    .description('print what happened, in order; the subcommands take care of the log itself')
    .option('--stream <name>', 'only this stream, such as agent/researcher')
    .option('--after <n>', 'only facts after this position (with --stream: version)', zeroOrMore)
    .option('--limit <n>', 'at most this many facts', zeroOrMore)
    .action(withGlobals(log))
  repairCommands(command)
  archiveCommands(command)
}

interface LogOptions {
  readonly stream?: string
  readonly after?: number
  readonly limit?: number
}

function log(globals: GlobalOptions, options: LogOptions) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    for await (const recorded of orchestrator.history.log({ ...options })) {
      if (terminal.json) terminal.value(recorded)
      else terminal.line(factLine(terminal, recorded))
    }
  })
}
