/** A manager plans, workers do their parts side by side, and the manager makes one answer of them. */
import { concatMap, from, map, mergeMap, type Observable, toArray } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, joinAnswers, type Pattern, patternOf, runStep, type Step, stepName } from './pattern.ts'
import { checkCount, checkStep, checkSteps, refuseTwice } from './steps.ts'

/** Options of `hierarchical`. */
export interface HierarchicalOptions {
  readonly manager: Step
  readonly workers: readonly Step[]
  /** How many work at the same time. Default: all. */
  readonly concurrency?: number
  /** What one worker is told of the plan. Default: the whole plan, and who it is. */
  readonly split?: (plan: string, worker: string, task: TaskInput) => string
  /** What the manager is told in the end. Default: the task and all results. */
  readonly merge?: (results: string, task: TaskInput) => string
}

/**
 * @example
 * hierarchical({ manager: 'lead', workers: ['backend', 'frontend', 'tester'], concurrency: 2 })
 */
export function hierarchical(options: HierarchicalOptions): Pattern {
  const { manager, workers, concurrency = Number.POSITIVE_INFINITY } = options
  const { split = partOf, merge = synthesis } = options
  checkStep('hierarchical', manager)
  checkSteps('hierarchical', workers)
  refuseTwice('hierarchical', workers)
  checkCount('concurrency', concurrency)
  const names = workers.map(stepName)
  return patternOf([manager, ...workers], (ask, task) =>
    runStep(ask, manager, { ...task, prompt: planning(task, names) }).pipe(
      toArray(),
      concatMap((plan) =>
        from(workers).pipe(
          mergeMap((worker, index) => {
            const prompt = split(joinAnswers(plan), names[index] ?? '', task)
            return inOrder(runStep(ask, worker, { prompt }), index)
          }, concurrency),
          toArray(),
        ),
      ),
      concatMap((parts) => {
        const results = parts.sort((one, other) => one.index - other.index).flatMap(({ answers }) => answers)
        return runStep(ask, manager, { prompt: merge(joinAnswers(results), task) })
      }),
    ),
  )
}

const inOrder = (answers: Observable<Answer>, index: number) =>
  answers.pipe(
    toArray(),
    map((all) => ({ index, answers: all })),
  )

const planning = (task: TaskInput, workers: readonly string[]) =>
  `${task.prompt}\n\nYou lead a team: ${workers.join(', ')}. Do not do the work yourself. Say what each of them is to do, by name.`
const partOf = (plan: string, worker: string, task: TaskInput) =>
  `The whole task: ${task.prompt}\n\nThe plan of your lead:\n\n${plan}\n\nYou are ${worker}. Do your part of it.`
const synthesis = (results: string, task: TaskInput) =>
  `${task.prompt}\n\nYour team has done its parts. Make one answer of them:\n\n${results}`
