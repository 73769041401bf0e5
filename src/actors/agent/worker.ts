/** Carries out an agent's effects: begins calls, runs or recovers them, waits for retries and deadlines. */
import type { EventEmitter } from 'node:events'
import { recordableWindows } from '../../claude/recordable.ts'
import type { CallMessage } from '../../claude/runner.ts'
import { pause } from '../../clock.ts'
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { CallTimeoutError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import { hasMaterial, leftOutOf, type Material, type PlacedInput } from '../../events/material.ts'
import type { CallSlot } from '../admission/governor.ts'
import type { Bodies } from '../engine/bodies.ts'
import { mayPass } from '../engine/insistence.ts'
import { Mailbox } from '../engine/mailbox.ts'
import type { Perform } from '../engine/running-effects.ts'
import { brokenBy, endBrokenTask, taskOf } from './broken-task.ts'
import {
  type CallEnding,
  type ComposedCall,
  carryOutCall,
  composeCall,
  type RecoveryOutcome,
  recoverAnnouncedCall,
} from './call.ts'
import { CallAdmission } from './call-admission.ts'
import { amountSpent, type CountedSpending, countedSpending } from './counted-spending.ts'
import { DEAF, unlessDeaf } from './deaf-runner.ts'
import { type AgentEffect, callEnded, callSucceeded, deadlinePassed } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import type { LeftOut } from './session/conversation.ts'
import type { AgentContext, CurrentTask, QueuedTask } from './state.ts'
import { recordLateEnding } from './tasks/late-answers.ts'
import { deadlineLeftMs, isAboutAccount, reportEnding, waitInWords, waitToRetry, workLimit } from './waits.ts'

type CallEffect = Extract<AgentEffect, { type: 'call' }>

/**
 * @param events Receives the messages of calls as `message TASK`, and `held TASK` if a budget has no room for a call.
 * @param materials The materials of this process's tasks by task id, with the credentials that the log must not contain.
 * For a task of an earlier process, the log's copy is used.
 * @param cancelling The cancellations of tasks that are not durable yet.
 */
export function agentWorker(
  agent: string,
  actor: AgentActor,
  environment: AgentEnvironment,
  bodies: Bodies,
  events: EventEmitter,
  materials: ReadonlyMap<string, Material>,
  cancelling: ReadonlyMap<string, Promise<unknown>>,
): Perform<AgentEffect> {
  const { clock, runner, logger, governor, budgets, accounts, store } = environment
  const admission = new CallAdmission(agent, actor, environment, events, cancelling)
  // One call at a time: a cancelled call's process may still be ending when the next one begins.
  const calls = new Mailbox()
  let lastRecovery: Promise<unknown> = Promise.resolve()
  /** The record of how the last call ended, which waits for room on a full disk. */
  let lastRecord: Promise<unknown> = Promise.resolve()
  /** Calls whose runner does not end them. */
  const leftAlone = new Set<string>()
  /** How many characters of text the listeners of a task have received, without those that were taken back. */
  let said = { taskId: '', characters: 0 }

  const decide = (task: QueuedTask, decision: (context: AgentContext) => readonly AgentFact[]) =>
    actor.decide(({ context }) => decision(context), { correlationId: task.taskId, causationId: task.cause })

  /** An ending that is known is recorded, however long that takes: repeating the call instead might pay for it twice. */
  function record<T>(ending: () => Promise<T>): Promise<T> {
    const recording = actor.insist(ending)
    lastRecord = recording.catch(() => {})
    return recording
  }

  const deadlineMs = (task: CurrentTask) => deadlineLeftMs(task, actor.snapshot.context.config, clock.now())

  /** Runs or recovers a call and records its end. */
  async function resumeOrRun(effect: CallEffect, signal: AbortSignal, resumed: boolean, slot: CallSlot) {
    if (resumed) {
      const recovery = recover(effect, signal, slot)
      lastRecovery = recovery.catch(() => {})
      if (await recovery) return
      // Not sent again: the `deadline` effect ends the task.
      if (deadlineMs(effect.task) <= 0) return aborted(signal)
    }
    if (!signal.aborted) await run(effect, signal, slot)
  }

  async function run(effect: CallEffect, signal: AbortSignal, slot: CallSlot) {
    takeBack(effect.task)
    const call = async (): Promise<CallEnding> =>
      (await placeInputs(effect, signal)) ??
      (await composed(effect, async ({ call, leftOut }) => {
        if (leftOut) await recordCut(effect, leftOut)
        return carryOutCall(runner, call, signal, (message) => hear(effect, message, slot))
      }))
    const ending = await ended(effect, signal, call())
    if (ending === DEAF) return
    if (signal.aborted) return record(() => keepLate(effect, ending))
    if (ending.type === 'CallFailed') {
      logger.warn({ agent, taskId: effect.task.taskId, error: ending.error.tag }, 'a call failed')
    }
    await conclude(effect, ending, slot)
  }

  /** Leaves a call alone whose runner does not heed its signal. What it still says is kept. */
  async function ended<Ending extends CallEnding | undefined>(
    effect: CallEffect,
    signal: AbortSignal,
    call: Promise<Ending>,
  ): Promise<Ending | typeof DEAF> {
    const ending = await unlessDeaf(call, signal, clock)
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
      budgets.ended(callId)
    }
    call.then((late) => record(() => keepLate(effect, late))).then(end, end)
    return DEAF
  }

  /** Returns whether the call is settled. An answer that was paid for counts even after the deadline. */
  async function recover(effect: CallEffect, signal: AbortSignal, slot: CallSlot): Promise<boolean> {
    const overdue = new AbortController()
    const stop = AbortSignal.any([signal, overdue.signal])
    void pause(clock, deadlineMs(effect.task), stop).then(() => overdue.abort())
    const recovering = composed(effect, ({ call }) =>
      recoverAnnouncedCall(runner, call, effect.call.process, stop),
    )
    const ending = await ended(effect, stop, recovering)
    if (ending === DEAF) return signal.aborted
    if (signal.aborted) {
      await record(() => keepLate(effect, ending))
      return true
    }
    const outcome = ending ? await conclude(effect, ending, slot) : 'redispatched'
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
      inputs = await runner.place(environment.directories(agent), material, options)
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
      const { config, current } = actor.snapshot.context
      if (!config) throw new Error(`agent ${agent} has a call and no configuration`)
      // Its inputs were placed after the effect was computed.
      const asked = current?.call?.callId === call.callId ? current : task
      const directories = environment.directories(agent)
      const sources = { store, stream: actor.stream, bodies, directories }
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
  async function hear({ task, call }: CallEffect, message: CallMessage, slot: CallSlot) {
    if (message.type !== 'process') slot.begun()
    if (message.type === 'text' || message.type === 'tool') slot.proven()
    if (message.type === 'account')
      return accounts.report(admission.caller.account, recordableWindows(message.windows))
    if (message.type === 'retry' && isAboutAccount(message.status)) {
      slot.refused(message.retryAfterMs ?? 0)
    }
    if (message.type === 'process') {
      const { pid, startTime } = message
      const started: AgentFact = {
        type: 'ProcessStarted',
        data: { taskId: task.taskId, callId: call.callId, pid, startTime },
      }
      await decide(task, ({ current }) => (current?.call?.callId === call.callId ? [started] : []))
    }
    tell(task, message)
  }

  function tell({ taskId }: QueuedTask, message: CallMessage) {
    if (said.taskId !== taskId) said = { taskId, characters: 0 }
    if (message.type === 'text') said.characters += message.text.length
    if (message.type === 'retract') said.characters -= message.characters
    events.emit(`message ${taskId}`, message)
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
  function conclude(effect: CallEffect, ending: CallEnding, slot: CallSlot): Promise<RecoveryOutcome> {
    let isReported = false
    return record(async () => {
      if (!isReported) await reportEnding(ending, slot, admission.caller.account, environment)
      isReported = true
      return settle(effect, ending)
    })
  }

  /** Records how the call ended, unless the task has already ended. */
  async function settle({ task, call }: CallEffect, ending: CallEnding): Promise<RecoveryOutcome> {
    const { callId } = call
    const { taskId } = task
    const spent = countedSpending(ending, budgets.tokensOf)
    if (spent) await learnCost({ task, call }, ending, spent)
    if (ending.type === 'CallSucceeded') {
      const text = await bodies.keep(ending.result.text)
      const succeeded = callSucceeded(task, call, ending, { text, spent: spent ?? ending.result })
      try {
        const recorded = await decide(task, ({ current }) =>
          current?.call?.callId === callId ? [succeeded] : [],
        )
        if (recorded.length === 0) await keepLate({ task, call }, ending)
        return 'harvested'
      } catch (error) {
        return await keepUnrecordable({ task, call }, ending, error)
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
      return await keepUnrecordable({ task, call }, ending, refused)
    }
    if (recorded.length === 0) await keepLate({ task, call }, ending)
    const retry = recorded.find(({ type }) => type === 'RetryScheduled')
    const warning = waitInWords(error, admission.caller.account, retry?.data)
    if (warning) tell(task, { type: 'warning', message: warning })
    if (retry) return 'retried'
    return ending.type === 'CallFailed' ? 'failed' : 'unknown'
  }

  /** Keeps what arrived after its task had ended: an answer, or what the call cost if there is none or the log refuses it. */
  async function keepLate({ task, call }: Pick<CallEffect, 'task' | 'call'>, ending: CallEnding | undefined) {
    const spent = ending && countedSpending(ending, budgets.tokensOf)
    if (!spent) return
    await learnCost({ task, call }, ending, spent)
    const late = { task, call, ending, spent }
    const isNew = await recordLateEnding(actor, bodies, late).catch((error: unknown) => {
      if (ending.type !== 'CallSucceeded' || mayPass(error)) throw error
      logger.error({ agent, taskId: task.taskId, error }, 'a late answer is lost: the log refuses it')
      return recordLateEnding(actor, bodies, {
        ...late,
        ending: { type: 'CallFailed', error: brokenBy(error) },
      })
    })
    if (isNew) await environment.spentLate(task, call.callId, amountSpent(spent))
  }

  /** The log refuses an ending: its task ends at once, and what the call brought or cost is kept as late. */
  async function keepUnrecordable(
    effect: Pick<CallEffect, 'task' | 'call'>,
    ending: CallEnding,
    error: unknown,
  ): Promise<RecoveryOutcome> {
    await endBrokenTask(actor, environment, effect.task.taskId, error)
    await keepLate(effect, ending)
    return 'failed'
  }

  /** Tells the budgets what a call cost before its end is recorded: it is paid for, whatever happens to the log. */
  async function learnCost(
    { task: { runId }, call: { callId } }: Pick<CallEffect, 'task' | 'call'>,
    ending: CallEnding,
    spent: CountedSpending,
  ) {
    // A transcript does not always tell the cost of an answer that was harvested after a crash.
    if (ending.type === 'CallSucceeded' && ending.harvested && spent.costUsd === 0) return
    await budgets.learn(defined({ agent, callId, runId }), amountSpent(spent))
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

  const carryOut: Perform<AgentEffect> = async (effect, context) => {
    switch (effect.type) {
      case 'begin':
        return admission.admitNext(context)
      case 'retry': {
        const { account } = admission.caller
        if (context.resumed && effect.task.refusals > 0) governor.remember(account)
        await waitToRetry(effect.task, account, actor.snapshot.context.config, context, environment)
        if (context.isWanted) await admission.admit(effect.task, context)
        return undefined
      }
      case 'deadline':
        await context.pause(deadlineMs(effect.task))
        // The call is recovered only after the sweep. If that fails, the deadline still holds.
        await environment.swept().catch(() => {})
        await lastRecovery
        await lastRecord
        await admission.idle
        return context.isWanted ? passDeadline(effect.task) : undefined
      case 'call': {
        const slot = admission.takeSlot(effect.task, effect.call)
        await calls.post(async () => {
          try {
            await environment.swept()
            await resumeOrRun(effect, context.signal, context.resumed, slot)
          } finally {
            slot.leave()
          }
        })
        return undefined
      }
    }
  }

  const carryOutOrBreak: Perform<AgentEffect> = async (effect, context) => {
    try {
      await carryOut(effect, context)
    } catch (error) {
      const taskId = taskOf(effect)
      if (taskId === undefined || !context.isWanted) throw error
      await endBrokenTask(actor, environment, taskId, error)
    }
  }

  return async (effect, context) => {
    let isOver = true
    try {
      await carryOutOrBreak(effect, context)
    } catch (error) {
      isOver = !context.isWanted || !mayPass(error)
      throw error
    } finally {
      // One that is left alone may still spend what is reserved for it.
      if (effect.type === 'call' && isOver && !leftAlone.has(effect.call.callId))
        budgets.ended(effect.call.callId)
    }
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
