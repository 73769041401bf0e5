/**
 * A connection between each two workers that nothing but the end of a process ends. Nobody writes to it but the one that is
 * watched, which says who it is and never closes it: so when the kernel of its machine says that there is no more to come, the
 * process is gone, however busy anybody is. A connection that breaks in another way says nothing.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { addressFrom, addressText } from '../options.ts'

export interface Lifeline extends AsyncDisposable {
  /** Where others hold it. */
  readonly address: string
}

/**
 * *Contract:* dispose of it when everything that this worker has begun has ended.
 *
 * @param epoch The number of this worker, which no other one ever had.
 */
export async function lifeline(epoch: number, host: string, advertised = host): Promise<Lifeline> {
  const sockets = new Set<Socket>()
  // Half of it stays open when the other side leaves: this one never ends it.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    // The other side has left.
    socket.once('end', () => socket.destroy())
    socket.resume().unref()
    socket.write(`${epoch}\n`)
  })
  server.listen(0, host).unref()
  await once(server, 'listening')
  // One that could not be accepted is held again later.
  server.on('error', () => {})
  const { port } = server.address() as AddressInfo
  return {
    address: addressText({ host: advertised, port }),
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.end()
    },
  }
}

/** A worker, and where its end is seen; empty if nowhere. */
export interface Watched {
  readonly epoch: number
  readonly lifeline: string
}

/** The lifelines of other workers, as this process holds them. */
export class Lifelines {
  readonly #held = new Map<number, Socket>()
  readonly #reached = new Set<number>()
  readonly #ended = new Set<number>()

  /** The workers whose processes are gone, of those that are held. */
  get ended(): ReadonlySet<number> {
    return this.#ended
  }

  /** Those that have said who they are, and whose processes live. */
  get reached(): ReadonlySet<number> {
    return this.#reached
  }

  /** Holds those of these workers, and tries again with each call what it could not reach. */
  hold(workers: readonly Watched[]): void {
    const epochs = new Set(workers.map(({ epoch }) => epoch))
    for (const epoch of this.#ended) if (!epochs.has(epoch)) this.#ended.delete(epoch)
    for (const [epoch, socket] of this.#held)
      if (!epochs.has(epoch)) {
        this.#held.delete(epoch)
        this.#reached.delete(epoch)
        socket.destroy()
      }
    for (const worker of workers)
      if (worker.lifeline !== '' && !this.#held.has(worker.epoch)) this.#connect(worker)
  }

  #connect({ epoch, lifeline }: Watched): void {
    const socket = connect(addressFrom('lifeline', lifeline))
    this.#held.set(epoch, socket)
    let said = ''
    socket.setKeepAlive(true, KEEP_ALIVE_MS).unref()
    socket.on('data', (data) => {
      said = `${said}${data}`.slice(0, LONGEST_NUMBER)
      // Its port may be that of another worker by now.
      if (said !== `${epoch}\n`) return
      this.#reached.add(epoch)
      // What had ended was something between the two.
      this.#ended.delete(epoch)
    })
    socket.on('error', () => {})
    socket.once('end', () => {
      if (this.#held.get(epoch) === socket && this.#reached.has(epoch)) this.#ended.add(epoch)
    })
    socket.once('close', () => {
      if (this.#held.get(epoch) !== socket) return
      this.#held.delete(epoch)
      this.#reached.delete(epoch)
    })
  }

  [Symbol.dispose](): void {
    this.hold([])
  }
}

const KEEP_ALIVE_MS = 10_000
const LONGEST_NUMBER = 32
