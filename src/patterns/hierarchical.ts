/** A manager plans, workers do their parts side by side, and the manager makes one answer of them. */
import { map } from 'rxjs'
import { checkArgument } from '../events/options/decoding.ts'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, asOne } from './answers.ts'
import { type Pattern, patternOf, runStep, type Step, stepName } from './pattern.ts'
import { checkCount, checkStep, checkSteps, refuseTwice } from './steps.ts'
import { inTurn, sideBySide, type Turn } from './turns.ts'

/** Options of `hierarchical`. */
export interface HierarchicalOptions {
  readonly manager: Step
  readonly workers: readonly Step[]
  /** How many workers work at the same time. Default: all. */
  readonly concurrency?: number
  /** The prompt of a worker. Default: the task, the whole plan, and the worker's name. */
  readonly split?: (plan: string, worker: string, task: TaskInput) => string
  /** The manager's final prompt. Default: the task and all results. */
  readonly merge?: (results: string, task: TaskInput) => string
}

/**
 * Has a manager plan the task, workers do their parts side by side, and the manager merge the results.
 *
 * @example
 * hierarchical({ manager: 'lead', workers: ['backend', 'frontend', 'tester'], concurrency: 2 })
 */
export function hierarchical(options: HierarchicalOptions): Pattern {
  checkArgument('The options of hierarchical', options, 'an object')
  const { manager, workers, concurrency = Number.POSITIVE_INFINITY } = options
  const { split = partOf, merge = synthesis } = options
  checkStep('hierarchical', manager)
  checkSteps('hierarchical', workers)
  refuseTwice('hierarchical', workers)
  checkCount('concurrency', concurrency)
  const names = workers.map(stepName)
  return patternOf([manager, ...workers], (ask, task) => {
    const divide = (plan: Answer): Turn => {
      const run = (worker: Step) =>
        runStep(ask, worker, { prompt: split(plan.text, stepName(worker), task) }, { from: [plan] })
      const parts = sideBySide(workers, run, concurrency).pipe(map((results) => asOne(results.flat())))
      return { part: parts, next: (results) => combine(plan, results) }
    }
    const combine = (plan: Answer, results: Answer): Turn => ({
      part: runStep(ask, manager, { prompt: merge(results.text, task) }, { from: [plan, results] }),
    })
    const part = runStep(ask, manager, { ...task, prompt: planning(task, names) })
    return inTurn({ part, next: divide })
  })
}

const planning = (task: TaskInput, workers: readonly string[]) =>
  `${task.prompt}\n\nYou lead a team: ${workers.join(', ')}. Do not do the work yourself. Say what each of them is to do, by name.`
const partOf = (plan: string, worker: string, task: TaskInput) =>
  `The whole task: ${task.prompt}\n\nThe plan of your lead:\n\n${plan}\n\nYou are ${worker}. Do your part of it.`
const synthesis = (results: string, task: TaskInput) =>
  `${task.prompt}\n\nYour team has done its parts. Make one answer of them:\n\n${results}`
