/** What a worker asks of its orchestrator, for the runs, the schedules and the topics that are its own. */
import type { WaitingReason } from '../patterns/runs/options.ts'
import type { Run } from '../patterns/runs/run.ts'
import type { StepEvent } from '../patterns/runs/step-event.ts'
import type { WorkflowResult } from '../patterns/runs/workflow-result.ts'

/** `orchestrator.duties`: what a worker of a cluster does for the runs, the schedules and the topics that are its own. */
export interface WorkerDuties {
  /**
   * Resumes a run, if the log has it as running and its workflow can be built here. Resolves when this process executes it, or
   * has a reason why it waits.
   */
  takeRun(runId: string): Promise<void>
  /** Leaves a run to another process, and records nothing of it any more. What its steps have asked continues. */
  releaseRun(runId: string): Promise<void>
  /** Resolves when this process does not execute a run, or no more. */
  runEnded(runId: string): Promise<void>
  /**
   * What became of a run that was begun after a version of it: its execution here, or its result; undefined if it is to begin,
   * or waits. Throws RunInterruptedError if it was paused or cancelled.
   *
   * @param tell Is told of its steps, if it has ended.
   */
  begunBefore(
    runId: string,
    after: number,
    tell: (step: StepEvent) => void,
  ): Promise<Run | WorkflowResult | undefined>
  isActive(runId: string): boolean
  /** The runs that this process has left as they were, and why. */
  waitingRuns(): ReadonlyMap<string, WaitingReason>
  /** Drives those of the schedules that are ours, with what others have written to them since; and lets go of the others. */
  tendSchedules(isOurs: (name: string) => boolean): Promise<void>
  /** Delivers what a process that was lost has left undelivered on those of the topics that are ours. */
  tendTopics(isOurs: (topic: string) => boolean): Promise<void>
}
