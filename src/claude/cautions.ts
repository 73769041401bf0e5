/** What an agent is warned of that can act outside its workspace. */
import { grantsShell } from './arguments.ts'
import type { Call, CallSettings } from './runner.ts'

/** The most serious warning that applies to a call; null if the agent is confined to its workspace. */
export function cautionFor({ agent, settings }: Pick<Call, 'agent' | 'settings'>): string | null {
  const danger = dangerOf(settings)
  return danger === null ? null : `Agent "${agent}" ${danger}`
}

const CONTAINER = 'Run it in a container if what it reads may be hostile.'

/** Most serious first: each implies the ones after it. */
function dangerOf(settings: CallSettings): string | null {
  if (settings.permissions === 'bypass')
    return `runs without permission checks: it can do whatever your user can do, without asking. ${CONTAINER}`
  if (settings.project)
    return 'loads settings, hooks and servers of its repository: anyone who wrote them can run commands as your user.'
  if (grantsShell(settings)) return `can run commands, which are not confined to its workspace. ${CONTAINER}`
  return null
}
