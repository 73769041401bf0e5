/** Carries out an agent's effects: begins calls, runs or recovers them, waits for retries and deadlines. */
import type { CallMessage } from '../../claude/runner.ts'
import { inTime } from '../../clock.ts'
import type { AgentFact } from '../../events/agent-facts.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { CallTimeoutError } from '../../events/errors/call.ts'
import { callErrorData, unsentErrorData } from '../../events/errors/recorded.ts'
import { hasMaterial, leftOutOf, type PlacedInput } from '../../events/task-input.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import type { Admitted, Held } from '../admission/admission.ts'
import type { EffectContext, Perform } from '../engine/effects.ts'
import { type Interest, mayPass, Wish } from '../engine/wish.ts'
import {
  type CallEnding,
  type ComposedCall,
  carryOutCall,
  composeCall,
  decideOn,
  recordInCall,
  recoverAnnouncedCall,
} from './call.ts'
import { CallEndings } from './call-endings.ts'
import { type CallFiles, callFiles } from './call-files.ts'
import { deadlineLeftMs, IdleTime } from './deadline.ts'
import { type AgentEffect, nextCall, nextTask, ready, taskBroken } from './decisions.ts'
import type { AgentActor, AgentEnvironment, AskedTasks } from './environment.ts'
import { wakingTask } from './mailbox/unread.ts'
import type { Moving } from './moving/moving.ts'
import type { LeftOut } from './session/conversation.ts'
import {
  type AgentContext,
  type CallOfTask,
  type CurrentTask,
  isAbandoned,
  type OpenCall,
  type QueuedTask,
} from './state.ts'
import { holdForMoney } from './tasks/held.ts'
import { waitToRetry, workLimit } from './waits.ts'

/** How long a runner may take to end a call that is no longer wanted, in ms. `claude` is killed within 15 s. */
const DEAF_AFTER_MS = 20_000

const DEAF = Symbol('the runner does not heed its signal')

type CallEffect = Extract<AgentEffect, { type: 'call' }>
type ProcessMessage = Extract<CallMessage, { type: 'process' }>

/** A first call that may begin as soon as its task is accepted. */
export interface ReadyCall {
  /** Its announcement, in the state in which its task is accepted. */
  announce(context: AgentContext, task: Omit<QueuedTask, 'cause'>): readonly AgentFact[]
  /** Lets go of its place if it was not announced. */
  end(): void
}

/** Carries out an agent's effects, and begins a call at once if nothing stands in its way. */
export class AgentWorker {
  readonly #agent: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #asked: AskedTasks
  readonly #directories: AgentDirectories
  readonly #files: CallFiles
  readonly #endings: CallEndings
  readonly #idle = new IdleTime()
  /** Announced calls, until their effect takes them. */
  readonly #announced = new Map<string, Admitted>()
  /** Calls are admitted one after the other. The wait for other agents does not count against a task's deadline. */
  #lastAdmission: Promise<unknown> | undefined
  /** One call at a time: a cancelled call's process may still be ending when the next one begins. */
  #lastCall: Promise<void> | undefined
  #lastRecovery: Promise<unknown> | undefined
  /** Calls whose runner does not end them. */
  readonly #leftAlone = new Set<string>()

  constructor(agent: string, actor: AgentActor, environment: AgentEnvironment, asked: AskedTasks) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.#asked = asked
    this.#directories = environment.directories(agent)
    this.#files = callFiles(agent, actor, environment, asked)
    this.#endings = new CallEndings(agent, actor, environment, asked, this.#files, this.#idle)
  }

  readonly perform: Perform<AgentEffect> = (effect, context) => {
    if (effect.type === 'call' || effect.type === 'retry' || effect.type === 'deadline')
      this.#idle.take(effect.task, this.#actor.snapshot.context.config, {
        now: this.#environment.clock.now(),
        resumed: context.resumed,
      })
    if (effect.type !== 'deadline') return this.#attempt(effect, context)
    context.later(this.#deadlineMs(effect.task), () => this.#attempt(effect, context))
    return NOTHING
  }

  /** A first call that may begin as soon as its task is accepted; undefined if it has to wait. */
  readyCall(task: Pick<QueuedTask, 'taskId' | 'runId'>): ReadyCall | undefined {
    const { isSwept, admission, clock } = this.#environment
    if (!isSwept() || !this.#actor.isWorking) return undefined
    const ids = this.#newCall()
    const admitted = admission.admitNow?.(this.#requestOf(task, ids.callId))
    if (!admitted) return undefined
    const { taskId } = task
    this.#announced.set(ids.callId, admitted)
    return {
      // Taken again with another actor, it would begin with nothing admitted.
      announce: (state, accepted) =>
        this.#asked.cancelling.has(taskId) || !this.#actor.isWorking
          ? []
          : nextCall(state, accepted, ids, { now: clock.now() }),
      end: () => this.#forget(ids.callId, admitted),
    }
  }

  /** No failure of an effect leaves a task without an end. */
  async #attempt(effect: AgentEffect, context: EffectContext): Promise<void> {
    let isOver = true
    try {
      await this.#carryOut(effect, context)
    } catch (error) {
      try {
        if (effect.type === 'begin' || effect.type === 'wake' || !context.isWanted) throw error
        await this.#endings.breakTask(effect.task.taskId, error)
      } catch (problem) {
        isOver = !context.isWanted || !mayPass(problem)
        throw problem
      }
    } finally {
      // One that is left alone may still spend what is reserved for it.
      if (effect.type === 'call' && isOver && !this.#leftAlone.has(effect.call.callId))
        this.#environment.admission.settle(effect.call.callId)
    }
  }

  #carryOut(effect: AgentEffect, context: EffectContext): Promise<void> {
    switch (effect.type) {
      case 'begin':
        return this.#beginNext(context)
      case 'wake':
        return this.#wake(effect.cause)
      case 'call':
        return this.#carryOutCall(effect, context)
      case 'end':
        return this.#endInTurn(effect)
      case 'retry':
        return this.#retry(effect.task, context)
      case 'deadline':
        return this.#passDeadline(effect.task, context)
    }
  }

  /**
   * Begins the first ready task that may make a call, and holds those before it. A task that is cancelled meanwhile makes no
   * call: as long as none has begun, the effect is wanted and the next task has its turn.
   */
  async #beginNext(context: EffectContext): Promise<void> {
    for (const task of ready(this.#actor.snapshot.context)) {
      if (!context.isWanted) return
      try {
        await this.#begin(task, context)
      } catch (error) {
        if (!context.isWanted) throw error
        await this.#endings.breakTask(task.taskId, error)
      }
    }
  }

  /**
   * Begins a task for what is in the mailbox. While the orchestrator drains, that is left for the next one; while the agent
   * is removed, nothing begins.
   */
  async #wake(cause: string): Promise<void> {
    const { newId, session, intake } = this.#environment
    const taskId = newId()
    if (intake.isOpen)
      await decideOn(this.#actor, { taskId, cause }, ({ context }) =>
        this.#asked.isLeaving ? [] : wakingTask(context, { taskId, session }),
      )
  }

  async #retry(task: CurrentTask, context: EffectContext): Promise<void> {
    const { admission } = this.#environment
    if (context.resumed && task.refusals > 0) admission.remember()
    await waitToRetry(task, this.#actor.snapshot.context.config, context, this.#environment)
    if (context.isWanted) await this.#begin(task, context)
  }

  async #passDeadline(task: CurrentTask, context: EffectContext): Promise<void> {
    // The call is recovered only after the sweep. If that fails, the deadline still holds.
    await this.#environment.swept().catch(() => {})
    await this.#lastRecovery
    await this.#endings.recorded()
    await this.#lastAdmission
    if (!context.isWanted) return
    await decideOn(this.#actor, task, ({ context: state }) => {
      if (state.current?.taskId !== task.taskId) return []
      const said = workLimit(this.#agent, state.config)
      return taskBroken(state, task.taskId, callErrorData(new CallTimeoutError({ said })))
    })
  }

  #deadlineMs(task: CurrentTask): number {
    const now = this.#environment.clock.now() - this.#idle.of(task)
    return deadlineLeftMs(task, this.#actor.snapshot.context.config, now)
  }

  /**
   * Begins the next call of a task, or holds the task if the call may not begin yet. One at a time: what an earlier attempt,
   * wanted no longer, has reserved for the same task must not hold it.
   */
  #begin(task: QueuedTask, context: EffectContext): Promise<void> {
    const begin = () => this.#beginUncancelled(task, context)
    const begun = this.#lastAdmission?.then(begin) ?? begin()
    this.#lastAdmission = begun.catch(() => {})
    return begun
  }

  /** No call begins while a cancellation of its task waits to be written, for example to a full disk. */
  async #beginUncancelled(task: QueuedTask, context: EffectContext): Promise<void> {
    const { cancelling } = this.#asked
    do {
      await cancelling.get(task.taskId)
      if (context.isWanted) await this.#admit(task, context)
    } while (context.isWanted && cancelling.has(task.taskId))
  }

  #newCall() {
    const { newId } = this.#environment
    return { callId: newId(), sessionId: newId(), isEmpty: this.#files.isEmpty() }
  }

  async #admit(task: QueuedTask, context: EffectContext): Promise<void> {
    const { isSwept, swept, admission, clock } = this.#environment
    if (!isSwept()) await swept()
    const ids = this.#newCall()
    const { taskId } = task
    const admitted = await admission.admit(this.#requestOf(task, ids.callId), context)
    if (!admitted) return
    if (isHeld(admitted)) {
      const { hold } = admitted
      await decideOn(this.#actor, task, ({ context: state }) => holdForMoney(state, taskId, hold))
      this.#asked.channel.tell(taskId, { type: 'held', hold })
      return
    }
    this.#announced.set(ids.callId, admitted)
    try {
      await decideOn(this.#actor, task, ({ context: state }) =>
        this.#asked.cancelling.has(taskId)
          ? []
          : nextCall(
              state,
              nextTask(state, taskId),
              ids,
              { now: clock.now() },
              admitted.waitedMs + this.#idle.of(state.current),
            ),
      )
    } finally {
      this.#forget(ids.callId, admitted)
    }
  }

  /** If it is still there, no call was announced. */
  #forget(callId: string, admitted: Admitted): void {
    if (!this.#announced.delete(callId)) return
    admitted.leave()
    this.#environment.admission.settle(callId)
  }

  #requestOf({ taskId, runId }: Pick<QueuedTask, 'taskId' | 'runId'>, callId: string) {
    const { totals, lastCost } = this.#actor.snapshot.context
    const { version: agentVersion } = this.#actor
    const request = { callId, taskId, agent: this.#agent, agentVersion, costs: { totals, lastCost } }
    return runId === undefined ? request : { runId, ...request }
  }

  /** An announced call. One of an earlier process already runs. */
  #takeAnnounced(task: QueuedTask, { callId }: OpenCall): Admitted {
    const admitted = this.#announced.get(callId)
    this.#announced.delete(callId)
    return admitted ?? this.#environment.admission.adopt(this.#requestOf(task, callId))
  }

  /** Runs or recovers a call, after the one before it, and records its end. */
  async #carryOutCall(effect: CallEffect, context: EffectContext): Promise<void> {
    const { isSwept, swept } = this.#environment
    const admitted = this.#takeAnnounced(effect.task, effect.call)
    const before = this.#lastCall
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    this.#lastCall = ended
    try {
      if (before) await before
      if (!isSwept()) await swept()
      const isDone = context.resumed && (await this.#isRecovered(effect, context, admitted))
      if (!isDone && context.isWanted) await this.#run(effect, context, admitted)
      if (!context.isWanted && !this.#leftAlone.has(effect.call.callId)) {
        const abandoning = this.#files.abandon(effect)
        if (abandoning) await abandoning
      }
    } finally {
      admitted.leave()
      if (this.#lastCall === ended) this.#lastCall = undefined
      end()
    }
  }

  /** Whether nothing is left to run. */
  async #isRecovered(effect: CallEffect, context: EffectContext, admitted: Admitted): Promise<boolean> {
    const recovery = this.#recover(effect, context, admitted)
    this.#lastRecovery = recovery.catch(() => {})
    if (await recovery) return true
    if (this.#deadlineMs(effect.task) > 0) return false
    // Not sent again: the `deadline` effect ends the task.
    await new Promise<void>((resolve) => context.whenAborted(resolve))
    return true
  }

  async #run(effect: CallEffect, context: EffectContext, admitted: Admitted): Promise<void> {
    this.#asked.channel.takeBack(effect.task.taskId)
    const call = context.whileWanted((signal) => this.#call(effect, signal, admitted))
    const ending = await this.#ended(effect, context, call, admitted)
    if (ending === DEAF) return
    if (!context.isWanted) return this.#endings.late(effect, ending, admitted)
    if (ending.type === 'CallFailed') this.#warn(effect.task, 'a call failed', { error: ending.error.tag })
    await this.#endings.conclude(effect, ending, admitted)
  }

  async #call(effect: CallEffect, signal: AbortSignal, admitted: Admitted): Promise<CallEnding> {
    const { moving } = this.#environment
    if (moving?.isToCome(this.#actor.snapshot.context)) {
      const problem = await this.#arrive(moving, effect)
      if (problem) return problem
    }
    if (this.#files.areToPrepare() || hasMaterial(effect.task.material)) {
      const problem = await this.#prepare(effect, signal)
      if (problem) return problem
    }
    const composed = await this.#composed(effect)
    if ('type' in composed) return composed
    if (composed.leftOut) await this.#recordCut(effect, composed.leftOut)
    const { runner, team } = this.#environment
    const { call } = composed
    const hear = (message: CallMessage) => {
      admitted.hear(message)
      if (message.type === 'process') return this.#recordProcess(effect, message)
      if (message.type !== 'account') this.#asked.channel.say(call.taskId, message)
      return undefined
    }
    if (!call.settings.team) return carryOutCall(runner, call, signal, hear)
    const { end, ...pass } = await team(call)
    signal.addEventListener('abort', end, { once: true })
    return carryOutCall(runner, { ...call, team: pass }, signal, hear).finally(end)
  }

  /** Brings what the agent has from where it lived before. Returns the call's ending if that fails for now. */
  async #arrive(moving: Moving, { task }: CallEffect): Promise<CallEnding | undefined> {
    const tell = (message: string) => this.#asked.channel.say(task.taskId, { type: 'warning', message })
    try {
      await moving.arrive(this.#agent, this.#actor, tell)
      return undefined
    } catch (error) {
      return { type: 'CallFailed', error: unsentErrorData(error) }
    }
  }

  /** Brings the workspace into the state that the call begins from. Returns the call's ending if that fails. */
  async #prepare(effect: CallEffect, signal: AbortSignal): Promise<CallEnding | undefined> {
    return (
      (await this.#files.begin(effect)) ??
      (await this.#placeInputs(effect, signal)) ??
      (await this.#files.saveBefore(effect))
    )
  }

  /** Leaves a call alone whose runner does not heed its signal. What it still says is kept. */
  async #ended<Ending extends CallEnding | undefined>(
    effect: CallOfTask,
    interest: Pick<Interest, 'whenAborted'>,
    call: Promise<Ending>,
    admitted: Admitted,
  ): Promise<Ending | typeof DEAF> {
    const ending = await inTime(this.#environment.clock, call, DEAF_AFTER_MS, DEAF, interest)
    if (ending === DEAF) this.#leaveAlone(effect, call, admitted)
    return ending
  }

  #leaveAlone(effect: CallOfTask, call: Promise<CallEnding | undefined>, admitted: Admitted): void {
    this.#warn(effect.task, 'the runner does not end a call that is no longer wanted: it is left alone')
    const { callId } = effect.call
    this.#leftAlone.add(callId)
    const end = () => {
      this.#leftAlone.delete(callId)
      this.#environment.admission.settle(callId)
    }
    call.then((late) => this.#endings.late(effect, late, admitted)).then(end, end)
  }

  /** Returns whether the call is settled. An answer that was paid for counts even after the deadline. */
  async #recover(effect: CallEffect, context: EffectContext, admitted: Admitted): Promise<boolean> {
    const { clock, recovered } = this.#environment
    this.#asked.leftOpen.delete(effect.call.callId)
    const wish = new Wish(clock)
    wish.after(this.#deadlineMs(effect.task), () => wish.abort())
    context.whenAborted(() => wish.abort())
    const ending = await this.#ended(effect, wish, this.#outcomeOf(effect, wish), admitted)
    if (ending === DEAF) return !context.isWanted
    if (!context.isWanted) {
      await this.#endings.late(effect, ending, admitted)
      return true
    }
    const outcome = ending ? await this.#endings.conclude(effect, ending, admitted) : 'redispatched'
    wish.abort()
    recovered({ agent: this.#agent, taskId: effect.task.taskId, outcome })
    return ending !== undefined
  }

  /** How a call that was announced before has ended; undefined if it was never sent. */
  async #outcomeOf(effect: CallOfTask, { signal }: Wish): Promise<CallEnding | undefined> {
    const { runner, place } = this.#environment
    const composed = await this.#composed(effect)
    if ('type' in composed) return composed
    return recoverAnnouncedCall(runner, composed.call, effect.call.process, place(), signal)
  }

  /** Finds out how a call has ended whose task ended before, unless that is in the log or still awaited. */
  async end(abandoned: CallOfTask): Promise<void> {
    const { leftOpen } = this.#asked
    const { callId } = abandoned.call
    if (this.#leftAlone.has(callId) || !isAbandoned(this.#actor.snapshot.context, callId)) return
    const admitted = this.#takeAnnounced(abandoned.task, abandoned.call)
    const wish = new Wish(this.#environment.clock)
    wish.abort()
    try {
      const told = leftOpen.get(callId)
      leftOpen.delete(callId)
      const outcome = this.#outcomeOf(abandoned, wish).catch(unknownOutcome)
      const ending = told ?? (await this.#ended(abandoned, wish, outcome, admitted))
      if (ending !== DEAF) await this.#endings.late(abandoned, ending, admitted)
    } finally {
      admitted.leave()
      if (!this.#leftAlone.has(callId)) this.#environment.admission.settle(callId)
    }
  }

  /** The same after what of the call still runs here, and before the next one. */
  #endInTurn(abandoned: CallOfTask): Promise<void> {
    const ended = Promise.all([this.#lastCall, this.#environment.swept()]).then(() => this.end(abandoned))
    this.#lastCall = ended.catch(() => {})
    return ended
  }

  /** Places the task's material in the workspace, once. Returns the call's ending if that fails. */
  async #placeInputs({ task, call }: CallEffect, signal: AbortSignal): Promise<CallEnding | undefined> {
    const { runner, replaceInputs, inputLimits: limits } = this.#environment
    const { taskId } = task
    const { callId } = call
    if (!runner.place || !hasMaterial(task.material) || this.#actor.snapshot.context.current?.placed)
      return undefined
    let inputs: readonly PlacedInput[]
    try {
      const material = this.#asked.materials.get(taskId) ?? task.material
      const replace = material.replace ?? replaceInputs
      const options = { signal, placing: task.runId ?? taskId, replace, limits }
      inputs = await runner.place(this.#directories, material, options)
    } catch (error) {
      return { type: 'CallFailed', error: unsentErrorData(error) }
    }
    await recordInCall(
      this.#actor,
      { task, call },
      { type: 'InputsPlaced', data: { taskId, callId, inputs } },
    )
    const tell = (message: string) => {
      this.#warn(task, message)
      this.#asked.channel.say(taskId, { type: 'warning', message })
    }
    for (const input of inputs) {
      const { target, kept } = input
      if (kept !== undefined) tell(`${target} was replaced; the agent's work is in ${kept}`)
      const leftOut = leftOutOf(input)
      if (leftOut !== null) tell(leftOut)
    }
    return undefined
  }

  /** Composes the call, or ends it: if its texts can no longer be read it fails now, not at its deadline. */
  async #composed({ task, call }: CallOfTask): Promise<ComposedCall | CallEnding> {
    const agent = this.#agent
    const { store } = this.#environment
    try {
      const { config, current, files, rules } = this.#actor.snapshot.context
      if (!config) throw new Error(`agent ${agent} has a call and no configuration`)
      // Its inputs were placed after the effect was computed.
      const asked = current?.call?.callId === call.callId ? current : task
      const { bodies } = this.#asked
      const project = config.workspace && (files?.project?.counts ?? false)
      const sources = {
        store,
        stream: this.#actor.stream,
        bodies,
        directories: this.#directories,
        project,
        rules,
        areFilesLost: files?.lost === true,
      }
      return await composeCall(agent, config, asked, call, sources)
    } catch (error) {
      if (!(error instanceof ClaudeAgentError) || error.retryable) throw error
      return { type: 'CallFailed', error: callErrorData(error) }
    }
  }

  async #recordCut({ task, call }: CallEffect, leftOut: LeftOut): Promise<void> {
    const data = { taskId: task.taskId, callId: call.callId, ...leftOut }
    await recordInCall(this.#actor, { task, call }, { type: 'ConversationCut', data })
  }

  async #recordProcess({ task, call }: CallOfTask, message: ProcessMessage): Promise<void> {
    const { pid, startTime } = message
    const data = { taskId: task.taskId, callId: call.callId, pid, startTime, ...this.#environment.place() }
    await recordInCall(this.#actor, { task, call }, { type: 'ProcessStarted', data })
    this.#asked.channel.say(task.taskId, message)
  }

  #warn({ taskId }: QueuedTask, message: string, details: object = {}): void {
    this.#environment.logger.warn({ agent: this.#agent, taskId, ...details }, message)
  }
}

function unknownOutcome(error: unknown): CallEnding {
  if (mayPass(error)) throw error
  return { type: 'CallOutcomeUnknown', error: callErrorData(error) }
}

/** What `perform` returns for a deadline, which is only a timer until it has passed. */
const NOTHING = Promise.resolve()

const isHeld = (answer: Admitted | Held): answer is Held => answer.hold !== undefined
