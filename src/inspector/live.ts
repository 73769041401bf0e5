/** Server-sent events that tell a page how far the log has grown; the page then requests what it shows. */
import type { ServerResponse } from 'node:http'
import type { LogIndex } from './index/index.ts'

/** The shortest time between two events: a page cannot redraw more often. */
const INTERVAL_MS = 60

/** Sends events until the page disconnects or the signal aborts. */
export function streamGrowth(
  response: ServerResponse,
  index: LogIndex,
  head: () => Promise<number>,
  signal: AbortSignal,
) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
  let timer: NodeJS.Timeout | undefined
  const send = async () => {
    const { position, ended } = index
    const last = ended === null ? await head().catch(() => position) : position
    if (signal.aborted || response.destroyed) return
    response.write(
      `data: ${JSON.stringify({ indexed: position, head: Math.max(last, position), ended })}\n\n`,
    )
  }
  const unsubscribe = index.observe(() => {
    timer ??= setTimeout(() => {
      timer = undefined
      void send()
    }, INTERVAL_MS)
  })
  const stop = () => {
    unsubscribe()
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    response.end()
  }
  response.once('close', stop)
  signal.addEventListener('abort', stop, { once: true })
  void send()
}
