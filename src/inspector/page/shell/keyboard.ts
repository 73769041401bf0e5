/** The keyboard shortcuts, as a table that the help shows as well. */
import { step } from '../log/loading.ts'
import {
  chooseFile,
  clearFilter,
  filtered,
  goTo,
  moment,
  shownRange,
  toggleFollowing,
  togglePane,
  zoom,
} from '../log/state.ts'
import { shownPage, visit } from './router.ts'
import { head, helpOpen } from './state.ts'
import { nextTheme } from './theme.ts'

export interface Shortcut {
  /** Values of `KeyboardEvent.key`, with `Shift+` before arrows; `g o` is two keys, one after the other. */
  readonly keys: readonly string[]
  readonly shown: string
  readonly does: string
  readonly act: () => unknown
}

const shownStream = () => moment.peek()?.fact?.stream ?? ''

const going = (key: string, does: string, address: string): Shortcut => ({
  keys: [`g ${key}`],
  shown: `g ${key}`,
  does,
  act: () => visit(address),
})

/** On every page. */
export const SHORTCUTS: readonly Shortcut[] = [
  going('o', 'overview', '/'),
  going('i', 'inbox', '/inbox'),
  going('r', 'runs', '/runs'),
  going('a', 'agents', '/agents'),
  going('l', 'log', '/log'),
  { keys: ['/'], shown: '/', does: 'search', act: focusSearch },
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

/** On the page of the log only: elsewhere, the same keys scroll. */
export const LOG_SHORTCUTS: readonly Shortcut[] = [
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
]

/** On the log, the search in facts; elsewhere, the one in prompts and answers. */
function focusSearch(): void {
  const field = document.getElementById('search') ?? document.getElementById('find')
  field?.focus()
}

function dismiss(): void {
  if (helpOpen.value) helpOpen.value = false
  else if (isOnLog() && filtered.value) clearFilter()
}

const isOnLog = () => ['log', 'fact'].includes(shownPage.peek()?.page ?? '')

const byName = (keys: readonly Shortcut[]) =>
  new Map(keys.flatMap((key) => key.keys.map((name) => [name, key])))
const everywhere = byName(SHORTCUTS)
const onLog = byName(LOG_SHORTCUTS)

export function listenToKeys(): void {
  let before = ''
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const arrow = event.shiftKey && event.key.startsWith('Arrow')
    const name = `${before}${arrow ? 'Shift+' : ''}${event.key}`
    before = ''
    if (!isFree(event)) return
    if (name === 'g') before = 'g '
    const key = everywhere.get(name) ?? (isOnLog() ? onLog.get(name) : undefined)
    if (!key) return
    event.preventDefault()
    key.act()
  })
}

const SCROLLING = new Set(['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End', ' '])

/** Whether a key is a shortcut here: not while typing into a field, and not a space that presses a button. */
function isFree({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement) || key === 'Escape') return true
  if (target.matches('input:not([type=range]), textarea, select')) return false
  // Unlike a text that is read.
  if (target.matches('.reader') && SCROLLING.has(key)) return false
  // A focused slider or list of facts must not keep the arrow keys for itself.
  return !(target.matches('button, summary, a') && key === ' ')
}
