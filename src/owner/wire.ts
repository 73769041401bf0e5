/** The protocol between an owner and its clients: HTTP on a Unix socket, lists as NDJSON, errors as data. */
import type { ServerResponse } from 'node:http'
import { ClaudeAgentError, describeError } from '../events/errors/base.ts'
import { callErrorFrom, type ErrorData, errorData } from '../events/errors/recorded.ts'

/** The version of the protocol. Raise it whenever one side could misunderstand the other. */
export const PROTOCOL = 3

/** Read by a client that has asked for a change, until it is done with the owner: until then it may ask for more. */
export const PRESENCE = '/presence'

/** An owner's answer to `GET /`: who it is. */
export interface Greeting {
  readonly protocol: number
  readonly pid: number
  readonly storeId: string
  readonly epoch: number
  /** The store is read-only, even for its owner. */
  readonly forReading: boolean
  /** The device and inode of the base directory: a copy of the directory has the same record, but not this owner. */
  readonly directory: string
  /** What answers its calls: see `AgentRunner.name`. */
  readonly runner: string
  /** The version of its package, and since when it serves, in ms since the epoch. Older versions do not tell. */
  readonly version?: string
  readonly servesSince?: number
  /** Whether it accepts nothing new any more, and ends when its work has. */
  readonly stopping?: boolean
}

/** A request to end, to `POST /stop`. */
export interface StopRequest {
  /** Whether to end at once: what is not finished is left to the next opening. */
  readonly now: boolean
}

/** The last line of a list that failed: the only line that is not one of its values. */
export interface ErrorLine {
  readonly error: ErrorData
}

export const isErrorLine = (value: unknown): value is ErrorLine =>
  typeof value === 'object' && value !== null && 'error' in value && Object.keys(value).length === 1

/** An error as a line of the protocol. */
export function errorLine(error: unknown): ErrorLine {
  if (error instanceof ClaudeAgentError) return { error: errorData(error) }
  const { code: tag, message, hint } = describeError(error)
  return { error: { tag, message, hint, retryable: false, details: {} } }
}

/** The error of a line, to throw again: same tag, message and hint. */
export const errorFrom = ({ error }: ErrorLine): ClaudeAgentError => callErrorFrom(error)

/** In bytes. */
const LARGEST_CHUNK = 64 * 1024
const DISCONNECTED = new Error('the reader has disconnected')

/**
 * Writes NDJSON to a reader with backpressure. The lines of one turn of the event loop leave as one chunk.
 * `write` resolves when there is room for more, and rejects when the reader has disconnected.
 */
export class LineWriter {
  readonly #response: ServerResponse
  #buffer = ''
  #flushing: NodeJS.Immediate | undefined

  constructor(response: ServerResponse) {
    this.#response = response
    response.setHeader('content-type', 'application/x-ndjson')
  }

  /** The bytes that the reader has not taken yet. */
  get backlog(): number {
    return this.#buffer.length + this.#response.writableLength
  }

  write(value: unknown): Promise<void> | undefined {
    this.#buffer += `${JSON.stringify(value)}\n`
    if (this.#buffer.length >= LARGEST_CHUNK) return this.#flush()
    this.#flushing ??= setImmediate(() => void this.#flush()?.catch(() => {}))
    return undefined
  }

  /** Lines that are encoded already. */
  writePage(page: Buffer): Promise<void> | undefined {
    return this.#send(page)
  }

  /** Disconnects the reader, which notices that the list is incomplete. */
  abandon(): void {
    this.#response.destroy()
  }

  end(): void {
    void this.#flush()?.catch(() => {})
    this.#response.end()
  }

  #flush(): Promise<void> | undefined {
    clearImmediate(this.#flushing)
    this.#flushing = undefined
    const chunk = this.#buffer
    this.#buffer = ''
    return chunk === '' ? undefined : this.#send(chunk)
  }

  #send(chunk: string | Buffer): Promise<void> | undefined {
    if (this.#response.destroyed) return Promise.reject(DISCONNECTED)
    return this.#response.write(chunk) ? undefined : drained(this.#response)
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      response.off('drain', finish)
      response.off('close', finish)
      if (response.destroyed) reject(DISCONNECTED)
      else resolve()
    }
    response.once('drain', finish)
    response.once('close', finish)
  })
}
