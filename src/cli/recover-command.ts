/** `recover`: settles what a killed process left, and says what it did. */
import type { Recovery } from '../actors/agent/environment.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'

const EXPLANATIONS: Readonly<Record<Recovery['outcome'], string>> = {
  harvested: 'had been answered; the answer was fetched, no second call was made',
  redispatched: 'had not been sent; it was sent now',
  retried: 'had failed, or had been sent and no answer was kept; it was asked again',
  failed: 'had failed, and that was final',
  unknown: 'had been sent, no answer was kept, and no retry was left',
}

export async function recover(globals: GlobalOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal, signal }) => {
    const interrupted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    const recoveries = await Promise.race([orchestrator.recover(), interrupted])
    for (const recovery of recoveries ?? []) {
      if (terminal.json) terminal.value(recovery)
      else terminal.line(`${recovery.agent}: task ${recovery.taskId} ${EXPLANATIONS[recovery.outcome]}`)
    }
    if (recoveries?.length === 0) terminal.progress('Nothing was left to do.')
  })
}
