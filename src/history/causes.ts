/** Why something happened, and what it led to: the chain of causes through agents and runs, as lines of a tree. */
import type { Recorded } from '../events/envelope.ts'
import { PositionNotFoundError } from '../events/errors/history.ts'
import type { EventStore } from '../store/event-store.ts'
import { causeIds, commandOf, followsFailure, mayFollow } from './cause-links.ts'
import { FactsById } from './facts-by-id.ts'

/** One fact of the tree. A chain stays at one depth; where there are several causes, each is a branch one deeper. */
export interface CauseLine {
  readonly fact: Recorded
  readonly depth: number
  /** The position of the fact that it explains (looking forward: that explains it); null for the one that was asked about. */
  readonly of: number | null
  /** Its own causes stand at another line with this fact. */
  readonly again: boolean
  /** What somebody asked for, where nothing in the log led to it. */
  readonly command: string | null
}

/**
 * The fact at a position and what led to it, back to the commands.
 *
 * @throws PositionNotFoundError
 */
export async function causesOf(store: EventStore, position: number): Promise<readonly CauseLine[]> {
  const facts = new FactsById(store)
  const start = await startingFact(store, facts, position)
  const lines: CauseLine[] = []
  const told = new Set<string>()
  /** What nothing led to: it belongs to all branches, and stands at their end. */
  const roots = new Map<string, Pick<CauseLine, 'fact' | 'of'>>()

  async function tell(from: Recorded, explained: number | null, depth: number): Promise<void> {
    let fact = from
    let of = explained
    for (;;) {
      const causes = await directCauses(facts, fact)
      if (causes.length === 0 && of !== null)
        return void roots.set(fact.id, roots.get(fact.id) ?? { fact, of })
      const again = told.has(fact.id)
      told.add(fact.id)
      lines.push({ fact, depth, of, again, command: causes.length === 0 ? commandOf(fact) : null })
      const [only] = causes
      if (again || only === undefined) return
      of = fact.position
      if (causes.length > 1) {
        for (const cause of causes) await tell(cause, of, depth + 1)
        return
      }
      fact = only
    }
  }

  await tell(start, null, 0)
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
  const told = new Set<string>()
  const waiting = [{ fact: start, depth: 0, of: null as number | null }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { fact, depth } = next
    const again = told.has(fact.id)
    told.add(fact.id)
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

/** In the order in which they happened. Those that are not in this log are left out. */
async function directCauses(facts: FactsById, fact: Recorded): Promise<readonly Recorded[]> {
  const before = mayFollow(fact) ? await facts.before(fact) : undefined
  if (followsFailure(fact, before)) return [before]
  const found = await Promise.all(causeIds(fact).map((id) => facts.find(id)))
  return found.filter((cause) => cause !== undefined).sort((one, other) => one.position - other.position)
}
