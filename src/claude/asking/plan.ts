/** What the hook of a call knows: which tool calls need a decision, and what was decided. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JsonObject } from '../../events/json.ts'
import { ASK_HUMAN } from '../../events/options/tools.ts'
import type { Call, ResumedTurn } from '../runner.ts'
import { type AskingRules, toolsOf } from './rules.ts'

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
  const decided = resumes ? [resumes.tool] : []
  const approve = [...approveTools, ...decided, ...(hasQuestions(call) ? [ASK_HUMAN] : [])]
  if (approve.length === 0) return null
  return {
    rules: {
      approve,
      // A question is never answered by a rule.
      approved: approvedRules.filter((rule) => rule !== ASK_HUMAN),
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
export function askingSettings({ home }: { readonly home: string }, plan: AskingPlan): JsonObject {
  const hash = createHash('sha256').update(JSON.stringify(plan)).digest('hex')
  const words = [process.execPath, programOf('hook'), askingFile(home), hash]
  const command = `${words.map(quoted).join(' ')} || exit 2`
  const hooks = [{ type: 'command', command, timeout: HOOK_TIMEOUT_S }]
  return { hooks: { PreToolUse: [{ matcher: `^(${toolsOf(plan.rules.approve).join('|')})$`, hooks }] } }
}

/** The server whose only tool asks a person. */
export const personServer = (): JsonObject => ({
  mcpServers: { 'claude-agents': { command: process.execPath, args: [programOf('person')] } },
})

/** A machine under load takes its time; the CLI carries out a call whose hook is late. */
const HOOK_TIMEOUT_S = 600

const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`

/** Node cannot run this TypeScript, so from the sources the built program is started. */
const programOf = (name: 'hook' | 'person') =>
  fileURLToPath(
    new URL(
      import.meta.url.endsWith('.ts') ? `../../../dist/claude/asking/${name}.js` : `./${name}.js`,
      import.meta.url,
    ),
  )
