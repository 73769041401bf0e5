/** `inbox` on a terminal: the entries on the screen, decided by keys, each of which does what its command does. */
import { systemClock } from '../../clock.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { ago, plural } from '../../events/figures.ts'
import { defined, isJsonObject, type JsonObject } from '../../events/json.ts'
import { continuesTurn, type InboxEntry } from '../../inbox/entry.ts'
import { hasStore, noteNoStore } from '../existing-store.ts'
import { reportFailure } from '../failure.ts'
import type { GlobalOptions } from '../global-options.ts'
import { listenForInterruption } from '../interruption.ts'
import { edited, editorCommand } from '../terminal/editor.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { anyKey, type Drawing, type Size, showScreen } from '../terminal/screen.ts'
import { cut, ending, inert } from '../terminal/text.ts'
import { brokenLines, entryLines, NOTHING_WAITS } from './entry-lines.ts'
import {
  firstInboxView,
  type InboxScreen,
  inboxKeys,
  type KeyDecision,
  listed,
  pressedInInbox,
} from './keys-view.ts'
import { watchedInbox } from './watch.ts'

/** What the commands of the same names do. */
export interface InboxDecisions {
  approve(
    globals: GlobalOptions,
    id: string,
    options: { readonly wait: boolean; readonly input?: JsonObject },
  ): Promise<void>
  deny(
    globals: GlobalOptions,
    id: string,
    options: { readonly wait: boolean; readonly reason?: string },
  ): Promise<void>
  answer(
    globals: GlobalOptions,
    id: string,
    text: string,
    options: { readonly wait: boolean; readonly by?: string },
  ): Promise<void>
}

/** @param stays Whether it waits for more when nothing waits any longer. */
export async function decideByKeys(
  globals: GlobalOptions,
  stays: boolean,
  decisions: InboxDecisions,
): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const { signal } = interruption
  let said: string | null = null
  try {
    for (;;) {
      const { decision, isEmpty } = await nextDecision(globals, screen, { stays, signal, said })
      if (isEmpty) screen.note(NOTHING_WAITS)
      if (decision === null) return
      const isDone = await carriedOut(globals, screen, decision, decisions)
      if (signal.aborted) return
      said = isDone && isSettled(decision) ? `denied ${decision.entry.id}` : null
      if (said !== null || (!stays && (await isNothingLeft(globals)))) continue
      screen.note(screen.accent('dim', 'Press a key for the inbox, q to quit.'))
      const key = await anyKey()
      if (key === null || key.name === 'q' || (key.ctrl && key.name === 'd')) return
    }
  } finally {
    interruption.stop()
  }
}

/** Whether nothing continues that could print an answer. */
const isSettled = ({ does, entry }: KeyDecision) => does === 'deny' && !continuesTurn(entry.id)

interface Looking {
  readonly stays: boolean
  readonly signal: AbortSignal
  readonly said: string | null
}

/** Shows the inbox until a key decides something or ends it. It is read until then, and never owned. */
async function nextDecision(
  globals: GlobalOptions,
  screen: Terminal,
  { stays, signal, said }: Looking,
): Promise<{ readonly decision: KeyDecision | null; readonly isEmpty: boolean }> {
  let latest: readonly InboxEntry[] | undefined
  let entries: readonly InboxEntry[] = []
  let view: InboxScreen | undefined
  let rows = 0
  let redraw = () => {}
  const stop = new AbortController()
  let arrived = () => {}
  const first = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const follow = async () => {
    for await (const list of watchedInbox(globals, AbortSignal.any([signal, stop.signal]))) {
      latest = list
      arrived()
      redraw()
    }
  }
  let hasFailed = false
  const following = follow()
  following
    .catch(() => {
      hasFailed = true
    })
    .finally(() => {
      arrived()
      redraw()
    })
  let isEmpty = false
  const draw = async (size: Size) => {
    await first
    // What it shows would stay as it is for ever. The failure is told where the following is awaited.
    if (!latest || hasFailed) return null
    // A key decides what is drawn, so the list does not change in between.
    entries = latest
    view = view ? listed(view, entries) : firstInboxView(entries, said)
    isEmpty = entries.length === 0 && !stays
    if (isEmpty) return null
    rows = Math.max(1, size.rows - AROUND)
    const asked = view
    const drawn = await drawing(screen, asked, entries, size, globals.baseDir)
    // A key may have been pressed meanwhile.
    if (view === asked) view = { ...view, offset: drawn.offset }
    return drawn
  }
  const press = (key: Parameters<typeof pressedInInbox>[2]) => {
    if (!view) return true
    view = pressedInInbox(view, entries, key, rows)
    return !view.ended && view.decision === null
  }
  try {
    await showScreen(
      {
        draw,
        press,
        follow(again) {
          redraw = again
          return () => {}
        },
      },
      signal,
    )
  } finally {
    stop.abort()
    await following
  }
  return { decision: view?.decision ?? null, isEmpty }
}

async function isNothingLeft(globals: GlobalOptions): Promise<boolean> {
  for await (const entries of watchedInbox(globals, new AbortController().signal)) return entries.length === 0
  return true
}

/** The head, the line of keys, and what separates them. */
const AROUND = 4

async function drawing(
  screen: Terminal,
  view: InboxScreen,
  entries: readonly InboxEntry[],
  { columns, rows }: Size,
  baseDir: string,
): Promise<Drawing & { readonly offset: number }> {
  const room = Math.max(1, rows - AROUND)
  const entry = entries.find(({ id }) => id === view.chosen)
  const isFull = view.isFull && entry !== undefined
  const all = isFull
    ? await fullLines(screen, entry, columns, baseDir)
    : entries.flatMap((one) => briefLines(screen, one, one.id === view.chosen, columns)).slice(0, -1)
  const at = entries.findIndex(({ id }) => id === view.chosen) * LINES_OF_ENTRY
  // The last line of an entry is empty.
  const wanted = isFull ? view.offset : Math.max(0, Math.min(at, at + LINES_OF_ENTRY - 1 - room))
  const offset = Math.min(wanted, Math.max(0, all.length - room))
  const head =
    entries.length === 0 ? NOTHING_WAITS : `${plural(entries.length, 'entry', 'entries')} in the inbox`
  const below = all.length - offset - room
  const more = below > 0 ? screen.style('dim', `  ${plural(below, 'more line')} below`) : ''
  const lines = [
    `${screen.style('bold', head)}${more}`,
    '',
    ...all.slice(offset, offset + room),
    '',
    foot(screen, view, entry, columns),
  ]
  return { lines: lines.slice(-rows), isTyping: view.typing !== null, offset: isFull ? offset : 0 }
}

function foot(
  screen: Terminal,
  { typing, said }: InboxScreen,
  entry: InboxEntry | undefined,
  columns: number,
): string {
  if (said !== null) return screen.style('yellow', inert(said))
  if (typing === null) return screen.style('dim', inboxKeys(entry))
  const asked = typing.does === 'deny' ? 'Deny it. Reason: ' : 'Answer: '
  return asked + ending(inert(typing.text), Math.max(1, columns - asked.length - 1))
}

const LINES_OF_ENTRY = 3

function briefLines(
  screen: Terminal,
  entry: InboxEntry,
  isChosen: boolean,
  columns: number,
): readonly string[] {
  const { id, since, question } = entry
  const age = ago(systemClock.now() - Date.parse(since))
  const name = screen.style(isChosen ? ['yellow', 'bold'] : 'yellow', inert(id))
  return [
    `${isChosen ? '▸' : ' '} ${name}  ${screen.style('dim', age)}`,
    `    ${cut(question, Math.max(1, columns - 4))}`,
    '',
  ]
}

/** As the command prints it, with the numbers of the answers. */
async function fullLines(
  screen: Terminal,
  entry: InboxEntry,
  columns: number,
  baseDir: string,
): Promise<readonly string[]> {
  const plain = { ...screen, style: (_: unknown, text: string) => text }
  const [head = '', ...lines] = brokenLines(await entryLines(plain, entry, baseDir, true), columns)
  return [screen.style('yellow', head), ...lines]
}

/** Does what the command would do, on the ordinary screen. Returns whether it succeeded. */
async function carriedOut(
  globals: GlobalOptions,
  screen: Terminal,
  decision: KeyDecision,
  { approve, deny, answer }: InboxDecisions,
): Promise<boolean> {
  const { does, entry } = decision
  const { id } = entry
  try {
    if (does === 'deny')
      await deny(globals, id, { wait: true, ...defined({ reason: decision.text || undefined }) })
    else if (does === 'answer') await answer(globals, id, decision.text, { wait: true })
    else {
      const input = does === 'edit' ? await editedInput(entry) : undefined
      if (input === null) {
        screen.note('Nothing was changed, and nothing was approved.')
        return false
      }
      await approve(globals, id, { wait: true, ...defined({ input }) })
    }
    return true
  } catch (error) {
    await reportFailure(error, false, {
      help: () => '',
      takesText: () => false,
      takesTheRest: () => null,
      commandWith: () => null,
    })
    // The user has seen it, and continues.
    if (process.exitCode === 1 || process.exitCode === 2 || process.exitCode === 75)
      process.exitCode = undefined
    return false
  }
}

/** The input of a tool; null if it was left as it is. */
async function editedInput({ input }: InboxEntry): Promise<JsonObject | null> {
  const before = JSON.stringify(input, null, 2)
  const what = 'The input'
  const text = await edited(editorCommand('e'), { what, file: 'INPUT.json', text: `${before}\n` })
  if (text === before) return null
  const given = parsed(text)
  if (isJsonObject(given)) return given
  throw new InvalidInputError({ what, problem: 'it is not a JSON object, so nothing was approved' })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
