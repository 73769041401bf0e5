/** Somebody decides who is asked. */
import { concatMap, toArray } from 'rxjs'
import { InvalidInputError } from '../events/errors/usage.ts'
import { joinAnswers, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkStep } from './steps.ts'

/** Options of `route`. */
export interface RouteOptions {
  /** Who decides: it is told the names of the routes, and answers with one. */
  readonly classifier: Step
  /** What there is to choose from. */
  readonly routes: Readonly<Record<string, Step>>
  /** Where to go when none of them was named. Without one that is a failure. */
  readonly fallback?: Step
}

/**
 * @example
 * route({ classifier: 'desk', routes: { billing: 'accountant', technical: 'engineer' }, fallback: 'desk' })
 */
export function route({ classifier, routes, fallback }: RouteOptions): Pattern {
  checkStep('route', classifier)
  const names = Object.keys(routes)
  if (names.length === 0) throw new InvalidInputError({ what: 'route', problem: 'there are no routes' })
  for (const step of Object.values(routes)) checkStep('route', step)
  return patternOf(
    [classifier, ...Object.values(routes), ...(fallback === undefined ? [] : [fallback])],
    (ask, task) =>
      runStep(ask, classifier, {
        prompt: `Which of these is it: ${names.join(', ')}? Answer with that one word and nothing else.\n\n${task.prompt}`,
      }).pipe(
        toArray(),
        concatMap((answers) => runStep(ask, chosen(joinAnswers(answers), routes, fallback), task)),
      ),
  )
}

/** The name that is mentioned first, as a whole word. */
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
    hint: 'Give a fallback, or tell the classifier more in its system prompt.',
  })
}
