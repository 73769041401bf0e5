/** The keys: a table, which the help shows as well. */
import { step } from './loading.ts'
import {
  clearFilter,
  filtered,
  goTo,
  head,
  helpOpen,
  moment,
  shownRange,
  toggleFollowing,
  zoom,
} from './state.ts'
import { nextTheme } from './theme.ts'

interface Key {
  /** As `KeyboardEvent.key` has it, with `Shift+` before the arrows. */
  readonly keys: readonly string[]
  readonly shown: string
  readonly does: string
  readonly act: () => unknown
}

const ownStream = () => moment.peek()?.fact?.stream ?? ''

export const SHORTCUTS: readonly Key[] = [
  {
    keys: ['ArrowRight', 'ArrowDown'],
    shown: '→ ↓',
    does: 'the next fact (of those that match)',
    act: () => step(1),
  },
  { keys: ['ArrowLeft', 'ArrowUp'], shown: '← ↑', does: 'the previous fact', act: () => step(-1) },
  {
    keys: ['Shift+ArrowRight'],
    shown: '⇧ →',
    does: 'the next fact of the same actor',
    act: () => step(1, ownStream()),
  },
  {
    keys: ['Shift+ArrowLeft'],
    shown: '⇧ ←',
    does: 'the previous fact of the same actor',
    act: () => step(-1, ownStream()),
  },
  { keys: ['PageDown'], shown: 'Page ↓', does: 'a hundred facts on', act: () => step(100) },
  { keys: ['PageUp'], shown: 'Page ↑', does: 'a hundred facts back', act: () => step(-100) },
  { keys: ['Home'], shown: 'Home', does: 'the beginning', act: () => goTo(1) },
  { keys: ['End'], shown: 'End', does: 'the end', act: () => goTo(head.peek()) },
  { keys: ['e', ']'], shown: 'e', does: 'the next problem', act: () => step(1, 'problems') },
  { keys: ['E', '['], shown: '⇧ E', does: 'the previous problem', act: () => step(-1, 'problems') },
  { keys: [' '], shown: 'Space', does: 'follow the log, or stop following', act: toggleFollowing },
  { keys: ['/'], shown: '/', does: 'search', act: () => document.getElementById('search')?.focus() },
  { keys: ['+', '='], shown: '+', does: 'zoom in', act: () => zoom(0.5) },
  { keys: ['-'], shown: '−', does: 'zoom out', act: () => zoom(2) },
  {
    keys: ['0'],
    shown: '0',
    does: 'show the whole log',
    act: () => {
      shownRange.value = null
    },
  },
  { keys: ['t'], shown: 't', does: 'light, dark, or as the system has it', act: nextTheme },
  {
    keys: ['?'],
    shown: '?',
    does: 'this help',
    act: () => {
      helpOpen.value = !helpOpen.value
    },
  },
  { keys: ['Escape'], shown: 'Esc', does: 'close this, or take the filter away', act: letGo },
]

function letGo(): void {
  if (helpOpen.value) helpOpen.value = false
  else if (filtered.value) clearFilter()
}

const byKey = new Map(SHORTCUTS.flatMap((key) => key.keys.map((name) => [name, key] as const)))

export function listenToKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const arrow = event.shiftKey && event.key.startsWith('Arrow')
    const key = byKey.get(arrow ? `Shift+${event.key}` : event.key)
    if (!key || !isFree(event)) return
    event.preventDefault()
    key.act()
  })
}

/** What one types into a field, or presses a button with, is no command. */
function isFree({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement) || key === 'Escape') return true
  if (target.matches('input[type=search], select')) return false
  // A focused slider and the list of facts move as the page does.
  return !(target.matches('button, summary') && key === ' ')
}
