/** Records how the calls of an agent end: answered or not, in time or after their task. */
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { TaskBrokenError } from '../../events/errors/call.ts'
import { type ErrorData, errorData } from '../../events/errors/recorded.ts'
import { amountOf, type RecordedSpending, recordedSpending } from '../../events/spending.ts'
import type { Admitted } from '../admission/admission.ts'
import { mayPass } from '../engine/wish.ts'
import type { CallEnding, RecoveryOutcome } from './call.ts'
import type { CallFiles, LeftFiles } from './call-files.ts'
import { callEnded, callSucceeded, taskBroken } from './decisions.ts'
import type { AgentActor, AgentEnvironment, AskedTasks } from './environment.ts'
import type { AgentContext, CallOfTask, CurrentTask, OpenCall, QueuedTask } from './state.ts'
import { recordLateEnding } from './tasks/late-answers.ts'
import { newsOf, waitInWords } from './waits.ts'

const NOTHING_LEFT: LeftFiles = { facts: [], said: {} }

type AnswerFact = Extract<AgentFact, { type: 'CallSucceeded' }>

/** What an agent's worker does for it. */
interface WorkerDoes {
  readonly decide: (
    task: Pick<QueuedTask, 'taskId' | 'cause'>,
    decision: (context: AgentContext) => readonly AgentFact[],
  ) => Promise<readonly Recorded[]>
  /** Tells those who listen to the task. */
  readonly warn: (task: QueuedTask, message: string) => void
}

export class CallEndings {
  readonly #agent: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #asked: AskedTasks
  readonly #files: CallFiles
  readonly #workerDoes: WorkerDoes
  /** The record of how the last call ended, which waits for room on a full disk. */
  #lastRecord: Promise<unknown> | undefined

  constructor(
    agent: string,
    actor: AgentActor,
    environment: AgentEnvironment,
    asked: AskedTasks,
    files: CallFiles,
    workerDoes: WorkerDoes,
  ) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.#asked = asked
    this.#files = files
    this.#workerDoes = workerDoes
  }

  /** Resolves when the last ending is recorded, or could not be. */
  async recorded(): Promise<void> {
    await this.#lastRecord
  }

  /** Records what the ending says about the account, then the ending: one record, so that no deadline comes between. */
  async conclude(effect: CallOfTask, ending: CallEnding, admitted: Admitted): Promise<RecoveryOutcome> {
    const news = newsOf(ending, this.#circumstances())
    let isTold = false
    const left = this.#files.areKept ? await this.#files.left(effect, ending) : NOTHING_LEFT
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
    this.#lastRecord = recording.catch(() => {})
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
      const saved = this.#files.areKept ? await this.#files.saveAfter(task, callId) : undefined
      // Who gets the answer finds its commit.
      if (saved) await this.#files.commit(task, call, saved)
      try {
        const recorded = await this.#recordAnswer(task, succeeded)
        if (recorded.length === 0) await this.#keepLate({ task, call }, ending, admitted)
        return 'harvested'
      } catch (error) {
        return await this.#keepUnrecordable({ task, call }, ending, admitted, error)
      }
    }
    const { error } = ending
    const ended: AgentFact & { type: typeof ending.type } =
      ending.type === 'CallFailed'
        ? { type: ending.type, data: { taskId, callId, error, ...spent, ...left.said } }
        : { type: ending.type, data: { taskId, callId, ...spent, ...left.said } }
    let recorded: readonly Recorded[]
    try {
      recorded = await this.#workerDoes.decide(task, (context) =>
        context.current?.call?.callId === callId
          ? left.facts.concat(callEnded(context, ended, error, this.#circumstances()))
          : [],
      )
    } catch (refused) {
      return await this.#keepUnrecordable({ task, call }, ending, admitted, refused)
    }
    if (recorded.length === 0) await this.#keepLate({ task, call }, ending, admitted)
    const retry = recorded.find(({ type }) => type === 'RetryScheduled')
    const warning = waitInWords(error, admitted.account, retry?.data)
    if (warning) this.#workerDoes.warn(task, warning)
    if (retry) return 'retried'
    return ending.type === 'CallFailed' ? 'failed' : 'unknown'
  }

  /** Records an answer, in one append with that of the step that waits for it. */
  async #recordAnswer(task: CurrentTask, succeeded: AnswerFact): Promise<readonly Recorded[]> {
    const { taskId, callId } = succeeded.data
    const answering = ({ current }: AgentContext) => (current?.call?.callId === callId ? [succeeded] : [])
    const step = this.#asked.steps.get(taskId)
    // The answer of a step tells the cost of all calls of its task: of earlier ones, only the log knows.
    if (!step || task.attempt > 1) return this.#workerDoes.decide(task, answering)
    const origin = { correlationId: taskId, causationId: task.cause, isFirst: true }
    const part = this.#actor.join(({ context }) => answering(context), origin)
    try {
      await step.succeed(part, succeeded.data)
      return await part.recorded
    } catch (error) {
      if (mayPass(error)) throw error
      // The run cannot record it now: the agent's own fact is enough for the next execution of the run.
      return this.#workerDoes.decide(task, answering)
    }
  }

  /**
   * Whether the log has what it cost: who recorded its answer together with a run may have heard only that the run is
   * closed, and who ends another task of the agent may have begun before its end was recorded.
   */
  async #isBooked({ callId }: OpenCall): Promise<boolean> {
    const { store } = this.#environment
    for await (const { type, data } of store.read(this.#actor.stream, { direction: 'backwards' })) {
      if (data.callId === callId && data.costUsd !== undefined) return true
      if (data.callId === callId && type === 'CallStarted') return false
    }
    return false
  }

  /** Keeps what arrived after its task had ended: an answer, or what the call cost if there is none or the log refuses it. */
  async #keepLate(
    { task, call }: CallOfTask,
    ending: CallEnding | undefined,
    admitted: Admitted,
  ): Promise<void> {
    const spent = ending && this.#spentBy(ending)
    if (!spent || (await this.#isBooked(call))) return
    await this.#learnCost(ending, spent, admitted)
    const { logger, spentLate } = this.#environment
    const { bodies } = this.#asked
    const late = { task, call, ending, spent }
    const isNew = await recordLateEnding(this.#actor, bodies, late).catch((error: unknown) => {
      if (ending.type !== 'CallSucceeded' || mayPass(error)) throw error
      logger.error(
        { agent: this.#agent, taskId: task.taskId, error },
        'a late answer is lost: the log refuses it',
      )
      return recordLateEnding(this.#actor, bodies, {
        ...late,
        ending: { type: 'CallFailed', error: brokenBy(error) },
      })
    })
    if (isNew) await spentLate(task, call.callId, amountOf(spent))
    else if (this.#actor.snapshot.context.current?.call?.callId === call.callId)
      this.#asked.leftOpen.set(call.callId, ending)
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

/** The failure of a task, from whatever an effect threw. It is not retried: an answer may have been paid for. */
function brokenBy(error: unknown): ErrorData {
  const said = error instanceof Error ? error.message : String(error)
  return errorData(new TaskBrokenError({ said }, { cause: error }))
}
