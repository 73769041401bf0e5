/** Which facts receivers are notified of, and in what words: a function of the log alone, so that a repetition says the same. */
import { type BudgetContext, budgetKinds } from '../actors/admission/budget.ts'
import { UNLIMITED } from '../actors/admission/budget-arithmetic.ts'
import { budgetHoldInWords, commandToRaise, nameOfBudget, scopeOf } from '../actors/admission/budget-scope.ts'
import { toolHold } from '../actors/agent/tasks/deferral.ts'
import { heldTask } from '../actors/agent/tasks/held.ts'
import { type PlainState, plainFold } from '../actors/engine/fold.ts'
import { foldFact } from '../actors/engine/history.ts'
import type { Hold } from '../events/agent-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import { dollars } from '../events/figures.ts'
import { defined } from '../events/json.ts'
import type { Notification } from '../events/options/notify.ts'
import { oneLine, redactor } from '../events/secrets/redaction.ts'
import { currentFact, type RecordedFact } from '../history/typed-facts.ts'
import type { EventStore } from '../store/event-store.ts'

/** What is told of a fact beside its id, its time, and whose it is. */
type Told = Omit<Notification, 'id' | 'at'>

/** The part of a budget's limit that is spent when it is told. */
const SPENT_SHARE = 0.8

/** How many budgets are remembered; the others are folded again when they change. */
const MOST_BUDGETS = 1000

interface BudgetMemory {
  readonly version: number
  readonly state: PlainState
  /** Whether its limit, as it was set last, has been told. */
  readonly isTold: boolean
}

/** Tells the facts of a log apart, in order. What it remembers of earlier ones is in the log. */
export class Noteworthy {
  readonly #store: Pick<EventStore, 'read'>
  /** The runs of open tasks; null for a task outside of runs. */
  readonly #runOf = new Map<string, string | null>()
  readonly #budgets = new Map<string, BudgetMemory>()

  constructor(store: Pick<EventStore, 'read'>) {
    this.#store = store
  }

  /** What is told of a fact; null for most. Give it the facts in their order, once each. */
  async notification(recorded: Recorded): Promise<Notification | null> {
    const told = await this.#told(currentFact(recorded))
    return told && { id: recorded.id, at: recorded.at, ...told, message: clean(told.message) }
  }

  async #told(fact: RecordedFact): Promise<Told | null> {
    const [kind, id = ''] = fact.stream.split('/')
    if (kind === 'agent') return this.#ofAgent(id, fact)
    if (kind === 'run') return ofRun(id, fact)
    if (kind === 'supervisor') return this.#ofSupervisor(id, fact)
    if (kind === 'schedule') return ofSchedule(id, fact)
    return BUDGETS.has(kind ?? '') ? this.#ofBudget(fact) : null
  }

  async #ofAgent(agent: string, fact: RecordedFact): Promise<Told | null> {
    switch (fact.type) {
      case 'TaskAccepted':
        this.#runOf.set(`${fact.stream} ${fact.data.taskId}`, fact.data.runId ?? null)
        return null
      case 'CallDeferred':
      case 'TaskHeld': {
        const { taskId } = fact.data
        const hold = fact.type === 'TaskHeld' ? fact.data.hold : toolHold(fact.data)
        const runId = (await this.#run(fact, taskId)) ?? undefined
        const { message, hint } = await heldTask(defined({ agent, taskId, runId }), hold, { explain })
        return { type: 'held', ...defined({ agent, taskId, runId }), reason: hold.reason, message, hint }
      }
      case 'MessageReceived': {
        const { messageId, from, held } = fact.data
        if (!held) return null
        const message = `A message to agent "${agent}" from ${from === null ? 'a person' : `"${from}"`} is held: you decide whether the agent reads it.`
        const hint = `claude-agents inbox approve message:${agent}:${messageId}`
        return { type: 'held', agent, reason: 'message', message, hint }
      }
      case 'CallSucceeded':
        return this.#ended(agent, fact, { type: 'done', reason: 'succeeded', said: 'is done' })
      case 'TaskCancelled':
        return this.#ended(agent, fact, {
          type: 'done',
          reason: 'cancelled',
          said: `was cancelled: ${fact.data.reason}`,
        })
      case 'TaskFailed': {
        const { tag, message, hint } = fact.data.error
        return this.#ended(agent, fact, {
          type: 'failed',
          reason: tag,
          said: `failed: ${message}${hint === '' ? '' : ` ${hint}`}`,
        })
      }
      default:
        return null
    }
  }

  /** A step of a run is told by its run, which may continue without it. */
  async #ended(
    agent: string,
    fact: RecordedFact<'CallSucceeded' | 'TaskFailed' | 'TaskCancelled'>,
    { said, ...told }: Pick<Told, 'type' | 'reason'> & { readonly said: string },
  ): Promise<Told | null> {
    const { taskId } = fact.data
    const run = await this.#run(fact, taskId)
    this.#runOf.delete(`${fact.stream} ${taskId}`)
    if (run !== null) return null
    const message = `Task ${taskId} of agent "${agent}" ${said}`
    return { ...told, agent, taskId, message, hint: `claude-agents agent show ${agent}` }
  }

  /** The run that asked for a task; null for none. */
  async #run({ stream, version }: RecordedFact, taskId: string): Promise<string | null> {
    const known = this.#runOf.get(`${stream} ${taskId}`)
    if (known !== undefined) return known
    for await (const earlier of this.#store.read(stream, { to: version, direction: 'backwards' })) {
      const fact = currentFact(earlier)
      if (fact.type === 'TaskAccepted' && fact.data.taskId === taskId) return fact.data.runId ?? null
    }
    return null
  }

  /** A supervisor that gives up reports to its own; the one without is told. */
  async #ofSupervisor(supervisor: string, fact: RecordedFact): Promise<Told | null> {
    const hasEnded = fact.type === 'SupervisorStopped' && fact.data.reason === 'escalated'
    if (fact.type !== 'Escalated' && !hasEnded) return null
    const { stream, version } = fact
    for await (const earlier of this.#store.read(stream, { to: version - 1, direction: 'backwards' })) {
      const before = currentFact(earlier)
      if (before.type === 'Escalated') return null
      if (before.type !== 'SupervisorStarted') continue
      if (before.data.parent !== null) return null
      break
    }
    return {
      type: 'supervision',
      supervisor,
      reason: 'escalated',
      message: `The supervision tree "${supervisor}" gave up, and all work has stopped`,
      hint: `claude-agents log --stream ${stream}`,
    }
  }

  async #ofBudget(fact: RecordedFact): Promise<Told | null> {
    const { stream } = fact
    const known = this.#budgets.get(stream)
    let memory = known?.version === fact.version - 1 ? known : undefined
    let isNow = false
    const after = memory?.version ?? 0
    for await (const recorded of this.#store.read(stream, { after, to: fact.version })) {
      const before = memory
      memory = withFact(before, recorded)
      isNow = memory.isTold && (before?.isTold !== true || recorded.type === 'BudgetSet')
    }
    if (memory === undefined) return null
    this.#remember(stream, memory)
    return isNow ? nearLimit(stream, memory.state.context as BudgetContext) : null
  }

  #remember(stream: string, memory: BudgetMemory): void {
    this.#budgets.delete(stream)
    this.#budgets.set(stream, memory)
    const [oldest = stream] = this.#budgets.keys()
    if (this.#budgets.size > MOST_BUDGETS) this.#budgets.delete(oldest)
  }
}

const clean = (message: string): string => oneLine(redactor({})(message))

function ofRun(runId: string, fact: RecordedFact): Told | null {
  const what = `Run ${runId}`
  const hint = `claude-agents workflow show ${runId}`
  switch (fact.type) {
    case 'RunSucceeded':
      return { type: 'done', runId, reason: 'succeeded', message: `${what} is done`, hint }
    case 'RunCancelled':
      return {
        ...{ type: 'done', runId, reason: 'cancelled', hint },
        message: `${what} was cancelled: ${fact.data.reason}`,
      }
    case 'RunFailed': {
      // A pattern is code, whose errors may quote an answer: they are named only.
      const errors = fact.data.errors.map(({ agent, code }) => `${agent}: ${code}`).join(', ')
      const reason = fact.data.errors[0]?.code ?? 'RunFailedError'
      return { type: 'failed', runId, reason, message: `${what} failed: ${errors}`, hint }
    }
    default:
      return null
  }
}

/** What it has begun is told by the task, or the run. */
function ofSchedule(schedule: string, fact: RecordedFact): Told | null {
  if (fact.type !== 'FiringFailed') return null
  const { tag: reason, message: problem, hint } = fact.data.error
  const message = `Schedule "${schedule}" did not fire: ${problem}${hint === '' ? '' : ` ${hint}`}`
  return { type: 'failed', reason, message, hint: `claude-agents schedule run ${schedule}` }
}

const BUDGETS: ReadonlySet<string> = new Set(Object.values(budgetKinds).map(({ kind }) => kind))
const budget = budgetKinds.orchestrator
const { initial, transition } = plainFold(budget.fold)

function withFact(memory: BudgetMemory | undefined, recorded: Recorded): BudgetMemory {
  const before = memory?.state ?? initial
  const state = foldFact(transition, before, budget, recorded) ?? before
  const wasTold = recorded.type !== 'BudgetSet' && memory?.isTold === true
  return {
    version: recorded.version,
    state,
    isTold: wasTold || reached(state.context as BudgetContext) !== null,
  }
}

/** Which of its limits is nearly spent. */
function reached({ limit, spent }: BudgetContext): 'usd' | 'tokens' | null {
  const isReached = (unit: 'usd' | 'tokens') => {
    const most = limit[unit]
    return most !== null && spent[unit] > 0 && spent[unit] >= most * SPENT_SHARE
  }
  return isReached('usd') ? 'usd' : isReached('tokens') ? 'tokens' : null
}

function nearLimit(stream: string, { limit, spent }: BudgetContext): Told {
  const scope = scopeOf(stream)
  const unit = reached({ limit, spent } as BudgetContext) ?? 'usd'
  const shown = (amount: number) => (unit === 'usd' ? dollars(amount) : `${amount} tokens`)
  const name = nameOfBudget(scope)
  return {
    ...defined({ type: 'budget' as const, agent: scope.agent, runId: scope.run, reason: unit }),
    message: `Of ${name}, ${shown(spent[unit])} of ${shown(limit[unit] ?? 0)} is spent`,
    hint: commandToRaise({ scope, limit }),
  }
}

/** By its name alone: what was left of it then is not in the fact. */
async function explain(hold: Hold & { readonly reason: 'budget' }) {
  const nothing = { usd: 0, tokens: 0 }
  const open = { limit: UNLIMITED, remaining: UNLIMITED, spent: nothing, reserved: nothing }
  const held = { scope: scopeOf(hold.budget), ...open }
  return { ...budgetHoldInWords(hold, held), budget: held }
}
