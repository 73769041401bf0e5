/**
 * Where agents reach their team: a socket that speaks MCP with each call of an agent that may.
 *
 * D1. Who a call is, is decided here: by the secret that it was given, not by what it says.
 * D2. A secret ends with its call, and with it all that the call still waits for.
 * D3. What one call asks is bounded: see `countAsk`.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Call, TeamPass } from '../claude/runner.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../logger.ts'
import { newSocketPath, removeSocket } from '../owner/socket-directory.ts'
import { FILE_MODE } from '../store/directory.ts'
import { Member } from './member.ts'
import type { TeamSystem } from './tools.ts'

/** A call that has not said who it is. */
const INTRODUCES_WITHIN_MS = 10_000
/** In bytes. */
const LONGEST_SECRET = 128
/** Of one call: the CLI connects again if it lost a connection. */
const MOST_CONNECTIONS = 4
/** That have not said who they are. */
const MOST_STRANGERS = 100

interface DeskParts {
  readonly system: TeamSystem
  readonly clock: Clock
  readonly logger: Logger
}

export class TeamDesk {
  readonly #parts: DeskParts
  readonly #members = new Map<string, Member>()
  readonly #strangers = new Set<Socket>()
  #server: Promise<{ readonly server: Server; readonly path: string }> | undefined

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** Lets a call in until it has ended. */
  async admit({ agent, settings }: Call): Promise<TeamPass & { end(): void }> {
    const { path } = await this.#open()
    const token = randomBytes(32).toString('hex')
    const { system } = this.#parts
    const call = { agent, atOnce: 0, inAll: 0 }
    const member = new Member({ system, call }, settings.team ?? [])
    this.#members.set(token, member)
    return {
      socket: path,
      token,
      conceal: (secrets) => member.conceal(secrets),
      end: () => {
        this.#members.delete(token)
        member.end()
      },
    }
  }

  async close(): Promise<void> {
    const opened = await this.#server?.catch(() => undefined)
    for (const stranger of this.#strangers) stranger.destroy()
    for (const member of this.#members.values()) member.end()
    this.#members.clear()
    if (!opened) return
    opened.server.close()
    await removeSocket(opened.path)
  }

  #open() {
    this.#server ??= this.#listen().catch((error) => {
      this.#server = undefined
      throw error
    })
    return this.#server
  }

  async #listen() {
    const path = await newSocketPath()
    const server = createServer((socket) => void this.#welcome(socket).catch(() => socket.destroy()))
    server.listen(path)
    await once(server, 'listening')
    // Without a descriptor for it, a connection is lost, and nothing else.
    server.on('error', (error) => this.#parts.logger.warn({ error }, 'the team cannot accept a connection'))
    // Until now its directory has kept other users out.
    await chmod(path, FILE_MODE)
    server.unref()
    return { server, path }
  }

  async #welcome(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy())
    if (this.#strangers.size >= MOST_STRANGERS) return void socket.destroy()
    this.#strangers.add(socket)
    const cancel = this.#parts.clock.after(INTRODUCES_WITHIN_MS, () => socket.destroy())
    const token = await secretFrom(socket).finally(() => {
      cancel()
      this.#strangers.delete(socket)
    })
    const member = token === null ? undefined : this.#members.get(token)
    if (!member || member.connections >= MOST_CONNECTIONS) return void socket.destroy()
    member.serve(socket, (error) => this.#parts.logger.debug({ error }, 'an agent sent what is not MCP'))
  }
}

/** The first line; null if there is none that can be a secret. */
async function secretFrom(socket: Socket): Promise<string | null> {
  let heard = Buffer.alloc(0)
  const closed = once(socket, 'close').catch(() => {})
  for (;;) {
    const piece = socket.read() as Buffer | null
    if (piece === null) {
      if (socket.destroyed) return null
      await Promise.race([once(socket, 'readable'), closed])
      continue
    }
    heard = Buffer.concat([heard, piece])
    const end = heard.indexOf(0x0a)
    if (end > LONGEST_SECRET || (end < 0 && heard.length > LONGEST_SECRET)) return null
    if (end < 0) continue
    socket.unshift(heard.subarray(end + 1))
    return heard.toString('latin1', 0, end)
  }
}
