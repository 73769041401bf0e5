/** Metrics in the text format of Prometheus, folded from the log. */
import type { AccountState } from '../actors/admission/account-machine.ts'
import type { Recorded } from '../events/envelope.ts'
import { spendingIn } from '../events/spending.ts'
import type { EventStore } from '../store/event-store.ts'

type Labels = Readonly<Record<string, string>>
type Type = 'counter' | 'gauge' | 'histogram'

/** All metric families, in the order of the output. */
const FAMILIES = {
  claude_agents_log_position: ['gauge', 'The last position of the log.'],
  claude_agents_agents: ['gauge', 'Existing agents, by status.'],
  claude_agents_tasks_pending: ['gauge', 'Tasks that wait or run, by agent.'],
  claude_agents_tasks_held: [
    'gauge',
    'Tasks that wait for an approval, a budget or their account, by agent.',
  ],
  claude_agents_late_answers: ['gauge', 'Answers that arrived after their task had ended, by agent.'],
  claude_agents_calls_in_flight: ['gauge', 'Calls that run, by agent.'],
  claude_agents_account_window_used_ratio: [
    'gauge',
    'How much of a limit of an account is used, 1 being all, as it was last told.',
  ],
  claude_agents_account_window_resets_at_seconds: [
    'gauge',
    'When a limit of an account resets, in seconds since the epoch.',
  ],
  claude_agents_account_waits_until_seconds: [
    'gauge',
    'Until when an account waits for a limit to end, in seconds since the epoch; it may have passed.',
  ],
  claude_agents_account_held: [
    'gauge',
    'Whether an account cannot pay, and is held until a person resumes it.',
  ],
  claude_agents_runs: [
    'gauge',
    'Runs of workflows, by their status in the log: running counts those of a killed process too.',
  ],
  claude_agents_tasks_accepted_total: ['counter', 'Tasks that were accepted.'],
  claude_agents_tasks_total: ['counter', 'Tasks that have ended, by outcome.'],
  claude_agents_calls_started_total: ['counter', 'Calls that were started.'],
  claude_agents_call_failures_total: ['counter', 'Calls that have failed, by error.'],
  claude_agents_retries_total: ['counter', 'Calls that were scheduled again.'],
  claude_agents_tokens_total: ['counter', 'Tokens of calls, however they ended, by type.'],
  claude_agents_cost_usd_total: ['counter', 'What calls have cost, however they ended, in US dollars.'],
  claude_agents_cost_estimated_usd_total: ['counter', 'The part of the cost that is an estimate.'],
  claude_agents_call_duration_seconds: ['histogram', 'How long answered calls took.'],
  claude_agents_steps_total: ['counter', 'Steps of workflows that have ended, by outcome.'],
} as const satisfies Record<string, readonly [Type, string]>
type Family = keyof typeof FAMILIES

/** Seconds. */
const BUCKETS = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]

/** The label for the totals of removed agents, whose names must not pile up. */
const REMOVED = ''

interface Data {
  readonly error?: { readonly tag?: string }
  readonly late?: boolean
  readonly durationMs?: number
}

type Series = Map<string, number>

/** The counters. They only grow, and every reader of the same log gets the same values. */
export class Counters {
  readonly #agents = new Map<string, Series>()
  readonly #steps: Series = new Map()
  #position = 0

  /** The position up to which the log has been read. */
  get position(): number {
    return this.#position
  }

  add({ position, stream, type, data }: Recorded): void {
    this.#position = position
    if (stream.startsWith('run/')) this.#addStep(type, data as { cancelled?: boolean })
    if (!stream.startsWith('agent/')) return
    const agent = agentOf(stream)
    const series = this.#agents.get(agent) ?? new Map()
    this.#agents.set(agent, series)
    for (const [name, value] of changes(type, data as Data)) increase(series, name, value)
    if (type === 'AgentRemoved' && !stream.includes('.')) this.#forget(agent)
  }

  *samples(): Generator<readonly [Family, Labels, number]> {
    for (const [agent, series] of this.#agents)
      for (const [key, value] of series) {
        const [family, labels] = JSON.parse(key) as [Family, Labels]
        yield [family, agent === REMOVED ? { agent: '', ...labels } : { agent, ...labels }, value]
      }
    for (const [outcome, value] of this.#steps) yield ['claude_agents_steps_total', { outcome }, value]
  }

  #addStep(type: string, { cancelled = false }: { cancelled?: boolean }): void {
    if (type === 'StepSucceeded') increase(this.#steps, 'succeeded', 1)
    if (type === 'StepFailed') increase(this.#steps, cancelled ? 'cancelled' : 'failed', 1)
  }

  #forget(agent: string): void {
    const all = this.#agents.get(REMOVED) ?? new Map()
    for (const [name, value] of this.#agents.get(agent) ?? []) increase(all, name, value)
    this.#agents.delete(agent)
    this.#agents.set(REMOVED, all)
  }
}

const increase = (series: Series, name: string, value: number) =>
  series.set(name, (series.get(name) ?? 0) + value)
const named = (family: Family, labels: Labels = {}) => JSON.stringify([family, labels])

/** Copies in a pool count as their agent. */
const agentOf = (stream: string) => stream.slice('agent/'.length).replace(/\.\d+$/, '')

function* changes(type: string, data: Data): Generator<readonly [string, number]> {
  const outcome = { CallSucceeded: 'succeeded', TaskFailed: 'failed', TaskCancelled: 'cancelled' }[type]
  if (outcome !== undefined) yield [named('claude_agents_tasks_total', { outcome }), 1]
  if (type === 'TaskAccepted') yield [named('claude_agents_tasks_accepted_total'), 1]
  if (type === 'CallStarted') yield [named('claude_agents_calls_started_total'), 1]
  if (type === 'RetryScheduled') yield [named('claude_agents_retries_total'), 1]
  if (type === 'CallFailed') {
    const error = data.error?.tag ?? 'unknown'
    yield [named('claude_agents_call_failures_total', { error }), 1]
  }
  if (type === 'CallOutcomeUnknown' && !data.late) {
    yield [named('claude_agents_call_failures_total', { error: 'OutcomeUnknownError' }), 1]
  }
  yield* spent(data)
  if (type !== 'CallSucceeded') return
  const { durationMs = 0 } = data
  const seconds = durationMs / 1000
  const duration = 'claude_agents_call_duration_seconds'
  for (const bucket of [...BUCKETS, Number.POSITIVE_INFINITY])
    yield [named(duration, { suffix: '_bucket', le: leOf(bucket) }), seconds <= bucket ? 1 : 0]
  yield [named(duration, { suffix: '_sum' }), seconds]
  yield [named(duration, { suffix: '_count' }), 1]
}

function* spent(data: object): Generator<readonly [string, number]> {
  const spending = spendingIn({ data })
  if (!spending) return
  const { usage, costUsd, estimated } = spending
  for (const [name, value] of Object.entries(usage)) {
    const kind = name.replace(/Tokens$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    yield [named('claude_agents_tokens_total', { type: kind }), value]
  }
  yield [named('claude_agents_cost_usd_total'), costUsd]
  if (estimated) yield [named('claude_agents_cost_estimated_usd_total'), costUsd]
}

const leOf = (bucket: number) => (bucket === Number.POSITIVE_INFINITY ? '+Inf' : String(bucket))

type Gauge = readonly [Family, Labels, number]

/** The current values, from the summaries that the store keeps for lists. */
async function* gauges(store: EventStore): AsyncGenerator<Gauge> {
  yield ['claude_agents_log_position', {}, await store.head()]
  const counts: Series = new Map()
  for await (const { stream, summary } of store.streams()) {
    if (!summary || summary.status === 'absent') continue
    if (stream.startsWith('run/'))
      increase(counts, named('claude_agents_runs', { status: summary.status }), 1)
    if (stream.startsWith('account/')) yield* accountGauges(summary.info as unknown as AccountState)
    if (!stream.startsWith('agent/')) continue
    const agent = agentOf(stream)
    increase(counts, named('claude_agents_agents', { status: summary.status }), 1)
    increase(counts, named('claude_agents_tasks_pending', { agent }), Number(summary.info?.queue ?? 0))
    increase(counts, named('claude_agents_tasks_held', { agent }), Number(summary.info?.held ?? 0))
    increase(counts, named('claude_agents_late_answers', { agent }), Number(summary.info?.deadLetters ?? 0))
    increase(counts, named('claude_agents_calls_in_flight', { agent }), summary.status === 'busy' ? 1 : 0)
  }
  for (const [key, value] of counts) yield [...(JSON.parse(key) as [Family, Labels]), value]
}

function* accountGauges({ account, windows, pauses, said }: AccountState): Generator<Gauge> {
  for (const { name: window, utilization, resetsAt } of windows) {
    if (utilization !== null)
      yield ['claude_agents_account_window_used_ratio', { account, window }, utilization]
    if (resetsAt !== null)
      yield [
        'claude_agents_account_window_resets_at_seconds',
        { account, window },
        Date.parse(resetsAt) / 1000,
      ]
  }
  const until = pauses.map(({ dueAt }) => Date.parse(dueAt) / 1000)
  if (until.length > 0) yield ['claude_agents_account_waits_until_seconds', { account }, Math.max(...until)]
  yield ['claude_agents_account_held', { account }, said === null ? 0 : 1]
}

/**
 * Adds the new facts of the log to the counters, and returns all metrics as text.
 *
 * @param counters Kept between calls, so that no fact is read twice.
 */
export async function metricsText(store: EventStore, counters: Counters): Promise<string> {
  for await (const recorded of store.readAll({ after: counters.position })) counters.add(recorded)
  const samples: (readonly [Family, Labels, number])[] = [...counters.samples()]
  for await (const sample of gauges(store)) samples.push(sample)
  const families = Object.entries(FAMILIES) as [Family, readonly [Type, string]][]
  return families
    .flatMap(([family, [type, help]]) => [
      `# HELP ${family} ${help}`,
      `# TYPE ${family} ${type}`,
      ...samples.filter(([name]) => name === family).map(([, labels, value]) => line(family, labels, value)),
    ])
    .join('\n')
    .concat('\n')
}

function line(family: Family, { suffix = '', ...labels }: Labels, value: number): string {
  const text = Object.entries(labels).map(([name, label]) => `${name}="${escaped(label)}"`)
  return `${family}${suffix}${text.length > 0 ? `{${text.join(',')}}` : ''} ${value}`
}

const escaped = (label: string) => label.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
