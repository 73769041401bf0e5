/** `inbox --watch`: prints what arrives in the inbox and what was decided, whichever process has the store open. */
import type { InboxEntry } from '../../inbox/entry.ts'
import { inboxLists } from '../../inbox/stream.ts'
import { hasStore, noteNoStore, placeOfLog } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'
import { listenForInterruption, untilEnough } from '../interruption.ts'
import { watchStore } from '../live/watched-store.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { shownLines } from './entry-lines.ts'

export async function watchInbox(globals: GlobalOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const signal = untilEnough(interruption)
  const show = changes(screen, globals.baseDir)
  try {
    for await (const entries of watchedInbox(globals, signal)) await show(entries)
  } finally {
    interruption.stop()
  }
}

/** The inbox at once, and whenever it has changed. */
export async function* watchedInbox(
  globals: GlobalOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly InboxEntry[]> {
  const { followLog, recordedHead } = await import('../../remote/live-log.ts')
  const place = placeOfLog(globals)
  const watched = watchStore(globals)
  const log = {
    head: () => recordedHead(place),
    follow: (from: { readonly after: number; readonly signal: AbortSignal }) => followLog(place, from),
  }
  yield* inboxLists(() => watched.look((orchestrator) => orchestrator.inbox.list()), log, signal)
}

/** Prints an entry when it arrives or changes, and says when it is there no longer. */
function changes(screen: Terminal, baseDir: string): (entries: readonly InboxEntry[]) => Promise<void> {
  let shown = new Map<string, string>()
  return async (entries) => {
    const now = new Map(entries.map((entry) => [entry.id, JSON.stringify(entry)]))
    for (const id of shown.keys()) if (!now.has(id)) screen.note(`No longer in the inbox: ${id}`)
    for (const entry of entries) {
      if (shown.get(entry.id) === now.get(entry.id)) continue
      if (screen.json) screen.value(entry)
      else screen.line(`${(await shownLines(screen, entry, baseDir)).join('\n')}\n`)
    }
    shown = now
  }
}
