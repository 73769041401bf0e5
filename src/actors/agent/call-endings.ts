/** Records how the calls of an agent end: answered or not, in time or after their task. */
import { NO_USAGE } from '../../claude/usage.ts'
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { TaskBrokenError } from '../../events/errors/call.ts'
import { type ErrorData, errorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import { amountOf, type RecordedSpending, recordedSpending } from '../../events/spending.ts'
import type { Body } from '../../events/task-input.ts'
import type { AccountNews, Admitted } from '../admission/admission.ts'
import { mayPass } from '../engine/wish.ts'
import { type Answered, type CallEnding, decideOn, type RecoveryOutcome } from './call.ts'
import type { CallFiles, LeftFiles, SavedAfter } from './call-files.ts'
import { deadlineLeftMs, type IdleTime } from './deadline.ts'
import { callEnded, taskBroken } from './decisions.ts'
import type { AgentActor, AgentEnvironment, AskedTasks } from './environment.ts'
import type { AgentSnapshot } from './machine.ts'
import { usedInCall } from './mailbox/unread.ts'
import type { Moving } from './moving/moving.ts'
import { type CallOfTask, type CurrentTask, isAbandoned, type OpenCall, type QueuedTask } from './state.ts'
import { toolHold } from './tasks/deferral.ts'
import { type LateEnding, recordLateEnding } from './tasks/late-answers.ts'
import { leftAfterRefusal, newsOf, waitInWords } from './waits.ts'

const ANSWERED: AccountNews = { said: 'answered' }
const NOTHING_LEFT: LeftFiles = { facts: [], said: {} }
const NOTHING_SAVED: SavedAfter = {}
const NOTHING_SPENT: RecordedSpending = { costUsd: 0, usage: NO_USAGE }

type AnswerFact = Extract<AgentFact, { type: 'CallSucceeded' }>

export class CallEndings {
  readonly #agent: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #asked: AskedTasks
  readonly #files: CallFiles
  readonly #idle: IdleTime
  /** The record of how the last call ended, which waits for room on a full disk. */
  #lastRecord: Promise<unknown> | undefined

  constructor(
    agent: string,
    actor: AgentActor,
    environment: AgentEnvironment,
    asked: AskedTasks,
    files: CallFiles,
    idle: IdleTime,
  ) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.#asked = asked
    this.#files = files
    this.#idle = idle
  }

  /** Resolves when the last ending is recorded, or could not be. */
  async recorded(): Promise<void> {
    await this.#lastRecord?.catch(() => {})
  }

  /** Records what the ending says about the account, then the ending: one record, so that no deadline comes between. */
  async conclude(effect: CallOfTask, ending: CallEnding, admitted: Admitted): Promise<RecoveryOutcome> {
    // After an answer, or a tool call that a person has to decide, the task continues with what was done.
    const isUndone = ending.type === 'CallFailed' || ending.type === 'CallOutcomeUnknown'
    const news = isUndone ? newsOf(ending.error, this.#circumstances()) : ANSWERED
    const left = isUndone ? await this.#files.left(effect) : NOTHING_LEFT
    let isTold = false
    return this.#record(async () => {
      const telling = news && !isTold ? admitted.told(news) : undefined
      if (telling) await telling
      isTold = true
      return this.#settle(effect, ending, admitted, left)
    })
  }

  /** Keeps what arrived after the task had ended: an answer, or what the call cost. */
  late(of: CallOfTask, ending: CallEnding | undefined, admitted: Admitted): Promise<void> {
    return this.#record(() => this.#keepLate(of, ending, admitted))
  }

  /** Records that a task is broken. Throws the error if it may pass, or if nothing can be recorded. */
  async breakTask(taskId: string, error: unknown): Promise<void> {
    if (mayPass(error)) throw error
    this.#environment.logger.error({ stream: this.#actor.stream, taskId, error }, 'a task is broken')
    try {
      await this.#actor.decide(({ context }) => taskBroken(context, taskId, brokenBy(error)), {
        correlationId: taskId,
      })
    } catch (next) {
      throw mayPass(next) ? next : error
    }
  }

  /** An ending that is known is recorded, however long that takes: repeating the call instead might pay for it twice. */
  #record<T>(ending: () => Promise<T>): Promise<T> {
    const recording = this.#actor.insist(ending)
    this.#lastRecord = recording
    return recording
  }

  /** Records how the call ended, unless the task has already ended. */
  async #settle(
    { task, call }: CallOfTask,
    ending: CallEnding,
    admitted: Admitted,
    left: LeftFiles,
  ): Promise<RecoveryOutcome> {
    const { callId } = call
    const { taskId } = task
    const spent = this.#spentBy(ending)
    const learning = spent && this.#learnCost(ending, spent, admitted)
    if (learning) await learning
    if (ending.type === 'CallSucceeded') {
      const { bodies } = this.#asked
      const said = ending.result.text
      const text = bodies.isShort(said) ? said : await bodies.keep(said)
      const succeeded = callSucceeded(task, call, ending, { text, spent: spent ?? ending.result })
      const saving = this.#files.saveAfter({ task, call })
      const { saved, problem } = saving ? await saving : NOTHING_SAVED
      // Who gets the answer finds its commit.
      if (saved) await this.#files.commit(task, call, saved)
      const moving = this.#moving
      const stored = moving ? await this.#stored(moving, task, call, problem) : []
      try {
        const recorded = await this.#recordAnswer(task, succeeded, stored)
        if (recorded.length === 0) await this.#keepLate({ task, call }, ending, admitted)
        return 'harvested'
      } catch (error) {
        return await this.#keepUnrecordable({ task, call }, ending, admitted, error)
      }
    }
    if (ending.type === 'CallDeferred') return this.#settleDeferred({ task, call }, ending, admitted, spent)
    const { error } = ending
    const setup = defined({ setup: ending.setup })
    const ended: AgentFact & { type: typeof ending.type } =
      ending.type === 'CallFailed'
        ? { type: ending.type, data: { taskId, callId, error, ...spent, ...left.said, ...setup } }
        : { type: ending.type, data: { taskId, callId, ...spent, ...left.said } }
    let recorded: readonly Recorded[]
    try {
      recorded = await decideOn(this.#actor, task, ({ context }) =>
        context.current?.call?.callId === callId
          ? left.facts.concat(
              callEnded(context, ended, error, this.#circumstances(), this.#idle.of(context.current)),
            )
          : [],
      )
    } catch (refused) {
      return await this.#keepUnrecordable({ task, call }, ending, admitted, refused)
    }
    if (recorded.length === 0) await this.#keepLate({ task, call }, ending, admitted)
    const retry = recorded.find(({ type }) => type === 'RetryScheduled')
    const warning = waitInWords(error, admitted.account, retry?.data)
    if (warning) this.#warn(task, warning)
    if (retry) return 'retried'
    return ending.type === 'CallFailed' ? 'failed' : 'unknown'
  }

  /** Records that the call ended at a tool call, and tells those who wait for the task. */
  async #settleDeferred(
    { task, call }: CallOfTask,
    ending: Extract<CallEnding, { type: 'CallDeferred' }>,
    admitted: Admitted,
    spent: RecordedSpending | undefined,
  ): Promise<RecoveryOutcome> {
    const { callId, sessionId } = call
    const { taskId } = task
    const { tool, toolUseId } = ending.deferred
    const setup = defined({ setup: ending.setup })
    const input = await this.#asked.bodies.keep(JSON.stringify(ending.deferred.input ?? {}))
    const moving = this.#moving
    const saving = moving && this.#files.saveAfter({ task, call })
    const { problem } = saving ? await saving : NOTHING_SAVED
    const stored = moving ? await this.#stored(moving, task, call, problem) : []
    const decision = ({ context: { current, config } }: AgentSnapshot): readonly AgentFact[] => {
      if (current?.call?.callId !== callId) return []
      // The next call has to start as well.
      const leftMs = leftAfterRefusal(
        call,
        deadlineLeftMs(current, config, this.#circumstances().now - this.#idle.of(current)),
      )
      const data = { taskId, callId, sessionId, tool, toolUseId, input, leftMs, ...spent, ...setup }
      return [{ type: 'CallDeferred', data }, ...stored]
    }
    try {
      const recorded = await decideOn(this.#actor, task, decision)
      if (recorded.length === 0) await this.#keepLate({ task, call }, ending, admitted)
      else this.#asked.channel.tell(taskId, { type: 'held', hold: toolHold({ callId, tool, input }) })
      return 'deferred'
    } catch (error) {
      return await this.#keepUnrecordable({ task, call }, ending, admitted, error)
    }
  }

  /** Stores what another machine needs; undefined for an agent that never lived in a worker. */
  get #moving(): Moving | undefined {
    const { moving } = this.#environment
    return moving?.stores(this.#actor.snapshot.context) ? moving : undefined
  }

  /**
   * What another machine needs to continue from this call.
   *
   * @param unsaved Why its files could not be saved, if they could not.
   */
  #stored(
    moving: Moving,
    task: CurrentTask,
    { sessionId, parentSessionId }: OpenCall,
    unsaved: string | undefined,
  ): Promise<readonly AgentFact[]> {
    const { context } = this.#actor.snapshot
    const parent = task.deferred?.sessionId ?? parentSessionId
    const news = {
      ...{ commit: context.files?.commit, unsaved },
      session: { sessionId, parentSessionId: parent },
    }
    return moving.store(this.#agent, context, news, (message) => this.#warn(task, message))
  }

  /** Records an answer, in one append with that of the step that waits for it. */
  async #recordAnswer(
    task: CurrentTask,
    succeeded: AnswerFact,
    stored: readonly AgentFact[],
  ): Promise<readonly Recorded[]> {
    const { taskId, callId } = succeeded.data
    // The answer is the first: a step refers to it by its version.
    const answering = ({ context: { current } }: AgentSnapshot): readonly AgentFact[] =>
      current?.call?.callId === callId
        ? [{ ...succeeded, data: { ...succeeded.data, ...usedInCall(current) } }, ...stored]
        : []
    const step = this.#asked.steps.get(taskId)
    // The answer of a step tells the cost of all calls of its task: of earlier ones, only the log knows.
    if (!step || task.attempt > 1) return decideOn(this.#actor, task, answering)
    const origin = { correlationId: taskId, causationId: task.cause, isFirst: true }
    const part = this.#actor.join(answering, origin)
    try {
      await step.succeed(part, succeeded.data)
      return await part.recorded
    } catch (error) {
      if (mayPass(error)) throw error
      // The run cannot record it now: the agent's own fact is enough for the next execution of the run.
      return decideOn(this.#actor, task, answering)
    }
  }

  /**
   * Keeps what arrived after its task had ended: an answer, or what the call cost if there is none or the log refuses it.
   * Without an ending, it was never sent.
   */
  async #keepLate(
    { task, call }: CallOfTask,
    ending: CallEnding | undefined,
    admitted: Admitted,
  ): Promise<void> {
    const { callId } = call
    const { leftOpen } = this.#asked
    // The end of its task may be on its way to the log.
    await decideOn(this.#actor, task, () => [])
    const { context } = this.#actor.snapshot
    if (!isAbandoned(context, callId)) {
      if (ending && context.current?.call?.callId === callId) leftOpen.set(callId, ending)
      return
    }
    const spent = ending ? this.#spentBy(ending) : NOTHING_SPENT
    if (ending && spent) {
      await this.#learnCost(ending, spent, admitted)
      // First: this is repeated, also by the next process, until the log has the end of the call.
      await this.#environment.spentLate(task, callId, amountOf(spent))
    }
    const answer = ending?.type === 'CallSucceeded' ? ending : undefined
    return this.#recordLate({ task, call, answer, spent })
  }

  /** Leaves out what the log refuses for good: the answer, then its cost. The call has an end in any case. */
  async #recordLate({ answer, spent, ...of }: LateEnding): Promise<void> {
    try {
      await recordLateEnding(this.#actor, this.#asked.bodies, { ...of, answer, spent })
    } catch (error) {
      if (mayPass(error) || !spent) throw error
      const { taskId } = of.task
      const what = answer ? 'a late answer' : 'the cost of a late call'
      this.#environment.logger.error(
        { agent: this.#agent, taskId, error },
        `${what} is lost: the log refuses it`,
      )
      await this.#recordLate(answer ? { ...of, spent } : of)
    }
  }

  /** The log refuses an ending: its task ends at once, and what the call brought or cost is kept as late. */
  async #keepUnrecordable(
    { task, call }: CallOfTask,
    ending: CallEnding,
    admitted: Admitted,
    error: unknown,
  ): Promise<RecoveryOutcome> {
    await this.breakTask(task.taskId, error)
    await this.#keepLate({ task, call }, ending, admitted)
    return 'failed'
  }

  /** Tells those who listen to the task. */
  #warn({ taskId }: QueuedTask, message: string): void {
    this.#asked.channel.say(taskId, { type: 'warning', message })
  }

  #circumstances() {
    const { clock, random } = this.#environment
    return { now: clock.now(), random: random() }
  }

  /** What a call cost, as its fact holds it; undefined if nothing is known. */
  #spentBy(ending: CallEnding): RecordedSpending | undefined {
    const spent = ending.type === 'CallSucceeded' ? ending.result : ending.spent
    return spent && recordedSpending(spent, this.#environment.admission.tokensOf(spent.usage))
  }

  /** It counts before its end is recorded: it is paid for, whatever happens to the log. */
  #learnCost(ending: CallEnding, spent: RecordedSpending, admitted: Admitted): Promise<void> | undefined {
    // A transcript does not always tell the cost of an answer that was harvested after a crash.
    if (ending.type === 'CallSucceeded' && ending.harvested && spent.costUsd === 0) return undefined
    return admitted.learn(amountOf(spent))
  }
}

/** The parts of an answer that depend on more than the call: where its text is, and how its tokens count. */
interface AnswerParts {
  readonly text: Body
  readonly spent: RecordedSpending
}

function callSucceeded(
  task: CurrentTask,
  call: OpenCall,
  { result, harvested, setup }: Answered,
  { text, spent }: AnswerParts,
): Extract<AgentFact, { type: 'CallSucceeded' }> {
  const { durationMs, turns, model, stopReason, permissionDenials } = result
  return {
    type: 'CallSucceeded',
    data: {
      taskId: task.taskId,
      callId: call.callId,
      attempt: task.attempt,
      sessionId: call.sessionId,
      parentSessionId: call.parentSessionId,
      ...spent,
      durationMs,
      turns,
      model,
      ...defined({ stopReason }),
      permissionDenials,
      text,
      harvested,
      ...defined({ setup }),
    },
  }
}

/** The failure of a task, from whatever an effect threw. It is not retried: an answer may have been paid for. */
function brokenBy(error: unknown): ErrorData {
  const said = error instanceof Error ? error.message : String(error)
  return errorData(new TaskBrokenError({ said }, { cause: error }))
}
