/** The command line of a call, as a pure function of the call and the version of the CLI. */
import { InvalidInvocationError } from '../events/errors/call.ts'
import type { JsonObject } from '../events/json.ts'
import type { Call } from './runner.ts'
import { toolRules } from './tool-rules.ts'
import { recordsSystemPrompts, type Version } from './version.ts'

export interface ArgumentsContext {
  readonly version: Version
  /** Where the system prompt is; null when there is none. */
  readonly systemPromptFile: string | null
}

/** Never a leading dash: a value must not be read as a flag. */
const MODEL = /^[A-Za-z0-9][\w.:/@[\]-]{0,199}$/
const SESSION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The arguments for one call. The prompt is never among them: it goes through stdin, where it cannot be taken for a
 * flag, is not too long for the system, and shows up in no process list and no error message.
 */
export function claudeArguments(
  call: Pick<Call, SessionPart | 'settings'>,
  context: ArgumentsContext,
): string[] {
  const { settings } = call
  const { allowed, disallowed } = toolRules(settings)
  return [
    '-p',
    // Plain json loses the cause of errors at start-up; stream-json is refused without --verbose.
    ...['--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    ...sessionArguments(call),
    // Settings, hooks and servers that lie in the workspace are somebody else's code: none is loaded unless asked for.
    ...(settings.loadProjectSettings
      ? ['--setting-sources', 'project,local']
      : ['--setting-sources', '', '--strict-mcp-config']),
    '--disable-slash-commands',
    ...(settings.permissions === 'bypass'
      ? ['--dangerously-skip-permissions']
      : ['--permission-mode', 'acceptEdits']),
    // Without this a system prompt that was changed later is ignored by versions that record it.
    ...(recordsSystemPrompts(context.version) ? ['--system-prompt-snapshot', 'off'] : []),
    ...(context.systemPromptFile === null ? [] : ['--append-system-prompt-file', context.systemPromptFile]),
    ...(settings.model === undefined ? [] : ['--model', checkModel(settings.model)]),
    ...(settings.maxTurns === undefined ? [] : ['--max-turns', String(settings.maxTurns)]),
    ...(settings.outputSchema === undefined ? [] : ['--json-schema', checkSchema(settings.outputSchema)]),
    // These two take any number of values and would swallow what follows: last, and each ended by the next flag.
    ...(allowed.length === 0 ? [] : ['--allowedTools', ...allowed]),
    ...['--disallowedTools', ...disallowed],
  ]
}

type SessionPart = 'sessionId' | 'parentSessionId'

/** A new chain begins with our id; afterwards each call forks its parent's session, whose transcript stays as it is. */
function sessionArguments({ sessionId, parentSessionId }: Pick<Call, SessionPart>): string[] {
  const own = ['--session-id', checkSessionId(sessionId)]
  return parentSessionId === null
    ? own
    : ['--resume', checkSessionId(parentSessionId), '--fork-session', ...own]
}

function checkSessionId(id: string): string {
  if (SESSION_ID.test(id)) return id
  throw new InvalidInvocationError({ said: 'a session id is not a UUID' })
}

/** The system takes no argument of 128 KiB or more. */
const LONGEST_SCHEMA = 100_000

function checkSchema(schema: JsonObject): string {
  const text = JSON.stringify(schema)
  if (Buffer.byteLength(text) <= LONGEST_SCHEMA) return text
  throw new InvalidInvocationError({ said: `the JSON Schema is longer than ${LONGEST_SCHEMA} bytes` })
}

function checkModel(model: string): string {
  if (MODEL.test(model)) return model
  throw new InvalidInvocationError({
    said: `${JSON.stringify(model.slice(0, 80))} is not the name of a model`,
  })
}
