/** `state`: the state of an actor, current or past. */
import { type Command, Option } from 'commander'
import type { StateAt } from '../../actors/engine/fold-at.ts'
import { StreamNotFoundError } from '../../events/errors/history.ts'
import { date, zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { valueLines } from './state-lines.ts'

export function stateCommand(command: Command): void {
  command
    .argument('<stream>')
    .description('show the state of an agent, a run or a supervisor, current or past')
    .option('--at <version>', 'state after the fact of this version', zeroOrMore)
    .addOption(
      new Option('--at-time <time>', 'state at this time, such as 2026-01-31T12:00:00Z')
        .argParser(date)
        .conflicts('at'),
    )
    .action(withGlobals(state))
}

function state(
  globals: GlobalOptions,
  stream: string,
  { at, atTime }: { readonly at?: number; readonly atTime?: Date },
) {
  return readStore(
    globals,
    async ({ orchestrator, terminal }) => {
      const found = await orchestrator.history.stateAt(stream, at ?? atTime)
      if (terminal.json) return terminal.value(found)
      const { value, context } = found.state
      terminal.line(`${terminal.style('bold', stream)}  ${terminal.style('dim', placeOf(found))}`)
      for (const line of valueLines(terminal, { state: value, ...(context as object) })) terminal.line(line)
    },
    () => new StreamNotFoundError({ stream }),
  )
}

const placeOf = ({ version, position, at }: StateAt) =>
  position === null ? 'before its first fact' : `version ${version}, position ${position}, ${at}`
