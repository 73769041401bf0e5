/** A rule for a tool, as Claude Code writes it: `Bash`, `Bash(git *)`. The hook of each tool call reads this, so it loads nothing. */

export interface ToolRuleParts {
  readonly name: string
  readonly scope: string | null
}

const PARTS = /^([A-Za-z][\w-]*)(?:\((.*)\))?$/s

/** Its tool and, in parentheses, its scope. Text that is no rule is a name that no tool has. */
export function ruleParts(rule: string): ToolRuleParts {
  const [, name = rule, scope = null] = PARTS.exec(rule) ?? []
  return { name, scope }
}

/** Whether a text can be passed to `claude` as a rule for a tool, whether or not it has a tool of that name: it is no flag. */
export const isToolRule = (rule: string): boolean => PARTS.test(rule) && !/[\n\r\0]/.test(rule)
