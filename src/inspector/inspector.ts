/**
 * The web inspector: pages that show runs, conversations, costs and what waits for you, and the whole system at any moment.
 *
 * I1. It never opens or writes a store: what the page does is done by the owner, once for each form, and the log names who.
 * I2. It answers only on 127.0.0.1, and only to requests with the token.
 * I3. Every response is bounded, whatever the log holds and however long it is.
 * I4. Text from the log is shown as text, or as the elements that its Markdown means: HTML is never parsed, nothing is loaded,
 *     and hidden characters are visible.
 * I5. Git only reads, one process for each kind of request, and only while the page waits.
 * I6. A record that cannot be read hides no other: the page shows it as broken, and everything before and after it.
 */
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkArgument, checkOptionsOf } from '../events/options/decoding.ts'
import { KINDS } from '../history/kinds.ts'
import type { Orchestrator } from '../orchestrator.ts'
import type { EventStore } from '../store/event-store.ts'
import { actingOn } from './acts/acting.ts'
import { InspectedFiles } from './files.ts'
import { LogIndex } from './index/index.ts'
import { Searches } from './index/search.ts'
import { newToken, serveInspector } from './server.ts'

/** Options of `inspector`. */
export interface InspectorOptions {
  /** The port to listen on at 127.0.0.1. Default: any free port. */
  readonly port?: number
  /** The key of its URL, at least 32 of `A-Z a-z 0-9 - _`. Default: a new random one, so the URL is another one each time. */
  readonly token?: string
  /** Whether the page can only be looked at. Default: false, and it acts through the owner of the store. */
  readonly readOnly?: boolean
}

/** A running inspector. */
export interface Inspector extends AsyncDisposable {
  /** The URL to open in a browser. It contains the key: anyone who knows it can read the log and act on the page. */
  readonly url: string
  /** Stops the server. The store stays open. */
  close(): Promise<void>
}

const LARGEST_PORT = 65_535
const TOKEN = /^[\w-]{32,200}$/

/**
 * Serves the inspector for an orchestrator or a store until it is closed. With `{ store, baseDir }` instead of a store, it also
 * shows the files of agents, which are saved in that base directory, and acts through the process that has it open. With an
 * orchestrator it acts through that. `by` in the log is then the user of the system: `ann (inspector)`.
 *
 * @throws PortUnavailableError, InvalidInputError
 * @example
 * await using inspecting = await inspector(orchestrator)
 * console.log(`Open ${inspecting.url}`)
 */
export async function inspector(
  inspected: EventStore | { readonly store: EventStore; readonly baseDir?: string },
  options: InspectorOptions = {},
): Promise<Inspector> {
  checkOptionsOf('inspector', options, { port: true, token: true, readOnly: 'true or false' })
  const { port = 0, token = newToken(), readOnly = false } = options
  if (!(Number.isSafeInteger(port) && port >= 0 && port <= LARGEST_PORT)) {
    throw new InvalidInputError({ what: 'port', problem: `${port} is not a port (0 to ${LARGEST_PORT})` })
  }
  if (typeof token !== 'string' || !TOKEN.test(token)) {
    throw new InvalidInputError({ what: 'token', problem: 'it is not at least 32 of A-Z a-z 0-9 - _' })
  }
  checkArgument('What to inspect', inspected, 'an object')
  const { store, baseDir } = 'store' in inspected ? inspected : { store: inspected, baseDir: undefined }
  checkArgument('What to inspect', store, 'a store')
  const index = new LogIndex(KINDS)
  const files = new InspectedFiles(store, index, baseDir)
  const acting = actingOn('inbox' in inspected ? (inspected as Orchestrator) : { store, baseDir }, readOnly)
  const shown = { store, index, searches: new Searches(index, store), files }
  const server = await serveInspector(shown, acting, { port, token })
  const ending = new AbortController()
  const following = index.follow(store, ending.signal)
  const close = async () => {
    ending.abort()
    await Promise.all([server.close(), following])
    await files.close()
  }
  return { url: server.url, close, [Symbol.asyncDispose]: close }
}
