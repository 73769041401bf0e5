/** A scripted runner with a memory that survives simulated crashes, so that recovery learns what became of each call. */
import type { AgentRunner, Call, CallMessage, CallResult, DeferredTool, Recovered } from '../claude/runner.ts'
import type { Clock } from '../clock.ts'
import { ClaudeExecutionError } from '../events/errors/call.ts'
import { type MortalStore, never } from './mortal-store.ts'
import { type ScriptedAnswer, type ScriptedRunnerOptions, scriptedRunner } from './scripted-runner.ts'

/** The outcomes of all calls of all processes, by which the next process learns what became of them. */
export class CallMemory {
  /** Every call whose prompt was sent, in order. */
  readonly sent: Call[] = []
  /** Every call that was answered, or ended at a tool call for a person to decide, in order. */
  readonly answered: Call[] = []
  /** How often recovery found each outcome. */
  readonly recalled: Record<Recovered['outcome'], number> = {
    answered: 0,
    deferred: 0,
    failed: 0,
    unanswered: 0,
    unsent: 0,
  }
  readonly #outcomes = new Map<string, Recovered>()

  send(call: Call): void {
    this.sent.push(call)
    this.#outcomes.set(call.callId, { outcome: 'unanswered' })
  }

  answer(call: Call, result: CallResult): void {
    this.answered.push(call)
    this.#outcomes.set(call.callId, { outcome: 'answered', result })
  }

  defer(call: Call, deferred: DeferredTool): void {
    this.answered.push(call)
    this.#outcomes.set(call.callId, { outcome: 'deferred', deferred })
  }

  fail({ callId }: Call, error: ClaudeExecutionError): void {
    this.#outcomes.set(callId, { outcome: 'failed', error })
  }

  recall({ callId }: Call): Recovered {
    const recovered = this.#outcomes.get(callId) ?? ({ outcome: 'unsent' } as const)
    this.recalled[recovered.outcome]++
    return recovered
  }
}

/**
 * The runner of one process that may die: it stops at the death, and the next one recovers its calls from the memory. A
 * call takes 1 ms unless its answer has a delay.
 *
 * @example
 * const mortal = new MortalStore(lasting, { crash: { append: 5, when: 'before' } })
 * const runner = rememberingRunner(memory, mortal, clock, ({ prompt }) => `an answer to ${prompt}`)
 * const orchestrator = await Orchestrator.open({ store: mortal.store, runner, clock })
 */
export function rememberingRunner(
  memory: CallMemory,
  mortal: MortalStore,
  clock: Clock,
  reply: NonNullable<ScriptedRunnerOptions['reply']>,
): AgentRunner {
  const script = scriptedRunner({
    clock,
    reply: (call) => mortal.whileAlive(async () => takingTime(await reply(call))),
  })
  return {
    async *start(call, { signal }): AsyncGenerator<CallMessage> {
      if (mortal.dead) await never()
      yield { type: 'process', pid: memory.sent.length + 1, startTime: null }
      if (mortal.dead) await never()
      memory.send(call)
      try {
        for await (const message of script.start(call, { signal })) {
          if (mortal.dead) await never()
          if (message.type === 'result') memory.answer(call, message.result)
          if (message.type === 'deferred') memory.defer(call, message)
          yield message
        }
      } catch (error) {
        if (!signal.aborted && error instanceof ClaudeExecutionError) memory.fail(call, error)
        throw error
      }
    },
    recover: async (call) => (mortal.dead ? never() : memory.recall(call)),
  }
}

function takingTime(answer: ScriptedAnswer): ScriptedAnswer {
  if (answer instanceof Error) return answer
  return typeof answer === 'string' ? { text: answer, delayMs: 1 } : { delayMs: 1, ...answer }
}
