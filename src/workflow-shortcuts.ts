/** The common workflows by one call each. */
import type { TaskInput } from './events/task-input.ts'
import { type HierarchicalOptions, hierarchical } from './patterns/hierarchical.ts'
import { type ParallelOptions, parallel } from './patterns/parallel.ts'
import type { Pattern, Step } from './patterns/pattern.ts'
import { pipeline, type Stage } from './patterns/pipeline.ts'
import type { RunOptions } from './patterns/runs/info.ts'
import type { Run } from './patterns/runs/run.ts'
import { type SequentialOptions, sequential } from './patterns/sequential.ts'

export abstract class WorkflowShortcuts {
  abstract run(pattern: Pattern, input: string | TaskInput, options?: RunOptions): Run

  /** `run(sequential(agents, options), input)` */
  sequential(agents: readonly Step[], input: string | TaskInput, options?: SequentialOptions): Run {
    return this.run(sequential(agents, options), input, { name: 'sequential' })
  }

  /** `run(parallel(agents, options), input)` */
  parallel(agents: readonly Step[], input: string | TaskInput, options?: ParallelOptions): Run {
    return this.run(parallel(agents, options), input, { name: 'parallel' })
  }

  /** `run(pipeline(stages), input)` */
  pipeline(stages: readonly Stage[], input: string | TaskInput): Run {
    return this.run(pipeline(stages), input, { name: 'pipeline' })
  }

  /** `run(hierarchical(options), input)` */
  hierarchical(options: HierarchicalOptions, input: string | TaskInput): Run {
    return this.run(hierarchical(options), input, { name: 'hierarchical' })
  }
}
