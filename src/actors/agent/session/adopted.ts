/** The options of an agent that adopts a session, completed with what follows from the session. */
import type { SessionFile } from '../../../claude/runner.ts'
import type { AgentOptions } from '../../../events/options/agent.ts'

/** The options of an agent that adopts a session. Default of `id`: `session-` and the first characters of the session's id. */
export type AdoptOptions = Partial<AgentOptions>

/** The role of an agent that adopts a session without being given one. */
const CONTINUES =
  'You continue a conversation that began elsewhere. Your working directory is now another one: files that it mentions may not be there.'

export const adoptingOptions = (
  { sessionId }: Pick<SessionFile, 'sessionId'>,
  options: AdoptOptions = {},
): AgentOptions => ({
  id: `session-${sessionId.slice(0, 8).toLowerCase()}`,
  systemPrompt: CONTINUES,
  ...options,
})
