/** `workflow resume --plan`: what resuming a run would reuse, and what it would ask. */
import { dollars } from '../../events/figures.ts'
import type { RunPlan } from '../../patterns/runs/plan.ts'
import type { Terminal } from '../terminal/output.ts'

export function printPlan(
  terminal: Terminal,
  runId: string,
  { reused, rerun, complete, changed }: RunPlan,
): void {
  if (terminal.json) terminal.value({ reused, rerun })
  else {
    for (const { agent, costUsd, carriedFrom } of reused) {
      const origin = carriedFrom === undefined ? dollars(costUsd) : `carried over from run ${carriedFrom}`
      terminal.line(`${terminal.style('green', 'reused')}  ${agent}  ${terminal.style('dim', origin)}`)
    }
    for (const { agent } of rerun) terminal.line(`${terminal.style('yellow', 'asked ')}  ${agent}`)
    const saved = reused.reduce((sum, { costUsd }) => sum + costUsd, 0)
    const kept = saved === 0 ? '' : `, which had cost ${dollars(saved)}`
    terminal.line(`${reused.length} from the log${kept}; ${rerun.length} to ask.`)
    const acceptance = changed ? ' --accept-changes' : ''
    terminal.progress(`Resume it: claude-agents workflow resume ${runId}${acceptance}`)
  }
  if (changed) terminal.note('The workflow has changed since the run was last executed.')
  if (!complete) terminal.note('Further steps depend on the answer of the last one.')
}
