/** The whole life of a run as one pure state machine. The answers of its steps are in the log, not in its state. */
import { type SnapshotFrom, setup } from 'xstate'
import { defineKind, type Effect } from '../../actors/engine/definition.ts'
import type { Life } from '../../actors/engine/life.ts'
import type { Identified } from '../../events/envelope.ts'
import { defined, type JsonObject } from '../../events/json.ts'
import { type RunFact, runFacts } from '../../events/run-facts.ts'
import type { Body, Material } from '../../events/task-input.ts'

export interface RunContext {
  readonly name: string
  readonly workflow: JsonObject | null
  /** The hash of what the workflow was made of; undefined if it was code, and in older logs. */
  readonly hash?: string | undefined
  readonly input: {
    readonly prompt: Body
    readonly textInput: Body | null
    readonly material: Material
  } | null
  /** The session in which its steps ask by default; undefined in older logs. */
  readonly session?: 'run' | 'chain' | 'fresh'
  /** How many steps were scheduled, and how many of these were answered. */
  readonly steps: number
  readonly done: number
  readonly costUsd: number
}

const nothing: RunContext = { name: '', workflow: null, input: null, steps: 0, done: 0, costUsd: 0 }

const run = setup({ types: {} as { context: RunContext; events: Identified<RunFact> } })

const start = run.assign(({ event }) => {
  if (event.type !== 'RunStarted') return {}
  const { name, workflow, hash, session, ...input } = event.data
  const definition = { workflow: workflow as JsonObject | null, ...defined({ hash }) }
  return { ...nothing, name, ...definition, input, ...defined({ session }) }
})

const redefine = run.assign(({ event }) => {
  if (event.type !== 'RunResumed' || event.data.workflow === undefined) return {}
  const { workflow, hash } = event.data
  return { workflow: workflow as JsonObject, hash }
})

const count = run.assign(({ context, event }) => {
  switch (event.type) {
    case 'StepScheduled':
      return { steps: context.steps + 1 }
    case 'StepSucceeded':
      return { done: context.done + 1, costUsd: context.costUsd + event.data.costUsd }
    case 'StepFailed':
      // What is asked again is scheduled again.
      return { steps: context.steps - 1, costUsd: context.costUsd + (event.data.costUsd ?? 0) }
    case 'StepCostRecorded':
      return { costUsd: context.costUsd + event.data.costUsd }
    default:
      return {}
  }
})

/** A call that was cancelled tells what it has cost when the run may have ended. */
const late = { StepCostRecorded: { actions: count } } as const

const resume = { target: 'running', actions: redefine } as const
const resumable = { ...late, RunResumed: resume, RunCancelled: 'cancelled' } as const

export const runMachine = run.createMachine({
  id: 'run',
  context: nothing,
  initial: 'absent',
  states: {
    absent: { on: { RunStarted: { target: 'running', actions: start } } },
    running: {
      on: {
        ...late,
        StepScheduled: { actions: count },
        StepSucceeded: { actions: count },
        StepFailed: { actions: count },
        /** After a crash, the log still says that it is running. */
        RunResumed: resume,
        RunPaused: 'paused',
        RunSucceeded: 'succeeded',
        RunFailed: 'failed',
        RunCancelled: 'cancelled',
      },
    },
    paused: { on: resumable },
    /** A failed run can be resumed, and reuses its answers. */
    failed: { on: resumable },
    succeeded: { on: late },
    cancelled: { on: late },
  },
})

/** A state of a run: `value` is its status, `context` holds the rest. */
export type RunSnapshot = SnapshotFrom<typeof runMachine>
/** The status of a run. */
export type RunStatus = RunSnapshot['value']

/** A run has no effects: its workflow is code, or built from data, and a `Run` executes it. */
export const runKind = defineKind<typeof runMachine, Effect>('run', runMachine, {
  facts: runFacts,
  effects: () => [],
  summarize: ({ value, context: { name, steps, done, costUsd } }) => ({
    status: value,
    open: value === 'running',
    info: { name, steps, done, costUsd },
  }),
})

/** A run in memory. */
export type RunActor = Life<typeof runMachine, Effect>
