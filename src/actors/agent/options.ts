/** What a caller says of a new agent, checked and completed: what enters the log is whole. */
import type { AgentConfig } from '../../events/agent-facts.ts'
import { InvalidIdError, InvalidInputError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { type Budget, checkBudget } from '../admission/budget-decisions.ts'

export interface AgentOptions {
  /** Lower-case letters, digits, `_` and `-`; at most 64. */
  readonly id: string
  /** The role of the agent, added to what `claude` is told by itself. */
  readonly systemPrompt: string
  /** Tools that need no permission. Names without a scope are limited to the workspace. Default: none. */
  readonly allowedTools?: readonly string[]
  /** The most turns of the model in one call. Default: no limit. */
  readonly maxTurns?: number
  /** Default: what `claude` takes. */
  readonly model?: string
  /** How long a task may take in all, retries included, in ms; waiting for the account or for a turn does not count.
   * Default: 5 minutes. */
  readonly timeoutMs?: number
  /** Default: 3 retries, the first after up to 1 s, the longest wait 60 s. */
  readonly retry?: Partial<AgentConfig['retry']>
  /**
   * `'bypass'` lets the agent do everything without asking: run commands, and read and change any file that you can.
   * Default `'workspace'`: it reads and changes files there, and uses what `allowedTools` names.
   */
  readonly permissions?: AgentConfig['permissions']
  /**
   * Whether settings, hooks, MCP servers and CLAUDE.md that lie in the workspace count. Whoever wrote them runs commands
   * as you. Default: false.
   */
  readonly loadProjectSettings?: boolean
  /** The most that the agent may spend, ever, copies of it in pools included: `{ usd: 3 }`. Default: no limit. */
  readonly budget?: Budget
}

/** What agents are unless they are told. */
export type AgentDefaults = Omit<Partial<AgentOptions>, 'id' | 'systemPrompt'>

const DEFAULT_TIMEOUT_MS = 5 * 60_000
const DEFAULT_RETRY: AgentConfig['retry'] = { attempts: 3, minDelayMs: 1000, maxDelayMs: 60_000 }
/** The system prompt is part of a fact; a longer one belongs into files of the workspace. */
const LONGEST_SYSTEM_PROMPT = 64 * 1024

/** Throws InvalidIdError for what cannot be the name of an agent. */
export function checkAgentId(id: string): void {
  checkId('agent', id)
  if (id.includes('.')) {
    throw new InvalidIdError({
      what: 'agent',
      id,
      rule: 'a name without a dot: that is for copies of an agent in a pool',
    })
  }
}

/** Throws InvalidIdError or InvalidInputError; otherwise the agent's configuration as the log keeps it. */
export function agentConfig(options: AgentOptions): AgentConfig {
  checkAgentId(options.id)
  const { systemPrompt, allowedTools, maxTurns, model, timeoutMs = DEFAULT_TIMEOUT_MS } = options
  if (typeof systemPrompt !== 'string' || systemPrompt.trim() === '') {
    throw new InvalidInputError({
      what: 'The system prompt',
      problem: 'it is empty',
      hint: 'Say what the agent is.',
    })
  }
  if (Buffer.byteLength(systemPrompt) > LONGEST_SYSTEM_PROMPT) {
    throw new InvalidInputError({
      what: 'The system prompt',
      problem: `it is longer than ${LONGEST_SYSTEM_PROMPT} bytes`,
    })
  }
  if (options.budget !== undefined) checkBudget('budget', options.budget)
  const retry = { ...DEFAULT_RETRY, ...options.retry }
  checkWhole('timeoutMs', timeoutMs, 1)
  checkWhole('retry.attempts', retry.attempts, 0)
  checkWhole('retry.minDelayMs', retry.minDelayMs, 0)
  checkWhole('retry.maxDelayMs', retry.maxDelayMs, 0)
  if (maxTurns !== undefined) checkWhole('maxTurns', maxTurns, 1)
  for (const tool of allowedTools ?? []) {
    if (typeof tool !== 'string' || !/^[A-Za-z]/.test(tool)) {
      throw new InvalidInputError({
        what: 'allowedTools',
        problem: `${JSON.stringify(tool)} is not the name of a tool`,
      })
    }
  }
  if (model !== undefined && !/^[A-Za-z0-9]/.test(model)) {
    throw new InvalidInputError({
      what: 'model',
      problem: `${JSON.stringify(model)} is not the name of a model`,
    })
  }
  const { permissions = 'workspace', loadProjectSettings = false } = options
  if (permissions !== 'workspace' && permissions !== 'bypass') {
    throw new InvalidInputError({
      what: 'permissions',
      problem: `${JSON.stringify(permissions)} is neither "workspace" nor "bypass"`,
    })
  }
  if (typeof loadProjectSettings !== 'boolean') {
    throw new InvalidInputError({ what: 'loadProjectSettings', problem: 'it is neither true nor false' })
  }
  return {
    systemPrompt,
    allowedTools: allowedTools ?? null,
    maxTurns: maxTurns ?? null,
    model: model ?? null,
    timeoutMs,
    retry: { attempts: retry.attempts, minDelayMs: retry.minDelayMs, maxDelayMs: retry.maxDelayMs },
    permissions,
    loadProjectSettings,
  }
}

function checkWhole(what: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new InvalidInputError({ what, problem: `${value} is not a whole number of at least ${least}` })
}
