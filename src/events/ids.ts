/** The names of things. An id becomes part of a path and of a key, so it is checked before any I/O. */
import { InvalidIdError } from './errors/usage.ts'

/** The number after the dot is that of a copy in a pool; nobody chooses it. */
export const ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}(\.[1-9][0-9]{0,3})?$/
/** Of agents that are not copies. */
export const AGENT_ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/
export const ID_RULE = 'a lower-case letter or digit, then at most 63 of a-z 0-9 _ -'
const TASK_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/

/** `agent/researcher`, `run/3f2a`: the kind of actor and its id. */
export type StreamName = `${string}/${string}`

/** Returns the id, or throws {@link InvalidIdError}. `what` is the noun for the message ("agent", "run"). */
export function checkId(what: string, id: unknown): string {
  if (typeof id === 'string' && ID_PATTERN.test(id)) return id
  throw new InvalidIdError({ what, id: String(id), rule: ID_RULE })
}

/** Throws {@link InvalidIdError} for what cannot be the name of a new agent. */
export function checkAgentId(id: unknown): string {
  const checked = checkId('agent', id)
  if (AGENT_ID_PATTERN.test(checked)) return checked
  throw new InvalidIdError({
    what: 'agent',
    id: checked,
    rule: 'a name without a dot: that is for copies of an agent in a pool',
  })
}

/** Task ids are also made by callers from their own keys (an order number, a message id), so they may hold more. */
export function checkTaskId(id: unknown): string {
  if (typeof id === 'string' && TASK_ID.test(id)) return id
  throw new InvalidIdError({
    what: 'task',
    id: String(id),
    rule: 'a letter or digit, then at most 127 of A-Z a-z 0-9 _ . : -',
  })
}

/** The stream of one actor. Both parts are checked: a stream's name is a key in the store. */
export function streamName(kind: string, id: string): StreamName {
  return `${checkId('kind', kind)}/${checkId(kind, id)}`
}

/** Returns a stream's name as it stands, or throws {@link InvalidIdError}. */
export function checkStreamName(name: string): StreamName {
  const [kind, id, ...rest] = name.split('/')
  if (rest.length > 0 || kind === undefined || id === undefined) {
    throw new InvalidIdError({ what: 'stream', id: name, rule: 'KIND/ID, for example agent/researcher' })
  }
  return streamName(kind, id)
}
