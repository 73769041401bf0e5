/** The colours of facts and states, and how much attention they need. */
import type { MarkKind, Tone } from '../view.ts'

/** The type of a record that cannot be read. */
export const UNREADABLE = '(unreadable)'
/** The state of an actor whose facts can no longer be folded. */
export const UNKNOWN = 'unknown'

export function toneOfType(type: string): Tone {
  if (type === UNREADABLE || /Failed|OutcomeUnknown|Lost|Escalated/.test(type)) return 'bad'
  if (/Retry|Cancelled|Reset|Stopped|Removed|Paused|Restarted|Exited/.test(type)) return 'warn'
  if (/Succeeded|Created/.test(type)) return 'good'
  if (/^Call|^Process|^Step|^Inputs|Started|Resumed/.test(type)) return 'call'
  return 'plain'
}

const STATUS_TONES: Readonly<Record<string, Tone>> = {
  busy: 'call',
  running: 'call',
  retry: 'warn',
  paused: 'warn',
  held: 'warn',
  cancelled: 'warn',
  error: 'bad',
  failed: 'bad',
  [UNKNOWN]: 'bad',
  succeeded: 'good',
}

export const toneOfStatus = (status: string): Tone => STATUS_TONES[status] ?? 'plain'

/** Whether a run in this state goes no further by itself. */
export const isEnded = (status: string): boolean => /^(succeeded|failed|cancelled)$/.test(status)

const WEIGHTS: Readonly<Record<Tone, number>> = { plain: 1, good: 2, call: 3, warn: 4, bad: 5 }

/** Where one pixel covers several states, the one with the largest weight is drawn. */
export const weightOfStatus = (status: string): number =>
  status === 'absent' || status === '' ? 0 : WEIGHTS[toneOfStatus(status)]

/** The mark of a fact on its lane; null for none. */
export function markOf(type: string): MarkKind | null {
  if (type === 'CallStarted' || type === 'StepScheduled') return 'call'
  if (type === 'RetryScheduled' || type === 'RunResumed') return 'retry'
  if (type === 'CallSucceeded' || type === 'StepSucceeded' || type === 'RunSucceeded') return 'answer'
  return toneOfType(type) === 'bad' ? 'failure' : null
}
