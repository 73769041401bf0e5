/** Ids of agents, tasks, runs and streams. An id becomes part of a path and of a key, so it is checked before any I/O. */
import { hash } from 'node:crypto'
import { InvalidIdError } from './errors/usage.ts'

/** A dot and a number mark a copy in a pool; users cannot choose such an id. */
export const ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}(\.[1-9][0-9]{0,3})?$/
/** The copies of an agent in a pool: as many as such ids there are. */
export const LARGEST_POOL = 9999
/** The id of an agent that is not a copy. */
export const AGENT_ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/
export const ID_RULE = 'a lower-case letter or digit, then at most 63 of a-z 0-9 _ -'
const TASK_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/

/** `agent/researcher`, `run/3f2a`: the kind of actor and its id. */
export type StreamName = `${string}/${string}`

const STREAM_NAME = new RegExp(`${ID_PATTERN.source.slice(0, -1)}/${ID_PATTERN.source.slice(1)}`)

/** Returns the id, or throws {@link InvalidIdError}. `what` is the noun for the message ("agent", "run"). */
export function checkId(what: string, id: unknown): string {
  if (typeof id === 'string' && ID_PATTERN.test(id)) return id
  throw new InvalidIdError({ what, id: String(id), rule: ID_RULE })
}

/** Returns the id of a new agent, or throws {@link InvalidIdError}. */
export function checkAgentId(id: unknown): string {
  const checked = checkId('agent', id)
  if (AGENT_ID_PATTERN.test(checked)) return checked
  throw new InvalidIdError({
    what: 'agent',
    id: checked,
    rule: 'a name without a dot: that is for copies of an agent in a pool',
  })
}

/** Returns the id, or throws {@link InvalidIdError}. Callers use keys of their own (an order number), so more is allowed. */
export function checkTaskId(id: unknown): string {
  if (typeof id === 'string' && TASK_ID.test(id)) return id
  throw new InvalidIdError({
    what: 'task',
    id: String(id),
    rule: 'a letter or digit, then at most 127 of A-Z a-z 0-9 _ . : -',
  })
}

/** The stream of one actor. Both parts are checked, because a stream's name is a key in the store. */
export function streamName(kind: string, id: string): StreamName {
  return `${checkId('kind', kind)}/${checkId(kind, id)}`
}

/** Returns the name unchanged, or throws {@link InvalidIdError}. */
export function checkStreamName(name: string): StreamName {
  if (typeof name === 'string' && STREAM_NAME.test(name)) return name as StreamName
  const [kind, id, ...rest] = String(name).split('/')
  if (rest.length > 0 || kind === undefined || id === undefined) {
    throw new InvalidIdError({
      what: 'stream',
      id: String(name),
      rule: `KIND/ID, for example agent/${AGENT_ID_PATTERN.test(name) ? name : 'researcher'}`,
    })
  }
  return streamName(kind, id)
}

/** Returns where a message goes: an agent by its id, anything else as KIND/ID. Throws {@link InvalidIdError}. */
export function checkAddress(address: unknown): string {
  if (typeof address === 'string' && (ID_PATTERN.test(address) || STREAM_NAME.test(address))) return address
  const rule = `the id of an agent, or KIND/ID for another actor, each ${ID_RULE}`
  throw new InvalidIdError({ what: 'receiver', id: String(address), rule })
}

/** Whether an address is that of an agent. */
export const isAgentAddress = (address: string): boolean => !address.includes('/')

/** In characters: the longest id of a commit. */
const LONGEST_COMMIT_ID = 200

/** The id of a commit from what it is made of: a hash where that is too long. */
export function commitIdOf(...parts: readonly string[]): string {
  const id = parts.join('/')
  return id.length <= LONGEST_COMMIT_ID ? id : `${parts[0]}/${hash('sha256', id, 'base64url')}`
}

const MESSAGE_ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/

/** Returns the id, or throws {@link InvalidIdError}. */
export function checkMessageId(id: unknown): string {
  if (typeof id === 'string' && MESSAGE_ID.test(id)) return id
  throw new InvalidIdError({
    what: 'message',
    id: String(id),
    rule: 'a letter or digit, then at most 99 of A-Z a-z 0-9 _ . : -',
  })
}
