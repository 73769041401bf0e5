/** A fact as one line, in `log` and `tail`. */
import type { Recorded } from '../../events/envelope.ts'
import { jsonLine } from '../../events/hidden-characters.ts'
import type { Terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

const LONGEST_DATA = 100

export function factLine(terminal: Terminal, { position, at, stream, type, data }: Recorded): string {
  const text = inert(jsonLine(data))
  const shown = text.length > LONGEST_DATA ? `${text.slice(0, LONGEST_DATA)}…` : text
  const where = terminal.style('dim', `${String(position).padStart(6)}  ${at}`)
  return `${where}  ${stream}  ${terminal.style(colourOf(type), type)}  ${terminal.style('dim', shown)}`
}

function colourOf(type: string): 'green' | 'red' | 'yellow' | 'cyan' {
  if (/Succeeded|Created/.test(type)) return 'green'
  if (/Failed|Unknown|Lost|Escalated/.test(type)) return 'red'
  if (/Retry|Cancelled|Reset|Stopped|Removed/.test(type)) return 'yellow'
  return 'cyan'
}
