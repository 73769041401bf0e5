/**
 * Where agents are asked for: in the group of shards of the labels that they require. As long as no worker has these, a request
 * waits for one, or is refused if it makes the agent.
 */
import { type RequiredLabels, requiredLabels } from '../../actors/agent/list.ts'
import { type Clock, pause, steadyTime, systemClock } from '../../clock.ts'
import { NoWorkerError } from '../../events/errors/owner.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import type { Logger } from '../../logger.ts'
import type { EventStore } from '../../store/event-store.ts'
import { LET_GO, LIMBO_COMMANDS, MAKING_COMMANDS } from '../requests.ts'
import type { WorkerTable } from '../worker-table.ts'
import { addressIn, labelKey } from './groups.ts'

/** How often it is asked whether a worker has the labels. */
const LOOK_MS = 1000

export interface AddressedRequest {
  readonly agent: string
  readonly method: string
  /** What the agent requires, as far as is known; of one that is made, what it will. */
  readonly requires?: readonly string[] | undefined
  readonly signal: AbortSignal
}

export interface Addressed {
  readonly address: string
  /** The labels of the workers that have it. */
  readonly requires: readonly string[]
}

interface AddressesEnvironment {
  readonly store: Pick<EventStore, 'streams'>
  readonly members: Pick<WorkerTable, 'groupOf'>
  readonly logger: Pick<Logger, 'warn'>
  readonly clock?: Clock
}

export class Addresses {
  readonly #environment: AddressesEnvironment
  readonly #clock: Clock
  /** The agents of which it was said that they wait for a worker. */
  readonly #said = new Set<string>()
  /** What was found last, by labels: those that wait ask together. */
  readonly #found = new Map<string, { readonly at: number; readonly isServed: Promise<boolean> }>()

  constructor(environment: AddressesEnvironment) {
    this.#environment = environment
    this.#clock = environment.clock ?? systemClock
  }

  /**
   * The address of an agent for a request.
   *
   * @param isKnown Whether what it requires is right as given. Otherwise it is read in the log.
   * @throws NoWorkerError, ClosedError
   */
  async of({ agent, method, requires = [], signal }: AddressedRequest, isKnown: boolean): Promise<Addressed> {
    for (let isGiven = isKnown; !signal.aborted; isGiven = false) {
      const isRead = !isGiven && method !== LET_GO
      const labels =
        (isRead ? (await requiredOf(this.#environment.store, agent))?.now : undefined) ?? requires
      const group = await this.#environment.members.groupOf(labels)
      if (group !== undefined) {
        this.#said.delete(agent)
        return { address: addressIn(group, agent), requires: labels }
      }
      if (LIMBO_COMMANDS.includes(method)) return { address: agent, requires: [] }
      const error = new NoWorkerError({ agent, requires: labels })
      if (MAKING_COMMANDS.includes(method) || method === LET_GO) throw error
      if (!this.#said.has(agent))
        this.#environment.logger.warn({ agent }, `${error.message} It waits for one.`)
      this.#said.add(agent)
      await pause(this.#clock, LOOK_MS, signal)
    }
    throw new ClosedError({ what: 'cluster' })
  }

  /** Resolves when no worker has the labels any more: what is under way to one would wait for ever. Or when the signal aborts. */
  async gone(requires: readonly string[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#clock, LOOK_MS, signal)
      if (!signal.aborted && !(await this.#isServed(requires))) return
    }
  }

  #isServed(requires: readonly string[]): Promise<boolean> {
    const key = labelKey(requires)
    const now = steadyTime(this.#clock)
    const found = this.#found.get(key)
    if (found && now - found.at < LOOK_MS) return found.isServed
    // The database may be away: then nothing is known.
    const isServed = this.#environment.members.groupOf(requires).then(Boolean, () => true)
    this.#found.set(key, { at: now, isServed })
    return isServed
  }
}

/** What an agent requires, of its summary in the log; undefined if there is none. */
export async function requiredOf(
  store: Pick<EventStore, 'streams'>,
  agent: string,
): Promise<RequiredLabels | undefined> {
  const name = streamName('agent', agent)
  for await (const { stream, summary } of store.streams({ prefix: name }))
    return stream === name ? requiredLabels(summary) : undefined
  return undefined
}
