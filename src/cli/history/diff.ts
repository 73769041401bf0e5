/** `diff`: what changed in the state of an actor between two versions. */
import type { Command } from 'commander'
import { StreamNotFoundError } from '../../events/errors/history.ts'
import { stateChanges } from '../../history/state-changes.ts'
import { zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { changeLine } from './state-lines.ts'

export function diffCommand(command: Command): void {
  command
    .argument('<stream>')
    .argument('<a>', 'a version', zeroOrMore)
    .argument('<b>', 'another version', zeroOrMore)
    .description('show what changed between two versions of a stream (0 is before its first fact)')
    .action(withGlobals(diff))
}

function diff(globals: GlobalOptions, stream: string, from: number, to: number) {
  return readStore(
    globals,
    async ({ orchestrator, terminal }) => {
      const before = await orchestrator.history.stateAt(stream, from)
      const after = await orchestrator.history.stateAt(stream, to)
      const changes = stateChanges(before.state, after.state)
      if (terminal.json) return terminal.value({ stream, from, to, changes })
      terminal.line(`${terminal.style('bold', stream)}  ${terminal.style('dim', `version ${from} → ${to}`)}`)
      for (const change of changes) terminal.line(changeLine(terminal, change))
      if (changes.length === 0) terminal.note('Nothing changed.')
    },
    () => new StreamNotFoundError({ stream }),
  )
}
