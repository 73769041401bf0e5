/** What becomes of a call: told by the words of its prompt, so that a script can be read, or by chance from its content. */
import type { Call, CallResult, DeferredTool } from '../../claude/runner.ts'
import { type CallErrorClass, callErrors } from '../../events/errors/call.ts'
import { ASK_HUMAN } from '../../events/options/tools.ts'
import { numberOf } from './random.ts'

export interface Behaviour {
  /** How long the call takes once it was sent, in ms. */
  readonly delayMs: number
  /** The error that it ends in; `hangs`: it ends only when it is told to; a tool call that a person decides; or an answer. */
  readonly ends: 'answers' | 'hangs' | CallErrorClass | DeferredTool
  /** Whether a call that is told to end is answered all the same. */
  readonly isLate: boolean
  /** Whether it tells what it cost although it was not answered. */
  readonly tellsCost: boolean
  /** Whether its process lives on when its owner dies. Otherwise its outcome is unknown. */
  readonly outlives: boolean
  readonly result: CallResult
}

/** The errors that a script names. */
export const ERRORS: readonly string[] = Object.keys(callErrors).filter(
  (tag) => tag !== 'CallCancelledError' && tag !== 'OutcomeUnknownError',
)

/** What every agent answers: it follows from the agent and the prompt alone. */
export const answerOf = (agent: string, prompt: string): string => {
  const number = numberOf(`${agent} ${prompt}`)
  if (prompt.startsWith('Which of these')) return number % 2 === 0 ? 'left' : 'right'
  return `${agent} says ${number.toString(36)}`
}

/** A prompt says of its call: `answers`, `fails with X`, `fails with X 2 times`, `hangs`, `after 30 ms`, `late`, `and is lost`. */
export function behaviourOf(
  { agent, prompt, attempt, callId, settings, resumes }: Call,
  answer: (agent: string, prompt: string) => string,
): Behaviour {
  // A copy in a pool answers as its agent does.
  const [name = agent] = agent.split('.', 1)
  const words = withoutConversation(prompt)
  const isTold = /^t\d+ (answers|fails|hangs)/.test(words)
  const number = numberOf(`${name} ${words}`)
  const told = isTold ? words : byChance(number)
  const [, delay] = /after (\d+) ms/.exec(told) ?? []
  const [, tag = '', times] = /fails with (\w+)(?: (\d+) times)?/.exec(told) ?? []
  // What holds an account is lifted in the end.
  const most = tag === 'BillingError' ? 3 : Number.POSITIVE_INFINITY
  const error = attempt <= Number(times ?? most) ? callErrors[tag] : undefined
  const asks = settings.approveTools !== undefined && resumes === undefined && number % 3 === 0
  return {
    delayMs: Number(delay ?? 1),
    ends: error ?? (/hangs/.test(told) ? 'hangs' : asks ? toolCall(callId, number) : 'answers'),
    isLate: /late/.test(told),
    outlives: !/lost/.test(told),
    tellsCost: number % 3 === 0,
    result: {
      text: answer(name, words),
      costUsd: (1 + (number % 50)) / 1000,
      usage: {
        inputTokens: 10 + (number % 90),
        outputTokens: 1 + (number % 40),
        cacheReadTokens: 0,
        cacheCreationTokens: 0,
      },
      durationMs: Number(delay ?? 1),
      turns: 1,
      model: null,
      permissionDenials: [],
    },
  }
}

/** One that needs approval, or a question. */
const toolCall = (callId: string, number: number): DeferredTool => ({
  ...{ toolUseId: `u-${callId}`, tool: number % 2 === 0 ? 'Bash' : ASK_HUMAN },
  input: number % 2 === 0 ? { command: `make ${number}` } : { question: 'Which?' },
})

/** What a step of a workflow does, whose prompt says nothing. */
function byChance(number: number): string {
  const after = `after ${1 + (number % 40)} ms`
  const share = number % 100
  if (share < 70) return `answers ${after}`
  if (share < 78) return `answers ${after}, late`
  if (share < 84) return `answers ${after} and is lost`
  if (share < 94) return `fails with ${['OverloadedError', 'NoResultError'][number % 2]} 1 times ${after}`
  if (share < 97) return `fails with RefusedError ${after}`
  return `answers after ${1000 + (number % 9000)} ms`
}

/** What comes before the prompt of a task when the conversation of a lost session is told again. */
const TOLD_AGAIN = 'Go on from there:\n\n'

/** The messages that come before it. They change what is said as little as the conversation does. */
const MESSAGES =
  /^You have (?:a new message|\d+ new messages), one a line, as JSON\.[^\n]*\n(?:\{[^\n]*\}\n)+\n/

const withoutConversation = (prompt: string): string =>
  (prompt.replace(MESSAGES, '').split(TOLD_AGAIN).at(-1) ?? prompt).replace(MESSAGES, '')
