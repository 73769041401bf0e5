/** The way of one worker to PostgreSQL, which can be cut: then nothing arrives any more, or connections are refused. */
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'

export interface DatabaseWay {
  readonly port: number
  /** Half-open: connections stay, new ones are accepted, and nothing passes in either direction. */
  silence(): void
  /** The connections that there are become silent; new ones work. So does a failover of the database to another machine. */
  forget(): void
  /** Connections end, and new ones are refused. */
  refuse(): void
  mend(): Promise<void>
  close(): void
}

/** @param path The socket of the server. */
export async function wayTo(path: string, host: string): Promise<DatabaseWay> {
  const sockets = new Set<Socket>()
  const forgotten = new WeakSet<Socket>()
  let isSilent = false
  const join = (client: Socket) => {
    const server = dial(path)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (data) => {
        if (!isSilent && !forgotten.has(from)) to.write(data)
      })
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        // The other side does not hear of it while nothing passes.
        if (!isSilent) to.destroy()
      })
    }
  }
  const server = createServer(join)
  const listen = async (port: number) => {
    server.listen(port, host)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  const endAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const refuse = () => {
    server.close()
    endAll()
  }
  return {
    port,
    silence() {
      isSilent = true
    },
    forget() {
      for (const socket of sockets) forgotten.add(socket)
    },
    refuse,
    close: refuse,
    async mend() {
      // What was swallowed meanwhile is missing in the middle: to both ends that is a connection that broke.
      if (isSilent) endAll()
      isSilent = false
      if (!server.listening) await listen(port)
    },
  }
}
