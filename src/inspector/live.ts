/** Tells a page that the log has grown, as server-sent events: the page then asks for what it shows. */
import type { ServerResponse } from 'node:http'
import type { LogIndex } from './index/index.ts'

/** A page cannot show more often than this. */
const BETWEEN_TWO_MS = 60

/** Writes until the page has gone, or the signal aborts. */
export function tellGrowth(
  response: ServerResponse,
  index: LogIndex,
  head: () => Promise<number>,
  signal: AbortSignal,
) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
  let timer: NodeJS.Timeout | undefined
  const tell = async () => {
    const { position, ended } = index
    const last = ended === null ? await head().catch(() => position) : position
    if (signal.aborted || response.destroyed) return
    response.write(
      `data: ${JSON.stringify({ indexed: position, head: Math.max(last, position), ended })}\n\n`,
    )
  }
  const forget = index.observe(() => {
    timer ??= setTimeout(() => {
      timer = undefined
      void tell()
    }, BETWEEN_TWO_MS)
  })
  const stop = () => {
    forget()
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    response.end()
  }
  response.once('close', stop)
  signal.addEventListener('abort', stop, { once: true })
  void tell()
}
