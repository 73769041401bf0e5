/** The agents that live in this worker: each is claimed before it is folded, and leaves once its work has ended. */
import type { RequiredLabels } from '../actors/agent/list.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import { inTime, systemClock } from '../clock.ts'
import { Fenced } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { streamName } from '../events/ids.ts'
import { heard } from '../events/listener.ts'
import { AGENT_COMMANDS, callCommand, isData } from '../owner/commands.ts'
import { errorLine } from '../owner/wire.ts'
import { ClaimedHere } from './handover/claimed-here.ts'
import type { ClaimedLog } from './handover/claims.ts'
import { addressIn, EVERYWHERE, type GroupPlace, groupPlace } from './labels/groups.ts'
import {
  ENDING_COMMANDS,
  type EntityAsk,
  type EntityCommand,
  LET_GO,
  LIMBO_COMMANDS,
  WORKER_COMMANDS,
} from './requests.ts'

/** What a worker needs of its orchestrator. */
export interface WorkerSystem {
  agent(id: string): Promise<AgentRef>
  /** Ends what this process does for an agent, and records nothing. */
  releaseAgent(id: string): Promise<void>
  /** Makes the copy of an agent in a pool for a run, unless it is there. false if it was made for another run. */
  copyAgent(id: string, number: number, run: string): Promise<boolean>
}

/** Where agents belong, by the labels that they require. */
export interface LabelPlaces {
  /** What an agent requires, as the log has it; undefined if there is none. */
  required(agent: string): Promise<RequiredLabels | undefined>
  /** The group of shards of those that require these labels; undefined if this worker does not serve it. */
  groupOf(requires: readonly string[]): string | undefined
  /** Whether no worker has the labels. */
  isNowhere(requires: readonly string[]): Promise<boolean>
  /** Resolves when what has had an agent by other labels has let go of it. */
  letGo(agent: string, requires: readonly string[]): Promise<void>
}

/** How often it is looked whether an agent that others let go of is still for this worker. */
const LOOK_MS = 1000

export class Residents extends ClaimedHere {
  readonly #system: WorkerSystem
  readonly #places: LabelPlaces
  readonly #drainMs: number
  /** The group of shards by which each came. */
  readonly #groups = new Map<string, string>()

  constructor(system: WorkerSystem, log: ClaimedLog, places: LabelPlaces, drainMs: number) {
    super(log)
    this.#system = system
    this.#places = places
    this.#drainMs = drainMs
  }

  override addressOf(id: string): string {
    return addressIn(this.#groups.get(id) ?? EVERYWHERE, id)
  }

  /** Does nothing for an agent that belongs to another group: it is asked for there. */
  protected override async arrive(address: string): Promise<void> {
    const { group, id } = groupPlace(address)
    const required = await this.#places.required(id)
    if (required && this.#places.groupOf(required.now) !== group) return
    if (required) await this.#freed(address, required.before)
    // Another worker may have claimed it by then.
    if (!this.isOurs(address)) return
    this.#groups.set(id, group)
    await this.claim(id)
  }

  /** Resolves when what has had it by other labels has let go of it, or has had its time, or it is not for this worker any more. */
  async #freed(address: string, before: RequiredLabels['before']): Promise<void> {
    if (before.length === 0) return
    const { group, id } = groupPlace(address)
    // As long as no worker had those labels, it has lived where anything can, unless that is here.
    const places = [...before.filter(({ length }) => length > 0), ...(group === EVERYWHERE ? [] : [[]])]
    const freed = Promise.all(places.map((requires) => this.#places.letGo(id, requires))).then(() => true)
    freed.catch(() => {})
    for (let left = this.#drainMs; this.isOurs(address) && left > 0; left -= LOOK_MS)
      if (await inTime(systemClock, freed, Math.min(LOOK_MS, left), false)) return
  }

  /** Its work is ended at once, if it does not end by itself in time, or if it was lost. */
  protected async depart(address: string): Promise<void> {
    const { group, id } = groupPlace(address)
    const isHere = () => this.#groups.get(id) === group
    if (isHere()) await this.settled(id)
    // It may have come back by another group meanwhile.
    if (!isHere()) return
    this.#groups.delete(id)
    await this.letGo(id)
  }

  /** The id of an agent that lives here and belongs here. Throws Fenced. */
  async #arrived(address: string, method: string): Promise<string> {
    const place = groupPlace(address)
    const { group, id } = place
    const isHere = () => this.#groups.get(id) === group && this.isClaimed(id)
    const inTurn = (arrive: () => Promise<void>) =>
      this.inTurn(address, async () => (this.isOurs(address) ? arrive() : undefined))
    if (!isHere()) await inTurn(async () => (isHere() ? undefined : this.arrive(address)))
    const isInLimbo = async () => LIMBO_COMMANDS.includes(method) && (await this.#isNowhere(id))
    const canAsk = async () =>
      ENDING_COMMANDS.includes(method) || (await this.#belongsHere(place)) || (await isInLimbo())
    if (isHere() && (await canAsk())) {
      this.assertHere(id)
      return id
    }
    if (group === EVERYWHERE && (await isInLimbo())) {
      await inTurn(async () => {
        if (this.has(id)) return
        const { before = [] } = (await this.#places.required(id)) ?? {}
        await this.#freed(address, before)
        if (this.isOurs(address)) {
          this.#groups.set(id, group)
          await this.claim(id)
        }
      })
      this.assertHere(id)
      return id
    }
    throw new Fenced({ stream: this.streamOf(id) })
  }

  /** Its labels may have changed while it lives here. */
  async #belongsHere({ group, id }: GroupPlace): Promise<boolean> {
    if (!this.has(id)) return true
    const agent = await this.#system.agent(id).catch(() => undefined)
    return !agent || this.#places.groupOf(agent.snapshot.context.config?.requires ?? []) === group
  }

  async #isNowhere(id: string): Promise<boolean> {
    const required = await this.#places.required(id)
    return required !== undefined && this.#places.isNowhere(required.now)
  }

  protected streamOf(id: string): string {
    return streamName('agent', id)
  }

  protected release(id: string): Promise<void> {
    return this.#system.releaseAgent(id)
  }

  /** Resolves when an agent that works here has nothing more to do, or has taken too long for it. */
  async settled(id: string): Promise<void> {
    const agent = this.has(id) ? await this.#system.agent(id).catch(() => undefined) : undefined
    const settled = agent?.isStarted ? agent.settled().catch(() => {}) : Promise.resolve()
    // One that is lost meanwhile may never say that its work has ended.
    await inTime(systemClock, Promise.race([settled, this.whenGone(id)]), this.#drainMs, undefined)
  }

  /** Never rejects: an error is an answer. */
  async command(address: string, request: string): Promise<string> {
    try {
      const { method, args } = JSON.parse(request) as EntityCommand
      if (method === LET_GO) {
        await this.inTurn(address, () => this.depart(address))
        return '{"result":null}'
      }
      const id = await this.#arrived(address, method)
      if (method === 'start') {
        const agent = await this.#system.agent(id)
        agent.start()
        // The engine ends what has no request for long.
        await Promise.race([agent.settled(), this.whenGone(id)])
        return '{"result":null}'
      }
      const isOfSystem = WORKER_COMMANDS.includes(method)
      if (!isOfSystem && !AGENT_COMMANDS.includes(method))
        throw new InvalidInputError({ what: method, problem: 'it is not a command of an agent' })
      const target = isOfSystem ? this.#system : await this.#system.agent(id)
      const result = await callCommand(target, method, args)
      // Another one of its name may require other labels.
      if (method === 'removeAgent') await this.inTurn(address, () => this.depart(address))
      return JSON.stringify({ result: isData(result) ? (result ?? null) : null })
    } catch (error) {
      return JSON.stringify(errorLine(error))
    }
  }

  /** What becomes of a task. The task continues when this is left. */
  async *ask(address: string, request: string): AsyncGenerator<string> {
    const { taskId, task, options } = JSON.parse(request) as EntityAsk
    let agent: AgentRef
    try {
      agent = await this.#system.agent(await this.#arrived(address, 'ask'))
    } catch (error) {
      yield JSON.stringify(errorLine(error))
      return
    }
    yield* heard<string>((next, end) => {
      const tell = (line: object) => next(JSON.stringify(line))
      const asked = agent.ask(task as never, {
        ...options,
        taskId,
        onHeld: (held) => tell({ held }),
        onReleased: () => tell({ released: true }),
      })
      const read = async () => {
        for await (const message of asked) tell({ message })
        tell({ reply: await asked })
      }
      read()
        .catch((error) => tell(errorLine(error)))
        .finally(end)
      return () => {}
    })
  }

  async *drafts(address: string): AsyncGenerator<string> {
    const leaving = new AbortController()
    try {
      const agent = await this.#system.agent(await this.#arrived(address, 'drafts'))
      for await (const change of agent.drafts(leaving.signal)) yield JSON.stringify(change)
    } catch (error) {
      yield JSON.stringify(errorLine(error))
    } finally {
      leaving.abort()
    }
  }
}
