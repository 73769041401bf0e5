/** One stream as the inspector follows it: where its facts stand, its state, and states on the way to fold on from. */
import type { AgentContext } from '../../actors/agent/state.ts'
import { type PlainState, plainFold } from '../../actors/engine/compiled-fold.ts'
import type { AnyKind } from '../../actors/engine/definition.ts'
import type { Recorded } from '../../events/envelope.ts'
import { kindOf } from '../../history/kinds.ts'
import type { RunContext } from '../../patterns/runs/machine.ts'
import { counts } from './columns.ts'
import { type Measures, nothingMeasured } from './table.ts'
import { UNKNOWN } from './tones.ts'

/** A state at any version is folded from at most so many facts. */
const FACTS_BETWEEN_STATES = 512

export class StreamTrack {
  readonly name: string
  /** The number of the stream in the table. */
  readonly number: number
  readonly kind: AnyKind | undefined
  /** By version, from 1. A version that could not be read is not here. */
  readonly positions = counts()
  /** Why its state cannot be told, from where on. */
  damage: { readonly version: number; readonly problem: string } | null = null
  #version = 0
  #state: PlainState | undefined
  /** After each 512 facts. */
  readonly #states: PlainState[] = []
  #measures: Measures = nothingMeasured

  constructor(name: string, number: number, kinds: readonly AnyKind[]) {
    this.name = name
    this.number = number
    this.kind = kindOf(name, kinds)
  }

  get actorKind(): string {
    return this.name.slice(0, this.name.indexOf('/'))
  }

  get id(): string {
    return this.name.slice(this.name.indexOf('/') + 1)
  }

  /** Where the last of its facts stands, up to a position; 0 when there is none. */
  lastUpTo(position: number): number {
    return this.positions.at(this.positions.countUpTo(position) - 1)
  }

  /** One more fact, and what it makes of the actor. */
  see(recorded: Recorded): { readonly status: string; readonly measures: Measures } {
    this.positions.push(recorded.position)
    const missing = recorded.version !== this.#version + 1
    this.#version = recorded.version
    if (missing) this.#damaged(recorded.version, 'A fact before this one cannot be read.')
    if (!this.damage) {
      try {
        this.#state = foldOne(this.kind, this.#state, recorded)
        if (recorded.version % FACTS_BETWEEN_STATES === 0 && this.#state) this.#states.push(this.#state)
        this.#measures = measured(this.actorKind, this.#state) ?? this.#measures
      } catch (error) {
        this.#damaged(recorded.version, (error as Error).message)
      }
    }
    return { status: this.damage ? UNKNOWN : statusOf(this.#state), measures: this.#measures }
  }

  /** The last state on the way to a version that was kept. */
  stateBefore(version: number): { readonly version: number; readonly state: PlainState | undefined } {
    const kept = Math.min(Math.floor(version / FACTS_BETWEEN_STATES), this.#states.length)
    return { version: kept * FACTS_BETWEEN_STATES, state: this.#states[kept - 1] }
  }

  #damaged(version: number, problem: string): void {
    this.damage ??= { version, problem }
  }
}

/** The state after one more fact; undefined where nobody here knows the kind. Throws UnknownFactError. */
export function foldOne(
  kind: AnyKind | undefined,
  state: PlainState | undefined,
  recorded: Recorded,
): PlainState | undefined {
  if (!kind) return undefined
  const fold = plainFold(kind.fold)
  const before = state ?? fold.initial
  return fold.transition(before, kind.facts.read(recorded)) ?? before
}

export const statusOf = (state: PlainState | undefined): string =>
  state === undefined ? '' : typeof state.value === 'string' ? state.value : JSON.stringify(state.value)

/** What is counted of the kinds that this package brings along. */
function measured(kind: string, state: PlainState | undefined): Measures | undefined {
  if (!state) return undefined
  if (kind === 'agent') {
    const { queue, current, totals } = state.context as unknown as AgentCounts
    return {
      load: queue.length + (current ? 1 : 0),
      done: totals.interactions,
      tokens: totals.inputTokens + totals.outputTokens,
      costUsd: totals.costUsd,
    }
  }
  if (kind === 'run') {
    const { steps, done, costUsd } = state.context as unknown as RunCounts
    return { load: Math.max(0, steps), done, tokens: 0, costUsd }
  }
  return undefined
}

type AgentCounts = Pick<AgentContext, 'queue' | 'current' | 'totals'>
type RunCounts = Pick<RunContext, 'steps' | 'done' | 'costUsd'>
