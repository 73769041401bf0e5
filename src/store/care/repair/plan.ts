/**
 * The plan of a repair: which facts of a damaged store to keep. Pure.
 *
 * P1. A fact is kept only if its own hash matches and, if the next fact was found, that one names it.
 * P2. A stream is kept up to its first lost fact: later ones may not fold, or would give another state (decision 5).
 * P3. An append is kept entirely or not at all.
 */
import type { CommitEntry } from '../../level/entries.ts'

/** A fact whose own hash matches, wherever it was found. */
export interface Candidate {
  readonly position: number
  readonly sequence: number
  readonly hash: string
  readonly previousHash: string
  readonly stream: string
  readonly version: number
  readonly noted: boolean
}

export interface PlanInput<C extends Candidate> {
  readonly candidates: readonly C[]
  /** The last written fact, according to the `head` file. */
  readonly head: { readonly position: number; readonly hash: string } | null
  /** The largest position found anywhere. */
  readonly last: number
  readonly commits: readonly CommitEntry[]
}

export interface Refused<C> {
  readonly candidate: C
  readonly reason: string
}

export interface RepairPlan<C extends Candidate> {
  /** In log order. */
  readonly kept: readonly C[]
  readonly refused: readonly Refused<C>[]
  /** The positions for which no fact was found. */
  readonly lost: readonly number[]
}

export function repairPlan<C extends Candidate>(input: PlanInput<C>): RepairPlan<C> {
  const refused: Refused<C>[] = []
  const chosen = choose(input, refused)
  const lost: number[] = []
  for (let position = 1; position <= input.last; position++) if (!chosen.has(position)) lost.push(position)
  const streams = lost.length === 0 ? wholeStreams(chosen) : cutStreams(chosen, input, refused)
  const kept = [...streams.values()].flat().sort((a, b) => a.position - b.position)
  return { kept, refused: distinct(refused), lost }
}

/** Without duplicates: the same fact may be found in several files. */
function distinct<C extends Candidate>(refused: readonly Refused<C>[]): Refused<C>[] {
  return [
    ...new Map(
      refused.map((entry) => [`${entry.candidate.position} ${entry.candidate.hash}`, entry]),
    ).values(),
  ]
}

/** Chooses one fact per position, from the last one backwards, because each names its predecessor. */
function choose<C extends Candidate>(
  { candidates, head, last }: PlanInput<C>,
  refused: Refused<C>[],
): Map<number, C> {
  const found = new Map<number, C[]>()
  for (const candidate of candidates) {
    const others = found.get(candidate.position)
    if (others) others.push(candidate)
    else found.set(candidate.position, [candidate])
  }
  const chosen: C[] = []
  let after: C | undefined
  for (let position = last; position > 0; position--) {
    const named = after?.previousHash ?? (head?.position === position ? head.hash : null)
    // The newest one wins: a fact whose bodies were dropped must not regain them.
    const [best, ...older] = (found.get(position) ?? [])
      .filter((candidate) => {
        const follows = named === null || candidate.hash === named
        if (!follows) refused.push({ candidate, reason: 'the fact after it does not follow it' })
        return follows
      })
      .sort((a, b) => b.sequence - a.sequence)
    for (const candidate of older) {
      if (candidate.hash !== best?.hash) refused.push({ candidate, reason: 'a newer fact has its position' })
    }
    if (best) chosen.push(best)
    after = best
  }
  return new Map(chosen.reverse().map((candidate) => [candidate.position, candidate]))
}

type Streams<C> = Map<string, C[]>

function wholeStreams<C extends Candidate>(chosen: ReadonlyMap<number, C>): Streams<C> {
  const streams: Streams<C> = new Map()
  for (const candidate of chosen.values()) {
    const facts = streams.get(candidate.stream)
    if (facts) facts.push(candidate)
    else streams.set(candidate.stream, [candidate])
  }
  return streams
}

/** Cuts each stream at its first lost fact, and there back to the end of an append. */
function cutStreams<C extends Candidate>(
  chosen: ReadonlyMap<number, C>,
  { commits }: PlanInput<C>,
  refused: Refused<C>[],
): Streams<C> {
  const torn = tornPositions(chosen, commits)
  const streams = wholeStreams(chosen)
  for (const [stream, facts] of streams) {
    const intact = facts.findIndex(
      ({ version, position }, index) => version !== index + 1 || torn.has(position),
    )
    const cut = intact < 0 ? facts.length : intact
    const end = appendEnd(facts.slice(0, cut), chosen)
    for (const [index, candidate] of facts.slice(end).entries()) {
      const isTorn = end + index < cut || torn.has(candidate.position)
      refused.push({ candidate, reason: isTorn ? TORN : LATER })
    }
    streams.set(stream, facts.slice(0, end))
  }
  return streams
}

/**
 * How many facts of a stream remain without the trailing ones of an append whose last fact is lost. If the appends of the
 * stream carry notes, a fact without one just before a lost position is not the last of its append.
 */
function appendEnd<C extends Candidate>(facts: readonly C[], chosen: ReadonlyMap<number, C>): number {
  const last = facts.at(-1)
  if (!last || last.noted || chosen.has(last.position + 1) || !facts.some(({ noted }) => noted)) {
    return facts.length
  }
  let end = facts.length - 1
  // The facts of an append are adjacent.
  for (; end > 0; end--) {
    const [before, first] = [facts[end - 1], facts[end]]
    if (!before || !first || before.noted || before.position !== first.position - 1) break
  }
  return end
}

const TORN = 'a fact that was appended together with it is lost'
const LATER = 'an earlier fact of its stream is lost'

/** The positions of commits with a lost fact. */
function tornPositions<C>(chosen: ReadonlyMap<number, C>, commits: readonly CommitEntry[]): Set<number> {
  const torn = new Set<number>()
  for (const { first, count } of commits) {
    const positions = Array.from({ length: count }, (_, index) => first + index)
    if (positions.every((position) => chosen.has(position))) continue
    for (const position of positions) torn.add(position)
  }
  return torn
}
