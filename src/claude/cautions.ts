/** What an agent may do that nothing confines, said once for each agent to whoever watches. */
import type { Logger } from '../logger.ts'
import type { AgentRunner, Call, CallSettings } from './runner.ts'
import { grantsShell } from './tool-rules.ts'

interface Caution {
  readonly applies: (settings: CallSettings) => boolean
  readonly says: string
}

const CONTAINER = 'Run it in a container if what it reads may be hostile.'

/** Each implies those after it. */
const CAUTIONS: readonly Caution[] = [
  {
    applies: ({ permissions }) => permissions === 'bypass',
    says: `runs without permission checks: it can do whatever your user can do, without asking. ${CONTAINER}`,
  },
  {
    applies: ({ loadProjectSettings }) => loadProjectSettings === true,
    says: 'loads settings, hooks and servers from its workspace: anyone who wrote them can run commands as your user.',
  },
  {
    applies: grantsShell,
    says: `can run commands, which nothing confines to its workspace. ${CONTAINER}`,
  },
]

/** The caution that a call deserves, the gravest one; null for one that stays in its workspace. */
export function cautionFor({ agent, settings }: Pick<Call, 'agent' | 'settings'>): string | null {
  const caution = CAUTIONS.find(({ applies }) => applies(settings))
  return caution ? `Agent "${agent}" ${caution.says}` : null
}

/** The same start, which says the caution of each agent once, as soon as its process runs. */
export function withCautions(start: AgentRunner['start'], logger: Logger): AgentRunner['start'] {
  const said = new Set<string>()
  return async function* cautious(call, options) {
    for await (const message of start(call, options)) {
      yield message
      const caution = message.type === 'process' ? cautionFor(call) : null
      const key = `${call.directories.home} ${caution}`
      if (caution === null || said.has(key)) continue
      said.add(key)
      logger.warn({ agent: call.agent }, caution)
      yield { type: 'warning', message: caution }
    }
  }
}
