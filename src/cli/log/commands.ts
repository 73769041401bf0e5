/** `log`: what happened, as it was written, and the care of the log itself. */
import type { Command } from 'commander'
import type { Recorded } from '../../events/envelope.ts'
import { defined } from '../../events/json.ts'
import { listedNames, since, zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { archiveCommands } from './archive.ts'
import { type FactFilter, factFilter, typeMeant } from './fact-filter.ts'
import { factLine } from './fact-line.ts'
import { repairCommands } from './repair.ts'

export function logCommands(command: Command): void {
  command
    .description('print what happened, in order; the subcommands take care of the log itself')
    .option('--stream <name>', 'only this stream, such as agent/researcher')
    .option('--agent <id>', 'only this agent')
    .option('--type <types...>', 'only facts of these types', listedNames)
    .option('--since <when>', 'only facts since a date, or since 30m, 2h or 7d ago', since)
    .option('--after <n>', 'only facts after this position (with --stream or --agent: version)', zeroOrMore)
    .option('-n, --lines <n>', 'only the last n of them', zeroOrMore)
    .option('--limit <n>', 'only the first n of them', zeroOrMore)
    .action(withGlobals(log))
  repairCommands(command)
  archiveCommands(command)
}

interface LogOptions extends FactFilter {
  readonly after?: number
  readonly limit?: number
  readonly lines?: number
}

function log(globals: GlobalOptions, { after, limit, lines, ...filter }: LogOptions) {
  const isWanted = factFilter(filter)
  const stream = filter.stream ?? (filter.agent === undefined ? undefined : `agent/${filter.agent}`)
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const print = (recorded: Recorded) =>
      terminal.json ? terminal.value(recorded) : terminal.row(factLine(terminal, recorded))
    const latest: Recorded[] = []
    let count = 0
    if (limit === 0 || lines === 0) return
    for await (const recorded of orchestrator.history.log(defined({ stream, after }))) {
      if (!isWanted(recorded)) continue
      if (lines === undefined) print(recorded)
      else if (latest.push(recorded) > lines) latest.shift()
      if (++count === limit) break
    }
    latest.forEach(print)
    if (count === 0) terminal.note(`No fact matches.${typeMeant(filter)}`)
  })
}
