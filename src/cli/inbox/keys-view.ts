/** Deciding the inbox by keys as a pure function: what is chosen, and what each key does. */
import type { InboxEntry } from '../../inbox/entry.ts'
import type { Key } from '../terminal/screen.ts'

/** What a key has decided. */
export type KeyDecision =
  | { readonly does: 'approve' | 'edit'; readonly entry: InboxEntry }
  | { readonly does: 'deny' | 'answer'; readonly entry: InboxEntry; readonly text: string }

export interface InboxScreen {
  /** The id of the entry that keys decide; null if it is gone, until another one is chosen. */
  readonly chosen: string | null
  /** Whether it is shown in full, and how many of its lines are above the screen. */
  readonly isFull: boolean
  readonly offset: number
  /** The reason of a denial, or an answer, while it is being typed. */
  readonly typing: { readonly does: 'deny' | 'answer'; readonly text: string } | null
  /** What it says, until the next key. */
  readonly said: string | null
  readonly decision: KeyDecision | null
  readonly ended: boolean
}

type Entries = readonly InboxEntry[]

export const firstInboxView = (entries: Entries, said: string | null = null): InboxScreen => ({
  ...{ chosen: entries[0]?.id ?? null, isFull: false, offset: 0, typing: null, said },
  ...{ decision: null, ended: false },
})

const isQuestion = ({ kind }: { readonly kind: string }) => kind === 'question'

/** What keys do with an entry. What is most needed first: a narrow terminal cuts the rest. */
export function inboxKeys(entry: InboxEntry | undefined): string {
  const numbers = entry?.choices ? `  ${numbersOf(entry.choices)} take that answer` : ''
  const yes = entry && isQuestion(entry) ? 'a answer' : 'a approve'
  const edit = entry?.tool ? '  e edit' : ''
  return `${yes}  d deny  q quit${numbers}${edit}  enter in full  ↑↓ choose`
}

const numbersOf = ({ length }: readonly string[]) => (length === 1 ? '1' : `1 to ${Math.min(9, length)}`)

/**
 * The view of another list. *Contract:* a key decides only an entry that was shown when it was pressed, so none takes the
 * place of one that is gone.
 */
export function listed(view: InboxScreen, entries: Entries): InboxScreen {
  const { chosen } = view
  if (chosen === null || entries.some(({ id }) => id === chosen)) return view
  return { ...firstInboxView([]), said: `No longer in the inbox: ${chosen}` }
}

/** @param rows How many lines of an entry the screen has. */
export function pressedInInbox(view: InboxScreen, entries: Entries, key: Key, rows = 20): InboxScreen {
  const calm = { ...view, said: null }
  const { name = '', sequence = '', ctrl = false } = key
  if (ctrl && name === 'd') return { ...calm, ended: true }
  const entry = entries.find(({ id }) => id === view.chosen)
  if (view.typing) return entry ? typed(calm, view.typing, entry, key) : { ...calm, typing: null }
  // Pasted text is meant for what is typed.
  if (key.isPasted || ctrl) return calm
  if (name === 'q') return { ...calm, ended: true }
  if (name === 'escape') return view.isFull ? { ...calm, isFull: false } : { ...calm, ended: true }
  const by = MOVES[name]
  if (by !== undefined && view.isFull)
    return { ...calm, offset: Math.max(0, view.offset + (Math.abs(by) > 1 ? Math.sign(by) * rows : by)) }
  if (by !== undefined) return { ...calm, chosen: moved(entries, view.chosen, by) }
  if (!['a', 'd', 'e', 'return', 'enter'].includes(name) && !/^[1-9]$/.test(sequence)) return calm
  if (!entry) return { ...calm, said: 'Choose an entry: ↑↓' }
  if (name === 'return' || name === 'enter') return { ...calm, isFull: !view.isFull, offset: 0 }
  const choice = entry.choices?.[Number(sequence) - 1]
  if (choice !== undefined) return { ...calm, typing: { does: 'answer', text: choice } }
  if (/^[1-9]$/.test(sequence))
    return {
      ...calm,
      said: entry.choices ? `Its answers: ${numbersOf(entry.choices)}.` : 'It has no answers to choose from.',
    }
  if (name === 'd') return { ...calm, typing: { does: 'deny', text: '' } }
  if (isQuestion(entry)) return { ...calm, isFull: true, typing: { does: 'answer', text: '' } }
  // In the list it may be cut: nobody approves what was not on the screen.
  if (name === 'a' && entry.tool !== null && !view.isFull)
    return { ...calm, isFull: true, offset: 0, said: 'This is the whole call. Press a again to approve it.' }
  if (name === 'a') return { ...calm, decision: { does: 'approve', entry } }
  if (name !== 'e') return calm
  if (entry.tool === null) return { ...calm, said: 'Only the input of a tool can be edited.' }
  return { ...calm, decision: { does: 'edit', entry } }
}

const MOVES: Readonly<Record<string, number>> = { up: -1, k: -1, down: 1, j: 1, pageup: -10, pagedown: 10 }

function moved(entries: Entries, chosen: string | null, by: number): string | null {
  const at = entries.findIndex(({ id }) => id === chosen)
  const to = at < 0 ? (by > 0 ? 0 : entries.length - 1) : at + by
  return entries[Math.max(0, Math.min(entries.length - 1, to))]?.id ?? null
}

function typed(
  view: InboxScreen,
  { does, text }: NonNullable<InboxScreen['typing']>,
  entry: InboxEntry,
  { name, sequence = '', isPasted = false, ctrl = false }: Key,
): InboxScreen {
  if (name === 'escape') return { ...view, typing: null }
  if (name === 'backspace') return { ...view, typing: { does, text: [...text].slice(0, -1).join('') } }
  if (ctrl && name === 'u') return { ...view, typing: { does, text: '' } }
  if ((name === 'return' || name === 'enter') && !isPasted) {
    if (does === 'answer' && text.trim() === '') return { ...view, said: 'An answer has at least a letter.' }
    return { ...view, typing: null, decision: { does, entry, text } }
  }
  const added = /^[\r\n\t]$/.test(sequence) ? ' ' : sequence
  return added === '' || /\p{C}/u.test(added) ? view : { ...view, typing: { does, text: text + added } }
}
