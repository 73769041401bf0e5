/** `inspect`: serves the web inspector until Ctrl-C. */
import { once } from 'node:events'
import type { EventStore } from '../store/event-store.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { listenForInterruption } from './interruption.ts'
import { withSession } from './session.ts'
import { inert, type Terminal, terminal } from './terminal.ts'

export interface InspectOptions {
  readonly port?: number
  /** False with `--no-open`. */
  readonly open: boolean
}

export async function inspect(globals: GlobalOptions, options: InspectOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  try {
    await withSession(globals, ({ orchestrator, terminal, signal }) =>
      serve(orchestrator.store, options, terminal, signal),
    )
  } catch (error) {
    if (!isDamage(error)) throw error
    await inspectDamaged(globals, options, error)
  }
}

/** The store is open, in this process or another, until somebody has seen enough. */
async function serve(
  store: EventStore,
  { port, open }: InspectOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { inspector } = await import('../inspector/inspector.ts')
  await using serving = await inspector(store, port === undefined ? {} : { port })
  if (terminal.json) terminal.value({ url: serving.url })
  else terminal.line(serving.url)
  terminal.progress(terminal.accent('dim', 'Whoever knows this address can read the log. Ctrl-C ends it.'))
  // A program that reads the address wants no window.
  if (open && terminal.interactive) await openBrowser(serving.url, terminal)
  if (!signal.aborted) await once(signal, 'abort')
}

const DAMAGE = new Set(['StoreDamaged', 'CorruptRecord', 'SequenceGap', 'TailLoss'])

const isDamage = (error: unknown): error is Error & { summary: string } =>
  DAMAGE.has((error as { _tag?: string })._tag ?? '')

/** What cannot be opened can still be looked at, which is what one wants to do then. */
async function inspectDamaged(globals: GlobalOptions, options: InspectOptions, error: { summary: string }) {
  const screen = terminal(globals)
  screen.note(screen.accent('yellow', `${inert(error.summary)} Shown is what its files still hold.`))
  screen.note('claude-agents log verify says all that is wrong; log repair --to DIR saves what is whole.')
  const { damagedStore } = await import('../inspector/damaged-store.ts')
  const interruption = listenForInterruption()
  try {
    await using store = await damagedStore(globals.baseDir)
    await serve(store, options, screen, interruption.signal)
  } finally {
    interruption.stop()
  }
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
