/** The history of an actor whose definition nobody here knows: its facts can be told, and its states cannot. */
import type { Orchestrator } from '../orchestrator.ts'
import { inert, jsonLine, type Terminal } from './terminal.ts'

export async function factsAlone(
  { history }: Pick<Orchestrator, 'history'>,
  terminal: Terminal,
  stream: string,
  { from = 1, to }: { readonly from?: number; readonly to?: number },
): Promise<void> {
  terminal.note('facts without states: this kind of actor is defined in a program (--module FILE)')
  const range = { stream, after: from - 1, ...(to === undefined ? {} : { to }) }
  for await (const { version, type, data } of history.log(range)) {
    if (terminal.json) terminal.value({ version, type, data, before: null, after: null })
    else
      terminal.line(
        `${String(version).padStart(5)}  ${type.padEnd(18)}  ${terminal.style('dim', inert(jsonLine(data)))}`,
      )
  }
}
