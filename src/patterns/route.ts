/** A classifier chooses the step that gets the task. */
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkStep } from './steps.ts'
import { inTurn } from './turns.ts'

/** Options of `route`. */
export interface RouteOptions {
  /** Gets the names of the routes, and answers with one of them. */
  readonly classifier: Step
  /** The steps to choose from, by name. */
  readonly routes: Readonly<Record<string, Step>>
  /** The step to take if the classifier names no route. Without a fallback, that fails the run. */
  readonly fallback?: Step
}

/**
 * Has a classifier choose the step that gets the task.
 *
 * @example
 * route({ classifier: 'desk', routes: { billing: 'accountant', technical: 'engineer' }, fallback: 'desk' })
 */
export function route(options: RouteOptions): Pattern {
  checkArgument('The options of route', options, 'an object')
  const { classifier, routes, fallback } = options
  checkStep('route', classifier)
  const names = Object.keys(routes)
  if (names.length === 0) throw new InvalidInputError({ what: 'route', problem: 'there are no routes' })
  for (const step of Object.values(routes)) checkStep('route', step)
  return patternOf(
    [classifier, ...Object.values(routes), ...(fallback === undefined ? [] : [fallback])],
    (ask, task) => {
      const prompt = `Which of these is it: ${names.join(', ')}? Answer with that one word and nothing else.\n\n${task.prompt}`
      return inTurn({
        part: runStep(ask, classifier, { prompt }),
        next: (word) => ({
          part: runStep(ask, chosen(word.text, routes, fallback), task, { from: [word] }),
        }),
      })
    },
  )
}

/** The step of the route that the text mentions first, as a whole word. */
function chosen(text: string, routes: Readonly<Record<string, Step>>, fallback: Step | undefined): Step {
  const words = text.toLowerCase().split(/[^\p{L}\p{N}_-]+/u)
  const [name] = Object.keys(routes)
    .map((route) => ({ route, at: words.indexOf(route.toLowerCase()) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)
  const step = name ? routes[name.route] : fallback
  if (step !== undefined) return step
  throw new InvalidInputError({
    what: 'route',
    problem: `the classifier named none of ${Object.keys(routes).join(', ')}`,
    hint: 'Add a fallback, or explain the routes in the system prompt of the classifier.',
  })
}
