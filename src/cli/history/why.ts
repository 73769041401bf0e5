/** `why`: the causes of a fact, or what it led to, as a tree. */
import type { Command } from 'commander'
import type { Recorded } from '../../events/envelope.ts'
import { PositionNotFoundError } from '../../events/errors/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { type CauseLine, causesOf, effectsOf } from '../../history/causes.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import type { Terminal } from '../terminal/output.ts'
import { cut, inert } from '../terminal/text.ts'

export function whyCommand(command: Command): void {
  command
    .argument('<position>')
    .description('show what led to a fact, back to the command, across agents and runs')
    .option('--forward', 'show what the fact led to instead')
    .action(withGlobals(why))
}

function why(globals: GlobalOptions, place: string, { forward = false }: { readonly forward?: boolean }) {
  const position = positionIn(place)
  return readStore(
    globals,
    async ({ orchestrator: { store }, terminal }) => {
      const lines = await (forward ? effectsOf(store, position) : causesOf(store, position))
      if (terminal.json) {
        for (const { fact, ...line } of lines) terminal.value({ ...fact, ...line })
        return
      }
      print(terminal, lines)
      if (forward && lines.length === 1) terminal.note('It has not led to anything yet.')
    },
    () => new PositionNotFoundError({ position, last: 0 }),
  )
}

function positionIn(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidInputError({
    what: 'The position',
    problem: `${JSON.stringify(text)} is not a whole number`,
    hint: 'The position is the first column of claude-agents log.',
  })
}

function print(terminal: Terminal, lines: readonly CauseLine[]): void {
  const digits = Math.max(...lines.map(({ fact }) => String(fact.position).length))
  let before: CauseLine | undefined
  for (const line of lines) {
    const { fact, depth, of, again, command } = line
    const begins = depth > 0 && (before === undefined || depth > before.depth || of !== before.fact.position)
    const branch = depth === 0 ? '' : `${'│  '.repeat(depth - 1)}${begins ? '├─ ' : '│  '}`
    const number = terminal.style('dim', String(fact.position).padStart(digits))
    const rest = terminal.style('dim', again ? '(see above)' : detail(fact))
    terminal.row(
      `${terminal.style('dim', branch)}${number}  ${fact.stream}  ${inert(fact.type)}  ${rest}`.trimEnd(),
    )
    if (command !== null)
      terminal.row(`${' '.repeat(digits)}  ${terminal.style('green', `asked for by: ${cut(command, 200)}`)}`)
    before = line
  }
}

const LONGEST = 70

function detail({ data }: Recorded): string {
  const uses = Array.isArray(data.uses) ? `made of ${plural(data.uses.length, 'answer')}` : ''
  const error = (data.error as { message?: unknown } | undefined)?.message
  const text = data.text ?? data.finalOutput ?? data.prompt ?? error ?? data.name ?? data.reason
  const said = typeof text === 'string' ? cut(text, LONGEST) : ''
  return [typeof data.agent === 'string' ? data.agent : '', uses, said]
    .filter((part) => part !== '')
    .join('  ')
}
