/** The patterns alone, for who writes workflows apart from what runs them: published as `claude-multi-agent/patterns`. */
export { type ApprovedOptions, approved } from './approved.ts'
export { type HierarchicalOptions, hierarchical } from './hierarchical.ts'
export { type DebateOptions, debate, type LoopOptions, loopUntil } from './loop-until.ts'
export { type MapReduceOptions, mapReduce } from './map-reduce.ts'
export { type ParallelOptions, parallel } from './parallel.ts'
export type {
  Answer,
  AnswerError,
  Ask,
  Pattern,
  Pool,
  Step as PatternStep,
  StepOptions,
  Worker,
} from './pattern.ts'
export { pipeline, type Stage } from './pipeline.ts'
export { pool } from './pool.ts'
export { type RaceOptions, race } from './race.ts'
export { type RouteOptions, route } from './route.ts'
export type { StepEvent } from './runs/durable-ask.ts'
export type { ResumeOptions, RunDetails, RunInfo, RunOptions } from './runs/info.ts'
export type { RunPlan } from './runs/plan.ts'
export type { RecordedStep } from './runs/recorded-steps.ts'
export type { WorkflowResult } from './runs/workflow-result.ts'
export { type SequentialOptions, sequential } from './sequential.ts'
export type { OutputForm, PlainForm, StandardForm } from './structured-output.ts'
export { type VoteOptions, vote } from './vote.ts'
