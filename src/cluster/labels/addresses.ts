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
import { CommitQueue } from '../../store/commit-queue.ts'
import type { EventStore } from '../../store/event-store.ts'
import { LET_GO, LIMBO_COMMANDS, MAKING_COMMANDS } from '../requests.ts'
import type { WorkerTable } from '../worker-table.ts'
import { addressIn, EVERYWHERE, labelKey } from './groups.ts'

/** How often it is asked whether a worker has the labels: by all of a process at the same moments, so that they ask together. */
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
  readonly members: Pick<WorkerTable, 'groupsOf' | 'required'>
  readonly logger: Pick<Logger, 'warn'>
  readonly clock?: Clock
}

export class Addresses {
  readonly #environment: AddressesEnvironment
  readonly #clock: Clock
  /** The agents of which it was said that they wait for a worker. */
  readonly #said = new Set<string>()
  /** What agents require, as the log has it. However many ask, the database is asked one question at a time. */
  readonly #required: CommitQueue<string, RequiredLabels | undefined>
  /** The groups of labels, by their keys: the same. */
  readonly #groups: CommitQueue<string, string | undefined>

  constructor(environment: AddressesEnvironment) {
    this.#environment = environment
    this.#clock = environment.clock ?? systemClock
    const { members } = environment
    this.#required = askedTogether((agents) => members.required(agents))
    this.#groups = askedTogether((keys) => members.groupsOf(keys))
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
      const labels = (isRead ? (await this.#required.push(agent))?.now : undefined) ?? requires
      const group = await this.#groupOf(labels)
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
      await this.#nextLook(signal)
    }
    throw new ClosedError({ what: 'cluster' })
  }

  /** Resolves when no worker has the labels any more: what is under way to one would wait for ever. Or when the signal aborts. */
  async gone(requires: readonly string[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#nextLook(signal)
      if (signal.aborted) return
      // The database may be away: then nothing is known.
      const isServed = await this.#groupOf(requires).then(Boolean, () => true)
      if (!isServed) return
    }
  }

  /** Whether no worker has the labels that an agent requires now. */
  async isNowhere(agent: string): Promise<boolean> {
    const required = await this.#required.push(agent)
    return required !== undefined && (await this.#groupOf(required.now)) === undefined
  }

  /** Where an agent may still live whose labels have changed: by those that it required before. */
  async before(agent: string): Promise<readonly Addressed[]> {
    const { before = [] } = (await this.#required.push(agent)) ?? {}
    if (before.length === 0) return []
    // As long as no worker had them, it has lived where anything can.
    const sets = [...before.filter(({ length }) => length > 0), []]
    const groups = await Promise.all(sets.map((labels) => this.#groupOf(labels)))
    return sets.flatMap((requires, at) => {
      const group = groups[at]
      return group === undefined ? [] : [{ address: addressIn(group, agent), requires }]
    })
  }

  async #groupOf(labels: readonly string[]): Promise<string | undefined> {
    return labels.length === 0 ? EVERYWHERE : this.#groups.push(labelKey(labels))
  }

  #nextLook(signal: AbortSignal): Promise<void> {
    return pause(this.#clock, LOOK_MS - Math.floor(steadyTime(this.#clock) % LOOK_MS), signal)
  }
}

/** Questions that come while another one is under way are asked together, as the next one. */
const askedTogether = <Answer>(ask: (names: readonly string[]) => Promise<ReadonlyMap<string, Answer>>) =>
  new CommitQueue<string, Answer | undefined>(async (waiting) => {
    const answers = await ask([...new Set(waiting.map(({ request }) => request))])
    for (const { request, resolve } of waiting) resolve(answers.get(request))
  })

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
