/** `why`: the causes of a fact, or what it led to, as a tree. */

import type { Recorded } from '../events/envelope.ts'
import type { CauseLine } from '../history/causes.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { cut } from './state-lines.ts'
import { inert, type Terminal } from './terminal.ts'

export async function why(
  globals: GlobalOptions,
  place: string,
  { forward = false }: { readonly forward?: boolean },
): Promise<void> {
  const { causesOf, effectsOf } = await import('../history/causes.ts')
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  const { PositionNotFoundError } = await import('../events/errors/history.ts')
  const position = Number(place)
  if (!/^\d{1,15}$/.test(place)) {
    const problem = `${JSON.stringify(place)} is not a whole number`
    throw new InvalidInputError({
      what: 'The position',
      problem,
      hint: 'The first column of claude-agents log is the position.',
    })
  }
  if (!hasStore(globals)) throw new PositionNotFoundError({ position, last: 0 })
  return withSession(globals, async ({ orchestrator: { store }, terminal }) => {
    const lines = await (forward ? effectsOf(store, position) : causesOf(store, position))
    if (terminal.json) {
      for (const { fact, ...line } of lines) terminal.value({ ...fact, ...line })
      return
    }
    print(terminal, lines)
    if (forward && lines.length === 1) terminal.note('It has led to nothing yet.')
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
    const rest = again ? terminal.style('dim', '(see above)') : terminal.style('dim', detail(fact))
    terminal.line(
      `${terminal.style('dim', branch)}${number}  ${fact.stream}  ${inert(fact.type)}  ${rest}`.trimEnd(),
    )
    if (command !== null)
      terminal.line(`${' '.repeat(digits)}  ${terminal.style('green', `asked for by: ${cut(command, 200)}`)}`)
    before = line
  }
}

const LONGEST = 70

function detail({ data }: Recorded): string {
  const uses = Array.isArray(data.uses)
    ? `made of ${data.uses.length} ${data.uses.length === 1 ? 'answer' : 'answers'}`
    : ''
  const error = (data.error as { message?: unknown } | undefined)?.message
  const text = data.text ?? data.finalOutput ?? data.prompt ?? error ?? data.name ?? data.reason
  const said = typeof text === 'string' ? cut(text, LONGEST) : ''
  return [typeof data.agent === 'string' ? data.agent : '', uses, said]
    .filter((part) => part !== '')
    .join('  ')
}
