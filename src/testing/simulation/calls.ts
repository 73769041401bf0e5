/** The calls of all owners: their processes live on when an owner dies, and its successor finds out what became of them. */
import type { AgentRunner, Call, CallMessage, CallSpending, Recovered } from '../../claude/runner.ts'
import { type Clock, pause } from '../../clock.ts'
import { CallCancelledError, type CallErrorClass } from '../../events/errors/call.ts'
import type { Behaviour } from './behaviour.ts'
import { Violation } from './violation.ts'

export interface LastingCall {
  readonly call: Call
  readonly behaviour: Behaviour
  /** `starting`: nothing was sent. `ended`: it ended without an answer; nothing more is known. */
  state: 'starting' | 'sent' | 'answered' | 'deferred' | 'failed' | 'ended'
  /** When it ends, in ms since the world began. */
  endsAt: number
  /** What an owner was told that it cost. */
  toldUsd: number | null
}

/** The process that owns the calls now. */
export interface Owner {
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
    deferred: 0,
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
      yield* this.#spent(lasting)
      throw new CallCancelledError()
    }
    const outcome = this.#end(lasting)
    if (outcome.outcome === 'failed') {
      yield* this.#spent(lasting)
      throw outcome.error
    }
    if (outcome.outcome === 'deferred') {
      yield* this.#spent(lasting)
      yield { type: 'deferred', ...outcome.deferred }
      return
    }
    if (outcome.outcome !== 'answered') return
    yield { type: 'text', text: outcome.result.text }
    tell(lasting)
    yield { type: 'result', result: outcome.result }
  }

  /** What a call without an answer has cost, if it tells. */
  *#spent(lasting: LastingCall): Generator<CallMessage> {
    const { tellsCost, result } = lasting.behaviour
    if (!tellsCost) return
    tell(lasting)
    yield { type: 'spent', costUsd: result.costUsd, usage: result.usage }
  }

  async #recover(call: Call, signal: AbortSignal, owner: Owner): Promise<Recovered> {
    const lasting = this.all.get(call.callId)
    if (!lasting || lasting.state === 'starting') return { outcome: 'unsent' }
    const { ends, outlives } = lasting.behaviour
    if (lasting.state === 'sent' && outlives) {
      const { clock } = owner
      await (ends === 'hangs' ? aborted(signal) : pause(clock, lasting.endsAt - owner.elapsed(), signal))
    }
    if (lasting.state === 'sent' && (!outlives || signal.aborted)) lasting.state = 'ended'
    if (lasting.state === 'ended' || (!outlives && lasting.toldUsd === null)) {
      if (lasting.state === 'deferred') lasting.state = 'ended'
      return { outcome: 'unanswered', ...toldAgain(lasting) }
    }
    const outcome = this.#end(lasting)
    if (outcome.outcome === 'answered') tell(lasting)
    if (outcome.outcome !== 'failed' && outcome.outcome !== 'deferred') return outcome
    if (lasting.behaviour.tellsCost) tell(lasting)
    return { ...outcome, ...toldAgain(lasting) }
  }

  #end(lasting: LastingCall): Recovered {
    const { ends, result } = lasting.behaviour
    if (ends === 'hangs') return { outcome: 'unanswered' }
    lasting.state = ends === 'answers' ? 'answered' : typeof ends === 'function' ? 'failed' : 'deferred'
    if (ends === 'answers') return { outcome: 'answered', result }
    return typeof ends === 'function'
      ? { outcome: 'failed', error: errorOf(ends) }
      : { outcome: 'deferred', deferred: ends }
  }

  /** A call that was sent is never sent again, an answered task never asked again, nor a turn that a person has decided. */
  #checkNew({ callId, taskId, agent, resumes }: Call): void {
    const before = this.all.get(callId)
    if (before && before.state !== 'starting')
      this.#broken(new Violation('no call is sent twice', `call ${callId} of ${agent} was already sent`))
    for (const { call, state, toldUsd } of this.all.values())
      if (call.agent === agent && call.taskId === taskId && state === 'answered' && toldUsd !== null)
        this.#broken(
          new Violation('no answered task is asked again', `task ${taskId} of ${agent} has an answer`),
        )
    const last = [...this.all.values()].findLast(
      ({ call }) => call.agent === agent && call.taskId === taskId && call.callId !== callId,
    )
    if (last?.state === 'deferred' && resumes === undefined)
      this.#broken(new Violation('a decided turn is not asked again', `task ${taskId} of ${agent}`))
  }
}

function tell(lasting: LastingCall): void {
  lasting.toldUsd = lasting.behaviour.result.costUsd
}

/** What an owner was told is told to its successor. */
function toldAgain({ toldUsd, behaviour }: LastingCall): { readonly spent?: CallSpending } {
  const { costUsd, usage } = behaviour.result
  return toldUsd === null ? {} : { spent: { costUsd, usage } }
}

const errorOf = (type: CallErrorClass) => new type({ said: 'as the script has it' })

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
