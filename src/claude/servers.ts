/** The MCP servers of a call: what they refer to is read, and their configuration is in files that only we can read. */
import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { McpSecretError } from '../events/errors/call.ts'
import type { JsonObject } from '../events/json.ts'
import {
  isReserved,
  type McpServer,
  type McpServers,
  REFERENCE,
  type ServerValue,
} from '../events/options/servers.ts'
import { isSecretName } from '../events/secrets/redaction.ts'
import { openPlainFile } from '../store/directory.ts'
import { readAgentFile } from '../workspaces/agent-file.ts'
import type { Variables } from './login.ts'

/** The configuration of a call's servers, as the CLI takes it. */
export interface ServerFiles {
  /** By name: of the home's directory of servers. */
  readonly files: Readonly<Record<string, string>>
  /** What was read, so that it is repeated nowhere. It is in a file as well, for the next process: see {@link leftSecrets}. */
  readonly secrets: readonly string[]
}

/** Outside of the workspace. It is there as long as the call. */
export const serverDirectory = (home: string): string => join(home, 'servers')

/** The configuration, as an argument. */
export const serverConfiguration = (home: string): string => join(serverDirectory(home), 'mcp.json')

const SECRETS = 'secrets.json'
/** What the servers of a call were given. It is written before its process is started. */
export const secretsFile = (home: string): string => join(serverDirectory(home), SECRETS)
/** In bytes. */
const LARGEST_SECRETS = 1024 * 1024
const MOST_SECRETS = 100

/** The secrets of a call whose process has not removed them. */
export async function leftSecrets(home: string): Promise<readonly string[]> {
  const text = await readAgentFile(secretsFile(home), LARGEST_SECRETS)
  try {
    const found: unknown = JSON.parse(text ?? '[]')
    if (!Array.isArray(found)) return []
    return found
      .slice(0, MOST_SECRETS)
      .filter((one) => typeof one === 'string' && !RECORD_WORDS.includes(one))
  } catch {
    // The agent may have written anything there.
    return []
  }
}

/** Reads what the servers refer to. Throws McpSecretError. */
export async function serverFiles(
  servers: McpServers,
  home: string,
  environment: Variables,
): Promise<ServerFiles> {
  const secrets: string[] = []
  const files: Record<string, string> = {}
  const configured: Record<string, JsonObject> = {}
  for (const [name, server] of Object.entries(servers)) {
    const valuesOf = async (part: 'env' | 'headers') => {
      const found: Record<string, string> = {}
      for (const [key, value] of Object.entries(server[part] ?? {})) {
        const where = `${part}.${key} of the server ${name}`
        found[key] = await resolved(value, { where, environment, secrets })
      }
      return found
    }
    const headers = await valuesOf('headers')
    if (Object.keys(headers).length > 0) files[headersFile(name)] = JSON.stringify(headers)
    configured[name] = configurationOf(
      server,
      await valuesOf('env'),
      headersFile(name) in files ? helper(home, name) : null,
    )
  }
  files['mcp.json'] = JSON.stringify({ mcpServers: configured })
  files[SECRETS] = JSON.stringify(secrets)
  return { files, secrets }
}

const configurationOf = (
  { command, args = [], url, type }: McpServer,
  env: Readonly<Record<string, string>>,
  headersHelper: string | null,
): JsonObject =>
  command === undefined
    ? { type: type ?? 'http', url: url ?? '', ...(headersHelper !== null && { headersHelper }) }
    : { command, args, env }

/** No server is called as one of our own files. */
const headersFile = (name: string) => `${name}.headers.json`

/** The CLI prints the headers of its configuration where it is asked for the status of its servers, but not what this prints. */
const helper = (home: string, name: string) =>
  `cat '${join(serverDirectory(home), headersFile(name)).replaceAll("'", `'\\''`)}'`

interface Resolving {
  readonly where: string
  readonly environment: Variables
  /** Grows by what is read. */
  readonly secrets: string[]
}

async function resolved(value: ServerValue, resolving: Resolving): Promise<string> {
  const text = await readValue(value, resolving)
  // The CLI would look for a variable of its own, such as its login.
  if (text.includes('${'))
    throw new McpSecretError({ said: `${resolving.where} contains \${, which claude replaces` })
  return text
}

async function readValue(value: ServerValue, resolving: Resolving): Promise<string> {
  const { where, secrets } = resolving
  const read = (text: string, name: string) => {
    if (/[\0\r\n]/.test(text)) throw new McpSecretError({ said: `${where} has a line break or a zero byte` })
    if (!isOpen(name, text)) secrets.push(text)
    return text
  }
  if (typeof value === 'object') {
    if ('file' in value) return read(await contentOf(value.file, where), '')
    return read(variable(value.env, undefined, resolving), value.env)
  }
  return value.replace(REFERENCE, (_, name: string, otherwise?: string) => {
    const found = variable(name, otherwise, resolving)
    // The log has what is to be used instead.
    return found === otherwise ? found : read(found, name)
  })
}

/** What the records of `claude` consist of, its transcripts among them: without these words it could not read them. */
const RECORD_WORDS = `type subtype message content role user assistant system session sessionId session_id uuid parentUuid
  timestamp version userType isSidechain requestId cwd gitBranch project model usage input_tokens output_tokens
  cache_creation_input_tokens cache_read_input_tokens service_tier tool_use tool_result tool_use_id thinking signature text
  stop_reason stop_sequence end_turn max_tokens result success error_during_execution is_error num_turns duration_ms
  duration_api_ms total_cost_usd modelUsage permission_denials structured_output mcp_servers tools slash_commands
  permissionMode apiKeySource output_style stream_event event content_block content_block_start content_block_delta
  content_block_stop message_start message_delta message_stop delta text_delta input_json_delta partial_json index`

/** What says nothing that is secret, although it is referred to: where a user is and works, and words of every program. */
function isOpen(name: string, value: string): boolean {
  if (RECORD_WORDS.includes(value)) return true
  if (name === '' || isSecretName(name)) return false
  if (/^(HOME|USER|LOGNAME|HOSTNAME|SHELL|PATH|PWD|TMPDIR|LANG|LC_\w+|TZ|TERM)$/.test(name)) return true
  return /^(true|false|\d{1,6})$/i.test(value) || (isAbsolute(value) && existsSync(value))
}

function variable(name: string, otherwise: string | undefined, { where, environment }: Resolving): string {
  const found = isReserved(name) ? undefined : environment[name] || otherwise
  if (found === undefined) throw new McpSecretError({ said: `${where} needs the variable ${name}` })
  return found
}

const LARGEST_SECRET = 16 * 1024

/** A file of the user's own. Line ends after it are none of its content. */
async function contentOf(path: string, where: string): Promise<string> {
  try {
    await using file = await openPlainFile(path)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LARGEST_SECRET + 1), 0)
    if (bytesRead <= LARGEST_SECRET) return buffer.toString('utf8', 0, bytesRead).replace(/[\r\n]+$/, '')
  } catch (cause) {
    throw new McpSecretError({ said: `${where} is in ${path}, which cannot be read` }, { cause })
  }
  throw new McpSecretError({ said: `${where} is in ${path}, which is longer than ${LARGEST_SECRET} bytes` })
}
