/**
 * What the hook of a call knows: which tool calls need a decision, and what was decided; and the programs that the CLI starts
 * to ask a person, or the team.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JsonObject } from '../../events/json.ts'
import { ASK_HUMAN, TEAM_SERVER } from '../../events/options/tools.ts'
import type { Call, ResumedTurn } from '../runner.ts'
import { type AskingRules, toolsNamedBy } from './rules.ts'

/** Read by the hook, which is a process of its own. */
export interface AskingPlan {
  readonly rules: AskingRules
  readonly workspace: string
  /** A file that says that a tool call of this process waits already. */
  readonly waiting: string
  readonly resumes?: ResumedTurn
}

/** Whether a call has the tool by which it asks a person: also to hear the answer to what it asked when it had. */
export const hasQuestions = ({ settings, resumes }: Pick<Call, 'settings' | 'resumes'>): boolean =>
  settings.questions === true || resumes?.tool === ASK_HUMAN

/**
 * null for a call of which a person decides nothing: it pays nothing for it.
 *
 * @param waiting A file that does not exist yet, with a name that nothing else has.
 */
export function askingPlan(call: Call, waiting: string): AskingPlan | null {
  const { settings, directories, resumes } = call
  const { approveTools = [], approvedRules = [], allowedTools = [] } = settings
  const approve = [...approveTools, ...(hasQuestions(call) ? [ASK_HUMAN] : [])]
  if (approve.length === 0 && !resumes) return null
  return {
    rules: {
      approve,
      // A question is never answered by a rule.
      approved: approvedRules.filter((rule) => !ASK_HUMAN.startsWith(rule)),
      allowed: allowedTools,
    },
    workspace: directories.workspace,
    waiting,
    ...(resumes && { resumes }),
  }
}

/** Outside of the workspace, where the agent's file tools do not reach. */
export const askingFile = (home: string): string => join(home, 'asking.json')

/**
 * The settings by which the CLI asks the hook about each call of these tools. The hash is on the command line, which nothing can
 * change: a plan that was tampered with is refused. The CLI would carry out a call whose hook has crashed, unless that ends with 2.
 */
export function askingSettings(home: string, plan: AskingPlan): JsonObject {
  const hash = createHash('sha256').update(JSON.stringify(plan)).digest('hex')
  const words = [process.execPath, askingProgram('hook'), askingFile(home), hash]
  const command = `${words.map(quoted).join(' ')} || exit 2`
  const { rules, resumes } = plan
  const asked = toolsNamedBy([...rules.approve, ...(resumes ? [resumes.tool] : [])])
  const hooks = [{ type: 'command', command, timeout: HOOK_TIMEOUT_S }]
  return {
    // The settings of a project could turn all hooks off: these win.
    disableAllHooks: false,
    env: ENVIRONMENT,
    hooks: { PreToolUse: [{ matcher: `^(${asked.join('|')})$`, hooks }] },
  }
}

/**
 * When a stream breaks, the CLI would ask without streaming, and of several tool calls in one such message it defers none: it
 * carries them out. And a call that was deferred begins in the workspace, so that every command has to.
 */
const ENVIRONMENT = {
  CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: '1',
  CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR: '1',
}

/** The server whose only tool asks a person. */
export const personServer = (): JsonObject => ({
  mcpServers: { 'claude-agents': { command: process.execPath, args: [askingProgram('person')] } },
})

/** The file with which the server of a call reaches the team. */
export const teamFile = (home: string): string => join(home, 'team.json')

/** The server by which an agent reaches its team. The CLI waits until it is connected. */
export const teamServer = (home: string): JsonObject => ({
  mcpServers: {
    [TEAM_SERVER]: {
      command: process.execPath,
      args: [askingProgram('team'), teamFile(home)],
      alwaysLoad: true,
    },
  },
})

/** Node cannot run this TypeScript, so from the sources the built program is started. */
export const askingProgram = (name: 'hook' | 'person' | 'team') =>
  fileURLToPath(
    new URL(
      import.meta.url.endsWith('.ts') ? `../../../dist/claude/asking/${name}.js` : `./${name}.js`,
      import.meta.url,
    ),
  )

/** A machine under load takes its time; the CLI carries out a call whose hook is late. */
const HOOK_TIMEOUT_S = 86_400

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
