/** Everything that can happen to a run: one execution of a workflow. */
import * as Schema from 'effect/Schema'
import { Failure } from './agent-facts.ts'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { Body, Material } from './task-input.ts'

const Cost = Schema.Finite
const step = {
  /** Made of the step's content: agent, its configuration, task, and which one of equals it is. */
  stepKey: Schema.String,
  agent: Schema.String,
}

/** Ids of facts that hold answers whose text is part of what was asked, or of what came of the run. */
const Uses = Schema.optionalKey(Schema.Array(Schema.String))

/** Something that a run goes on without. */
export const StepError = Schema.Struct({ agent: Schema.String, code: Schema.String, message: Schema.String })
export type StepError = typeof StepError.Type

const definitions = {
  RunStarted: fact(
    Schema.Struct({
      name: Schema.String,
      /** How the workflow can be put together again, where it was not given as code. */
      workflow: Schema.NullOr(Schema.JsonObject),
      prompt: Body,
      textInput: Schema.NullOr(Body),
      material: Material,
      /** The run that it was branched off, and the first of that one's steps that was not taken over. */
      forkedFrom: Schema.optionalKey(Schema.Struct({ run: Schema.String, stepKey: Schema.String })),
    }),
  ),
  /** An agent is going to be asked. */
  StepScheduled: fact(
    Schema.Struct({
      ...step,
      /** Who of a pool; otherwise the agent itself. */
      worker: Schema.String,
      taskId: Schema.String,
      uses: Uses,
    }),
  ),
  StepSucceeded: fact(
    Schema.Struct({
      ...step,
      text: Body,
      sessionId: Schema.String,
      costUsd: Cost,
      tokens: Schema.Int,
      durationMs: Schema.Finite,
      /** The run whose answer it is: it was taken over and has cost this one nothing. */
      carriedFrom: Schema.optionalKey(Schema.String),
    }),
  ),
  StepFailed: fact(Schema.Struct({ ...step, error: Failure, cancelled: Schema.Boolean })),
  RunPaused: fact(Schema.Struct({ reason: Schema.String })),
  RunResumed: fact(Schema.Struct({})),
  RunSucceeded: fact(Schema.Struct({ finalOutput: Body, uses: Uses })),
  /** It came to an end, and not all of it went well. `finalOutput` is what there is. */
  RunFailed: fact(
    Schema.Struct({ finalOutput: Schema.NullOr(Body), errors: Schema.Array(StepError), uses: Uses }),
  ),
  RunCancelled: fact(Schema.Struct({ reason: Schema.String })),
}

export type RunFact = FactOf<typeof definitions>
export const runFacts = factCatalog(definitions)
