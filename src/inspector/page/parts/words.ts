/** Numbers, sizes, times and kinds as the page shows them. */
import type { InboxKind } from '../../../inbox/entry.ts'

export const number = (value: number): string => value.toLocaleString('en')

export function tokens(value: number): string {
  if (value < 10_000) return number(value)
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)}k` : `${(value / 1_000_000).toFixed(2)}M`
}

export function size(amount: number, unit: 'characters' | 'bytes' = 'characters'): string {
  if (amount < 1000) return `${amount} ${amount === 1 ? unit.slice(0, -1) : unit}`
  return amount < 1_000_000 ? `${(amount / 1000).toFixed(0)} KB` : `${(amount / 1_000_000).toFixed(1)} MB`
}

export const several = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`

const local = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-GB', options)
const CLOCK = local({ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })
const MINUTE = local({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
const DAY = local({ day: 'numeric', month: 'short', year: 'numeric' })

const WEEKDAY = local({ weekday: 'short', day: 'numeric', month: 'short' })

/** In the reader's own time zone. */
export const clock = (at: string | number): string => (at === '' ? '' : CLOCK.format(new Date(at)))
export const minute = (at: string | number): string => MINUTE.format(new Date(at))
export const dayName = (at: number): string => WEEKDAY.format(new Date(at))
export const day = (at: string | number): string => (at === '' ? '' : DAY.format(new Date(at)))

/** Whether a person chose an id: one that was generated says nothing to anyone. */
export const isChosenId = (id: string): boolean => !/^[0-9a-f]{8}-[0-9a-f-]{27}$|^[0-9a-f]{24,}$/.test(id)

export const streamTitle = (stream: string): string => stream.slice(stream.indexOf('/') + 1)

/** What an entry of the inbox is about. */
export const INBOX_KINDS: Readonly<Record<InboxKind, string>> = {
  task: 'Task',
  tool: 'Tool call',
  question: 'Question',
  budget: 'Budget',
  account: 'Account',
  landing: 'Landing',
  supervision: 'Supervision',
  run: 'Run',
  schedule: 'Schedule',
  message: 'Message',
}
