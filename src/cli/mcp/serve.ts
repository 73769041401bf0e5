/** `mcp`: serves the team's tools on stdio until the client ends it, cancelling what it still waits for. */
import { once } from 'node:events'
import { Transform } from 'node:stream'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { inTime, systemClock } from '../../clock.ts'
import { BY_A_WORKER, hasStore, refuseDatabase } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'
import { type Interruption, listenForInterruption } from '../interruption.ts'
import { commandLogger } from '../logger.ts'
import { hasWorkers, withSession } from '../session.ts'
import { terminal } from '../terminal/output.ts'
import { clientServer } from './server.ts'
import type { ToolTeam } from './team.ts'

/** How long what a client leaves may take to be cancelled. */
const ENDS_WITHIN_MS = 10_000

export interface McpOptions {
  readonly allowApprove?: boolean
}

export async function serveMcp(globals: GlobalOptions, { allowApprove = false }: McpOptions): Promise<void> {
  if (!(await hasWorkers(globals))) refuseDatabase(globals, 'mcp', BY_A_WORKER)
  const logger = await commandLogger(globals)
  if (process.stdin.isTTY)
    terminal(globals).note('This speaks MCP on stdin and stdout. To add it: claude mcp add (docs/mcp.md)')
  const interruption = listenForInterruption()
  const tools = clientServer(teamOf(globals, interruption), allowApprove)
  const over = new AbortController()
  const end = () => over.abort()
  const input = process.stdin.pipe(pacedBy(process.stdout))
  for (const event of ['end', 'close', 'error']) input.once(event, end)
  interruption.signal.addEventListener('abort', end, { once: true })
  const served = serveStdio(
    () => {
      const server = tools.server()
      server.server.onclose = end
      return server
    },
    {
      transport: new StdioServerTransport(input, process.stdout),
      onerror: (error) => logger.debug({ error }, 'the client sent what is not MCP'),
    },
  )
  if (!over.signal.aborted) await once(over.signal, 'abort')
  await served.close()
  process.stdin.destroy()
  const isSettled = await inTime(
    systemClock,
    tools.settled().then(() => true),
    ENDS_WITHIN_MS,
    false,
  )
  interruption.stop()
  if (!isSettled) process.exit()
}

/** Reads no more while what was answered has not been taken: a client that does not read is not served from memory. */
const pacedBy = (output: NodeJS.WriteStream) =>
  new Transform({
    transform(chunk, _, done) {
      if (output.writableNeedDrain) output.once('drain', () => done(null, chunk))
      else done(null, chunk)
    },
  })

/** Each call has a session of its own, so that the owner may change between two of them. */
function teamOf(globals: GlobalOptions, interruption: Interruption): ToolTeam {
  const through = async <T>(purpose: 'read' | 'leave', work: Parameters<ToolTeam['work']>[0]): Promise<T> => {
    let result: unknown
    const keep: Parameters<typeof withSession>[1] = async (session) => {
      result = await work(session)
    }
    await withSession(globals, keep, purpose, interruption)
    return result as T
  }
  return {
    declared: (globals.config.agents ?? []).map(({ id }) => id),
    configFile: globals.configFile,
    read: async (work) => (hasStore(globals) ? through('read', work) : null),
    work: (work) => through('leave', work),
  }
}
