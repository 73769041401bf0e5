/** One stream in the index: the positions of its facts, its current state, and checkpoints to fold other states from. */
import { type AgentContext, totalTokens } from '../../actors/agent/state.ts'
import type { AnyKind } from '../../actors/engine/definition.ts'
import { type PlainState, plainFold } from '../../actors/engine/fold.ts'
import { foldFact } from '../../actors/engine/history.ts'
import type { Recorded } from '../../events/envelope.ts'
import { kindOf } from '../../history/kinds.ts'
import type { RunContext } from '../../patterns/runs/machine.ts'
import type { EventStore } from '../../store/event-store.ts'
import { brief, isReference, unmarked } from '../text.ts'
import { counts } from './columns.ts'
import { FilesTrack } from './files-track.ts'
import { type FactRow, type Measures, nothingMeasured } from './table.ts'
import { UNKNOWN } from './tones.ts'

/** Any state is folded from at most this many facts. */
const FACTS_PER_CHECKPOINT = 512

export class StreamTrack {
  readonly name: string
  /** The number of the stream in the table. */
  readonly number: number
  readonly kind: AnyKind | undefined
  /** The positions of its facts, ascending, without those that could not be read. */
  readonly positions = counts()
  /** Why its state is unknown, and from which version on; null if it is known. */
  damage: { readonly version: number; readonly problem: string } | null = null
  /** What is known of an agent's files; null for everything else. */
  readonly files: FilesTrack | null
  /** What people call it: a run by the name of its workflow, everything else by its id. */
  label: string
  /** The beginning of what a run was asked; empty for everything else. */
  asked = ''
  /** The streams of the agents that a run has asked. */
  readonly workers = new Set<string>()
  /** What it was forked from. */
  origin: { readonly stream: string; readonly version: number | null } | null = null
  #version = 0
  #state: PlainState | undefined
  readonly #checkpoints: PlainState[] = []
  #measures: Measures = nothingMeasured

  constructor(name: string, number: number, kinds: readonly AnyKind[]) {
    this.name = name
    this.number = number
    this.kind = kindOf(name, kinds)
    this.files = this.actorKind === 'agent' ? new FilesTrack() : null
    this.label = this.id
  }

  get actorKind(): string {
    return this.name.slice(0, this.name.indexOf('/'))
  }

  get id(): string {
    return this.name.slice(this.name.indexOf('/') + 1)
  }

  /** The position of its last fact up to a position; 0 if there is none. */
  lastUpTo(position: number): number {
    return this.positions.at(this.positions.countUpTo(position) - 1)
  }

  /** Adds a fact and returns the actor's state after it. */
  add(recorded: Recorded): Pick<FactRow, 'status' | 'measures' | 'spentUsd'> {
    const before = this.#measures.costUsd
    this.positions.push(recorded.position)
    this.files?.add(recorded)
    this.#describe(recorded)
    const missing = recorded.version !== this.#version + 1
    this.#version = recorded.version
    if (missing) this.#markDamaged(recorded.version, 'A fact before this one cannot be read.')
    if (!this.damage) {
      try {
        this.#state = foldOne(this.kind, this.#state, recorded)
        if (recorded.version % FACTS_PER_CHECKPOINT === 0 && this.#state) this.#checkpoints.push(this.#state)
        this.#measures = measuresOf(this.actorKind, this.#state) ?? this.#measures
      } catch (error) {
        this.#markDamaged(recorded.version, (error as Error).message)
      }
    }
    return {
      status: this.damage ? UNKNOWN : this.#status(),
      measures: this.#measures,
      // What runs spend is spent by their agents.
      spentUsd: this.actorKind === 'agent' ? Math.max(0, this.#measures.costUsd - before) : 0,
    }
  }

  /** The position of its last fact. */
  get last(): number {
    return this.positions.at(this.positions.length - 1)
  }

  /** A copy of an agent in a pool. */
  get isCopy(): boolean {
    return this.actorKind === 'agent' && this.id.includes('.')
  }

  #describe({ type, data }: Recorded): void {
    if (type === 'StepScheduled') this.workers.add(`agent/${data.worker}`)
    if (type === 'RunStarted') {
      const { name, prompt, forkedFrom } = data as {
        name?: unknown
        prompt?: unknown
        forkedFrom?: { run: string }
      }
      this.label = brief(String(name ?? this.id), 80)
      this.asked = unmarked(textBegin(prompt), 80)
      if (forkedFrom) this.origin = { stream: `run/${forkedFrom.run}`, version: null }
    }
    if (type === 'AgentCreated') {
      const { forkedFrom } = data as { forkedFrom?: { agent: string; version: number } }
      this.origin = forkedFrom ? { stream: `agent/${forkedFrom.agent}`, version: forkedFrom.version } : null
    }
  }

  /** The last checkpoint up to a version; the initial state, as undefined at version 0, if there is none. */
  checkpointBefore(version: number): { readonly version: number; readonly state: PlainState | undefined } {
    const count = Math.min(Math.floor(version / FACTS_PER_CHECKPOINT), this.#checkpoints.length)
    return { version: count * FACTS_PER_CHECKPOINT, state: this.#checkpoints[count - 1] }
  }

  /** An idle agent whose tasks are all held is shown as held, as in `agent list`. */
  #status(): string {
    const state = this.#state
    const status = statusOf(state)
    if (!state || this.actorKind !== 'agent' || status !== 'idle') return status
    const { queue } = state.context as unknown as AgentCounts
    return queue.some(({ hold }) => hold !== undefined) ? 'held' : status
  }

  #markDamaged(version: number, problem: string): void {
    this.damage ??= { version, problem }
  }
}

/** An actor's state at a version, folded from the last checkpoint. */
export async function foldTo(
  store: EventStore,
  track: StreamTrack,
  version: number,
): Promise<PlainState | undefined> {
  const checkpoint = track.checkpointBefore(version)
  let { state } = checkpoint
  for await (const recorded of store.read(track.name, { after: checkpoint.version, to: version })) {
    state = foldOne(track.kind, state, recorded)
  }
  return state
}

/**
 * The state after one more fact; undefined if the kind of actor is unknown.
 *
 * @throws UnknownFactError
 */
export function foldOne(
  kind: AnyKind | undefined,
  state: PlainState | undefined,
  recorded: Recorded,
): PlainState | undefined {
  if (!kind) return undefined
  const fold = plainFold(kind.fold)
  const before = state ?? fold.initial
  return foldFact(fold.transition, before, kind, recorded) ?? before
}

export const statusOf = (state: PlainState | undefined): string =>
  state === undefined ? '' : typeof state.value === 'string' ? state.value : JSON.stringify(state.value)

/** The numbers of an agent or a run; undefined for every other kind. */
function measuresOf(kind: string, state: PlainState | undefined): Measures | undefined {
  if (!state) return undefined
  if (kind === 'agent') {
    const { queue, current, totals } = state.context as unknown as AgentCounts
    return {
      load: queue.length + (current ? 1 : 0),
      done: totals.interactions,
      tokens: totalTokens(totals),
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

/** A long text is beside the log, and not read for a label. */
const textBegin = (body: unknown): string =>
  typeof body === 'string' ? body : isReference(body) ? '(a long text)' : ''
