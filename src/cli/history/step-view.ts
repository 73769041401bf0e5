/** Stepping through a history as a pure function: the current step, and what each key does. */
import type { Key } from '../terminal/screen.ts'

/** What is needed to find a step. */
export interface StepText {
  readonly version: number
  /** What `/` searches. */
  readonly text: string
}

export interface StepView {
  readonly index: number
  /** How many lines of the step are above the screen. */
  readonly offset: number
  /** Whether the whole state is shown, and not only what has changed. */
  readonly isWhole: boolean
  /** A version to jump to or a text to search for, while it is being typed. */
  readonly typing: { readonly kind: 'jump' | 'search'; readonly text: string } | null
  readonly lastSearch: string
  /** What went wrong, until the next key. */
  readonly problem: string | null
  readonly ended: boolean
}

export const firstView: StepView = {
  index: 0,
  offset: 0,
  isWhole: false,
  typing: null,
  lastSearch: '',
  problem: null,
  ended: false,
}

/** What is most needed first: a narrow terminal cuts the rest. */
export const KEYS =
  'q quit  n next  b back  ↑↓ scroll  s state  j jump  / search  N next match  g first  G last'

const FORWARDS = new Set(['n', 'right', 'space', 'return', 'l'])
const BACKWARDS = new Set(['b', 'p', 'left', 'h', 'backspace'])
/** In lines, or in screens. */
const SCROLLS: Readonly<Record<string, readonly [lines: number, screens: number]>> = {
  ...{ up: [-1, 0], down: [1, 0], pageup: [0, -1], pagedown: [0, 1] },
}

/** @param rows How many lines a screen has: `pagedown` scrolls by so many. */
export function pressed(view: StepView, steps: readonly StepText[], key: Key, rows = 20): StepView {
  const calm = { ...view, problem: null }
  if (key.ctrl && (key.name === 'c' || key.name === 'd')) return { ...calm, ended: true }
  if (view.typing) return typed(calm, view.typing, steps, key)
  // Pasted text is meant for what is typed.
  if (key.isPasted) return calm
  const { name = '', sequence = '' } = key
  const at = (index: number) => ({
    ...calm,
    index: Math.max(0, Math.min(steps.length - 1, index)),
    offset: 0,
  })
  const scrolls = SCROLLS[name]
  if (scrolls) return { ...calm, offset: Math.max(0, view.offset + scrolls[0] + scrolls[1] * rows) }
  if (sequence === 'N') return found(calm, steps, view.lastSearch)
  if (sequence === 'G' || name === 'end') return at(steps.length - 1)
  if (name === 'q' || name === 'escape') return { ...calm, ended: true }
  if (name === 'g' || name === 'home') return at(0)
  if (sequence === '/') return { ...calm, typing: { kind: 'search', text: '' } }
  if (name === 's') return { ...calm, isWhole: !view.isWhole, offset: 0 }
  if (name === 'j') return { ...calm, typing: { kind: 'jump', text: '' } }
  if (/^\d$/.test(sequence)) return { ...calm, typing: { kind: 'jump', text: sequence } }
  if (FORWARDS.has(name)) {
    if (view.index === steps.length - 1) return { ...calm, problem: 'this is the last step' }
    return at(view.index + 1)
  }
  if (BACKWARDS.has(name)) {
    if (view.index === 0) return { ...calm, problem: 'this is the first step' }
    return at(view.index - 1)
  }
  return calm
}

function typed(
  view: StepView,
  { kind, text }: NonNullable<StepView['typing']>,
  steps: readonly StepText[],
  { name, sequence = '', isPasted = false }: Key,
): StepView {
  if (name === 'escape') return { ...view, typing: null }
  if (name === 'backspace')
    return { ...view, typing: text === '' ? null : { kind, text: [...text].slice(0, -1).join('') } }
  if ((name === 'return' || name === 'enter') && !isPasted) {
    const done = { ...view, typing: null }
    return kind === 'search' ? found(done, steps, text) : jumped(done, steps, text)
  }
  const isPrintable = sequence.length > 0 && !/\p{C}/u.test(sequence)
  return isPrintable ? { ...view, typing: { kind, text: text + sequence } } : view
}

function jumped(view: StepView, steps: readonly StepText[], text: string): StepView {
  const index = steps.findIndex(({ version }) => String(version) === text.trim())
  return index < 0
    ? { ...view, problem: `no version ${text.trim()} in this range` }
    : { ...view, index, offset: 0 }
}

/** The next step that contains the text, continuing from the beginning. */
function found(view: StepView, steps: readonly StepText[], text: string): StepView {
  if (text === '') return view
  const wanted = text.toLowerCase()
  for (let offset = 1; offset <= steps.length; offset++) {
    const index = (view.index + offset) % steps.length
    if (steps[index]?.text.toLowerCase().includes(wanted))
      return { ...view, index, offset: 0, lastSearch: text }
  }
  return { ...view, lastSearch: text, problem: `no match for "${text}"` }
}
