/** Workflow patterns without the orchestrator that runs them: `claude-multi-agent/patterns`. */

export { type ApprovedOptions, approved } from '../patterns/approved.ts'
export { type HierarchicalOptions, hierarchical } from '../patterns/hierarchical.ts'
export { type DebateOptions, debate, type LoopOptions, loopUntil } from '../patterns/loop-until.ts'
export { type MapReduceOptions, mapReduce } from '../patterns/map-reduce.ts'
export { type ParallelOptions, parallel } from '../patterns/parallel.ts'
export type {
  Answer,
  AnswerError,
  Ask,
  Pattern,
  Pool,
  Step,
  StepOptions,
  Worker,
} from '../patterns/pattern.ts'
export { pipeline, type Stage } from '../patterns/pipeline.ts'
export { pool } from '../patterns/pool.ts'
export { type RaceOptions, race } from '../patterns/race.ts'
export { type RouteOptions, route } from '../patterns/route.ts'
export { type SequentialOptions, sequential } from '../patterns/sequential.ts'
export type { OutputForm, PlainForm, StandardForm } from '../patterns/structured-output.ts'
export { type VoteOptions, vote } from '../patterns/vote.ts'
