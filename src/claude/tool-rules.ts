/** Which tools a call may use: the names a user gives, as the permission rules that the CLI is started with. */
import { InvalidInvocationError } from '../events/call-errors.ts'

export interface ToolRules {
  readonly allowed: readonly string[]
  readonly disallowed: readonly string[]
}

/** A name, an MCP tool's name, or either with a scope in brackets. Nothing that could be read as a flag. */
const RULE = /^[A-Za-z][\w-]*(\([^\n\r\0]*\))?$/

/** Without a scope these lift the CLI's own limit to the working directory: `Write` alone may write anywhere. */
const FILE_TOOLS = new Set(['Read', 'Write', 'Edit', 'MultiEdit', 'NotebookEdit'])
const WORKSPACE = './**'

/** They run commands, which nothing confines to the workspace: denied unless Bash is asked for. */
const SHELL_TOOLS = ['Bash', 'Monitor']

/** Sessions that share a directory could find and write to each other. */
const BETWEEN_SESSIONS = ['ListAgents', 'SendMessage']

/**
 * The rules for the tools that an agent was given. Throws {@link InvalidInvocationError} for what is no rule.
 *
 * @example
 * toolRules(['Write', 'Bash(git *)']).allowed // ['Write(./**)', 'Bash(git *)']
 */
export function toolRules(names: readonly string[]): ToolRules {
  const allowed = names.map((name) => {
    if (!RULE.test(name)) {
      throw new InvalidInvocationError({
        said: `${JSON.stringify(name.slice(0, 80))} is not the name of a tool`,
      })
    }
    return FILE_TOOLS.has(name) ? `${name}(${WORKSPACE})` : name
  })
  const asksForShell = names.some((name) =>
    SHELL_TOOLS.some((tool) => name === tool || name.startsWith(`${tool}(`)),
  )
  return { allowed, disallowed: asksForShell ? BETWEEN_SESSIONS : [...BETWEEN_SESSIONS, ...SHELL_TOOLS] }
}
