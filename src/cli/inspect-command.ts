/** `inspect`: serves the web inspector until Ctrl-C. */
import { once } from 'node:events'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import type { Terminal } from './terminal.ts'

export interface InspectOptions {
  readonly port?: number
  /** False with `--no-open`. */
  readonly open: boolean
}

export async function inspect(globals: GlobalOptions, { port, open }: InspectOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { inspector } = await import('../inspect/inspector.ts')
  return withSession(globals, async ({ orchestrator, terminal, signal }) => {
    await using serving = await inspector(orchestrator, port === undefined ? {} : { port })
    if (terminal.json) terminal.value({ url: serving.url })
    else terminal.line(serving.url)
    terminal.progress(terminal.accent('dim', 'Whoever knows this address can read the log. Ctrl-C ends it.'))
    // A program that reads the address wants no window.
    if (open && terminal.interactive) await openBrowser(serving.url, terminal)
    if (!signal.aborted) await once(signal, 'abort')
  })
}

/** That there is no browser is no reason to end: the address can be opened by hand. */
async function openBrowser(url: string, terminal: Terminal): Promise<void> {
  const failed = () => terminal.note('No browser could be opened: open the address yourself.')
  try {
    const { default: open } = await import('open')
    const child = await open(url)
    child.once('error', failed)
  } catch {
    failed()
  }
}
