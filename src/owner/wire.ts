/** How an owner and whoever works through it talk: HTTP on a unix socket, lists as lines of JSON, errors as data. */
import type { ServerResponse } from 'node:http'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { callErrorFrom, type ErrorData, errorData } from '../events/errors/recorded.ts'

/** Raised whenever one side could misunderstand the other. */
export const PROTOCOL = 2

/** What an owner says of itself when it is asked for nothing. */
export interface Greeting {
  readonly protocol: number
  readonly pid: number
  readonly storeId: string
  readonly epoch: number
  /** Nothing can be appended, whoever asks. */
  readonly forReading: boolean
  /** The device and inode of its directory: a copy of it has the same record, and another owner or none. */
  readonly directory: string
}

/** The only line of a list that is not one of its values, and its last. */
export interface ErrorLine {
  readonly error: ErrorData
}

export const isErrorLine = (value: unknown): value is ErrorLine =>
  typeof value === 'object' && value !== null && 'error' in value && Object.keys(value).length === 1

/** An error as it travels. */
export function errorLine(error: unknown): ErrorLine {
  if (error instanceof ClaudeAgentError) return { error: errorData(error) }
  const message = error instanceof Error ? error.message : String(error)
  return { error: { tag: 'UnexpectedError', message, hint: '', retryable: false, details: {} } }
}

/** The error that has travelled, to be thrown again: with the same tag, message and hint. */
export const errorFrom = ({ error }: ErrorLine): ClaudeAgentError => callErrorFrom(error)

const PIECE = 64 * 1024
const GONE = new Error('the reader has gone')

/**
 * Writes lines to a reader as fast as it takes them. Those that come in one turn of the event loop leave as one piece.
 * `write` resolves when there is room for more; it rejects when the reader has gone.
 */
export class LineWriter {
  readonly #response: ServerResponse
  #waiting = ''
  #flushing: NodeJS.Immediate | undefined

  constructor(response: ServerResponse) {
    this.#response = response
    response.setHeader('content-type', 'application/x-ndjson')
  }

  /** In bytes: what the reader has not taken yet. */
  get backlog(): number {
    return this.#waiting.length + this.#response.writableLength
  }

  write(value: unknown): Promise<void> | undefined {
    this.#waiting += `${JSON.stringify(value)}\n`
    if (this.#waiting.length >= PIECE) return this.#flush()
    this.#flushing ??= setImmediate(() => void this.#flush()?.catch(() => {}))
    return undefined
  }

  /** Gives the reader up: it sees that the end is missing. */
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
    const piece = this.#waiting
    this.#waiting = ''
    if (this.#response.destroyed) return Promise.reject(GONE)
    if (piece === '' || this.#response.write(piece)) return undefined
    return drained(this.#response)
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = () => {
      response.off('drain', finish)
      response.off('close', finish)
      if (response.destroyed) reject(GONE)
      else resolve()
    }
    response.once('drain', finish)
    response.once('close', finish)
  })
}
