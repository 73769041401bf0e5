/** A script: a world, and what happens in it, as data that can be printed, run again and shrunk. */
import type { AgentOptions } from '../../events/options/agent.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { Limits } from '../../events/options/limits.ts'
import type { Order } from './schedule.ts'

export interface Script {
  /** Decides the order in which things go on, and which ids are made. */
  readonly seed: number
  readonly order: Order
  readonly agents: readonly AgentOptions[]
  readonly limits: Limits
  readonly sessionPersistence: boolean
  readonly budget: Budget | null
  readonly tree: Tree | null
  readonly actions: readonly Action[]
}

/** A supervision tree over agents and children under the control of the script. */
export interface Tree {
  readonly strategy: 'one-for-one' | 'one-for-all' | 'rest-for-one'
  readonly intensity: { readonly maxRestarts: number; readonly withinMs: number }
  readonly backoffMs: number | null
  readonly children: readonly TreeChild[]
}

export interface TreeChild {
  /** An agent of the world; otherwise a child that does nothing but end when the script says so. */
  readonly agent?: string
  readonly id: string
  readonly restart: 'permanent' | 'transient' | 'temporary'
  /** How long it takes to stop, in ms. */
  readonly stopsAfterMs?: number
}

/** A workflow as data. */
export type Nesting =
  | { readonly agent: string }
  | { readonly pool: string; readonly size: number }
  | { readonly workflow: string }
  | {
      readonly kind: NestingKind
      readonly parts: readonly Nesting[]
      /** Of votes, rounds, pieces or routes. */
      readonly number: number
    }

export const NESTING_KINDS = [
  'sequential',
  'parallel',
  'pipeline',
  'race',
  'vote',
  'loopUntil',
  'mapReduce',
  'hierarchical',
  'route',
] as const
export type NestingKind = (typeof NESTING_KINDS)[number]

/** What happens next. */
export type Action = { readonly gap: number } & Happening

export type Happening =
  | {
      readonly do: 'ask'
      readonly agent: string
      readonly task: string
      readonly prompt: string
      readonly session?: 'chain' | 'fresh'
      readonly approval?: boolean
      /** Whether the one who asks has a listener that throws. */
      readonly throws?: boolean
    }
  | { readonly do: 'wait for reply' | 'cancel'; readonly agent: string; readonly task: string }
  | { readonly do: 'reset' | 'stop' | 'remove' | 'create'; readonly agent: string }
  | { readonly do: 'configure'; readonly agent: string; readonly retries: number }
  | { readonly do: 'fork'; readonly agent: string; readonly as: string }
  | { readonly do: 'set budget'; readonly agent?: string; readonly run?: string; readonly usd: number | null }
  | { readonly do: 'approve' | 'reject'; readonly nth: number }
  | { readonly do: 'run'; readonly run: string; readonly pattern: Nesting; readonly input: string }
  | { readonly do: 'pause run' | 'cancel run' | 'resume run' | 'plan run'; readonly run: string }
  | { readonly do: 'fork run'; readonly run: string; readonly at: number; readonly as: string }
  | { readonly do: 'tell'; readonly actor: string; readonly command: number; readonly throws?: boolean }
  | {
      readonly do: 'send'
      /** null: a person. */
      readonly from: string | null
      /** An agent, an actor of the user's own, or a topic. */
      readonly to: string
      /** Names it: the same number is the same message. */
      readonly message: number
    }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly subscriber: string; readonly topic: string }
  | { readonly do: 'write note'; readonly note: string; readonly write: number; readonly over: number }
  | { readonly do: 'stop actor' | 'kill actor'; readonly actor: string }
  | { readonly do: 'supervise' | 'stop supervisor' }
  | { readonly do: 'end child'; readonly child: string; readonly reason: 'normal' | 'crashed' }
  | {
      readonly do: 'terminate child' | 'restart child' | 'delete child' | 'start child'
      readonly child: string
    }
  | { readonly do: 'refuse starts'; readonly child: string; readonly times: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'crash' }
  | { readonly do: 'crash at append'; readonly append: number; readonly when: 'before' | 'after' }
  | { readonly do: 'fill the disk'; readonly ms: number }
  | { readonly do: 'set the clock'; readonly ms: number }
  | { readonly do: 'drain'; readonly ms: number }
  | { readonly do: 'close' }

/** The faults that a simulation may inject. */
export const FAULTS = ['crashes', 'full disks', 'clocks', 'listeners', 'calls'] as const
/** The name of a fault that a simulation may inject. */
export type FaultName = (typeof FAULTS)[number]
