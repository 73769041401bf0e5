/** The keyboard shortcuts, as a table that the help shows as well. */
import { step } from './loading.ts'
import {
  chooseFile,
  clearFilter,
  filtered,
  goTo,
  head,
  helpOpen,
  moment,
  shownRange,
  toggleFollowing,
  togglePane,
  zoom,
} from './state.ts'
import { nextTheme } from './theme.ts'

interface Key {
  /** Values of `KeyboardEvent.key`, with `Shift+` before arrows. */
  readonly keys: readonly string[]
  readonly shown: string
  readonly does: string
  readonly act: () => unknown
}

const shownStream = () => moment.peek()?.fact?.stream ?? ''

export const SHORTCUTS: readonly Key[] = [
  {
    keys: ['ArrowRight', 'ArrowDown'],
    shown: '→ ↓',
    does: 'next matching fact',
    act: () => step(1),
  },
  { keys: ['ArrowLeft', 'ArrowUp'], shown: '← ↑', does: 'previous matching fact', act: () => step(-1) },
  {
    keys: ['Shift+ArrowRight'],
    shown: '⇧ →',
    does: 'next fact of the same actor',
    act: () => step(1, shownStream()),
  },
  {
    keys: ['Shift+ArrowLeft'],
    shown: '⇧ ←',
    does: 'previous fact of the same actor',
    act: () => step(-1, shownStream()),
  },
  { keys: ['PageDown'], shown: 'Page ↓', does: '100 facts forward', act: () => step(100) },
  { keys: ['PageUp'], shown: 'Page ↑', does: '100 facts back', act: () => step(-100) },
  { keys: ['Home'], shown: 'Home', does: 'first fact', act: () => goTo(1) },
  { keys: ['End'], shown: 'End', does: 'last fact', act: () => goTo(head.peek()) },
  { keys: ['e', ']'], shown: 'e', does: 'next problem', act: () => step(1, 'problems') },
  { keys: ['E', '['], shown: '⇧ E', does: 'previous problem', act: () => step(-1, 'problems') },
  { keys: [' '], shown: 'Space', does: 'start or stop following the log', act: toggleFollowing },
  {
    keys: ['f'],
    shown: 'f',
    does: 'show or hide the files of the actor',
    act: () => togglePane('files'),
  },
  {
    keys: ['d'],
    shown: 'd',
    does: 'show or hide what was changed in them',
    act: () => togglePane('changes'),
  },
  { keys: ['j'], shown: 'j', does: 'next file', act: () => chooseFile(1) },
  { keys: ['k'], shown: 'k', does: 'previous file', act: () => chooseFile(-1) },
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
  { keys: ['t'], shown: 't', does: 'light, dark or system theme', act: nextTheme },
  {
    keys: ['?'],
    shown: '?',
    does: 'show or hide this help',
    act: () => {
      helpOpen.value = !helpOpen.value
    },
  },
  { keys: ['Escape'], shown: 'Esc', does: 'close this help, or clear the filter', act: dismiss },
]

function dismiss(): void {
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

const SCROLLING = new Set(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', ' '])

/** Whether a key is a shortcut here: not while typing into a field, and not a space that presses a button. */
function isFree({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement) || key === 'Escape') return true
  if (target.matches('input[type=search], select')) return false
  // Unlike a text that is read.
  if (target.matches('.reader') && SCROLLING.has(key)) return false
  // A focused slider or list of facts must not keep the arrow keys for itself.
  return !(target.matches('button, summary') && key === ' ')
}
