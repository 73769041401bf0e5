/** Carries out an agent's effects: begins calls, runs or recovers them, waits for retries and deadlines. */
import type { CallMessage } from '../../claude/runner.ts'
import { inTime, pause } from '../../clock.ts'
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { CallTimeoutError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import { hasMaterial, leftOutOf, type Material, type PlacedInput } from '../../events/material.ts'
import { amountOf, type RecordedSpending, recordedSpending } from '../../events/spending.ts'
import type { Admitted, Held } from '../admission/admission.ts'
import type { Bodies } from '../engine/bodies.ts'
import { mayPass } from '../engine/insistence.ts'
import type { EffectContext, Perform } from '../engine/running-effects.ts'
import { brokenBy, endBrokenTask, taskOf } from './broken-task.ts'
import {
  type CallEnding,
  type ComposedCall,
  carryOutCall,
  composeCall,
  type RecoveryOutcome,
  recoverAnnouncedCall,
} from './call.ts'
import { callFiles } from './call-files.ts'
import {
  type AgentEffect,
  callEnded,
  callSucceeded,
  deadlinePassed,
  holdForMoney,
  nextCall,
  ready,
} from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import type { LeftOut } from './session/conversation.ts'
import type { AgentContext, CurrentTask, OpenCall, QueuedTask } from './state.ts'
import type { AskingStep, TaskChannel } from './tasks/channel.ts'
import { recordLateEnding } from './tasks/late-answers.ts'
import { deadlineLeftMs, newsOf, waitInWords, waitToRetry, workLimit } from './waits.ts'

/** How long a runner may take to end a call that is no longer wanted, in ms. `claude` is killed within 15 s. */
const DEAF_AFTER_MS = 20_000

const DEAF = Symbol('the runner does not heed its signal')

type AnswerFact = Extract<AgentFact, { type: 'CallSucceeded' }>
type CallEffect = Extract<AgentEffect, { type: 'call' }>

/** What an agent's worker knows of the tasks that were asked in this process, by their ids. */
export interface AskedTasks {
  readonly bodies: Bodies
  readonly channel: TaskChannel
  /** Their materials, with the credentials that the log must not contain. For other tasks, the log's copy is used. */
  readonly materials: ReadonlyMap<string, Material>
  /** The cancellations of tasks that are not durable yet. They never reject. */
  readonly cancelling: ReadonlyMap<string, Promise<unknown>>
  /** The steps of runs that wait for them. */
  readonly steps: ReadonlyMap<string, AskingStep>
}

/** A first call that may begin as soon as its task is accepted. */
export interface ReadyCall {
  /** Its announcement, in the state in which the task was just accepted. */
  announce(context: AgentContext): readonly AgentFact[]
  /** Lets go of its place if it was not announced. */
  end(): void
}

/** What carries out an agent's effects, and begins a call at once if nothing stands in its way. */
export interface AgentWorker {
  readonly perform: Perform<AgentEffect>
  readyCall(task: Pick<QueuedTask, 'taskId' | 'runId'>): ReadyCall | undefined
}

export function agentWorker(
  agent: string,
  actor: AgentActor,
  environment: AgentEnvironment,
  { bodies, channel, materials, cancelling, steps }: AskedTasks,
): AgentWorker {
  const { clock, runner, logger, admission, store, newId } = environment
  const directories = environment.directories(agent)
  /** Announced calls, until their effect takes them. */
  const announced = new Map<string, Admitted>()
  /** The wait for other agents does not count against a task's deadline. */
  let lastAdmission: Promise<unknown> = Promise.resolve()
  /** One call at a time: a cancelled call's process may still be ending when the next one begins. */
  let lastCall: Promise<void> = Promise.resolve()
  let lastRecovery: Promise<unknown> = Promise.resolve()
  /** The record of how the last call ended, which waits for room on a full disk. */
  let lastRecord: Promise<unknown> = Promise.resolve()
  /** Calls whose runner does not end them. */
  const leftAlone = new Set<string>()
  /** How many characters of text the listeners of a task have received, without those that were taken back. */
  let said = { taskId: '', characters: 0 }

  /** What an effect has found out is written down while its actor closes, too: it may have cost something. */
  const decide = (task: QueuedTask, decision: (context: AgentContext) => readonly AgentFact[]) =>
    actor.decide(({ context }) => decision(context), {
      correlationId: task.taskId,
      causationId: task.cause,
      whileClosing: true,
    })

  const files = callFiles(agent, actor, { runner, logger, directories, bodies, decide, warn })

  /** An ending that is known is recorded, however long that takes: repeating the call instead might pay for it twice. */
  function record<T>(ending: () => Promise<T>): Promise<T> {
    const recording = actor.insist(ending)
    lastRecord = recording.catch(() => {})
    return recording
  }

  /**
   * Begins the first ready task that may make a call, and holds those before it. A task that is cancelled meanwhile makes no
   * call: as long as none has begun, the effect is wanted and the next task has its turn.
   */
  async function beginNext(context: EffectContext): Promise<void> {
    for (const task of ready(actor.snapshot.context)) {
      if (!context.isWanted) return
      try {
        await begin(task, context)
      } catch (error) {
        if (!context.isWanted) throw error
        await endBrokenTask(actor, environment, task.taskId, error)
      }
    }
  }

  /** Begins the next call of a task, or holds the task if the call may not begin yet. */
  function begin(task: QueuedTask, context: EffectContext): Promise<void> {
    const begun = beginUncancelled(task, context)
    lastAdmission = begun.catch(() => {})
    return begun
  }

  /** No call begins while a cancellation of its task waits to be written, for example to a full disk. */
  async function beginUncancelled(task: QueuedTask, context: EffectContext): Promise<void> {
    do {
      await cancelling.get(task.taskId)
      if (context.isWanted) await admit(task, context)
    } while (context.isWanted && cancelling.has(task.taskId))
  }

  async function admit(task: QueuedTask, context: EffectContext): Promise<void> {
    if (!environment.isSwept()) await environment.swept()
    const ids = { callId: newId(), sessionId: newId() }
    const { taskId } = task
    const admitted = await admission.admit(requestOf(task, ids.callId), context)
    if (!admitted) return
    if (isHeld(admitted)) {
      const { hold } = admitted
      await decide(task, (state) => holdForMoney(state, taskId, hold))
      channel.tell(taskId, { type: 'held', hold })
      return
    }
    announced.set(ids.callId, admitted)
    try {
      await decide(task, (state) =>
        cancelling.has(taskId) ? [] : nextCall(state, taskId, ids, { now: clock.now() }, admitted.waitedMs),
      )
    } finally {
      forget(ids.callId, admitted)
    }
  }

  function readyCall(task: Pick<QueuedTask, 'taskId' | 'runId'>): ReadyCall | undefined {
    if (!environment.isSwept() || !actor.isWorking) return undefined
    const ids = { callId: newId(), sessionId: newId() }
    const admitted = admission.admitNow?.(requestOf(task, ids.callId))
    if (!admitted) return undefined
    const { taskId } = task
    announced.set(ids.callId, admitted)
    return {
      // Taken again with another actor, it would begin with nothing admitted.
      announce: (state) =>
        cancelling.has(taskId) || !actor.isWorking ? [] : nextCall(state, taskId, ids, { now: clock.now() }),
      end: () => forget(ids.callId, admitted),
    }
  }

  /** If it is still there, no call was announced. */
  function forget(callId: string, admitted: Admitted): void {
    if (!announced.delete(callId)) return
    admitted.leave()
    admission.settle(callId)
  }

  function requestOf({ taskId, runId }: Pick<QueuedTask, 'taskId' | 'runId'>, callId: string) {
    const { totals, lastCost } = actor.snapshot.context
    const agentVersion = actor.version
    return { ...defined({ callId, taskId, agent, agentVersion, runId }), costs: { totals, lastCost } }
  }

  /** An announced call. One of an earlier process already runs. */
  function takeAnnounced(task: QueuedTask, { callId }: OpenCall): Admitted {
    const admitted = announced.get(callId)
    announced.delete(callId)
    return admitted ?? admission.adopt(requestOf(task, callId))
  }

  const deadlineMs = (task: CurrentTask) => deadlineLeftMs(task, actor.snapshot.context.config, clock.now())

  /** Runs or recovers a call, after the one before it, and records its end. */
  async function carryOutNext(effect: CallEffect, context: EffectContext): Promise<void> {
    const admitted = takeAnnounced(effect.task, effect.call)
    const before = lastCall
    let end = () => {}
    lastCall = new Promise((resolve) => {
      end = resolve
    })
    try {
      await before
      if (!environment.isSwept()) await environment.swept()
      const { signal } = context
      if (context.resumed && (await isRecovered(effect, signal, admitted))) return
      if (!signal.aborted) await run(effect, signal, admitted)
    } finally {
      admitted.leave()
      end()
    }
  }

  /** Whether nothing is left to run. */
  async function isRecovered(effect: CallEffect, signal: AbortSignal, admitted: Admitted): Promise<boolean> {
    const recovery = recover(effect, signal, admitted)
    lastRecovery = recovery.catch(() => {})
    if (await recovery) return true
    if (deadlineMs(effect.task) > 0) return false
    // Not sent again: the `deadline` effect ends the task.
    await aborted(signal)
    return true
  }

  async function run(effect: CallEffect, signal: AbortSignal, admitted: Admitted) {
    takeBack(effect.task)
    const call = async (): Promise<CallEnding> =>
      (await files.begin(effect)) ??
      (await placeInputs(effect, signal)) ??
      (await files.saveBefore(effect)) ??
      (await composed(effect, async ({ call, leftOut }) => {
        if (leftOut) await recordCut(effect, leftOut)
        return carryOutCall(runner, call, signal, (message) => hear(effect, message, admitted))
      }))
    const ending = await ended(effect, signal, call(), admitted)
    if (ending === DEAF) return
    if (signal.aborted) return record(() => keepLate(effect, ending, admitted))
    if (ending.type === 'CallFailed') {
      logger.warn({ agent, taskId: effect.task.taskId, error: ending.error.tag }, 'a call failed')
    }
    await conclude(effect, ending, admitted)
  }

  /** Leaves a call alone whose runner does not heed its signal. What it still says is kept. */
  async function ended<Ending extends CallEnding | undefined>(
    effect: CallEffect,
    signal: AbortSignal,
    call: Promise<Ending>,
    admitted: Admitted,
  ): Promise<Ending | typeof DEAF> {
    const ending = await inTime(clock, call, DEAF_AFTER_MS, DEAF, signal)
    if (ending !== DEAF) return ending
    const { taskId } = effect.task
    const { callId } = effect.call
    logger.warn(
      { agent, taskId },
      'the runner does not end a call that is no longer wanted: it is left alone',
    )
    leftAlone.add(callId)
    const end = () => {
      leftAlone.delete(callId)
      admission.settle(callId)
    }
    call.then((late) => record(() => keepLate(effect, late, admitted))).then(end, end)
    return DEAF
  }

  /** Returns whether the call is settled. An answer that was paid for counts even after the deadline. */
  async function recover(effect: CallEffect, signal: AbortSignal, admitted: Admitted): Promise<boolean> {
    const overdue = new AbortController()
    const stop = AbortSignal.any([signal, overdue.signal])
    void pause(clock, deadlineMs(effect.task), stop).then(() => overdue.abort())
    const recovering = composed(effect, ({ call }) =>
      recoverAnnouncedCall(runner, call, effect.call.process, environment.place(), stop),
    )
    const ending = await ended(effect, stop, recovering, admitted)
    if (ending === DEAF) return signal.aborted
    if (signal.aborted) {
      await record(() => keepLate(effect, ending, admitted))
      return true
    }
    const outcome = ending ? await conclude(effect, ending, admitted) : 'redispatched'
    overdue.abort()
    environment.recovered({ agent, taskId: effect.task.taskId, outcome })
    return ending !== undefined
  }

  /** Places the task's material in the workspace, once. Returns the call's ending if that fails. */
  async function placeInputs(
    { task, call }: CallEffect,
    signal: AbortSignal,
  ): Promise<CallEnding | undefined> {
    const { taskId } = task
    const { callId } = call
    if (!runner.place || !hasMaterial(task.material) || actor.snapshot.context.current?.placed)
      return undefined
    let inputs: readonly PlacedInput[]
    try {
      const material = materials.get(taskId) ?? task.material
      const replace = material.replace ?? environment.replaceInputs
      const placing = task.runId ?? taskId
      const options = { signal, placing, replace, limits: environment.inputLimits }
      inputs = await runner.place(directories, material, options)
    } catch (error) {
      return { type: 'CallFailed', error: callErrorData(error) }
    }
    const placed: AgentFact = { type: 'InputsPlaced', data: { taskId, callId, inputs } }
    await decide(task, ({ current }) => (current?.call?.callId === callId ? [placed] : []))
    for (const input of inputs) {
      const { target, kept } = input
      if (kept !== undefined) warn(task, `${target} was replaced; the agent's work is in ${kept}`)
      const leftOut = leftOutOf(input)
      if (leftOut !== null) warn(task, leftOut)
    }
    return undefined
  }

  /** Composes the call first. If its texts can no longer be read it fails now, not at its deadline. */
  async function composed<Ending>(
    { task, call }: CallEffect,
    carryOut: (composed: ComposedCall) => Promise<Ending>,
  ) {
    let complete: ComposedCall
    try {
      const { config, current, files } = actor.snapshot.context
      if (!config) throw new Error(`agent ${agent} has a call and no configuration`)
      // Its inputs were placed after the effect was computed.
      const asked = current?.call?.callId === call.callId ? current : task
      const project = config.workspace && (files?.project?.counts ?? false)
      const sources = { store, stream: actor.stream, bodies, directories, project }
      complete = await composeCall(agent, config, asked, call, sources)
    } catch (error) {
      if (!(error instanceof ClaudeAgentError) || error.retryable) throw error
      return { type: 'CallFailed', error: callErrorData(error) } as const satisfies CallEnding
    }
    return carryOut(complete)
  }

  async function recordCut({ task, call: { callId } }: CallEffect, leftOut: LeftOut) {
    const cut: AgentFact = { type: 'ConversationCut', data: { taskId: task.taskId, callId, ...leftOut } }
    await decide(task, ({ current }) => (current?.call?.callId === callId ? [cut] : []))
  }

  /** Handles a message of the running call. */
  async function hear({ task, call }: CallEffect, message: CallMessage, admitted: Admitted) {
    admitted.hear(message)
    if (message.type === 'account') return
    if (message.type === 'process') {
      const { pid, startTime } = message
      const started: AgentFact = {
        type: 'ProcessStarted',
        data: { taskId: task.taskId, callId: call.callId, pid, startTime, ...environment.place() },
      }
      await decide(task, ({ current }) => (current?.call?.callId === call.callId ? [started] : []))
    }
    tell(task, message)
  }

  function tell({ taskId }: QueuedTask, message: CallMessage) {
    if (said.taskId !== taskId) said = { taskId, characters: 0 }
    if (message.type === 'text') said.characters += message.text.length
    if (message.type === 'retract') said.characters -= message.characters
    channel.tell(taskId, { type: 'message', message })
  }

  function warn(task: QueuedTask, message: string) {
    logger.warn({ agent, taskId: task.taskId }, message)
    tell(task, { type: 'warning', message })
  }

  /** What an earlier call of the task said does not count: the next one says it again. */
  function takeBack(task: QueuedTask) {
    const { taskId, characters } = said
    if (taskId === task.taskId && characters > 0) tell(task, { type: 'retract', characters })
  }

  /** Records what the ending says about the account, then the ending: one record, so that no deadline comes between. */
  function conclude(effect: CallEffect, ending: CallEnding, admitted: Admitted): Promise<RecoveryOutcome> {
    const news = newsOf(ending, { now: clock.now(), random: environment.random() })
    let isTold = false
    return record(async () => {
      if (news && !isTold) await admitted.told(news)
      isTold = true
      return settle(effect, ending, admitted)
    })
  }

  /** Records how the call ended, unless the task has already ended. */
  async function settle(
    { task, call }: CallEffect,
    ending: CallEnding,
    admitted: Admitted,
  ): Promise<RecoveryOutcome> {
    const { callId } = call
    const { taskId } = task
    const spent = spentBy(ending)
    const learning = spent && learnCost(ending, spent, admitted)
    if (learning) await learning
    if (ending.type === 'CallSucceeded') {
      const text = await bodies.keep(ending.result.text)
      const succeeded = callSucceeded(task, call, ending, { text, spent: spent ?? ending.result })
      const saved = await files.saveAfter(task, callId)
      // Who gets the answer finds its commit.
      if (saved) await files.commit(task, call, saved)
      try {
        const recorded = await recordAnswer(task, succeeded)
        if (recorded.length === 0) await keepLate({ task, call }, ending, admitted)
        return 'harvested'
      } catch (error) {
        return await keepUnrecordable({ task, call }, ending, admitted, error)
      }
    }
    const { error } = ending
    const ended: AgentFact & { type: typeof ending.type } =
      ending.type === 'CallFailed'
        ? { type: ending.type, data: { taskId, callId, error, ...spent } }
        : { type: ending.type, data: { taskId, callId, ...spent } }
    let recorded: readonly Recorded[]
    try {
      recorded = await decide(task, (context) =>
        context.current?.call?.callId === callId
          ? callEnded(context, ended, error, { now: clock.now(), random: environment.random() })
          : [],
      )
    } catch (refused) {
      return await keepUnrecordable({ task, call }, ending, admitted, refused)
    }
    if (recorded.length === 0) await keepLate({ task, call }, ending, admitted)
    const retry = recorded.find(({ type }) => type === 'RetryScheduled')
    const warning = waitInWords(error, admitted.account, retry?.data)
    if (warning) tell(task, { type: 'warning', message: warning })
    if (retry) return 'retried'
    return ending.type === 'CallFailed' ? 'failed' : 'unknown'
  }

  /** Records an answer, in one append with that of the step that waits for it. */
  async function recordAnswer(task: CurrentTask, succeeded: AnswerFact): Promise<readonly Recorded[]> {
    const { taskId, callId } = succeeded.data
    const answering = ({ current }: AgentContext) => (current?.call?.callId === callId ? [succeeded] : [])
    const step = steps.get(taskId)
    // The answer of a step tells the cost of all calls of its task: of earlier ones, only the log knows.
    if (!step || task.attempt > 1) return decide(task, answering)
    const origin = { correlationId: taskId, causationId: task.cause, isFirst: true }
    const part = actor.join(({ context }) => answering(context), origin)
    try {
      await step.succeed(part, succeeded.data)
      return await part.recorded
    } catch (error) {
      if (mayPass(error)) throw error
      // The run cannot record it now: the agent's own fact is enough for the next execution of the run.
      return decide(task, answering)
    }
  }

  /** Keeps what arrived after its task had ended: an answer, or what the call cost if there is none or the log refuses it. */
  async function keepLate(
    { task, call }: Pick<CallEffect, 'task' | 'call'>,
    ending: CallEnding | undefined,
    admitted: Admitted,
  ) {
    const spent = ending && spentBy(ending)
    if (!spent) return
    await learnCost(ending, spent, admitted)
    const late = { task, call, ending, spent }
    const isNew = await recordLateEnding(actor, bodies, late).catch((error: unknown) => {
      if (ending.type !== 'CallSucceeded' || mayPass(error)) throw error
      logger.error({ agent, taskId: task.taskId, error }, 'a late answer is lost: the log refuses it')
      return recordLateEnding(actor, bodies, {
        ...late,
        ending: { type: 'CallFailed', error: brokenBy(error) },
      })
    })
    if (isNew) await environment.spentLate(task, call.callId, amountOf(spent))
  }

  /** The log refuses an ending: its task ends at once, and what the call brought or cost is kept as late. */
  async function keepUnrecordable(
    effect: Pick<CallEffect, 'task' | 'call'>,
    ending: CallEnding,
    admitted: Admitted,
    error: unknown,
  ): Promise<RecoveryOutcome> {
    await endBrokenTask(actor, environment, effect.task.taskId, error)
    await keepLate(effect, ending, admitted)
    return 'failed'
  }

  /** What a call cost, as its fact holds it; undefined if nothing is known. */
  function spentBy(ending: CallEnding): RecordedSpending | undefined {
    const spent = ending.type === 'CallSucceeded' ? ending.result : ending.spent
    return spent && recordedSpending(spent, admission.tokensOf(spent.usage))
  }

  /** It counts before its end is recorded: it is paid for, whatever happens to the log. */
  function learnCost(ending: CallEnding, spent: RecordedSpending, admitted: Admitted) {
    // A transcript does not always tell the cost of an answer that was harvested after a crash.
    if (ending.type === 'CallSucceeded' && ending.harvested && spent.costUsd === 0) return undefined
    return admitted.learn(amountOf(spent))
  }

  async function passDeadline(task: QueuedTask) {
    await decide(task, (context) =>
      context.current?.taskId === task.taskId
        ? deadlinePassed(
            context,
            callErrorData(new CallTimeoutError({ said: workLimit(agent, context.config) })),
          )
        : [],
    )
  }

  async function carryOut(effect: Exclude<AgentEffect, CallEffect>, context: EffectContext): Promise<void> {
    switch (effect.type) {
      case 'begin':
        return beginNext(context)
      case 'retry':
        if (context.resumed && effect.task.refusals > 0) admission.remember()
        await waitToRetry(effect.task, actor.snapshot.context.config, context, environment)
        if (context.isWanted) await begin(effect.task, context)
        return undefined
      case 'deadline':
        await context.pause(deadlineMs(effect.task))
        if (!context.isWanted) return undefined
        // The call is recovered only after the sweep. If that fails, the deadline still holds.
        await environment.swept().catch(() => {})
        await lastRecovery
        await lastRecord
        await lastAdmission
        return context.isWanted ? passDeadline(effect.task) : undefined
    }
  }

  async function breakTask(effect: AgentEffect, context: EffectContext, error: unknown): Promise<void> {
    const taskId = taskOf(effect)
    if (taskId === undefined || !context.isWanted) throw error
    await endBrokenTask(actor, environment, taskId, error)
  }

  const perform: Perform<AgentEffect> = async (effect, context) => {
    let isOver = true
    try {
      await (effect.type === 'call' ? carryOutNext(effect, context) : carryOut(effect, context))
    } catch (error) {
      try {
        await breakTask(effect, context, error)
      } catch (problem) {
        isOver = !context.isWanted || !mayPass(problem)
        throw problem
      }
    } finally {
      // One that is left alone may still spend what is reserved for it.
      if (effect.type === 'call' && isOver && !leftAlone.has(effect.call.callId))
        admission.settle(effect.call.callId)
    }
  }
  return { perform, readyCall }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

const isHeld = (answer: Admitted | Held): answer is Held => answer.hold !== undefined
