/** The MCP servers of an agent, as its options name them: programs and addresses. Their secrets are references. */
import { resolve } from 'node:path'
import * as Schema from 'effect/Schema'
import * as SchemaIssue from 'effect/SchemaIssue'
import { isSecretName, redactor } from '../secrets/redaction.ts'
import { decodedInput } from './decoding.ts'
import { explainedBy, partial } from './setting.ts'
import { Text } from './values.ts'

/**
 * A value of a server: a text, or where the value is. `${NAME}` in a text is a variable of the environment of the process that
 * has the store open; `{ env: 'NAME' }` is the same alone; `{ file: PATH }` is the content of a file, without line ends after it.
 * All are read when a call begins. A secret is not accepted as a text.
 */
export type ServerValue = string | { readonly env: string } | { readonly file: string }

/** An MCP server: a program (`command`) that is started for each call, or an address (`url`). */
export type McpServer = {
  /** The program: a path, or a name that is looked up on the `PATH`. It is started in the workspace. */
  readonly command?: string
  /** Its arguments. They are visible in every process list. */
  readonly args?: readonly string[]
  /** Variables of its environment, besides those of `claude`. */
  readonly env?: Readonly<Record<string, ServerValue>>
  readonly url?: string
  /** Default: `stdio` with a `command`, `http` with a `url`. */
  readonly type?: 'stdio' | 'http' | 'sse'
  /** Headers of its requests. */
  readonly headers?: Readonly<Record<string, ServerValue>>
  /** Whether a call needs it: if it does not start, the call fails before anything is sent. Default: false. */
  readonly required?: boolean
}

/** By name: its tools are `mcp__NAME__TOOL`. */
export type McpServers = Readonly<Record<string, McpServer>>

/** `${NAME}`, or `${NAME:-text}` for a variable that may be missing. */
export const REFERENCE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g

const NAME = /^[A-Za-z0-9](?:[\w-]{0,62}[A-Za-z0-9])?$/
/** The names of servers of ours, and those of Claude Code's own. */
const TAKEN = /^(claude-agents.*|ide|workspace|computer-use|claude-in-chrome)$/i

const isServerName = (name: string) => NAME.test(name) && !name.includes('__') && !TAKEN.test(name)

const VARIABLE = /^[A-Za-z_]\w*$/

/** The login of `claude`, and what is ours: neither is passed on. */
export const isReserved = (variable: string): boolean => /^(ANTHROPIC|CLAUDE|CLAUDECODE)(_|$)/i.test(variable)

/** The name of a variable that is passed on from the owner's environment. */
export const PassedVariable = Text.check(
  Schema.makeFilter((name) => VARIABLE.test(name), {
    problem: 'is not the name of an environment variable',
    isPrivate: true,
  }),
  Schema.makeFilter((name) => !isReserved(name), {
    problem: "is claude's login or a setting of its own, which no agent is given",
  }),
)

/** What a value is where no variable is there. */
const withoutVariables = (text: string) =>
  text.replace(REFERENCE, (_, __, otherwise: string | undefined) => otherwise ?? '')

/** Whether a text holds what should be a reference. */
function holdsSecret(name: string, text: string): boolean {
  const references = [...text.matchAll(REFERENCE)]
  if (references.length > 0)
    return (
      isSecret(text.replace(REFERENCE, '')) ||
      isSecret(withoutVariables(text)) ||
      references.some(
        ([whole, variable = '', otherwise = '']) =>
          holdsSecret(variable, otherwise) || (whole === text && holdsSecret(name, otherwise)),
      )
    )
  return /^(true|false|\d{1,6})?$/i.test(text) ? false : isSecretName(name) || isSecret(`${name}: ${text}`)
}

const redact = redactor({})
const isSecret = (text: string) => redact(text) !== text

/** What is wrong with a value, which is never repeated: it may be the secret itself. */
function mistakeIn(name: string, value: ServerValue): Mistaken | undefined {
  if (typeof value !== 'string') return undefined
  if (/[\0\r\n]/.test(value)) return { message: `has a line break or a zero byte in ${name}` }
  const reserved = [...value.matchAll(REFERENCE)].some(([, variable = '']) => isReserved(variable))
  if (reserved) return { message: `refers in ${name} to the login of claude, which no server is given` }
  if (withoutVariables(value).includes('$' + '{'))
    return { message: `has in ${name} a \${ that begins no reference`, hint: HINT }
  return holdsSecret(name, value) ? { message: `holds a secret as a text: ${name}`, hint: HINT } : undefined
}

type Mistaken = { readonly message: string; readonly hint?: string }

const HINT =
  'Write a reference: $' + '{NAME} for a variable of the environment, { env: NAME } or { file: PATH }.'

/** Refuses what `find` finds. */
const without = <T>(find: (given: T) => Mistaken | undefined) =>
  Schema.makeFilter((given: T) => {
    const mistake = find(given)
    return mistake && new SchemaIssue.InvalidValue(mistake)
  })

const Value = Schema.Union([
  Schema.String,
  Schema.Struct({ env: PassedVariable }),
  Schema.Struct({ file: Text }),
]).annotate({
  message: 'a value must be a text with references for secrets, { env: NAME } or { file: PATH }',
  problem: 'is not a text, { env: NAME } or { file: PATH }',
  isPrivate: true,
})

/** Named values. */
const values = (pattern: RegExp, what: string) =>
  Schema.Record(Schema.String, Value).check(
    without((given: Readonly<Record<string, ServerValue>>) => {
      for (const [name, value] of Object.entries(given)) {
        if (!pattern.test(name)) return { message: `has ${what} without a proper name` }
        const mistake = mistakeIn(name, value)
        if (mistake) return mistake
      }
      return undefined
    }),
  )

const HEADER = /^[\w!#$%&'*+.^`|~-]{1,100}$/

const isAddress = (url: string) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

/** These are told to everybody who lists processes, or who reads what went wrong. */
const isPublic = (text: string) => !isSecret(text) && !/[\0\r\n]/.test(text) && !text.includes('${')

const PUBLIC = {
  problem: 'holds a secret, a reference or a line break',
  hint: 'Pass it in env or in headers.',
  isPrivate: true,
}

const McpServer = explainedBy<McpServer>()(
  Schema.Struct(
    partial({
      command: Text.check(Schema.makeFilter(isPublic, PUBLIC)),
      args: Schema.Array(Schema.String).check(
        Schema.makeFilter((args) => isPublic(args.join(' ')) && args.every(isPublic), PUBLIC),
      ),
      env: values(VARIABLE, 'a variable'),
      url: Text.check(
        Schema.makeFilter(isAddress, { problem: 'is not an http or https address', isPrivate: true }),
        Schema.makeFilter(isPublic, PUBLIC),
      ),
      type: Schema.Literals(['stdio', 'http', 'sse']),
      headers: values(HEADER, 'a header'),
      required: Schema.Boolean,
    }),
  )
    .check(
      without(({ command, url, type, args, env, headers }: McpServer) => {
        if ((command === undefined) === (url === undefined))
          return { message: 'names not exactly one of command and url' }
        if ((type === 'stdio') !== (command !== undefined) && type !== undefined)
          return {
            message: `is of the type ${type}, which has no ${command === undefined ? 'url' : 'command'}`,
          }
        if (command === undefined ? (args ?? env) : headers)
          return {
            message: `has ${command === undefined ? 'args or env, but no command' : 'headers, but no url'}`,
          }
        return undefined
      }),
    )
    .annotate({ noun: 'key' }),
)

const MOST_SERVERS = 32
/** In bytes, as JSON: they are part of a fact. */
const LARGEST = 32 * 1024

export const McpServers: Schema.Codec<McpServers> = Schema.Record(Schema.String, McpServer)
  .check(
    without((servers: McpServers) => {
      const names = Object.keys(servers)
      const wrong = names.find((name) => !isServerName(name))
      if (wrong !== undefined)
        return {
          message: `has a server with the name ${JSON.stringify(wrong.slice(0, 70))}`,
          hint: 'Use letters, digits, - and single _. What begins with "claude-agents", and the names of servers of Claude Code, are taken.',
        }
      const isLarge = names.length > MOST_SERVERS || Buffer.byteLength(JSON.stringify(servers)) > LARGEST
      return isLarge ? { message: `has more than ${MOST_SERVERS} servers, or ${LARGEST} bytes` } : undefined
    }),
  )
  .annotate({
    description: 'MCP servers by name: programs (command, args, env) and addresses (url, headers).',
  })

/** Throws {@link InvalidInputError}. */
export const decodedServers = (given: unknown, name: string): McpServers =>
  decodedInput(McpServers, given, { name, prefixes: true })

const RecordedValues = Schema.Record(
  Schema.String,
  Schema.Union([
    Schema.String,
    Schema.Struct({ env: Schema.String }),
    Schema.Struct({ file: Schema.String }),
  ]),
)

/** As they were accepted: what is accepted may change. */
export const RecordedServers: Schema.Codec<McpServers> = Schema.Record(
  Schema.String,
  explainedBy<McpServer>()(
    Schema.Struct(
      partial({
        command: Schema.String,
        args: Schema.Array(Schema.String),
        env: RecordedValues,
        url: Schema.String,
        type: Schema.Literals(['stdio', 'http', 'sse']),
        headers: RecordedValues,
        required: Schema.Boolean,
      }),
    ),
  ),
)

/** The same with absolute paths. */
export const locatedServers = (servers: McpServers, directory = '.'): McpServers =>
  eachServer(servers, ({ command, env, headers, ...rest }) => ({
    ...rest,
    // A name without a slash is looked up on the PATH.
    ...(command !== undefined && { command: command.includes('/') ? resolve(directory, command) : command }),
    ...(env && { env: locatedValues(env, directory) }),
    ...(headers && { headers: locatedValues(headers, directory) }),
  }))

const locatedValues = (given: Readonly<Record<string, ServerValue>>, directory: string) =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'object' && 'file' in value ? { file: resolve(directory, value.file) } : value,
    ]),
  )

const eachServer = (servers: McpServers, change: (server: McpServer) => McpServer): McpServers =>
  Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, change(server)]))

/** `status` is in the words of the CLI: `connected`, `failed`, `needs-auth`. */
const ServerStatus = Schema.Struct({ name: Schema.String, status: Schema.String })
/** What became of an MCP server when a call began. */
export type ServerStatus = typeof ServerStatus.Type

/** What came up when a call began: the program, its model, its tools and its servers. Bounded. */
const CallSetup = Schema.Struct({
  version: Schema.NullOr(Schema.String),
  model: Schema.NullOr(Schema.String),
  tools: Schema.Array(Schema.String),
  servers: Schema.Array(ServerStatus),
})
export type CallSetup = typeof CallSetup.Type

/** Absent if it said nothing, or was recovered after a crash. */
export const setup = { setup: Schema.optionalKey(CallSetup) }
