/** Plays a script from its beginning to its end, and says which law did not hold. */
import { conclude } from './conclusion.ts'
import { ListenerFault, perform } from './perform.ts'
import type { Script } from './script.ts'
import { Violation } from './violation.ts'
import { type Subject, World } from './world.ts'

/** What came of a script. */
export interface Played {
  readonly violation: Violation | null
  readonly world: World
}

export async function play(script: Script, subject: Subject): Promise<Played> {
  const world = new World(script, subject)
  const unheard = (reason: unknown) =>
    world.fail(new Violation('every rejection is heard of', String(reason), { cause: reason }))
  const uncaught = (error: unknown) => {
    if (!(error instanceof ListenerFault))
      world.fail(new Violation('every error is caught', String(error), { cause: error }))
  }
  const captures = !process.hasUncaughtExceptionCaptureCallback()
  process.on('unhandledRejection', unheard)
  if (captures) process.setUncaughtExceptionCaptureCallback(uncaught)
  try {
    for (const action of script.actions) {
      await world.pass(action.gap)
      await world.reopenIfClosed()
      await perform(world, action)
    }
    await conclude(world)
    return { violation: null, world }
  } catch (error) {
    const violation =
      error instanceof Violation
        ? error
        : new Violation('the simulation itself works', String(error), { cause: error })
    return { violation, world }
  } finally {
    world.life.store.die()
    process.off('unhandledRejection', unheard)
    if (captures) process.setUncaughtExceptionCaptureCallback(null)
  }
}
