/** Carries out what an agent's state asks for: calls, waits, deadlines. */

import type { EventEmitter } from 'node:events'
import type { Call, CallMessage } from '../../claude/runner.ts'
import { pause } from '../../clock.ts'
import type { AgentFact } from '../../events/agent-facts.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { CallTimeoutError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { hasMaterial, type Material, type PlacedInput } from '../../events/material.ts'
import type { CallSlot } from '../admission/governor.ts'
import type { Bodies } from '../engine/bodies.ts'
import { Mailbox } from '../engine/mailbox.ts'
import type { Perform } from '../engine/running-effects.ts'
import {
  type CallEnding,
  carryOutCall,
  composeCall,
  type RecoveryOutcome,
  recoverAnnouncedCall,
} from './call.ts'
import { CallBeginnings } from './call-beginnings.ts'
import { type AgentEffect, callEnded, callSucceeded, deadlinePassed } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import { faultOf, retryAfterMs } from './failure-policy.ts'
import type { AgentContext, QueuedTask } from './state.ts'
import { type AnsweredCall, learnCost, recordLateAnswer } from './tasks/late-answers.ts'

type CallEffect = Extract<AgentEffect, { type: 'call' }>

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })

/**
 * @param events Where the messages of a call go, as `message TASK`, and `held TASK` where there is no money for it.
 * @param materials What tasks of this process brought along, by their ids, with the credentials that the log must not
 * hold. A task of an earlier process has what the log has.
 */
export function agentWorker(
  agent: string,
  actor: AgentActor,
  environment: AgentEnvironment,
  bodies: Bodies,
  events: EventEmitter,
  materials: ReadonlyMap<string, Material>,
): Perform<AgentEffect> {
  const { clock, runner, logger, governor, budgets } = environment
  // One call at a time, also when the one before was cancelled and its process is still coming to an end.
  const calls = new Mailbox()
  let lastRecovery: Promise<unknown> = Promise.resolve()
  const beginnings = new CallBeginnings(agent, actor, environment, events)

  const decide = (task: QueuedTask, decision: (context: AgentContext) => readonly AgentFact[]) =>
    actor.decide(({ context }) => decision(context), { correlationId: task.taskId, causationId: task.cause })

  const circumstances = () => ({ now: clock.now(), random: environment.random() })

  const msUntil = (at: string) => Date.parse(at) - clock.now()

  async function passDeadline(task: QueuedTask) {
    await decide(task, (context) =>
      context.current?.taskId === task.taskId
        ? deadlinePassed(context, callErrorData(new CallTimeoutError()))
        : [],
    )
  }

  /** Writes down how the call ended, unless the task has ended meanwhile. */
  async function settle({ task, call }: CallEffect, ending: CallEnding): Promise<RecoveryOutcome> {
    const { callId } = call
    const { taskId } = task
    if (ending.type === 'CallSucceeded') {
      if (budgets.areSet) await learnCost(budgets, agent, { task, call }, ending)
      const text = await bodies.write(ending.result.text)
      const succeeded = callSucceeded(task, call, ending.result, { text, harvested: ending.harvested })
      const recorded = await decide(task, ({ current }) =>
        current?.call?.callId === callId ? [succeeded] : [],
      )
      if (recorded.length === 0) await bury({ task, call }, ending)
      return 'harvested'
    }
    const { error } = ending
    const ended: AgentFact & { type: typeof ending.type } =
      ending.type === 'CallFailed'
        ? { type: ending.type, data: { taskId, callId, error } }
        : { type: ending.type, data: { taskId, callId } }
    const recorded = await decide(task, (context) =>
      context.current?.call?.callId === callId ? callEnded(context, ended, error, circumstances()) : [],
    )
    if (recorded.some(({ type }) => type === 'RetryScheduled')) return 'retried'
    return ending.type === 'CallFailed' ? 'failed' : 'unknown'
  }

  /** An answer that comes when its task has ended. */
  async function bury(answered: AnsweredCall, ending: CallEnding | undefined) {
    if (ending?.type !== 'CallSucceeded' || actor.closed) return
    await learnCost(budgets, agent, answered, ending)
    await recordLateAnswer(actor, bodies, answered, ending)
  }

  async function hear({ task, call }: CallEffect, message: CallMessage, place: CallSlot) {
    if (message.type !== 'process') place.begun()
    if (message.type === 'retry' && ACCOUNT_STATUSES.has(message.status ?? 0)) {
      place.refused(message.retryAfterMs ?? 0)
    }
    if (message.type === 'process') {
      const { pid, startTime } = message
      const started: AgentFact = {
        type: 'ProcessStarted',
        data: { taskId: task.taskId, callId: call.callId, pid, startTime },
      }
      await decide(task, ({ current }) => (current?.call?.callId === call.callId ? [started] : []))
    }
    events.emit(`message ${task.taskId}`, message)
  }

  const compose = async ({ task, call }: CallEffect) => {
    const { config } = actor.snapshot.context
    if (!config) throw new Error(`agent ${agent} has a call and no configuration`)
    const { store } = environment
    const directories = environment.directories(agent)
    return composeCall(agent, config, task, call, { store, stream: actor.stream, bodies, directories })
  }

  /** A call whose texts cannot be read any more has failed, and nobody waits for it until its deadline. */
  async function composed<Ending>(effect: CallEffect, carryOut: (call: Call) => Promise<Ending>) {
    let call: Call
    try {
      call = await compose(effect)
    } catch (error) {
      if (!(error instanceof ClaudeAgentError) || error.retryable) throw error
      return { type: 'CallFailed', error: callErrorData(error) } as const satisfies CallEnding
    }
    return carryOut(call)
  }

  /** Whether the call is settled. An answer that was paid for counts even after the deadline. */
  async function recover(effect: CallEffect, signal: AbortSignal): Promise<boolean> {
    const overdue = new AbortController()
    const stop = AbortSignal.any([signal, overdue.signal])
    void pause(clock, msUntil(effect.task.deadlineAt), stop).then(() => overdue.abort())
    const ending = await composed(effect, (call) =>
      recoverAnnouncedCall(runner, call, effect.call.process, stop),
    )
    if (signal.aborted) {
      await bury(effect, ending)
      return true
    }
    const outcome = ending ? await settle(effect, ending) : 'redispatched'
    overdue.abort()
    environment.recovered({ agent, taskId: effect.task.taskId, outcome })
    return ending !== undefined
  }

  /** Brings the task's material into the workspace, once. Returns how the call ended, where that went wrong. */
  async function bring({ task, call }: CallEffect, signal: AbortSignal): Promise<CallEnding | undefined> {
    const { taskId } = task
    const { callId } = call
    if (!runner.place || !hasMaterial(task.material) || actor.snapshot.context.current?.placed)
      return undefined
    let inputs: readonly PlacedInput[]
    try {
      const material = materials.get(taskId) ?? task.material
      inputs = await runner.place(environment.directories(agent), material, { signal })
    } catch (error) {
      return { type: 'CallFailed', error: callErrorData(error) }
    }
    const placed: AgentFact = { type: 'InputsPlaced', data: { taskId, callId, inputs } }
    await decide(task, ({ current }) => (current?.call?.callId === callId ? [placed] : []))
    return undefined
  }

  async function run(effect: CallEffect, signal: AbortSignal, place: CallSlot) {
    const ending =
      (await bring(effect, signal)) ??
      (await composed(effect, (call) =>
        carryOutCall(runner, call, signal, (message) => hear(effect, message, place)),
      ))
    if (signal.aborted) return bury(effect, ending)
    tell(place, ending)
    if (ending.type === 'CallFailed') {
      logger.warn({ agent, taskId: effect.task.taskId, error: ending.error.tag }, 'a call failed')
    }
    await settle(effect, ending)
  }

  async function resumeOrRun(effect: CallEffect, signal: AbortSignal, resumed: boolean, place: CallSlot) {
    if (resumed) {
      const recovery = recover(effect, signal)
      lastRecovery = recovery.catch(() => {})
      if (await recovery) return
      // Its deadline ends it.
      if (clock.now() >= Date.parse(effect.task.deadlineAt)) return aborted(signal)
    }
    if (!signal.aborted) await run(effect, signal, place)
  }

  return async (effect, context) => {
    switch (effect.type) {
      case 'begin':
        return beginnings.next(context)
      case 'retry':
        if (context.resumed && effect.task.refusals > 0) governor.remember(beginnings.caller.account)
        await context.pause(msUntil(effect.dueAt))
        if (context.isWanted) await beginnings.begin(effect.task, context)
        return undefined
      case 'deadline':
        await context.pause(msUntil(effect.task.deadlineAt))
        await lastRecovery
        await beginnings.turn
        return context.isWanted ? passDeadline(effect.task) : undefined
      case 'call': {
        const place = beginnings.placeOf(effect.call)
        await calls.post(async () => {
          try {
            await environment.swept()
            await resumeOrRun(effect, context.signal, context.resumed, place)
          } finally {
            place.leave()
          }
        })
        return budgets.ended(effect.call.callId)
      }
    }
  }
}

/** What the service answers when the account has to wait. */
const ACCOUNT_STATUSES = new Set([429, 529])

/** Tells the governor how a call ended, as far as that says something of the account. */
function tell(place: CallSlot, ending: CallEnding): void {
  if (ending.type === 'CallSucceeded') place.answered()
  else if (faultOf(ending.error) === 'account') place.refused(retryAfterMs(ending.error))
}
