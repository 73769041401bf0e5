/** An MCP server made of tools: the calls of them, a bounded number at a time, with progress, cancellation and errors. */
import { stripVTControlCharacters } from 'node:util'
import { McpServer, type ServerContext } from '@modelcontextprotocol/server'
import { InvalidInputError } from '../events/errors/usage.ts'
import { plural } from '../events/figures.ts'
import { withoutHidden } from '../events/hidden-characters.ts'
import { packageVersion } from '../owner/version.ts'
import { failedTool, type Tool, type ToolAdvice, type ToolResult } from './tool.ts'

/** Of the input of one call. */
const MOST_ELEMENTS = 1000

interface ToolServerParts<Team> {
  readonly name: string
  readonly title: string
  readonly instructions: string
  readonly tools: readonly Tool<Team>[]
  readonly team: Team
  /** The most calls in flight: more are refused. */
  readonly mostCalls: number
  /** What to say of that. */
  readonly whenTooMany: string
  readonly advice: ToolAdvice
  /** What of the input of a call counts. Default: all of it. */
  readonly heard?: (input: unknown) => unknown
}

export class ToolServer<Team> {
  readonly #parts: ToolServerParts<Team>
  readonly #calls = new Set<Promise<unknown>>()

  constructor(parts: ToolServerParts<Team>) {
    this.#parts = parts
  }

  /** A server for one connection. */
  server(): McpServer {
    const { name, title, instructions, tools } = this.#parts
    const about = { name, title, version: packageVersion() }
    const server = new McpServer(about, { instructions, maxToolInputElements: MOST_ELEMENTS })
    for (const tool of tools) {
      const annotations = {
        readOnlyHint: tool.effect === 'reads',
        destructiveHint: tool.effect === 'ends',
        openWorldHint: false,
      }
      const { title, description, schema: inputSchema } = tool
      server.registerTool(tool.name, { title, description, inputSchema, annotations }, (input, context) =>
        this.#call(tool, input, context),
      )
    }
    return server
  }

  /** Resolves when no call is in flight. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#calls)
  }

  async #call(tool: Tool<Team>, input: unknown, { mcpReq }: ServerContext) {
    const { team, mostCalls, advice, heard = (given: unknown) => given } = this.#parts
    if (this.#calls.size >= mostCalls) return sent(failedTool(this.#tooMany(tool.name), advice), true)
    let progress = 0
    const token = mcpReq._meta?.progressToken
    const tell = (message: string) => {
      progress++
      if (token === undefined || mcpReq.signal.aborted) return
      const params = { progressToken: token, progress, message: visible(message) }
      // The client may be gone.
      mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {})
    }
    const call = (async () =>
      tool.run(heard(input) as never, { team, signal: mcpReq.signal, progress: tell }))()
    this.#calls.add(call)
    try {
      return sent(await call)
    } catch (error) {
      return sent(failedTool(error, advice), true)
    } finally {
      this.#calls.delete(call)
    }
  }

  #tooMany(name: string): InvalidInputError {
    const { mostCalls, whenTooMany: hint } = this.#parts
    const problem = `${plural(mostCalls, 'call')} are in flight, which is the most`
    return new InvalidInputError({ what: name, problem, hint })
  }
}

/** Nothing that a model reads and a person does not see. */
const visible = (text: string) => withoutHidden(stripVTControlCharacters(text), () => '')

const sent = ({ text, data }: ToolResult, isError = false) => ({
  content: [{ type: 'text' as const, text: visible(text) }],
  structuredContent: JSON.parse(
    JSON.stringify(data, (_, value) => (typeof value === 'string' ? visible(value) : value)),
  ),
  ...(isError && { isError }),
})
