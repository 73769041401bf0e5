/** Everything that can happen to a run: one execution of a workflow. */
import * as Schema from 'effect/Schema'
import { Failure } from './agent-facts.ts'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { byPerson } from './options/values.ts'
import { Body, Material } from './task-input.ts'

const Cost = Schema.Finite
const step = {
  /** Derived from the step's content: the agent, its configuration, the task, and a number that tells equal asks apart. */
  stepKey: Schema.String,
  agent: Schema.String,
}

/** The ids of the facts whose answers are quoted in what was asked, or in the run's final output. */
const Uses = Schema.optionalKey(Schema.Array(Schema.String))

/** The hash of what a workflow is made of; absent if that is code, and in older logs. */
const Hash = Schema.optionalKey(Schema.String)

/** Why an agent gave no answer. */
export const StepError = Schema.Struct({ agent: Schema.String, code: Schema.String, message: Schema.String })
export type StepError = typeof StepError.Type

const definitions = {
  RunStarted: fact(
    Schema.Struct({
      name: Schema.String,
      /** A reference from which the workflow can be rebuilt; null if it was given as code. */
      workflow: Schema.NullOr(Schema.JsonObject),
      hash: Hash,
      prompt: Body,
      textInput: Schema.NullOr(Body),
      material: Material,
      /** The session in which its steps ask by default; in older logs, that of any task. */
      session: Schema.optionalKey(Schema.Literals(['run', 'chain', 'fresh'])),
      /** The run that it was forked from, and the first step of that run that was not carried over. */
      forkedFrom: Schema.optionalKey(Schema.Struct({ run: Schema.String, stepKey: Schema.String })),
      ...byPerson,
    }),
  ),
  /** An agent is about to be asked. */
  StepScheduled: fact(
    Schema.Struct({
      ...step,
      /** The copy in a pool; otherwise the agent itself. */
      worker: Schema.String,
      taskId: Schema.String,
      uses: Uses,
    }),
  ),
  StepSucceeded: fact(
    Schema.Struct({
      ...step,
      /** The answer, if it was not recorded together with that of the agent; in logs of older versions always. */
      text: Schema.optionalKey(Body),
      /** Otherwise the fact that holds it: a version of the worker's stream. */
      answer: Schema.optionalKey(Schema.Int),
      sessionId: Schema.String,
      costUsd: Cost,
      tokens: Schema.Int,
      durationMs: Schema.Finite,
      /** The run that the answer was carried over from, at no cost to this one. */
      carriedFrom: Schema.optionalKey(Schema.String),
    }),
    // Version 1 always had a text, and still reads as it is.
    (data) => data,
  ),
  StepFailed: fact(
    Schema.Struct({
      ...step,
      error: Failure,
      cancelled: Schema.Boolean,
      /** What the calls of its task cost, if they cost anything. */
      costUsd: Schema.optionalKey(Cost),
      tokens: Schema.optionalKey(Schema.Int),
    }),
  ),
  /** What a call of a step had cost, known only after its task had ended. */
  StepCostRecorded: fact(Schema.Struct({ taskId: Schema.String, costUsd: Cost, tokens: Schema.Int })),
  RunPaused: fact(Schema.Struct({ reason: Schema.String })),
  /** With the workflow that it continues as, if that is another one than before. */
  RunResumed: fact(
    Schema.Struct({ workflow: Schema.optionalKey(Schema.JsonObject), hash: Hash, ...byPerson }),
  ),
  RunSucceeded: fact(Schema.Struct({ finalOutput: Body, uses: Uses })),
  /** It ended with errors. `finalOutput` holds the answers that it got. */
  RunFailed: fact(
    Schema.Struct({ finalOutput: Schema.NullOr(Body), errors: Schema.Array(StepError), uses: Uses }),
  ),
  RunCancelled: fact(Schema.Struct({ reason: Schema.String, ...byPerson })),
}

export type RunFact = FactOf<typeof definitions>
export const runFacts = factCatalog(definitions)
