/** One row of numbers for each fact of the log, 68 bytes: its stream and type, and the state of its actor after it. */
import { counts, reals, words } from './columns.ts'
import { Names } from './names.ts'
import { markOf, UNREADABLE } from './tones.ts'

/** The numbers of an actor. */
export interface Measures {
  /** An agent's unfinished tasks; a run's scheduled steps. */
  readonly load: number
  /** An agent's answers; a run's finished steps. */
  readonly done: number
  readonly tokens: number
  readonly costUsd: number
}

export const nothingMeasured: Measures = { load: 0, done: 0, tokens: 0, costUsd: 0 }

export interface FactRow {
  /** The number of the stream; null if the record cannot be read. */
  readonly stream: number | null
  readonly version: number
  readonly type: string
  /** The actor's state after the fact. */
  readonly status: string
  readonly atMs: number
  readonly measures: Measures
  /** What an agent has spent more than before it. */
  readonly spentUsd: number
}

const NO_STREAM = 0xffffffff

/** *Contract:* rows are pushed in the order of positions, from 1. */
export class FactTable {
  readonly types = new Names()
  readonly statuses = new Names()
  readonly #stream = counts()
  readonly #version = counts()
  readonly #type = words()
  readonly #status = words()
  readonly #time = reals()
  readonly #load = counts()
  readonly #done = counts()
  readonly #tokens = reals()
  readonly #cost = reals()
  /** Totals of the log up to each row. */
  readonly #calls = counts()
  readonly #retries = counts()
  readonly #failures = counts()
  readonly #answers = counts()
  readonly #spent = reals()

  constructor() {
    this.types.numberOf(UNREADABLE)
    this.statuses.numberOf('')
  }

  /** The last position. */
  get length(): number {
    return this.#stream.length
  }

  push({ stream, version, type, status, atMs, measures, spentUsd }: FactRow): void {
    const last = this.length - 1
    this.#calls.push(this.#calls.at(last) + Number(type === 'CallStarted'))
    this.#retries.push(this.#retries.at(last) + Number(type === 'RetryScheduled'))
    this.#failures.push(this.#failures.at(last) + Number(markOf(type) === 'failure'))
    this.#answers.push(this.#answers.at(last) + Number(type === 'CallSucceeded'))
    this.#spent.push(this.#spent.at(last) + spentUsd)
    this.#version.push(version)
    this.#type.push(this.types.numberOf(type))
    this.#status.push(this.statuses.numberOf(status))
    // Times must ascend, even if the clock was set back.
    this.#time.push(Math.max(this.#time.at(last), Number.isFinite(atMs) ? atMs : 0))
    this.#load.push(measures.load)
    this.#done.push(measures.done)
    this.#tokens.push(measures.tokens)
    this.#cost.push(measures.costUsd)
    this.#stream.push(stream ?? NO_STREAM)
  }

  /** The number of the stream; null if the record cannot be read. */
  stream(position: number): number | null {
    const stream = this.#stream.at(position - 1)
    return stream === NO_STREAM ? null : stream
  }

  version = (position: number): number => this.#version.at(position - 1)
  typeNumber = (position: number): number => this.#type.at(position - 1)
  type = (position: number): string => this.types.nameOf(this.typeNumber(position))
  statusNumber = (position: number): number => this.#status.at(position - 1)
  status = (position: number): string => this.statuses.nameOf(this.statusNumber(position))
  /** In milliseconds since the epoch; never decreases. */
  time = (position: number): number => this.#time.at(position - 1)
  /** How many facts had been written by a time. */
  countUpTo = (ms: number): number => this.#time.countUpTo(ms)

  measures(position: number): Measures {
    const row = position - 1
    return {
      load: this.#load.at(row),
      done: this.#done.at(row),
      tokens: this.#tokens.at(row),
      costUsd: this.#cost.at(row),
    }
  }

  /** How many answers there were up to a position, and what was spent. */
  answers = (position: number): number => this.#answers.at(position - 1)
  spentUsd = (position: number): number => this.#spent.at(position - 1)

  /** The totals of the log up to a position. */
  counted(position: number): { calls: number; retries: number; failures: number } {
    const row = position - 1
    return { calls: this.#calls.at(row), retries: this.#retries.at(row), failures: this.#failures.at(row) }
  }
}
