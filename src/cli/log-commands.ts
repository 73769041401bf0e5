/** `log`: what happened, as it was written. */
import type { Recorded } from '../events/envelope.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { inert, jsonLine, type Terminal } from './terminal.ts'

export interface LogOptions {
  readonly stream?: string
  readonly after?: number
  readonly limit?: number
}

export async function log(globals: GlobalOptions, { stream, after, limit }: LogOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const range = { ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit }) }
    for await (const recorded of orchestrator.history.log(
      stream === undefined ? range : { ...range, stream },
    )) {
      if (terminal.json) terminal.value(recorded)
      else terminal.line(logLine(terminal, recorded))
    }
  })
}

const LONGEST_DATA = 100

/** A fact as one line for people. */
export function logLine(terminal: Terminal, { position, at, stream, type, data }: Recorded): string {
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
