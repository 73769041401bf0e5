/** Why something happened and what it led to: the chain of causes through agents and runs, as lines of a tree. */
import type { Recorded } from '../events/envelope.ts'
import { PositionNotFoundError } from '../events/errors/history.ts'
import type { JsonObject } from '../events/json.ts'
import { checkArgument } from '../events/options/decoding.ts'
import type { EventStore } from '../store/event-store.ts'
import { FactsById } from './facts-by-id.ts'

/** One fact of the tree. A chain stays at one depth; of several causes, each is a branch one level deeper. */
export interface CauseLine {
  readonly fact: Recorded
  readonly depth: number
  /** The position of its effect (of its cause, when looking forward); null for the fact that was asked about. */
  readonly of: number | null
  /** The fact is already in another line, with its own causes. */
  readonly again: boolean
  /** The command behind a fact that no other fact caused. */
  readonly command: string | null
}

/**
 * The fact at a position and what led to it, back to the commands.
 *
 * @throws PositionNotFoundError
 */
export async function causesOf(store: EventStore, position: number): Promise<readonly CauseLine[]> {
  checkArgument('The store', store, 'a store')
  const facts = new FactsById(store)
  const start = await startingFact(store, facts, position)
  const lines: CauseLine[] = []
  const visited = new Set<string>()
  /** Facts without a cause. They belong to all branches, so they come last. */
  const roots = new Map<string, Pick<CauseLine, 'fact' | 'of'>>()

  async function visit(from: Recorded, effect: number | null, depth: number): Promise<void> {
    let fact = from
    let of = effect
    for (;;) {
      const causes = await directCauses(facts, fact)
      if (causes.length === 0 && of !== null)
        return void roots.set(fact.id, roots.get(fact.id) ?? { fact, of })
      const again = visited.has(fact.id)
      visited.add(fact.id)
      lines.push({ fact, depth, of, again, command: causes.length === 0 ? commandOf(fact) : null })
      const [only] = causes
      if (again || only === undefined) return
      of = fact.position
      if (causes.length > 1) {
        for (const cause of causes) await visit(cause, of, depth + 1)
        return
      }
      fact = only
    }
  }

  await visit(start, null, 0)
  const ends = [...roots.values()].sort((one, other) => one.fact.position - other.fact.position)
  return [
    ...lines,
    ...ends.map(({ fact, of }) => ({ fact, of, depth: 0, again: false, command: commandOf(fact) })),
  ]
}

/**
 * The fact at a position and what followed from it.
 *
 * @throws PositionNotFoundError
 */
export async function effectsOf(store: EventStore, position: number): Promise<readonly CauseLine[]> {
  checkArgument('The store', store, 'a store')
  const start = await startingFact(store, new FactsById(store), position)
  const effects = new Map<string, Recorded[]>([[start.id, []]])
  const last = new Map<string, Recorded>()
  for await (const fact of store.readAll({ after: position })) {
    const before = last.get(fact.stream)
    last.set(fact.stream, fact)
    const causes = followsFailure(fact, before) ? [before.id] : causeIds(fact)
    const known = causes.filter((id) => effects.has(id))
    for (const id of known) effects.get(id)?.push(fact)
    if (known.length > 0) effects.set(fact.id, [])
  }
  return [...forwardLines(start, effects)]
}

function* forwardLines(
  start: Recorded,
  effects: ReadonlyMap<string, readonly Recorded[]>,
): Generator<CauseLine> {
  const visited = new Set<string>()
  const waiting = [{ fact: start, depth: 0, of: null as number | null }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { fact, depth } = next
    const again = visited.has(fact.id)
    visited.add(fact.id)
    yield { ...next, again, command: null }
    const following = again ? [] : (effects.get(fact.id) ?? [])
    const deeper = following.length > 1 ? depth + 1 : depth
    for (const effect of following.toReversed())
      waiting.push({ fact: effect, depth: deeper, of: fact.position })
  }
}

async function startingFact(store: EventStore, facts: FactsById, position: number): Promise<Recorded> {
  const start = Number.isSafeInteger(position) ? await facts.at(position) : undefined
  if (!start) throw new PositionNotFoundError({ position, last: await store.head() })
  return start
}

/** In the order in which they happened. Causes that are not in this log are left out. */
async function directCauses(facts: FactsById, fact: Recorded): Promise<readonly Recorded[]> {
  const before = CONSEQUENCES.has(fact.type) ? await facts.before(fact) : undefined
  if (followsFailure(fact, before)) return [before]
  const found = await Promise.all(causeIds(fact).map((id) => facts.find(id)))
  return found.filter((cause) => cause !== undefined).sort((one, other) => one.position - other.position)
}

/** The ids of the facts that led to this one: its cause, and the answers that it quotes. */
function causeIds({ causationId, data }: Recorded): readonly string[] {
  const uses = Array.isArray(data.uses) ? data.uses.filter((id) => typeof id === 'string') : []
  return [...new Set([...uses, ...(causationId === null ? [] : [causationId])])]
}

const FAILURES = new Set(['CallFailed', 'CallOutcomeUnknown'])
const CONSEQUENCES = new Set(['RetryScheduled', 'TaskFailed'])

/**
 * The consequence of a failed call is decided and appended together with the failure, before the failure has an id, so
 * its cause is the call. It comes right after the failure in the stream.
 */
const followsFailure = (fact: Recorded, before: Recorded | undefined): before is Recorded =>
  CONSEQUENCES.has(fact.type) &&
  before !== undefined &&
  FAILURES.has(before.type) &&
  before.data.taskId === fact.data.taskId

/** The command behind a fact that no other fact caused, as a user would type it; null if there is none. */
function commandOf({ stream, type, data }: Recorded): string | null {
  const id = stream.slice(stream.indexOf('/') + 1)
  switch (type) {
    case 'RunStarted':
      return runCommand(data)
    case 'TaskAccepted':
      return `agent ask ${id}`
    case 'AgentCreated':
      return `agent create ${id}`
    case 'SessionAdopted':
      return data.parentSessionId === undefined
        ? `agent adopt ${String(data.sessionId)} --as ${id}`
        : `agent open ${id} --take`
    case 'AgentConfigured':
      return `agent edit ${id}`
    case 'AgentReset':
      return `agent reset ${id}`
    case 'AgentRemoved':
      return `agent remove ${id}`
    case 'RunCancelled':
      return `workflow cancel ${id}`
    default:
      return null
  }
}

function runCommand({ name, workflow }: JsonObject): string {
  const { kind, ...reference } = (workflow ?? {}) as Readonly<Record<string, unknown>>
  switch (kind) {
    case 'template':
      return `workflow template ${String(reference.name)}`
    case 'agents':
      return `workflow run --pattern ${String(reference.pattern)}`
    case 'config':
      return `workflow run --workflow ${String(reference.name)}`
    case 'module':
      return `workflow run --module ${String(reference.file)}`
    default:
      return `orchestrator.run (${String(name)})`
  }
}
