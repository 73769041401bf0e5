/** Children of a supervision tree that do nothing but start, run and end as the script says. */
import { Ending, type Exit, KILLED, type Supervised } from '../../actors/engine/exit.ts'
import type { Clock } from '../../clock.ts'

interface Member extends Supervised {
  /** Ends by itself. */
  exit(reason: Exit['reason']): void
}

const BOOM = { tag: 'RangeError', message: 'boom', hint: '', retryable: false, details: {} }

export class Members {
  /** Those that run, by id. Two of one id at once are a mistake of the supervisor. */
  readonly running = new Map<string, Member>()
  /** Ids that were started while they ran. */
  readonly doubled: string[] = []
  readonly #clock: Clock
  readonly #failing = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Starts one. Throws if its starts are refused. */
  start(id: string, stopsAfterMs: number): Supervised {
    const left = this.#failing.get(id) ?? 0
    if (left > 0) {
      this.#failing.set(id, left - 1)
      throw new Error(`${id} does not start`)
    }
    if (this.running.has(id)) this.doubled.push(id)
    const ending = new Ending()
    const end = (exit: Exit) => {
      if (ending.exit) return
      if (this.running.get(id) === member) this.running.delete(id)
      ending.end(exit)
    }
    const member: Member = {
      watch: (ended) => ending.watch(ended),
      stop: async (reason = 'shutdown') => {
        if (stopsAfterMs > 0) await new Promise<void>((resolve) => this.#clock.after(stopsAfterMs, resolve))
        end({ reason, error: null })
      },
      kill: async () => end(KILLED),
      exit: (reason) => end({ reason, error: reason === 'crashed' ? BOOM : null }),
    }
    this.running.set(id, member)
    return member
  }

  /** The next starts of a child fail. */
  refuse(id: string, times: number): void {
    this.#failing.set(id, times)
  }

  /** A child ends by itself, if it runs. */
  exit(id: string, reason: 'normal' | 'crashed'): void {
    this.running.get(id)?.exit(reason)
  }
}
