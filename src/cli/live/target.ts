/** What `attach` and `wait` are about, found by its id, and its facts: what is written already, and then each new one. */
import { endsTask, recordedTask } from '../../actors/agent/tasks/known-tasks.ts'
import type { Recorded } from '../../events/envelope.ts'
import { AmbiguousIdError, IdNotFoundError, TaskNotFoundError } from '../../events/errors/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { checkId, ID_PATTERN } from '../../events/ids.ts'
import { nearestName } from '../../events/nearest-name.ts'
import { agentsOfTask } from '../../history/past-task.ts'
import { RecordedStepEvents } from '../../patterns/runs/step-event.ts'
import { endsRun, lastRunTurn } from '../../patterns/runs/workflow-result.ts'
import type { EventStore } from '../../store/event-store.ts'
import { followOnly } from '../../store/follow.ts'

export type Target =
  | { readonly kind: 'agent'; readonly agent: string }
  | { readonly kind: 'task'; readonly agent: string; readonly taskId: string }
  | { readonly kind: 'run'; readonly runId: string }

export type TargetKind = Target['kind']

export type TargetOf<Kind extends TargetKind> = Extract<Target, { kind: Kind }>

/** As the user can name it again. */
export function targetName(target: Target): string {
  if (target.kind === 'run') return `run/${target.runId}`
  return target.kind === 'agent' ? `agent/${target.agent}` : `task/${target.taskId}`
}

/** In words. */
export function targetWords(target: Target): string {
  if (target.kind === 'task') return `Task ${target.taskId} of agent "${target.agent}"`
  return target.kind === 'run' ? `Run ${target.runId}` : `Agent "${target.agent}"`
}

const PREFIXED = /^(agent|task|run)\/(.+)$/

/**
 * The one thing that has this id, which may have its kind before it: `run/r1`.
 *
 * @param agent The agent that has the task.
 * @throws IdNotFoundError, AmbiguousIdError, TaskNotFoundError, InvalidIdError, InvalidInputError
 */
export async function targetNamed<Kind extends TargetKind>(
  store: EventStore,
  word: string,
  kinds: readonly Kind[],
  agent?: string,
): Promise<TargetOf<Kind>> {
  const [, prefix, name = word] = PREFIXED.exec(word) ?? []
  if (prefix !== undefined && !kinds.includes(prefix as Kind)) {
    const hint = `To watch an agent: claude-agents attach ${word}`
    throw new InvalidInputError({ what: word, problem: `it is no ${kinds.join(' and no ')}`, hint })
  }
  if (agent !== undefined) return taskOf(store, name, agent) as Promise<TargetOf<Kind>>
  const wanted: readonly TargetKind[] = prefix === undefined ? kinds : [prefix as Kind]
  const found = await targetsNamed(store, name, wanted)
  const [target] = found.targets
  if (target === undefined) {
    if (prefix === undefined && !kinds.some((kind) => kind === 'agent')) await refuseAgent(store, name)
    throw new IdNotFoundError({ id: name, kinds: wanted, nearest: found.nearest() })
  }
  if (found.targets.length > 1)
    throw new AmbiguousIdError({
      id: name,
      found: found.targets.map((each) =>
        each.kind === 'task' ? `task/${name} of agent ${each.agent}` : targetName(each),
      ),
    })
  // It has one of the wanted kinds.
  return target as TargetOf<Kind>
}

async function refuseAgent(store: EventStore, name: string): Promise<void> {
  if (!ID_PATTERN.test(name) || (await store.head(`agent/${name}`)) === 0) return
  const hint = `To watch it: claude-agents attach ${name}. To wait for one of its tasks, name the task.`
  throw new InvalidInputError({ what: name, problem: 'it is an agent, which has no end', hint })
}

async function taskOf(store: EventStore, taskId: string, agent: string): Promise<TargetOf<'task'>> {
  if (await recordedTask(taskId, store, `agent/${checkId('agent', agent)}`))
    return { kind: 'task', agent, taskId }
  throw new TaskNotFoundError({ taskId, agent })
}

async function targetsNamed(store: EventStore, id: string, kinds: readonly TargetKind[]) {
  const targets: Target[] = []
  const known: string[] = []
  for (const kind of ['run', 'agent'] as const) {
    if (!kinds.includes(kind)) continue
    if (ID_PATTERN.test(id) && (await store.head(`${kind}/${id}`)) > 0)
      targets.push(kind === 'run' ? { kind, runId: id } : { kind, agent: id })
    for await (const { stream } of store.streams({ prefix: `${kind}/` }))
      known.push(stream.slice(kind.length + 1))
  }
  const tasks = kinds.includes('task') ? await agentsOfTask(store, id) : { agents: [], nearest: null }
  targets.push(...tasks.agents.map((agent) => ({ kind: 'task' as const, agent, taskId: id })))
  return { targets, nearest: () => nearestName(id, known) ?? tasks.nearest }
}

export interface FactsOptions {
  readonly signal: AbortSignal
  /** Whether to begin with its past, instead of with what comes. */
  readonly past: boolean
  /** Of an agent: how many of its latest tasks are its past. */
  readonly tasks?: number
}

/** The facts of a target, oldest first. Ends with the one that ends it, or when the signal aborts. */
export function factsOf(store: EventStore, target: Target, options: FactsOptions): AsyncGenerator<Recorded> {
  if (target.kind === 'run') return runFactsOf(store, target.runId, options)
  if (target.kind === 'task') return taskFactsOf(store, target, options.signal)
  return agentFactsOf(store, target.agent, options)
}

/** Whether a fact of a target ends it. A run that failed may have been resumed. */
export function endsTarget(recorded: Recorded, target: Target): boolean {
  if (target.kind === 'run') return recorded.stream === `run/${target.runId}` && endsRun(recorded)
  return target.kind === 'task' && endsTask(recorded, target.taskId)
}

/** Whether a task has its outcome. A run says so itself, with its status. */
export async function isTaskOver(store: EventStore, target: Target): Promise<boolean> {
  if (target.kind !== 'task') return false
  const recorded = await recordedTask(target.taskId, store, `agent/${target.agent}`)
  return recorded?.outcome !== undefined
}

/** Of the run, and of the tasks that its steps ask. */
async function* runFactsOf(
  store: EventStore,
  runId: string,
  { signal, past }: FactsOptions,
): AsyncGenerator<Recorded> {
  const stream = `run/${runId}`
  const last = await lastRunTurn(store, stream)
  const steps = new RecordedStepEvents()
  let after = 0
  if (past) {
    const first = await firstOf(store.read(stream, { limit: 1 }))
    after = (first?.position ?? 1) - 1
  } else if (last) {
    if (endsRun(last)) return yield last
    after = last.position
    for await (const recorded of store.read(stream, { to: last.version })) steps.take(recorded)
  }
  const only = { correlationId: runId }
  for await (const recorded of followOnly(store, only, { after, signal })) {
    const isOfRun = recorded.stream === stream
    if (isOfRun) steps.take(recorded)
    else if (!recorded.stream.startsWith('agent/') || !steps.stepOf(String(recorded.data.taskId))) continue
    yield recorded
    // A run that failed may have been resumed.
    if (isOfRun && endsRun(recorded) && recorded.position >= (last?.position ?? 0)) return
  }
}

async function* taskFactsOf(
  store: EventStore,
  { agent, taskId }: Target & { readonly kind: 'task' },
  signal: AbortSignal,
): AsyncGenerator<Recorded> {
  const stream = `agent/${agent}`
  const known = await recordedTask(taskId, store, stream)
  const after = (known?.accepted.version ?? 1) - 1
  for await (const recorded of streamFacts(store, stream, after, signal)) {
    if (recorded.data.taskId !== taskId) continue
    yield recorded
    if (endsTask(recorded, taskId)) return
  }
}

/** Its latest tasks, and whatever comes. */
async function* agentFactsOf(
  store: EventStore,
  agent: string,
  { signal, tasks = 0 }: FactsOptions,
): AsyncGenerator<Recorded> {
  const stream = `agent/${agent}`
  let left = tasks
  let after = left === 0 ? await store.head(stream) : 0
  for await (const { type, version } of store.read(stream, { direction: 'backwards' })) {
    if (left === 0) break
    if (type !== 'TaskAccepted') continue
    left -= 1
    if (left === 0) after = version - 1
  }
  yield* streamFacts(store, stream, after, signal)
}

async function* streamFacts(
  store: EventStore,
  stream: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<Recorded> {
  let position = await store.head()
  for await (const recorded of store.read(stream, { after })) {
    if (signal.aborted) return
    position = Math.max(position, recorded.position)
    yield recorded
  }
  yield* followOnly(store, { stream }, { after: position, signal })
}

async function firstOf(facts: AsyncIterable<Recorded>): Promise<Recorded | undefined> {
  for await (const fact of facts) return fact
  return undefined
}
