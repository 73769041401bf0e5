/** A runner that answers from a script, for tests of workflows and agents without a process or a model. */
import type {
  AgentRunner,
  Call,
  CallMessage,
  CallResult,
  CallSpending,
  DeferredTool,
  Recovered,
} from '../claude/runner.ts'
import { type Clock, pause, systemClock } from '../clock.ts'
import { CallCancelledError } from '../events/errors/call.ts'

/** The outcome of a scripted call: a string is its answer, an Error its failure. */
export type ScriptedAnswer =
  | string
  | Error
  | (Partial<CallResult> & {
      /** The duration of the call, in ms of the runner's clock. Default: 0. */
      readonly delayMs?: number
      /** What the call fails with after its delay, instead of an answer. */
      readonly error?: Error
      /** What the call has cost if it fails or is cancelled. */
      readonly spent?: CallSpending
      /** The tool call at which the call ends instead, for a person to decide: `resumes` of the next call says what they did. */
      readonly deferred?: DeferredTool
      /** The pieces in which the text streams. Default: the whole text. */
      readonly chunks?: readonly string[]
    })

/** Options of `scriptedRunner`. */
export interface ScriptedRunnerOptions {
  /** Returns the answer to a call. Default: `echo: PROMPT`. */
  readonly reply?: (call: Call) => ScriptedAnswer | Promise<ScriptedAnswer>
  /** Returns what became of a call of an earlier process. Default: it was never sent. */
  readonly recover?: (call: Call) => Recovered
  readonly clock?: Clock
}

export interface ScriptedRunner extends AgentRunner {
  /** Every call that was started, in order. */
  readonly calls: readonly Call[]
}

/**
 * Creates a runner that answers from a script.
 *
 * @example
 * const runner = scriptedRunner({ reply: (call) => (call.attempt === 1 ? new OverloadedError() : 'second try') })
 * const orchestrator = await Orchestrator.open({ runner, store: memoryStore() })
 */
export function scriptedRunner(options: ScriptedRunnerOptions = {}): ScriptedRunner {
  const { reply = (call: Call) => `echo: ${call.prompt}`, clock = systemClock } = options
  const calls: Call[] = []
  return {
    calls,
    async *start(call, { signal }): AsyncGenerator<CallMessage> {
      calls.push(call)
      const answer = await reply(call)
      if (answer instanceof Error) throw answer
      const {
        delayMs = 0,
        chunks,
        error,
        spent,
        deferred,
        ...given
      } = typeof answer === 'string' ? { text: answer } : answer
      const text = given.text ?? chunks?.join('') ?? ''
      yield { type: 'init', sessionId: call.sessionId, model: null, version: null, tools: [] }
      if (delayMs > 0) await pause(clock, delayMs, signal)
      const failure = () => (signal.aborted ? new CallCancelledError() : error)
      for (const chunk of failure() ? [] : (chunks ?? [text])) {
        yield { type: 'text', text: chunk }
        if (signal.aborted) break
      }
      const failed = failure()
      if (failed) {
        if (spent) yield { type: 'spent', ...spent }
        throw failed
      }
      if (deferred) {
        if (spent) yield { type: 'spent', ...spent }
        yield { type: 'deferred', ...deferred }
        return
      }
      yield { type: 'result', result: { ...nothingSpent, durationMs: delayMs, ...given, text } }
    },
    recover: async (call) => options.recover?.(call) ?? { outcome: 'unsent' },
  }
}

const nothingSpent: Omit<CallResult, 'text'> = {
  costUsd: 0,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 },
  durationMs: 0,
  turns: 1,
  model: null,
  permissionDenials: [],
}
