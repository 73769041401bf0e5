/** `workflow resume --plan`: what going on with a run would reuse and what it would ask again. */
import type { RunPlan } from '../patterns/runs/plan.ts'
import type { Terminal } from './terminal.ts'

export function printPlan(terminal: Terminal, runId: string, { reused, rerun, complete }: RunPlan): void {
  if (terminal.json) terminal.value({ reused, rerun })
  else {
    for (const { agent, costUsd } of reused)
      terminal.line(
        `${terminal.style('green', 'reused')}  ${agent}  ${terminal.style('dim', dollars(costUsd))}`,
      )
    for (const { agent } of rerun) terminal.line(`${terminal.style('yellow', 'asked ')}  ${agent}`)
    const saved = reused.reduce((sum, { costUsd }) => sum + costUsd, 0)
    const kept = reused.length === 0 ? '' : `, which had cost ${dollars(saved)}`
    terminal.line(`${reused.length} from the log${kept}; ${rerun.length} to ask.`)
    terminal.progress(`Go on with it: claude-agents workflow resume ${runId}`)
  }
  if (!complete) terminal.note('What comes after the last of these depends on its answer.')
}

const dollars = (amount: number) => `$${amount.toFixed(4)}`
