/** Sends an answer with its delays, in pieces, up to the point where the script interrupts it. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { type Clock, pause } from '../../clock.ts'
import type { ModelAnswer } from './answer.ts'
import { failureBody, streamParts, wholeMessage } from './answer-wire.ts'
import type { ModelRequest } from './messages-api.ts'

export interface DeliveryContext {
  readonly request: ModelRequest
  readonly response: ServerResponse
  readonly clock: Clock
  /** Aborts when the client disconnects or the model is closed. */
  readonly signal: AbortSignal
  /** Resolves when the test releases this request. */
  readonly released: () => Promise<void>
}

/** Sends an answer. Resolves when it is complete, when the connection was reset, or when the client has disconnected. */
export async function deliver(given: ModelAnswer, context: DeliveryContext): Promise<void> {
  const { response, signal, clock } = context
  if (given.firstByteAfterMs) await pause(clock, given.firstByteAfterMs, signal)
  if (given.interruption && given.interruption.afterChunks === undefined) await interrupt(given, context)
  if (signal.aborted) return
  if (given.kind === 'message' && context.request.stream) return deliverStream(given, context)

  const { status, headers, body } = wholeResponse(given, context.request)
  response.writeHead(status, headers)
  if (given.interruption?.afterChunks === undefined) {
    response.end(body)
    return
  }
  const half = Math.ceil(body.length / 2)
  await write(body.slice(0, half), context)
  await interrupt(given, context)
  if (!signal.aborted) response.end(body.slice(half))
}

async function deliverStream(
  given: ModelAnswer & { kind: 'message' },
  context: DeliveryContext,
): Promise<void> {
  const { request, response, signal, clock } = context
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  const stopAfter = given.interruption?.afterChunks
  let pieces = 0
  for (const part of streamParts(given, request)) {
    if (part.piece) {
      if (pieces === stopAfter) await interrupt(given, context)
      if (given.chunkDelayMs) await pause(clock, given.chunkDelayMs, signal)
      pieces += 1
    }
    if (signal.aborted) return
    await write(part.bytes, context)
  }
  if (stopAfter !== undefined && pieces <= stopAfter) await interrupt(given, context)
  if (!signal.aborted) response.end()
}

/** Interrupts the answer as scripted. Resolves when it may continue, or when the signal aborts. */
async function interrupt(given: ModelAnswer, { response, signal, released }: DeliveryContext): Promise<void> {
  if (signal.aborted || !given.interruption) return
  const disconnected = aborted(signal)
  switch (given.interruption.how) {
    case 'held':
      await Promise.race([released(), disconnected])
      return
    case 'dropped':
      // A reset discards unsent bytes, but the pieces before it are part of the script.
      await Promise.race([flushed(response), disconnected])
      response.socket?.resetAndDestroy()
      await disconnected
      return
    case 'hanging':
      await disconnected
  }
}

async function write(bytes: string, { response, signal }: DeliveryContext): Promise<void> {
  if (response.write(bytes) || signal.aborted) return
  await once(response, 'drain', { signal }).catch(() => undefined)
}

function flushed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.socket) response.socket.write('', () => resolve())
    else resolve()
  })
}

function wholeResponse(given: ModelAnswer, request: ModelRequest) {
  switch (given.kind) {
    case 'message':
      return { status: 200, headers: JSON_TYPE, body: wholeMessage(given, request) }
    case 'failure':
      return { status: given.status, headers: { ...JSON_TYPE, ...given.headers }, body: failureBody(given) }
    case 'raw':
      return { status: given.status, headers: { 'content-type': given.contentType }, body: given.body }
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
