/** `recover`: settles what a killed process left behind, and reports what it did. */
import type { Command } from 'commander'
import type { Recovery } from '../../actors/agent/environment.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { withStore } from '../session.ts'
import { noteWaitingRuns } from '../workflow/runs.ts'

export function recoverCommand(command: Command): void {
  command
    .description(
      'settle what a killed process left behind: collect answers, ask again, report it, and list the runs that wait',
    )
    .action(withGlobals(recover))
}

const EXPLANATIONS: Readonly<Record<Recovery['outcome'], string>> = {
  harvested: 'had been answered; the answer was collected without a second call',
  deferred: 'waits for what you say to a tool call: claude-agents inbox',
  redispatched: 'had not been sent; it was sent now',
  retried: 'had failed, or had been sent without an answer; it was asked again',
  failed: 'had failed for good',
  unknown: 'had been sent without an answer, and no retries were left',
}

function recover(globals: GlobalOptions) {
  return withStore(globals, async ({ orchestrator, terminal, signal }) => {
    const interrupted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const recoveries = await Promise.race([orchestrator.recover(), interrupted])
    for (const recovery of recoveries ?? []) {
      if (terminal.json) terminal.value(recovery)
      else terminal.line(`${recovery.agent}: task ${recovery.taskId} ${EXPLANATIONS[recovery.outcome]}`)
    }
    if (recoveries === undefined) return
    const waiting = await noteWaitingRuns(orchestrator, terminal)
    if (recoveries.length === 0 && waiting === 0) terminal.progress('Nothing was left behind.')
  })
}
