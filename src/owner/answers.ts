/** An owner's HTTP bodies: requests of bounded size, lists with backpressure, errors as data. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClaudeAgentError } from '../events/errors/base.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import type { OwnerAnswer } from './reads.ts'
import { errorLine, LineWriter } from './wire.ts'

/** In bytes. A task's prompt and all its inputs travel in one request. */
export const LARGEST_REQUEST = 64 * 1024 * 1024

/** Sends an answer; a list line by line, as fast as its reader takes it. */
export async function sendAnswer(response: ServerResponse, answer: OwnerAnswer): Promise<void> {
  if ('text' in answer) {
    response.setHeader('content-type', answer.type)
    response.end(answer.text)
    return
  }
  const lines = new LineWriter(response)
  if ('value' in answer) {
    void lines.write(answer.value)?.catch(() => {})
    return lines.end()
  }
  response.flushHeaders()
  try {
    if ('pages' in answer) for await (const page of answer.pages) await lines.writePage(page)
    else
      for await (const value of answer.values) {
        await lines.write(value)
        if (response.destroyed) return
      }
  } catch (error) {
    await lines.write(errorLine(error))?.catch(() => {})
  }
  lines.end()
}

/** The body of a request; null if it is larger than so many bytes. */
export async function readBody(request: IncomingMessage, most = LARGEST_REQUEST): Promise<string | null> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.byteLength
    if (bytes > most) return null
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

export function parseBody(body: string): object {
  try {
    return JSON.parse(body) as object
  } catch (cause) {
    throw new InvalidInputError({ what: 'The request', problem: 'it is not JSON' }, { cause })
  }
}

export function refuseRequest(response: ServerResponse, status: number, error: ClaudeAgentError): void {
  response.statusCode = status
  response.setHeader('connection', 'close')
  sendFailure(response, error)
}

export function sendFailure(response: ServerResponse, error: unknown): void {
  if (!response.headersSent) response.setHeader('content-type', 'application/x-ndjson')
  if (!response.writableEnded) response.end(`${JSON.stringify(errorLine(error))}\n`)
}
