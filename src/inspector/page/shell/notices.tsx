/** What has gone wrong, above every place. */
import { problem } from './state.ts'

export function Notices() {
  return (
    <div class="notices" aria-live="polite">
      {problem.value !== '' && <p class="notice bad">{problem.value}</p>}
    </div>
  )
}
