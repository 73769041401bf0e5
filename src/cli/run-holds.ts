/** Notices that a run only waits for somebody: on the command line, nobody knows for how long. */
import type { Clock } from '../clock.ts'
import { RunHeldError } from '../events/errors/hold.ts'
import type { StepEvent } from '../patterns/runs/durable-ask.ts'
import type { Run } from '../patterns/runs/run.ts'
import { inert, type Terminal } from './terminal.ts'

/** A step may follow another one; only when none has for so long, the run waits. */
const PATIENCE_MS = 500

/** `held` is rejected when all that goes on in the run is held, and says what it is on the way. */
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
