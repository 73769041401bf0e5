/**
 * The web inspector: pages that show runs, conversations and costs, and the whole system at any moment of the log.
 *
 * I1. It only reads.
 * I2. It answers only on 127.0.0.1, and only to requests with the token.
 * I3. Every response is bounded, whatever the log holds and however long it is.
 * I4. Text from the log is shown as text, or as the elements that its Markdown means: HTML is never parsed, nothing is loaded,
 *     and hidden characters are visible.
 * I5. Git only reads, one process for each kind of request, and only while the page waits.
 * I6. A record that cannot be read hides no other: the page shows it as broken, and everything before and after it.
 */
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { KINDS } from '../history/kinds.ts'
import type { EventStore } from '../store/event-store.ts'
import { InspectedFiles } from './files.ts'
import { LogIndex } from './index/index.ts'
import { Searches } from './index/search.ts'
import { serveInspector } from './server.ts'

/** Options of `inspector`. */
export interface InspectorOptions {
  /** The port to listen on at 127.0.0.1. Default: any free port. */
  readonly port?: number
}

/** A running inspector. */
export interface Inspector extends AsyncDisposable {
  /** The URL to open in a browser. It contains the key: anyone who knows it can read the log. */
  readonly url: string
  /** Stops the server. The store stays open. */
  close(): Promise<void>
}

const LARGEST_PORT = 65_535

/**
 * Serves the inspector for an orchestrator or a store until it is closed. With `{ store, baseDir }` instead of a store, it also
 * shows the files of agents, which are saved in that base directory.
 *
 * @throws PortUnavailableError, InvalidInputError
 * @example
 * await using inspecting = await inspector(orchestrator)
 * console.log(`Open ${inspecting.url}`)
 */
export async function inspector(
  inspected: EventStore | { readonly store: EventStore; readonly baseDir?: string },
  { port = 0 }: InspectorOptions = {},
): Promise<Inspector> {
  if (!(Number.isSafeInteger(port) && port >= 0 && port <= LARGEST_PORT)) {
    throw new InvalidInputError({ what: 'port', problem: `${port} is not a port (0 to ${LARGEST_PORT})` })
  }
  checkArgument('What to inspect', inspected, 'an object')
  const { store, baseDir } = 'store' in inspected ? inspected : { store: inspected, baseDir: undefined }
  checkArgument('What to inspect', store, 'a store')
  const index = new LogIndex(KINDS)
  const files = new InspectedFiles(store, index, baseDir)
  const server = await serveInspector({ store, index, searches: new Searches(index, store), files }, port)
  const ending = new AbortController()
  const following = index.follow(store, ending.signal)
  const close = async () => {
    ending.abort()
    await Promise.all([server.close(), following])
  }
  return { url: server.url, close, [Symbol.asyncDispose]: close }
}
