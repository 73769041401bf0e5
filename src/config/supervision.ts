/** The section `supervision:` of the configuration file: trees of supervisors over agents. */
import * as Schema from 'effect/Schema'

const Text = Schema.String.check(Schema.isMinLength(1))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export interface SupervisorEntry {
  readonly id: string
  readonly strategy?: 'one-for-one' | 'one-for-all' | 'rest-for-one'
  readonly max_restarts?: number
  readonly within_ms?: number
  readonly backoff?: { readonly min_ms?: number; readonly max_ms?: number; readonly jitter?: number }
  readonly auto_shutdown?: 'never' | 'any-significant' | 'all-significant'
  readonly children: readonly ChildEntry[]
}

export interface ChildEntry {
  readonly agent?: string
  readonly supervisor?: SupervisorEntry
  readonly restart?: 'permanent' | 'transient' | 'temporary'
  readonly shutdown?: number | 'brutal' | 'infinity'
  readonly significant?: boolean
}

const Child = Schema.Struct({
  agent: Schema.optionalKey(Text.annotate({ description: 'The id of the agent that is supervised.' })),
  supervisor: Schema.optionalKey(Schema.suspend((): Schema.Codec<SupervisorEntry> => Supervisor)),
  restart: Schema.optionalKey(Schema.Literals(['permanent', 'transient', 'temporary'])),
  shutdown: Schema.optionalKey(Schema.Union([Count, Schema.Literals(['brutal', 'infinity'])])),
  significant: Schema.optionalKey(Schema.Boolean),
})

/** One tree. What makes no sense together is found where trees are started. */
export const Supervisor: Schema.Codec<SupervisorEntry> = Schema.Struct({
  id: Text,
  strategy: Schema.optionalKey(Schema.Literals(['one-for-one', 'one-for-all', 'rest-for-one'])),
  max_restarts: Schema.optionalKey(Count),
  within_ms: Schema.optionalKey(Positive),
  backoff: Schema.optionalKey(
    Schema.Struct({
      min_ms: Schema.optionalKey(Count),
      max_ms: Schema.optionalKey(Count),
      jitter: Schema.optionalKey(Schema.Finite),
    }),
  ),
  auto_shutdown: Schema.optionalKey(Schema.Literals(['never', 'any-significant', 'all-significant'])),
  children: Schema.Array(Child),
}).annotate({ identifier: 'Supervisor' })

/** A tree of the file, with the names of `orchestrator.supervise`. */
export interface DeclaredTree {
  readonly id: string
  readonly strategy?: 'one-for-one' | 'one-for-all' | 'rest-for-one'
  readonly intensity?: { readonly maxRestarts: number; readonly withinMs: number }
  readonly backoff?: { readonly minMs?: number; readonly maxMs?: number; readonly jitter?: number }
  readonly autoShutdown?: 'never' | 'any-significant' | 'all-significant'
  readonly children: readonly DeclaredChild[]
}

/** A child in a supervision tree of the configuration file. */
export interface DeclaredChild {
  readonly id?: string
  readonly agent?: string
  readonly supervisor?: Omit<DeclaredTree, 'id'>
  readonly restart?: 'permanent' | 'transient' | 'temporary'
  readonly shutdown?: number | 'brutal' | 'infinity'
  readonly significant?: boolean
}

const DEFAULT_WITHIN_MS = 5000

export function declaredTree(entry: SupervisorEntry): DeclaredTree {
  const {
    id,
    strategy,
    max_restarts,
    within_ms = DEFAULT_WITHIN_MS,
    backoff,
    auto_shutdown,
    children,
  } = entry
  return {
    id,
    ...(strategy === undefined ? {} : { strategy }),
    ...(max_restarts === undefined ? {} : { intensity: { maxRestarts: max_restarts, withinMs: within_ms } }),
    ...(backoff === undefined ? {} : { backoff: backoffOf(backoff) }),
    ...(auto_shutdown === undefined ? {} : { autoShutdown: auto_shutdown }),
    children: children.map(declaredChild),
  }
}

const backoffOf = ({ min_ms, max_ms, jitter }: NonNullable<SupervisorEntry['backoff']>) => ({
  ...(min_ms === undefined ? {} : { minMs: min_ms }),
  ...(max_ms === undefined ? {} : { maxMs: max_ms }),
  ...(jitter === undefined ? {} : { jitter }),
})

function declaredChild({ supervisor, ...child }: ChildEntry): DeclaredChild {
  if (supervisor === undefined) return child
  const { id, ...tree } = declaredTree(supervisor)
  return { ...child, id, supervisor: tree }
}
