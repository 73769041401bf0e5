/** Notices that a run can only wait for the user, which may take days: the command ends then. */
import type { Clock } from '../../clock.ts'
import { RunHeldError } from '../../events/errors/hold.ts'
import type { Run } from '../../patterns/runs/run.ts'
import { OpenSteps, type StepEvent } from '../../patterns/runs/step-event.ts'

/** Another step may start right after one was held; a run is held when none has for this long. */
const PATIENCE_MS = 500

/** `held` is rejected when all open steps of the run are held, after `say` was told why. */
export function whenHeld(
  run: Run,
  say: (problem: string) => void,
  clock: Clock,
): { readonly held: Promise<never>; stop(): void } {
  const steps = new OpenSteps()
  let cancel = () => {}
  let leave: (error: Error) => void = () => {}
  const held = new Promise<never>((_, reject) => {
    leave = reject
  })
  held.catch(() => {})
  const give = () => {
    const { problems } = steps
    problems.forEach(say)
    leave(new RunHeldError({ runId: run.id, tasks: problems.length }))
  }
  const note = (event: StepEvent) => {
    steps.note(event)
    cancel()
    cancel = steps.areHeld ? clock.after(PATIENCE_MS, give) : () => {}
  }
  const subscription = run.subscribe(note)
  return {
    held,
    stop() {
      cancel()
      subscription.unsubscribe()
    },
  }
}
