/** Why a supervisor gave up, as an error that still says so at the root of the tree. */
import { SupervisionFailedError } from '../../events/errors/supervision.ts'
import type { Next } from './decisions.ts'
import type { Specification } from './specification.ts'

export function givenUp(
  { id: supervisor, rules }: Specification,
  { id: child, restarts, error }: Extract<Next, { reason: 'escalated' }>,
): SupervisionFailedError {
  // What a supervisor below has said of the cause stays as it was.
  const { code = error?.tag, problem = error?.message, remedy = error?.hint } = error?.details ?? {}
  return new SupervisionFailedError({
    supervisor,
    child,
    restarts,
    withinMs: rules.intensity.withinMs,
    code: String(code ?? ''),
    problem: String(problem ?? ''),
    remedy: String(remedy ?? ''),
  })
}
