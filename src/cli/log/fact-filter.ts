/** Which facts `log` and `tail` print. */
import type { Recorded } from '../../events/envelope.ts'
import { checkStreamName } from '../../events/ids.ts'
import { nearestName } from '../../events/nearest-name.ts'
import { KINDS, kindOf } from '../../history/kinds.ts'
import { inert } from '../terminal/text.ts'

export interface FactFilter {
  readonly stream?: string
  readonly agent?: string
  readonly type?: readonly string[]
  readonly since?: Date
}

/** Throws InvalidIdError for a name that no stream can have, as it would filter out everything. */
export function factFilter({ stream, agent, type, since }: FactFilter): (recorded: Recorded) => boolean {
  const streams = [
    ...(stream === undefined ? [] : [checkStreamName(stream)]),
    ...(agent === undefined ? [] : [checkStreamName(`agent/${agent}`)]),
  ]
  const types = new Set(type)
  const from = since?.toISOString() ?? ''
  return (recorded) =>
    recorded.at >= from &&
    streams.every((name) => name === recorded.stream) &&
    (types.size === 0 || types.has(typeOf(recorded)))
}

/** The type that a fact has today; a type may have had another name when the fact was written. */
const typeOf = (recorded: Recorded) => kindOf(recorded.stream)?.facts.typeOf(recorded) ?? recorded.type

/** What to say of types that no built-in actor has: an actor of the user's own may have them. */
export function typeMeant({ type = [] }: FactFilter): string {
  const known = KINDS.flatMap(({ facts }) => facts.types)
  const unknown = type.filter((name) => !known.includes(name))
  return unknown
    .map((name) => {
      const nearest = nearestName(name, known)
      const meant = nearest === null ? '' : ` Did you mean ${nearest}?`
      return ` No built-in actor has facts of the type "${inert(name)}".${meant}`
    })
    .join('')
}
