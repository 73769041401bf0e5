/** What makes a step the same step when a workflow is run again: its content, not its place. */
import { hash } from 'node:crypto'
import type { AgentConfig } from '../../events/options/agent.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { StepOptions } from '../pattern.ts'

const digest = (content: unknown) => hash('sha256', JSON.stringify(content), 'base64url').slice(0, 22)

/** Changes with anything that could change the agent's answer. */
export const configFingerprint = (config: AgentConfig | null): string => digest(config)

/** What is asked, and which of equals it is. */
export interface AskedStep {
  readonly content: string
  readonly occurrence: number
}

/** Numbers equal steps, so that the second of two equal asks is not answered with the first one's answer. */
export class StepNumbers {
  readonly #seen = new Map<string, number>()

  /** In the order of the asks: nothing is waited for before. */
  next(agent: string, task: TaskInput, { session = 'chain', outputSchema }: StepOptions): AskedStep {
    const content = digest([agent, task, session, outputSchema])
    const occurrence = (this.#seen.get(content) ?? 0) + 1
    this.#seen.set(content, occurrence)
    return { content, occurrence }
  }
}

export const stepKeyOf = ({ content, occurrence }: AskedStep, fingerprint: string): string =>
  `${digest([content, fingerprint])}.${occurrence}`
