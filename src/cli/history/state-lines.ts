/** States and their changes for people: one value per line, or a few words. */
import type { Json } from '../../events/json.ts'
import type { StateChange } from '../../history/state-changes.ts'
import type { Terminal } from '../terminal/output.ts'
import { cut, inert, padded, widthOf } from '../terminal/text.ts'

const LONGEST_VALUE = 120
const LONGEST_BRIEF = 32
const MOST_CHANGES = 4

/** A value and everything in it, indented. */
export function* valueLines(terminal: Terminal, value: Json, indent = ''): Generator<string> {
  const entries = Object.entries(value as object) as [string, Json][]
  const width = Math.max(
    0,
    ...entries.filter(([, part]) => !isNested(part)).map(([name]) => widthOf(inert(name))),
  )
  for (const [name, part] of entries) {
    const label = `${indent}${terminal.style('dim', padded(inert(name), isNested(part) ? 0 : width))}`
    if (isNested(part)) {
      yield label
      yield* valueLines(terminal, part, `${indent}  `)
    } else yield `${label}  ${leaf(part)}`
  }
}

/** `queue[0] added, session "3f2a…" → "9c1b…"` */
export function changesInWords(changes: readonly StateChange[]): string {
  const told = changes.slice(0, MOST_CHANGES).map(changeInWords)
  const more = changes.length - told.length
  return [...told, ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

function changeInWords({ path, before, after }: StateChange): string {
  const name = inert(path)
  if (before === undefined) return `${name} added`
  if (after === undefined) return `${name} removed`
  if (after === null) return `${name} cleared`
  return before === null ? `${name} = ${brief(after)}` : `${name} ${brief(before)} → ${brief(after)}`
}

/** `~ totals.interactions  0 → 1` */
export function changeLine(terminal: Terminal, { path, before, after }: StateChange): string {
  const name = inert(path)
  if (before === undefined) return terminal.style('green', `+ ${name}  ${leaf(after ?? null)}`)
  if (after === undefined) return terminal.style('red', `- ${name}  ${leaf(before)}`)
  return `${terminal.style('yellow', '~')} ${name}  ${leaf(before)} ${terminal.style('dim', '→')} ${leaf(after)}`
}

const isNested = (value: Json) => typeof value === 'object' && value !== null && Object.keys(value).length > 0

function leaf(value: Json): string {
  if (value === null) return '-'
  if (Array.isArray(value) && value.length === 0) return '(none)'
  if (typeof value === 'number') return rounded(value)
  return cut(typeof value === 'string' ? value : JSON.stringify(value), LONGEST_VALUE)
}

function brief(value: Json): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `[${value.length}]` : '{…}'
  return typeof value === 'number' ? rounded(value) : cut(JSON.stringify(value), LONGEST_BRIEF)
}

/** Sums of dollars have meaningless last digits. */
const rounded = (value: number) => String(Number(value.toFixed(6)))
