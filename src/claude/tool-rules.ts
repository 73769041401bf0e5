/** Turns the tool names that a user gives into the CLI's permission rules. */
import { InvalidInvocationError } from '../events/errors/call.ts'
import { isToolRule } from '../events/options/tools.ts'
import type { CallSettings } from './runner.ts'

export interface ToolRules {
  readonly allowed: readonly string[]
  readonly disallowed: readonly string[]
}

/**
 * Without a scope, these lift the CLI's own limit to the working directory: `Write` alone may write anywhere, `Grep`
 * alone may read any file (measured on 2.1.197 and 2.1.330; some are the names of older tools).
 */
const FILE_TOOLS = new Set('Read Write Edit MultiEdit NotebookRead NotebookEdit Grep Glob LS'.split(' '))
const WORKSPACE = './**'

/** These run commands, which nothing confines to the workspace: denied unless one of them is allowed. */
const SHELL_TOOLS = ['Bash', 'Monitor', 'PowerShell']

/**
 * Sessions that share a directory could find and message each other, and a session that moves to a worktree is no
 * longer where it is looked for.
 */
const NEVER = ['ListAgents', 'SendMessage', 'EnterWorktree', 'ExitWorktree']

type Granted = Pick<CallSettings, 'allowedTools' | 'permissions'>

/**
 * The rules for an agent's tools. Throws {@link InvalidInvocationError} for anything that is not a rule.
 *
 * @example
 * toolRules({ allowedTools: ['Write', 'Bash(git *)'] }).allowed // ['Write(./**)', 'Bash(git *)']
 */
export function toolRules(settings: Granted): ToolRules {
  const allowed = (settings.allowedTools ?? []).map((name) => {
    if (!isToolRule(name)) {
      throw new InvalidInvocationError({
        said: `${JSON.stringify(name.slice(0, 80))} is not the name of a tool`,
      })
    }
    return FILE_TOOLS.has(name) ? `${name}(${WORKSPACE})` : name
  })
  return {
    allowed,
    disallowed: grantsShell(settings) ? NEVER : [...NEVER, ...SHELL_TOOLS],
  }
}

/** Whether an agent may run commands. */
export function grantsShell({ allowedTools = [], permissions }: Granted): boolean {
  const isShell = (name: string) => SHELL_TOOLS.some((tool) => name === tool || name.startsWith(`${tool}(`))
  return permissions === 'bypass' || allowedTools.some(isShell)
}
