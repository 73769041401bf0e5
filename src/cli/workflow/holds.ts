/** Notices that a run can only wait for the user, which may take days: the command ends then. */
import type { Clock } from '../../clock.ts'
import { RunHeldError } from '../../events/errors/hold.ts'
import type { Run } from '../../patterns/runs/run.ts'
import type { StepEvent } from '../../patterns/runs/step-event.ts'
import type { Terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

/** Another step may start right after one was held; a run is held when none has for this long. */
const PATIENCE_MS = 500

/** `held` is rejected when all open steps of the run are held, after printing why. */
export function whenHeld(
  run: Run,
  terminal: Terminal,
  clock: Clock,
): { readonly held: Promise<never>; stop(): void } {
  const open = new Set<number>()
  const heldAsks = new Map<number, string>()
  let cancel = () => {}
  let leave: (error: Error) => void = () => {}
  const held = new Promise<never>((_, reject) => {
    leave = reject
  })
  held.catch(() => {})
  const give = () => {
    for (const problem of heldAsks.values()) terminal.note(terminal.accent('yellow', inert(problem)))
    leave(new RunHeldError({ runId: run.id, tasks: heldAsks.size }))
  }
  const note = ({ ask, state, problem }: StepEvent) => {
    if (state === 'scheduled') open.add(ask)
    else if (state !== 'held' && state !== 'released') open.delete(ask)
    if (state === 'held') heldAsks.set(ask, problem ?? '')
    else heldAsks.delete(ask)
    cancel()
    cancel = heldAsks.size > 0 && heldAsks.size === open.size ? clock.after(PATIENCE_MS, give) : () => {}
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
