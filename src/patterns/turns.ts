/** Runs the parts of a pattern in turn or side by side, in loops: a workflow of any length needs the stack of one part. */
import { Observable, of, Subscription } from 'rxjs'
import { type Answer, asOne } from './answers.ts'

/** A part of a pattern, and what its answer leads to. Without `next` it is the last part, and its answers are the result. */
export interface Turn {
  readonly part: Observable<Answer>
  readonly next?: (answer: Answer) => Turn
}

/** The last turn: the answer is there. */
export const lastTurn = (answer: Answer): Turn => ({ part: of(answer) })

/** Runs one part after another. A part without any answer is the last one: there is nothing to continue with. */
export const inTurn = (first: Turn): Observable<Answer> =>
  new Observable((subscriber) => {
    let turn: Turn | undefined = first
    let running = Subscription.EMPTY
    let isLooping = false
    const loop = () => {
      // A part that is answered at once comes back here from within the loop.
      if (isLooping) return
      isLooping = true
      while (turn !== undefined && !subscriber.closed) {
        const { part, next } = turn
        turn = undefined
        running = next === undefined ? part.subscribe(subscriber) : collect(part, next)
      }
      isLooping = false
      if (subscriber.closed) running.unsubscribe()
    }
    const collect = (part: Observable<Answer>, next: (answer: Answer) => Turn) => {
      const answers: Answer[] = []
      return part.subscribe({
        next: (answer) => answers.push(answer),
        error: (error) => subscriber.error(error),
        complete() {
          try {
            const answer = asOne(answers)
            turn = answer.error === undefined ? next(answer) : lastTurn(answer)
          } catch (error) {
            return subscriber.error(error)
          }
          loop()
        },
      })
    }
    loop()
    return () => running.unsubscribe()
  })

/** Works on several items side by side. Emits once: the answers for each item, in the order of the items. */
export const sideBySide = <Item>(
  items: readonly Item[],
  run: (item: Item) => Observable<Answer>,
  concurrency: number,
): Observable<readonly (readonly Answer[])[]> =>
  new Observable((subscriber) => {
    const results: Answer[][] = []
    const running = new Subscription()
    let active = 0
    let isLooping = false
    const loop = () => {
      if (isLooping) return
      isLooping = true
      while (active < concurrency && results.length < items.length && !subscriber.closed)
        begin(items[results.length] as Item)
      isLooping = false
      if (active > 0 || subscriber.closed) return
      subscriber.next(results)
      subscriber.complete()
    }
    const begin = (item: Item) => {
      const answers: Answer[] = []
      results.push(answers)
      active += 1
      const one = run(item).subscribe({
        next: (answer) => answers.push(answer),
        error: (error) => subscriber.error(error),
        complete() {
          active -= 1
          loop()
        },
      })
      running.add(one)
    }
    loop()
    return running
  })
