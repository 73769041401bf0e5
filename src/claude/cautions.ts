/** Warnings about agents that can act outside their workspace, each given once per agent. */
import { grantsShell } from './arguments.ts'
import type { Call, CallSettings } from './runner.ts'

interface Caution {
  readonly applies: (settings: CallSettings) => boolean
  readonly text: string
}

const CONTAINER = 'Run it in a container if what it reads may be hostile.'

/** Most serious first: each implies the ones after it. */
const CAUTIONS: readonly Caution[] = [
  {
    applies: ({ permissions }) => permissions === 'bypass',
    text: `runs without permission checks: it can do whatever your user can do, without asking. ${CONTAINER}`,
  },
  {
    applies: ({ project }) => project === true,
    text: 'loads settings, hooks and servers of its repository: anyone who wrote them can run commands as your user.',
  },
  {
    applies: grantsShell,
    text: `can run commands, which are not confined to its workspace. ${CONTAINER}`,
  },
]

/** The most serious warning that applies to a call; null if the agent is confined to its workspace. */
export function cautionFor({ agent, settings }: Pick<Call, 'agent' | 'settings'>): string | null {
  const caution = CAUTIONS.find(({ applies }) => applies(settings))
  return caution ? `Agent "${agent}" ${caution.text}` : null
}

/** As {@link cautionFor}, but once for each agent. */
export function cautionsOnce(): (call: Call) => string | null {
  const given = new Set<string>()
  return (call) => {
    const caution = cautionFor(call)
    const key = `${call.directories.home} ${caution}`
    if (caution === null || given.has(key)) return null
    given.add(key)
    return caution
  }
}
