/** Which facts led to a fact, by what the fact says of itself. */
import type { Recorded } from '../events/envelope.ts'
import type { JsonObject } from '../events/json.ts'

/** The ids of the facts that led to this one: what caused it, and the answers that it is made of. */
export function causeIds({ causationId, data }: Recorded): readonly string[] {
  const uses = Array.isArray(data.uses) ? data.uses.filter((id) => typeof id === 'string') : []
  return [...new Set([...uses, ...(causationId === null ? [] : [causationId])])]
}

const FAILURES = new Set(['CallFailed', 'CallOutcomeUnknown'])
const CONSEQUENCES = new Set(['RetryScheduled', 'TaskFailed'])

/**
 * What follows from a failed call is decided and written together with it, before the failure has an id: so it names
 * the call. It stands right behind the failure.
 */
export const followsFailure = (fact: Recorded, before: Recorded | undefined): before is Recorded =>
  CONSEQUENCES.has(fact.type) &&
  before !== undefined &&
  FAILURES.has(before.type) &&
  before.data.taskId === fact.data.taskId

/** Whether it may follow from the fact before it in its stream. */
export const mayFollow = ({ type }: Recorded): boolean => CONSEQUENCES.has(type)

/** The command behind a fact that nothing in the log led to, as somebody would type it; null where there is none. */
export function commandOf({ stream, type, data }: Recorded): string | null {
  const id = stream.slice(stream.indexOf('/') + 1)
  switch (type) {
    case 'RunStarted':
      return runCommand(data)
    case 'TaskAccepted':
      return `agent ask ${id}`
    case 'AgentCreated':
      return `agent create ${id}`
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
