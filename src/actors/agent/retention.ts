/** Which bodies of agents' tasks are kept: all while a task is open, afterwards as the retention rule says. */
import { hash } from 'node:crypto'
import { snapshotsNamed } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { Json, JsonObject } from '../../events/json.ts'
import type { DroppedBody } from '../../events/task-input.ts'
import type { Retention } from '../../store/care/compaction.ts'

/** Exactly one of the two. */
export interface RetentionRule {
  /** Drops the bodies of tasks that ended before this instant. */
  readonly before?: Date
  /** Keeps the bodies of this many of each agent's most recently ended tasks. */
  readonly keep?: number
  /** Whether the snapshots of files of these tasks are dropped as well: they can then no longer be looked at, nor undone. */
  readonly snapshots?: boolean
}

/** The fields of agents' facts that are bodies. */
const BODIES: Readonly<Record<string, readonly string[]>> = {
  TaskAccepted: ['prompt', 'textInput'],
  CallSucceeded: ['text'],
  LateAnswerRecorded: ['text'],
  CallDeferred: ['input'],
  ToolDecided: ['input'],
  // The name of that fact in version 0.1.0.
  DeadLetterRecorded: ['text'],
}
const TASK_ENDS = new Set(['CallSucceeded', 'TaskFailed', 'TaskCancelled'])
const RUN_ENDS = new Set(['RunSucceeded', 'RunFailed', 'RunCancelled'])

/** A fact of an agent that names snapshots. */
interface NamingFact {
  readonly position: number
  readonly taskId: string | undefined
  readonly commits: readonly string[]
  readonly isDropped: boolean
}

interface EndedTask {
  readonly taskId: string
  readonly at: number
}

/** Throws {@link InvalidInputError} unless exactly one rule is given. */
export function agentRetention(rule: RetentionRule): Retention {
  checkRule(rule)
  const ended = new Map<string, EndedTask[]>()
  /** Open runs: resuming them may need the answers to what they asked. */
  const openRuns = new Set<string>()
  const askedBy = new Map<string, string>()
  /** Tasks whose answers are also those of steps: runs keep their answers. */
  const steps = new Map<string, string>()
  const answers = new Set<string>()
  const naming = new Map<string, NamingFact[]>()
  /** Of each agent, the newest facts that say what of it is stored, by what they say. */
  const newest = new Map<string, Map<string, number>>()
  let decided: { readonly tasks: ReadonlySet<string>; readonly snapshots: OldSnapshots } | undefined

  const see = (recorded: Recorded) => {
    const { stream, type, data, at, correlationId, position } = recorded
    const commits = snapshotsNamed(recorded)
    if (commits.length > 0) {
      const taskId = typeof data.taskId === 'string' ? data.taskId : undefined
      const facts = naming.get(stream) ?? []
      naming.set(stream, facts)
      facts.push({ position, taskId, commits, isDropped: data.dropped === true })
    }
    if (type === 'AgentRemoved') newest.delete(stream)
    if (type === 'AgentStored') {
      const own = newest.get(stream) ?? new Map<string, number>()
      newest.set(stream, own)
      for (const what of ['files', 'sessions', 'notes']) if (what in data) own.set(what, position)
    }
    if (stream.startsWith('run/')) {
      if (RUN_ENDS.has(type)) openRuns.delete(stream)
      // A call that was cut off may tell what it has cost when the run is long over.
      else if (type !== 'StepCostRecorded') openRuns.add(stream)
      const step = `${stream} ${data.stepKey}`
      if (type === 'StepScheduled') steps.set(step, taskKey(`agent/${data.worker}`, String(data.taskId)))
      if (type === 'StepSucceeded' && data.text === undefined) answers.add(steps.get(step) ?? '')
    }
    if (!stream.startsWith('agent/') || typeof data.taskId !== 'string') return
    if (type === 'TaskAccepted' && correlationId !== null) {
      askedBy.set(taskKey(stream, data.taskId), `run/${correlationId}`)
    }
    if (!TASK_ENDS.has(type)) return
    const tasks = ended.get(stream) ?? []
    ended.set(stream, tasks)
    tasks.push({ taskId: data.taskId, at: Date.parse(at) })
  }

  const expiredTasks = (): Set<string> => {
    const keys = new Set<string>()
    for (const [stream, tasks] of ended) {
      for (const { taskId } of expired(tasks, rule)) {
        const key = taskKey(stream, taskId)
        if (!openRuns.has(askedBy.get(key) ?? '')) keys.add(key)
      }
    }
    return keys
  }

  const decide = () => {
    const tasks = decided?.tasks ?? expiredTasks()
    decided ??= { tasks, snapshots: oldSnapshots(naming, (stream, id) => tasks.has(taskKey(stream, id))) }
    return decided
  }

  return {
    see,
    snapshots: () => {
      const { first, facts } = decide().snapshots
      return { old: facts.size, cut: rule.snapshots ? first : [] }
    },
    reduce({ stream, type, data, position }) {
      const { tasks: dropped, snapshots } = decide()
      if (rule.snapshots && snapshots.facts.has(position)) return { ...data, dropped: true }
      // What was stored later contains it.
      if (type === 'AgentStored')
        return data.dropped === true || [...(newest.get(stream)?.values() ?? [])].includes(position)
          ? undefined
          : { ...data, dropped: true }
      const fields = BODIES[type]
      if (!fields || typeof data.taskId !== 'string') return undefined
      const key = taskKey(stream, data.taskId)
      if (type === 'CallSucceeded' && answers.has(key)) return undefined
      return dropped.has(key) ? withoutBodies(data, fields) : undefined
    },
  }
}

interface OldSnapshots {
  /** The oldest snapshot that is kept, of each agent that has older ones. */
  readonly first: readonly string[]
  /** Where snapshots are named that are older. */
  readonly facts: ReadonlySet<number>
}

/** Of each agent, the snapshots before the first call of a task that is kept. The newest one is what its files are. */
function oldSnapshots(
  naming: ReadonlyMap<string, readonly NamingFact[]>,
  isExpired: (stream: string, taskId: string) => boolean,
): OldSnapshots {
  const first: string[] = []
  const facts = new Set<number>()
  for (const [stream, named] of naming) {
    const isOld = ({ taskId }: NamingFact) => taskId === undefined || isExpired(stream, taskId)
    const found = named.findIndex((fact) => !isOld(fact))
    const end = found < 0 ? named.length - 1 : found
    const [commit] = named[end]?.commits ?? []
    if (commit === undefined || !named.slice(0, end).some(({ taskId }) => taskId !== undefined)) continue
    first.push(commit)
    const kept = new Set(named.slice(end).flatMap(({ commits }) => commits))
    for (const { position, commits, isDropped } of named.slice(0, end))
      if (!isDropped && commits.some((one) => !kept.has(one))) facts.add(position)
  }
  return { first, facts }
}

function checkRule({ before, keep }: RetentionRule): void {
  const problem =
    (before === undefined) === (keep === undefined)
      ? 'give either a date or a number'
      : before !== undefined && Number.isNaN(before.getTime())
        ? 'it is not a valid date'
        : keep !== undefined && !(Number.isSafeInteger(keep) && keep >= 0)
          ? `${keep} is not a whole number of 0 or more`
          : null
  if (problem === null) return
  throw new InvalidInputError({
    what: 'The retention rule',
    problem,
    hint: 'Use --before 2026-01-31 or --keep 100.',
  })
}

function expired(tasks: readonly EndedTask[], { before, keep }: RetentionRule): readonly EndedTask[] {
  if (keep !== undefined) return tasks.slice(0, Math.max(0, tasks.length - keep))
  return tasks.filter(({ at }) => at < (before?.getTime() ?? 0))
}

const taskKey = (stream: string, taskId: string) => `${stream} ${taskId}`

/** undefined if there is nothing (more) to drop. */
function withoutBodies(data: JsonObject, fields: readonly string[]): JsonObject | undefined {
  const replaced = fields.flatMap((field) => {
    const body = droppedBody(data[field])
    return body ? [[field, body] as const] : []
  })
  return replaced.length === 0 ? undefined : { ...data, ...Object.fromEntries(replaced) }
}

/** Whether a task equals the one accepted earlier under its id. Dropped bodies are compared by their hashes. */
export function isSameTask(accepted: JsonObject, asked: JsonObject): boolean {
  const dropped = (BODIES.TaskAccepted ?? []).flatMap((field) => {
    const [before, now] = [accepted[field], asked[field]]
    const isDropped = typeof before === 'object' && before !== null && 'dropped' in before
    return isDropped ? [[field, droppedBody(now) ?? now ?? null] as const] : []
  })
  return content(accepted) === content({ ...asked, ...Object.fromEntries(dropped) })
}

/**
 * What asks does not matter, nor how far it has come: a run, which older facts do not name, or an actor of which a restart has
 * forgotten what led to its request.
 */
const content = ({ runId, continues, woken, askers, ...task }: JsonObject) => JSON.stringify(task)

function droppedBody(body: Json | undefined): DroppedBody | undefined {
  if (typeof body === 'string') {
    const content = Buffer.from(body)
    return { sha256: hash('sha256', content), bytes: content.byteLength, dropped: true }
  }
  if (body === null || typeof body !== 'object' || !('sha256' in body) || 'dropped' in body) return undefined
  return { sha256: String(body.sha256), bytes: Number(body.bytes), dropped: true }
}
