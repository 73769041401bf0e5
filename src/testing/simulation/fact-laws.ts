/** The laws that hold at every fact: each is checked when the fact is durable, before anybody is told of it. */
import { scopeOf } from '../../actors/admission/budget-scope.ts'
import type { AgentFact, Failure } from '../../events/agent-facts.ts'
import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { callErrors } from '../../events/errors/call.ts'
import type { Limit } from '../../events/options/budget.ts'
import type { RunFact } from '../../events/run-facts.ts'
import { spendingIn } from '../../events/spending.ts'
import type { SupervisorFact } from '../../events/supervisor-facts.ts'
import { MessageLaws } from './message-laws.ts'
import { Violation } from './violation.ts'

/** A task as the log has it. */
export interface TaskRecord {
  readonly agent: string
  readonly taskId: string
  /** Its place among the tasks of its agent. */
  readonly order: number
  readonly runId: string | undefined
  hold: string | null
  /** Its turn may have passed while it was held. */
  wasHeld: boolean
  attempt: number
  /** The call that ended at a tool call, until a person has decided that. */
  asking: string | null
  /** Whether its turn has ended at a tool call, and is to continue from there. */
  isWithinTurn: boolean
  /** How many of its calls ended through no fault of its own. */
  excused: number
  /** The error of its last call. */
  failure: Failure | null
  /** The fact that ended it. */
  end: AgentFact | null
}

interface AgentRecord {
  readonly tasks: Map<string, TaskRecord>
  /** How often it tries again. */
  retries: number
  /** The call that runs. */
  call: { readonly callId: string; readonly task: TaskRecord } | null
}

interface BudgetRecord {
  limit: Limit
  spentUsd: number
  readonly reserved: Map<string, Reservation>
}

interface SupervisorRecord {
  limits: { readonly maxRestarts: number; readonly withinMs: number }
  stamps: number[]
  /** Children with how they are restarted and how they last ended. */
  readonly children: Map<string, { readonly restart: string; exit: string }>
}

interface RunRecord {
  /** The last task of each step. */
  readonly steps: Map<
    string,
    { readonly agent: string; readonly worker: string; readonly taskId: string; state: string }
  >
  /** How its last execution ended; undefined while it has not. */
  end: 'succeeded' | 'failed' | 'cancelled' | undefined
}

export class FactLaws {
  readonly agents = new Map<string, AgentRecord>()
  readonly runs = new Map<string, RunRecord>()
  readonly budgets = new Map<string, BudgetRecord>()
  /** What is booked for each call, in dollars. */
  readonly booked = new Map<string, number>()
  /** The number of facts. */
  facts = 0
  /** The last fact of each stream. */
  readonly last = new Map<string, Recorded>()
  readonly messages = new MessageLaws()
  readonly #supervisors = new Map<string, SupervisorRecord>()
  readonly #calls = new Set<string>()
  /** Calls without an end, with their agents. */
  readonly open = new Map<string, string>()
  readonly #toldUsd: (callId: string) => number | null

  /** @param toldUsd What the runner told that a call cost; null if it has told nothing. */
  constructor(toldUsd: (callId: string) => number | null) {
    this.#toldUsd = toldUsd
  }

  /** Throws the violation. */
  check(recorded: readonly Recorded[]): void {
    for (const fact of recorded) this.#checkFact(fact)
    // What already runs when a budget is set is reserved with it, whether or not it fits.
    if (recorded.some(({ type }) => type === 'BudgetSet')) return
    for (const fact of recorded) if (fact.type === 'BudgetReserved') this.#checkRoom(fact)
  }

  task(agent: string, taskId: string): TaskRecord | undefined {
    return this.agents.get(agent)?.tasks.get(taskId)
  }

  #checkFact(recorded: Recorded): void {
    const { stream, position, version } = recorded
    // A repeated commit is told again, and is not new.
    if (position <= this.facts) return
    this.facts += 1
    const next = (this.last.get(stream)?.version ?? 0) + 1
    holds(position === this.facts && version === next, 'positions and versions have no gap', stream)
    this.last.set(stream, recorded)
    this.messages.check(recorded)
    const [kind = '', id = ''] = stream.split('/')
    if (kind === 'agent') this.#agentFact(id, recorded as Recorded & AgentFact)
    else if (kind === 'run') this.#runFact(id, recorded as Recorded & RunFact)
    else if (kind === 'supervisor') this.#supervisorFact(id, recorded as Recorded & SupervisorFact)
    else if (kind.endsWith('budget')) this.#budgetFact(stream, recorded as Recorded & BudgetFact)
  }

  #agentFact(agent: string, fact: AgentFact): void {
    const record = this.agents.get(agent) ?? { tasks: new Map<string, TaskRecord>(), retries: 0, call: null }
    this.agents.set(agent, record)
    const taskId = 'taskId' in fact.data ? fact.data.taskId : undefined
    const task = taskId === undefined ? undefined : record.tasks.get(taskId)
    const named = `task ${taskId} of ${agent}`
    const spending = spendingIn(fact)
    if (spending && 'callId' in fact.data) this.#book(fact.data.callId, spending.costUsd)
    switch (fact.type) {
      case 'TaskAccepted': {
        holds(task === undefined, 'a task is accepted once', named)
        const { runId } = fact.data
        const order = record.tasks.size
        const accepted = {
          agent,
          taskId: fact.data.taskId,
          order,
          runId,
          hold: null,
          wasHeld: false,
          attempt: 0,
          asking: null,
          isWithinTurn: false,
          excused: 0,
          failure: null,
          end: null,
        }
        record.tasks.set(fact.data.taskId, accepted)
        return
      }
      case 'TaskHeld':
        if (!task) return
        task.hold = fact.data.hold.reason
        task.wasHeld = true
        return
      case 'TaskApproved':
        if (task) task.hold = null
        return
      case 'CallStarted': {
        if (!task) throw new Violation('a call is for an accepted task', named)
        holds(task.end === null, 'a task that has ended is not begun', named)
        holds(record.call === null, 'an agent makes one call at a time', named)
        holds(
          [...record.tasks.values()].every(({ asking, end }) => asking === null || end !== null),
          'a turn waits for its decision',
          named,
        )
        holds(
          [...record.tasks.values()].every((one) => one === task || !one.isWithinTurn || one.end !== null),
          'no other task begins in the middle of a turn',
          named,
        )
        holds(!this.#calls.has(fact.data.callId), 'a call is announced once', named)
        holds(fact.data.attempt === task.attempt + 1, 'attempts are counted', named)
        if (task.attempt === 0) this.#checkOrder(record, task)
        this.#checkReserved(task, fact.data.callId)
        this.#calls.add(fact.data.callId)
        this.open.set(fact.data.callId, agent)
        task.attempt += 1
        task.hold = null
        record.call = { callId: fact.data.callId, task }
        return
      }
      case 'AgentCreated':
      case 'AgentConfigured':
        record.retries = fact.data.config.retry.attempts
        return
      case 'CallFailed':
        record.call = null
        if (task) task.failure = fact.data.error
        if (!fact.data.running) this.#endCall(fact.data.callId)
        return
      case 'CallOutcomeUnknown':
        this.#endCall(fact.data.callId)
        if (fact.data.late) return
        record.call = null
        if (task) task.failure = null
        return
      case 'LateAnswerRecorded':
      case 'LateCostRecorded':
        this.#endCall(fact.data.callId)
        return
      case 'AgentRemoved':
        for (const [callId, of] of this.open) if (of === agent) this.open.delete(callId)
        return
      case 'CallDeferred':
        record.call = null
        if (task) Object.assign(task, { asking: fact.data.callId, isWithinTurn: true })
        this.#endCall(fact.data.callId)
        return
      case 'ToolDecided':
        if (!task) return
        holds(task.asking === fact.data.callId, 'a tool call is decided once', named)
        task.asking = null
        task.excused += 1
        return
      case 'RetryScheduled':
        if (task && fact.data.because !== undefined) task.excused += 1
        return
      case 'CallSucceeded':
        record.call = null
        this.#endCall(fact.data.callId)
        this.#end(task, fact, named)
        return
      case 'TaskFailed':
      case 'TaskCancelled':
        if (record.call?.task === task) record.call = null
        if (task && fact.type === 'TaskFailed') this.#checkRetries(record, task, fact.data.error)
        this.#end(task, fact, named)
    }
  }

  #end(task: TaskRecord | undefined, fact: AgentFact, named: string): void {
    if (!task) throw new Violation('what ends was accepted', named)
    holds(task.end === null, 'a task has one end', `${named} has ${task.end?.type} and ${fact.type}`)
    task.end = fact
  }

  #endCall(callId: string): void {
    holds(this.open.delete(callId), 'a call ends once', callId)
  }

  #book(callId: string, usd: number): void {
    holds(!this.booked.has(callId), 'a call is booked once', callId)
    this.booked.set(callId, usd)
  }

  /** The first task that nothing holds begins first. */
  #checkOrder({ tasks }: AgentRecord, begun: TaskRecord): void {
    for (const earlier of tasks.values()) {
      if (earlier.order >= begun.order) return
      if (earlier.end !== null || earlier.wasHeld || earlier.attempt > 0) continue
      const problem = `${begun.agent} begins ${begun.taskId} before ${earlier.taskId}`
      throw new Violation('tasks begin in the order of their acceptance', problem)
    }
  }

  /** A task fails only when its last call has used its last retry. */
  #checkRetries(
    { retries }: AgentRecord,
    { agent, taskId, attempt, excused, failure }: TaskRecord,
    error: Failure,
  ): void {
    // A deadline ends a task whatever it has left.
    if (!error.retryable || error.tag !== failure?.tag || error.tag === 'CallTimeoutError') return
    const allowed = callErrors[error.tag]?.retries === 'once' ? Math.min(1, retries) : retries
    const problem = `${taskId} of ${agent} had ${attempt - excused} calls, with ${allowed} retries after ${error.tag}`
    holds(attempt - excused > allowed, 'a task uses its retries', problem)
  }

  /** A call has a reservation in every limited budget that it counts against. */
  #checkReserved({ agent, taskId, runId }: TaskRecord, callId: string): void {
    for (const [stream, { limit, reserved }] of this.budgets) {
      if (limit.usd === null && limit.tokens === null) continue
      const scope = scopeOf(stream)
      const counts =
        (scope.agent === undefined || scope.agent === nameOf(agent)) &&
        (scope.run === undefined || scope.run === runId)
      holds(
        !counts || reserved.has(callId),
        'no call begins without room in its budgets',
        `${taskId} of ${agent}: ${stream}`,
      )
    }
  }

  #budgetFact(stream: string, fact: BudgetFact): void {
    const record = this.budgets.get(stream) ?? {
      limit: { usd: null, tokens: null },
      spentUsd: 0,
      reserved: new Map<string, Reservation>(),
    }
    this.budgets.set(stream, record)
    if (fact.type === 'BudgetSet') {
      record.limit = fact.data.limit
      if (fact.data.spent) record.spentUsd = fact.data.spent.usd
    }
    if (fact.type === 'BudgetReserved') record.reserved.set(fact.data.callId, fact.data)
    if (fact.type !== 'BudgetSettled') return
    const { callId, usd, outcome } = fact.data
    holds(record.reserved.delete(callId), 'a reservation is settled once', `${callId} in ${stream}`)
    const booked = this.booked.get(callId)
    if (outcome !== 'released') record.spentUsd += usd
    if (booked !== undefined && booked > 0)
      holds(
        (outcome === 'spent' || outcome === 'estimated') && usd === booked,
        'a reservation is settled with what the call cost',
        `${callId} cost ${booked} and is ${outcome} at ${usd} in ${stream}`,
      )
  }

  /** What is reserved fits into what is left. A call that is known to have cost less or more counts with that. */
  #checkRoom({ stream, data }: Recorded): void {
    const record = this.budgets.get(stream)
    if (!record || record.limit.usd === null) return
    const { callId, usd } = data as unknown as Reservation
    let others = 0
    for (const [id, reservation] of record.reserved)
      if (id !== callId) others += Math.min(this.#toldUsd(id) ?? reservation.usd, reservation.usd)
    const left = record.limit.usd - record.spentUsd - others
    holds(usd <= left + 1e-9, 'what is reserved fits into the budget', `${usd} of ${left} in ${stream}`)
  }

  #runFact(run: string, fact: RunFact): void {
    const record = this.runs.get(run) ?? { steps: new Map(), end: undefined }
    this.runs.set(run, record)
    if (fact.type === 'RunSucceeded') record.end = 'succeeded'
    if (fact.type === 'RunFailed') record.end = 'failed'
    if (fact.type === 'RunCancelled') record.end = 'cancelled'
    if (fact.type === 'RunResumed') {
      record.end = undefined
      // What failed before may be asked otherwise now.
      for (const step of record.steps.values())
        if (step.state === 'failed' || step.state === 'cancelled') step.state = 'abandoned'
    }
    if (fact.type === 'StepScheduled') {
      const { stepKey, agent, worker, taskId } = fact.data
      const before = record.steps.get(stepKey)
      if (before && before.taskId !== taskId && before.state !== 'carried') {
        const task = this.task(before.worker, before.taskId)
        holds(
          task === undefined || task.end !== null,
          'a step is not asked again while its task is kept',
          `step ${stepKey} of ${run}: task ${before.taskId} has not ended`,
        )
        holds(
          task?.end?.type !== 'CallSucceeded',
          'an answered step is not asked again',
          `step ${stepKey} of ${run}: task ${before.taskId} was answered`,
        )
      }
      record.steps.set(stepKey, { agent, worker, taskId, state: 'scheduled' })
    }
    if (fact.type === 'StepSucceeded' || fact.type === 'StepFailed') {
      const step = record.steps.get(fact.data.stepKey)
      if (!step) return
      step.state =
        fact.type === 'StepFailed'
          ? failedState(fact.data)
          : fact.data.carriedFrom === undefined
            ? 'succeeded'
            : 'carried'
    }
  }

  #supervisorFact(id: string, fact: SupervisorFact): void {
    if (fact.type === 'SupervisorStarted') {
      const children = fact.data.children.map(
        (child) => [child.id, { restart: child.restart, exit: '' }] as const,
      )
      const before = this.#supervisors.get(id)
      this.#supervisors.set(id, {
        limits: fact.data.rules.intensity,
        stamps: before?.stamps ?? [],
        children: new Map([...(before?.children ?? []), ...children]),
      })
      return
    }
    const record = this.#supervisors.get(id)
    if (!record) return
    const { limits, children } = record
    if (fact.type === 'SupervisorStopped') {
      record.stamps = []
      children.clear()
    }
    if (fact.type === 'ChildStarted' && fact.data.child)
      children.set(fact.data.id, { restart: fact.data.child.restart, exit: '' })
    if (fact.type === 'ChildExited') {
      const child = children.get(fact.data.id)
      if (child) child.exit = fact.data.reason
    }
    if (fact.type === 'RestartScheduled') {
      const { id: child, stamp } = fact.data
      const { restart, exit } = children.get(child) ?? {}
      holds(restart !== 'temporary', 'a temporary child is not restarted', `${child} of ${id}`)
      holds(
        restart !== 'transient' || exit === 'crashed' || exit === 'killed' || exit === '',
        'a transient child is restarted only if it ended abnormally',
        `${child} of ${id} ended with ${exit}`,
      )
      record.stamps = [...record.stamps.filter((one) => one >= stamp - limits.withinMs), stamp]
      holds(
        record.stamps.length <= limits.maxRestarts,
        'restarts stay within the intensity',
        `${id} restarts ${child} for the ${record.stamps.length}. time within ${limits.withinMs} ms`,
      )
    }
    if (fact.type === 'Escalated')
      holds(
        fact.data.restarts > limits.maxRestarts || isBeyondRestart(fact.data.error),
        'a supervisor gives up only beyond its intensity',
        `${id} after ${fact.data.restarts} of ${limits.maxRestarts} restarts`,
      )
  }
}

/** A step that the workflow asked otherwise, or not at all, when it was resumed no longer belongs to it. */
function failedState({ cancelled, error }: { readonly cancelled: boolean; readonly error: Failure }): string {
  if (!cancelled) return 'failed'
  return error.message.includes('the workflow no longer needs it') ? 'abandoned' : 'cancelled'
}

const isBeyondRestart = (error: Failure | null) =>
  [error?.tag, error?.details.code].some((tag) => tag === 'AuthenticationError' || tag === 'BillingError')

function holds(isSo: boolean, law: string, problem: string): void {
  if (!isSo) throw new Violation(law, problem)
}

const nameOf = (agent: string) => agent.split('.', 1)[0] ?? agent
