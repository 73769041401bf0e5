/** The options of a supervision tree, and the supervisors and children that the log keeps. */
import * as Schema from 'effect/Schema'
import * as SchemaTransformation from 'effect/SchemaTransformation'
import { annotationsOf, type Decodable } from './decoding.ts'
import { partial } from './setting.ts'
import { Count, idOf, Positive } from './values.ts'

/** How long a child may take to end: a number of ms, unlimited, or no time at all. */
const Shutdown = Schema.Union([Count, Schema.Literals(['brutal', 'infinity'])]).annotate({
  problem: 'is neither a number of ms from 0 on, nor "brutal", nor "infinity"',
})
const Restart = Schema.Literals(['permanent', 'transient', 'temporary'])
const ChildType = Schema.Literals(['worker', 'supervisor'])

/** Strategies of supervisors whose children are listed in the specification. */
export const FIXED_STRATEGIES = ['one-for-one', 'one-for-all', 'rest-for-one'] as const
const Strategy = Schema.Literals([...FIXED_STRATEGIES, 'dynamic'])
export const AutoShutdown = Schema.Literals(['never', 'any-significant', 'all-significant'])

/** With more restarts than this within the period, the supervisor ends. */
export const INTENSITY = {
  maxRestarts: Count,
  withinMs: Positive.pipe(Schema.annotateKey({ problem: 'it has no period', hint: 'Say withinMs, in ms.' })),
}

/** Waits before restarts. */
export const BACKOFF = {
  minMs: Positive,
  maxMs: Positive,
  /** The share of the wait that is added at random: 0.2 is up to a fifth. */
  jitter: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({
    problem: 'is not a number from 0 to 1',
  }),
  resetAfterMs: Positive,
}

/** The rules of a supervisor. They are decided when it starts. */
export const SupervisorRules = Schema.Struct({
  strategy: Strategy,
  intensity: Schema.Struct(INTENSITY),
  backoff: Schema.NullOr(Schema.Struct(BACKOFF)),
  autoShutdown: AutoShutdown,
})
export type SupervisorRules = typeof SupervisorRules.Type

/** The specification of a child as the log keeps it: everything but its code. */
export const ChildData = Schema.Struct({
  id: Schema.String,
  /** What is started: an agent, a supervisor, or what a function returns. */
  starts: Schema.Literals(['agent', 'supervisor', 'function']),
  /** The id of the agent; null for other children. */
  agent: Schema.NullOr(Schema.String),
  /** The argument that a dynamic child is started with. */
  argument: Schema.optionalKey(Schema.Json),
  restart: Restart,
  shutdown: Shutdown,
  type: ChildType,
  significant: Schema.Boolean,
})
export type ChildData = typeof ChildData.Type

/** As in OTP. */
export const DEFAULT_INTENSITY: SupervisorRules['intensity'] = { maxRestarts: 1, withinMs: 5000 }
export const DEFAULT_SHUTDOWN_MS = 5000
const DEFAULT_BACKOFF = { minMs: 200, maxMs: 10_000, jitter: 0.2 }

type Backoff = NonNullable<SupervisorRules['backoff']>

/** The waits before restarts, completed with the defaults; null if there are none. */
export function completedBackoff(given: Partial<Backoff> | undefined): SupervisorRules['backoff'] {
  if (given === undefined) return null
  const { minMs, maxMs, jitter } = { ...DEFAULT_BACKOFF, ...given }
  return {
    minMs,
    maxMs: given.maxMs ?? Math.max(maxMs, minMs),
    jitter,
    resetAfterMs: given.resetAfterMs ?? minMs,
  }
}

/** Also accepts OTP's spelling, with an underscore. */
const AutoShutdownInCode = Schema.String.annotate({
  problem: annotationsOf(AutoShutdown.ast).problem,
}).pipe(
  Schema.decodeTo(
    AutoShutdown,
    SchemaTransformation.transform({
      decode: (text) => text.replace('_', '-') as typeof AutoShutdown.Type,
      encode: (text): string => text,
    }),
  ),
)

/** A start function. The supervisor checks what it returns. */
const Code = Schema.declare((value): value is (...given: never[]) => unknown => typeof value === 'function', {
  problem: 'is not a function',
})

/** The options of a child that code and the configuration file share. */
export const CHILD = {
  agent: idOf('agent'),
  restart: Restart,
  shutdown: Shutdown,
  significant: Schema.Boolean,
}

const TEMPLATE = partial({ ...CHILD, start: Code, type: ChildType })
const OWN = {
  id: idOf('child'),
  argument: Schema.optionalKey(Schema.Json.annotate({ problem: 'is not JSON' })),
}
const RULES = partial({
  strategy: Strategy,
  intensity: Schema.Struct(INTENSITY),
  backoff: Schema.Struct(partial(BACKOFF)),
  autoShutdown: AutoShutdownInCode,
})

type Of<F extends Schema.Struct.Fields> = Schema.Struct.Type<F>

interface NestedTree extends Of<typeof RULES> {
  readonly children?: readonly ChildTree[]
  readonly child?: TemplateTree
}

interface TemplateTree extends Of<typeof TEMPLATE> {
  readonly supervisor?: NestedTree
}

/** A child as specified in code. */
export interface ChildTree extends TemplateTree, Partial<Of<typeof OWN>> {}

/** A supervisor as specified in code, with its subtree. */
export interface SupervisorTree extends NestedTree {
  readonly id: string
}

const nested = { supervisor: Schema.optionalKey(Schema.suspend((): Decodable<NestedTree> => Nested)) }

export const ChildTree: Decodable<ChildTree> = Schema.Struct({
  ...TEMPLATE,
  ...nested,
  ...OWN,
  id: Schema.optionalKey(OWN.id),
})

/** A child that is started at run time from the template of its supervisor. */
export const TemplateChild = Schema.Struct(OWN)

const below = partial({
  children: Schema.Array(ChildTree),
  child: Schema.Struct({ ...TEMPLATE, ...nested }),
})

const Nested: Decodable<NestedTree> = Schema.Struct({ ...RULES, ...below })

/** A whole tree. Rules that involve several options are checked when the tree is started. */
export const SupervisorTree: Decodable<SupervisorTree> = Schema.Struct({
  id: idOf('supervisor'),
  ...RULES,
  ...below,
})
