/** `workflow diff`: what the agents of a run did in it to their files. */
import { RunNotFoundError } from '../../events/errors/run.ts'
import { printPatch, printStat } from '../agent/files.ts'
import type { GlobalOptions } from '../global-options.ts'
import { readStore, type Session } from '../session.ts'

export function diffRun(
  globals: GlobalOptions,
  runId: string,
  { stat = false }: { readonly stat?: boolean },
) {
  const show = async ({ orchestrator, terminal }: Session) => {
    const { json } = terminal
    const diff = await orchestrator.runs.diff(runId, { patch: !json && !stat })
    if (json) return terminal.value(diff)
    if (diff.agents.length === 0) terminal.note('No agent that has files has answered in this run.')
    for (const { patch = '', ...changed } of diff.agents) {
      terminal.line(terminal.style('bold', changed.agent))
      if (changed.files.length === 0) terminal.line('Nothing has changed.')
      else if (stat) printStat(terminal, changed)
      else printPatch(terminal, patch)
    }
  }
  return readStore(globals, show, () => new RunNotFoundError({ runId }))
}
