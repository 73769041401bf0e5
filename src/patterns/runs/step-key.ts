/** What makes a step the same step when its workflow runs again: its content, not its place. */
import { hash } from 'node:crypto'
import type { AgentConfig } from '../../events/options/agent.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { StepOptions } from '../pattern.ts'

const digest = (content: unknown) => hash('sha256', JSON.stringify(content), 'base64url').slice(0, 22)

/**
 * Changes with everything that could change the agent's answer. An agent that is made again begins from wherever its base is by
 * then, with the settings that it finds there: that makes no other agent of it.
 */
export function configFingerprint(config: AgentConfig | null): string {
  if (!config?.workspace) return digest(config)
  const { commit: _, settings: __, ...workspace } = config.workspace
  return digest({ ...config, workspace })
}

/** What is asked, and a number that tells equal asks apart. */
export interface AskedStep {
  readonly content: string
  readonly occurrence: number
}

/** Numbers equal asks, so that the second of two is not answered with the first one's answer. */
export class StepNumbers {
  /** The session of asks that choose none; undefined in runs of older logs. */
  readonly #session: StepOptions['session']
  readonly #occurrences = new Map<string, number>()

  constructor(session: StepOptions['session']) {
    this.#session = session
  }

  /** Must be called in the order of the asks, before anything is awaited. */
  next(agent: string, task: TaskInput, options: StepOptions): AskedStep {
    const { session = this.#session ?? 'chain', outputSchema } = options
    const content = digest([agent, task, session, outputSchema])
    const occurrence = (this.#occurrences.get(content) ?? 0) + 1
    this.#occurrences.set(content, occurrence)
    return { content, occurrence }
  }
}

/** The key under which the log records the step. */
export const stepKeyOf = ({ content, occurrence }: AskedStep, fingerprint: string): string =>
  `${digest([content, fingerprint])}.${occurrence}`
