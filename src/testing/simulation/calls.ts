/** The calls of all owners: their processes live on when an owner dies, and its successor finds out what became of them. */
import type { AgentRunner, Call, CallMessage, Recovered } from '../../claude/runner.ts'
import { type Clock, pause } from '../../clock.ts'
import { CallCancelledError, type CallErrorClass } from '../../events/errors/call.ts'
import type { Behaviour } from './behaviour.ts'
import { Violation } from './violation.ts'

export interface LastingCall {
  readonly call: Call
  readonly behaviour: Behaviour
  /** `starting`: nothing was sent. `ended`: it ended without an answer, and nobody knows more. */
  state: 'starting' | 'sent' | 'answered' | 'failed' | 'ended'
  /** When it ends, in ms since the world began. */
  endsAt: number
  /** What an owner was told that it cost. */
  toldUsd: number | null
  /** The number of the owner that was told. */
  toldTo: number
}

/** The process that owns the calls now. */
export interface Owner {
  readonly number: number
  readonly clock: Clock
  /** Milliseconds since the world began: not the time of day. */
  readonly elapsed: () => number
  readonly turn: (what: string) => Promise<void>
}

export class LastingCalls {
  /** By call id, in the order of their starts. */
  readonly all = new Map<string, LastingCall>()
  /** How often recovery found each outcome. */
  readonly recovered: Record<Recovered['outcome'], number> = {
    answered: 0,
    failed: 0,
    unanswered: 0,
    unsent: 0,
  }
  readonly #behaviour: (call: Call) => Behaviour
  readonly #broken: (violation: Violation) => void

  constructor(broken: (violation: Violation) => void, behaviour: (call: Call) => Behaviour) {
    this.#broken = broken
    this.#behaviour = behaviour
  }

  /** The runner of one owner. */
  runner(owner: Owner): AgentRunner {
    const { turn } = owner
    return {
      start: (call, { signal }) => this.#start(call, signal, owner),
      recover: async (call, { signal }) => {
        await turn(`recover ${call.taskId}`)
        const recovered = await this.#recover(call, signal, owner)
        this.recovered[recovered.outcome] += 1
        return recovered
      },
    }
  }

  async *#start(call: Call, signal: AbortSignal, owner: Owner): AsyncGenerator<CallMessage> {
    const { clock, turn } = owner
    this.#checkNew(call)
    const behaviour = this.#behaviour(call)
    const lasting: LastingCall = {
      call,
      behaviour,
      state: 'starting',
      endsAt: Number.POSITIVE_INFINITY,
      toldUsd: null,
      toldTo: 0,
    }
    this.all.set(call.callId, lasting)
    yield { type: 'process', pid: this.all.size, startTime: null }
    await turn(`send ${call.taskId}`)
    if (signal.aborted) throw new CallCancelledError()
    lasting.state = 'sent'
    lasting.endsAt = owner.elapsed() + behaviour.delayMs
    yield { type: 'init', sessionId: call.sessionId, model: null, version: null, tools: [] }
    await (behaviour.ends === 'hangs' ? aborted(signal) : pause(clock, behaviour.delayMs, signal))
    await turn(`end ${call.taskId}`)
    if (signal.aborted && !(behaviour.isLate && behaviour.ends === 'answers')) {
      lasting.state = 'ended'
      throw new CallCancelledError()
    }
    const outcome = this.#end(lasting)
    if (outcome.outcome === 'failed') throw outcome.error
    if (outcome.outcome !== 'answered') return
    yield { type: 'text', text: outcome.result.text }
    lasting.toldUsd = outcome.result.costUsd
    lasting.toldTo = owner.number
    yield { type: 'result', result: outcome.result }
  }

  async #recover(call: Call, signal: AbortSignal, owner: Owner): Promise<Recovered> {
    const lasting = this.all.get(call.callId)
    if (!lasting || lasting.state === 'starting') return { outcome: 'unsent' }
    if (lasting.state === 'ended' || !lasting.behaviour.outlives) {
      if (lasting.state === 'sent') lasting.state = 'ended'
      if (lasting.state === 'ended') return { outcome: 'unanswered' }
    }
    if (lasting.state === 'sent') {
      const { ends } = lasting.behaviour
      const { clock } = owner
      await (ends === 'hangs' ? aborted(signal) : pause(clock, lasting.endsAt - owner.elapsed(), signal))
      if (signal.aborted) {
        lasting.state = 'ended'
        return { outcome: 'unanswered' }
      }
    }
    const outcome = this.#end(lasting)
    if (outcome.outcome === 'answered') {
      lasting.toldUsd = outcome.result.costUsd
      lasting.toldTo = owner.number
    }
    return outcome
  }

  #end(lasting: LastingCall): Recovered {
    const { ends, result } = lasting.behaviour
    if (ends === 'hangs') return { outcome: 'unanswered' }
    lasting.state = ends === 'answers' ? 'answered' : 'failed'
    return ends === 'answers' ? { outcome: 'answered', result } : { outcome: 'failed', error: errorOf(ends) }
  }

  /** A call that was sent is never sent again, and a task that was answered is never asked again. */
  #checkNew({ callId, taskId, agent }: Call): void {
    const before = this.all.get(callId)
    if (before && before.state !== 'starting')
      this.#broken(new Violation('no call is sent twice', `call ${callId} of ${agent} was already sent`))
    for (const { call, state, toldUsd } of this.all.values())
      if (call.agent === agent && call.taskId === taskId && state === 'answered' && toldUsd !== null)
        this.#broken(
          new Violation('no answered task is asked again', `task ${taskId} of ${agent} has an answer`),
        )
  }
}

const errorOf = (type: CallErrorClass) => new type({ said: 'as the script has it' })

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
