/** What a supervision tree can be told, and what a supervisor and its children are by the log: everything but the code. */
import * as Schema from 'effect/Schema'
import * as SchemaTransformation from 'effect/SchemaTransformation'
import type { Decodable } from './decoding.ts'
import { partial } from './setting.ts'
import { Count, idOf, Positive } from './values.ts'

/** How long a child may take to end: so many ms, for ever, or no time at all. */
const Shutdown = Schema.Union([Count, Schema.Literals(['brutal', 'infinity'])]).annotate({
  problem: 'is neither a number of ms from 0 on, nor "brutal", nor "infinity"',
})
const Restart = Schema.Literals(['permanent', 'transient', 'temporary'])
const ChildType = Schema.Literals(['worker', 'supervisor'])

/** Those whose children are known from the beginning. */
export const FIXED_STRATEGIES = ['one-for-one', 'one-for-all', 'rest-for-one'] as const
const Strategy = Schema.Literals([...FIXED_STRATEGIES, 'dynamic'])
export const AutoShutdown = Schema.Literals(['never', 'any-significant', 'all-significant'])

/** More restarts than this within the time, and the supervisor ends. */
export const INTENSITY = {
  maxRestarts: Count,
  withinMs: Positive.pipe(Schema.annotateKey({ problem: 'it has no period', hint: 'Say withinMs, in ms.' })),
}

/** Waits before restarts. */
export const BACKOFF = {
  minMs: Positive,
  maxMs: Positive,
  /** The share of the wait that chance may add: 0.2 is up to a fifth. */
  jitter: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({
    problem: 'is not a number from 0 to 1',
  }),
  resetAfterMs: Positive,
}

/** By which rules a supervisor acts. All of them are decided when it starts. */
export const SupervisorRules = Schema.Struct({
  strategy: Strategy,
  intensity: Schema.Struct(INTENSITY),
  backoff: Schema.NullOr(Schema.Struct(BACKOFF)),
  autoShutdown: AutoShutdown,
})
export type SupervisorRules = typeof SupervisorRules.Type

/** A child's specification as the log keeps it: everything but the code. */
export const ChildData = Schema.Struct({
  id: Schema.String,
  /** What is started: an agent, a supervisor, or whatever a function gives. */
  starts: Schema.Literals(['agent', 'supervisor', 'function']),
  /** The agent's id, where it is one. */
  agent: Schema.NullOr(Schema.String),
  /** What a dynamic child is started with. */
  argument: Schema.optionalKey(Schema.Json),
  restart: Restart,
  shutdown: Shutdown,
  type: ChildType,
  significant: Schema.Boolean,
})
export type ChildData = typeof ChildData.Type

/** OTP's, for a supervisor that says nothing of it. */
export const DEFAULT_INTENSITY: SupervisorRules['intensity'] = { maxRestarts: 1, withinMs: 5000 }
export const DEFAULT_SHUTDOWN_MS = 5000
const DEFAULT_BACKOFF = { minMs: 200, maxMs: 10_000, jitter: 0.2 }

type Backoff = NonNullable<SupervisorRules['backoff']>

/** The waits where only some of them are given; none without any. */
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

/** As OTP writes them, too. */
const AutoShutdownInCode = Schema.String.annotate({
  problem: 'is not one of never, any-significant, all-significant',
}).pipe(
  Schema.decodeTo(
    AutoShutdown,
    SchemaTransformation.transform({
      decode: (text) => text.replace('_', '-') as typeof AutoShutdown.Type,
      encode: (text): string => text,
    }),
  ),
)

/** Code is not described: whoever starts children knows what it gives. */
const Code = Schema.declare((value): value is (...given: never[]) => unknown => typeof value === 'function', {
  problem: 'is not a function',
})

/** What is said of a child in code and in files. */
export const CHILD = {
  agent: idOf('agent'),
  restart: Restart,
  shutdown: Shutdown,
  significant: Schema.Boolean,
}

const TEMPLATE = partial({ ...CHILD, start: Code, type: ChildType })
const OWN = { id: idOf('child'), argument: Schema.optionalKey(Schema.Json) }
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

/** A child as code describes it. */
export interface ChildTree extends TemplateTree, Partial<Of<typeof OWN>> {}

/** A supervisor as code describes it, with everything below it. */
export interface SupervisorTree extends NestedTree {
  readonly id: string
}

const nested = { supervisor: Schema.optionalKey(Schema.suspend((): Decodable<NestedTree> => Nested)) }

/** A child that is started at run time. */
export const ChildTree: Decodable<ChildTree> = Schema.Struct({
  ...TEMPLATE,
  ...nested,
  ...OWN,
  id: Schema.optionalKey(OWN.id),
})

/** What is said of a new child of a supervisor that has a template for them. */
export const TemplateChild = Schema.Struct(OWN)

const below = partial({
  children: Schema.Array(ChildTree),
  child: Schema.Struct({ ...TEMPLATE, ...nested }),
})

const Nested: Decodable<NestedTree> = Schema.Struct({ ...RULES, ...below })

/** A whole tree. What makes no sense together is found where trees are started. */
export const SupervisorTree: Decodable<SupervisorTree> = Schema.Struct({
  id: idOf('supervisor'),
  ...RULES,
  ...below,
})
