/** `inspect`: serves the web inspector until Ctrl-C. */

import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { defined } from '../../events/json.ts'
import type { EventStore } from '../../store/event-store.ts'
import { port } from '../arguments.ts'
import { hasStore, noteNoStore, placeOfLog } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { listenForInterruption } from '../interruption.ts'
import { commandLogger } from '../logger.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function inspectCommand(command: Command): void {
  command
    .description('open the web inspector: a timeline, the whole system at any moment of it, and your inbox')
    .option('--port <n>', 'port on 127.0.0.1 (default: the one of last time)', port)
    .option('--read-only', 'only look: the page can approve, cancel and change nothing')
    .option('--new-key', 'renew the key of the address: links and browsers that have the old one are refused')
    .option('--no-open', 'print the address without opening a browser')
    .action(withGlobals(inspect))
}

interface InspectOptions {
  readonly port?: number
  readonly readOnly?: boolean
  readonly newKey?: boolean
  /** False with `--no-open`. */
  readonly open: boolean
}

async function inspect(globals: GlobalOptions, inspecting: InspectOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { readingStore } = await import('../../remote/reading-store.ts')
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  try {
    const options = { logger: await commandLogger(globals) }
    const baseDir = resolve(globals.baseDir)
    await using store = await readingStore(placeOfLog(globals), options)
    // Its page acts through the process that has a directory open.
    const readOnly = inspecting.readOnly || globals.database !== undefined
    await serveInspector({ store, baseDir }, { ...inspecting, readOnly }, screen, interruption.signal)
  } catch (error) {
    if (!isDamage(error)) throw error
    await inspectDamaged(globals, inspecting, error, interruption.signal)
  } finally {
    interruption.stop()
  }
}

/** Until Ctrl-C. */
async function serveInspector(
  inspected: { readonly store: EventStore; readonly baseDir: string },
  { port, readOnly = false, newKey = false, open }: InspectOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { inspectorAt } = await import('../../inspector/address.ts')
  await using serving = await inspectorAt(inspected, defined({ port, readOnly, newKey }))
  if (terminal.json) terminal.value({ url: serving.url })
  else terminal.line(serving.url)
  const can = readOnly ? 'read the log' : 'read the log and act as you'
  const warning = `Anyone who knows this address can ${can}. Ctrl-C stops serving it.`
  terminal.progress(terminal.accent('dim', warning))
  // A program that reads the address wants no window.
  if (open && terminal.interactive) await openBrowser(serving.url, terminal)
  if (!signal.aborted) await once(signal, 'abort')
}

const DAMAGE = new Set(['StoreDamaged', 'CorruptRecord', 'SequenceGap', 'TailLoss'])

const isDamage = (error: unknown): error is Error & { summary: string } =>
  DAMAGE.has((error as { _tag?: string })._tag ?? '')

/** A store that cannot be opened can still be inspected, which is exactly when one wants to. */
async function inspectDamaged(
  globals: GlobalOptions,
  options: InspectOptions,
  error: { summary: string },
  signal: AbortSignal,
) {
  const screen = terminal(globals)
  screen.note(screen.accent('yellow', `${inert(error.summary)} Showing what its files still contain.`))
  screen.note('claude-agents log verify lists all damage; log repair --to DIR saves what is intact.')
  const { damagedStore } = await import('../../inspector/damaged-store.ts')
  await using store = await damagedStore(globals.baseDir)
  await serveInspector({ store, baseDir: resolve(globals.baseDir) }, options, screen, signal)
}

/** Without a browser the inspector keeps serving: the address can be opened by hand. */
async function openBrowser(url: string, terminal: Terminal): Promise<void> {
  const failed = () => terminal.note('Could not open a browser: open the address yourself.')
  try {
    const { default: open } = await import('open')
    const child = await open(url)
    child.once('error', failed)
  } catch {
    failed()
  }
}
