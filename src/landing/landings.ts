/** The landing queues of all repositories: work of agents is queued here, and watched until it has landed or was set aside. */
import { createHash } from 'node:crypto'
import { Observable } from 'rxjs'
import type { Agent } from '../actors/agent/agent.ts'
import type { Rejection } from '../actors/agent/tasks/held.ts'
import { foldFact } from '../actors/engine/history.ts'
import { AgentNotFoundError } from '../events/errors/agent.ts'
import { RunNotFoundError } from '../events/errors/run.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { LandingNotFoundError } from '../events/errors/workspace.ts'
import { defined } from '../events/json.ts'
import type { LandingFact } from '../events/landing-facts.ts'
import { nearestName } from '../events/nearest-name.ts'
import { checkArgument, type KnownKeys } from '../events/options/decoding.ts'
import { checkLanding, LANDING_OPTIONS, type StepLanding } from '../events/options/landing.ts'
import { type FoldedQueue, foldedQueues, LANDING_STREAMS } from './folded-queues.ts'
import { hasEnded, type LandingStatus, landingKind, type QueuedEntry } from './machine.ts'
import { isAtRest, type LandingEnvironment, LandingQueue, worktreeOf } from './queue.ts'

/** The work of one agent on its way to a branch. */
export interface LandingEntry {
  readonly entry: string
  readonly agent: string
  /** `set-aside`: it does not land; `reason` says why. */
  readonly status: LandingStatus
  /** The branch that it is to land on. */
  readonly target: string
  /** As what it has landed. */
  readonly commit: string | null
  /** Why it stands where it stands, and what can be done; null if there is nothing to say. */
  readonly reason: string | null
}

/** How work lands when it is asked for. */
export interface LandOptions extends StepLanding {
  /** Names the entries of a repeated request, so that nothing is queued twice. */
  readonly requestId?: string
  /** Who lands it, if a person does so by hand; it is recorded in the log. */
  readonly by?: string
}

const LAND_OPTIONS: KnownKeys<LandOptions> = { ...LANDING_OPTIONS, requestId: true, by: true }

export interface LandingsEnvironment extends LandingEnvironment {
  readonly newId: () => string
  /** The agents that a run has asked. Throws RunNotFoundError. */
  readonly agentsOf: (run: string) => Promise<readonly string[]>
}

type Requested = Extract<LandingFact, { type: 'LandingRequested' }>['data']

export class Landings {
  readonly #environment: LandingsEnvironment
  readonly #queues = new Map<string, Promise<LandingQueue>>()
  #isClosed = false

  constructor(environment: LandingsEnvironment) {
    this.#environment = environment
  }

  /** @param runId The run that the work is part of. */
  async land(
    of: readonly string[],
    options: LandOptions = {},
    runId?: string,
  ): Promise<readonly LandingEntry[]> {
    checkArgument('What is to land', of, 'a list')
    checkLanding(options, 'The options of land', LAND_OPTIONS)
    if (of.length === 0)
      throw new InvalidInputError({ what: 'What is to land', problem: 'no agent and no run is named' })
    const agents: Agent[] = []
    for (const name of of)
      for (const agent of await this.#agentsNamed(name))
        if (!agents.some(({ id }) => id === agent.id)) agents.push(agent)
    const requests = new Map<string, Requested[]>()
    const names: string[] = []
    // All of them are looked at before the first is queued.
    for (const agent of agents) {
      const { queue, ...request } = await this.#request(agent, options)
      const wanted = { ...request, ...defined({ runId }) }
      requests.set(queue, [...(requests.get(queue) ?? []), wanted])
      names.push(request.entry)
    }
    for (const [id, wanted] of requests) await (await this.#queue(id)).request(wanted)
    const all = await this.list()
    return names.flatMap((name) => all.find(({ entry }) => entry === name) ?? [])
  }

  /** All entries, queue by queue: those that have ended only for a while. */
  async list(): Promise<readonly LandingEntry[]> {
    const entries: LandingEntry[] = []
    for (const { snapshot } of await foldedQueues(this.#environment.store))
      entries.push(...snapshot.context.entries.map(entryOf))
    return entries
  }

  /** Each entry as it is, and then whenever it changes: nothing comes between. */
  changes(): Observable<LandingEntry> {
    return new Observable((subscriber) => {
      const stop = new AbortController()
      const watch = async () => {
        for await (const entry of this.#watched(stop.signal)) subscriber.next(entry)
      }
      watch().then(
        () => subscriber.complete(),
        (error) => subscriber.error(error),
      )
      return () => stop.abort()
    })
  }

  /** The entry, once it has ended. Throws LandingNotFoundError. */
  async settled(name: string): Promise<LandingEntry> {
    const stop = new AbortController()
    try {
      await this.#found(name)
      for await (const entry of this.#watched(stop.signal))
        if (entry.entry === name && hasEnded(entry)) return entry
    } finally {
      stop.abort()
    }
    throw new ClosedError({ what: 'orchestrator' })
  }

  /**
   * Takes an entry out of its queue, or gives up one that was set aside. Others that have ended stay as they are. Throws
   * LandingNotFoundError.
   *
   * @param decision Who decides that, and why: the log has it.
   */
  async cancel(name: string, { by, reason }: Rejection = {}): Promise<LandingEntry> {
    const decision = defined({ by: by || undefined, reason: reason || undefined })
    const { stream } = await this.#found(name)
    await (await this.#queue(stream.slice(LANDING_STREAMS.length))).cancel(name, decision)
    const { entry } = await this.#found(name)
    // Its target is being moved.
    return hasEnded(entry) ? entry : this.settled(name)
  }

  /** Resumes the queues that are not empty. */
  async resume(): Promise<void> {
    const { store } = this.#environment
    for await (const { stream } of store.streams({ prefix: LANDING_STREAMS, open: true }))
      await this.#queue(stream.slice(LANDING_STREAMS.length))
  }

  /** Resolves when the queues of this process have nothing to do but to wait for agents that are held. */
  async settledAll(): Promise<void> {
    for (const queue of this.#queues.values()) await (await queue).settled()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const queue of await Promise.allSettled(this.#queues.values()))
      if (queue.status === 'fulfilled') await queue.value.close()
  }

  async #queue(id: string): Promise<LandingQueue> {
    if (this.#isClosed) throw new ClosedError({ what: 'orchestrator' })
    const known = this.#queues.get(id)
    if (known) return known
    const loading = LandingQueue.begin(id, this.#environment)
    this.#queues.set(id, loading)
    loading.catch(() => this.#queues.delete(id))
    return loading
  }

  /** An agent, or those of a run that work on a repository. */
  async #agentsNamed(name: string): Promise<readonly Agent[]> {
    const { agent, agentsOf } = this.#environment
    try {
      return [await agent(name)]
    } catch (error) {
      if (!(error instanceof AgentNotFoundError)) throw error
      const ids = await agentsOf(name).catch((unknown) => {
        if (!(unknown instanceof RunNotFoundError)) throw unknown
        throw new AgentNotFoundError({ ...error.details, orRun: true })
      })
      const agents = await Promise.all(ids.map((id) => agent(id)))
      const found = agents.filter(({ snapshot }) => snapshot.context.config?.workspace)
      if (found.length > 0) return found
      throw new InvalidInputError({
        what: `Run "${name}"`,
        problem: 'none of its agents works on a repository',
      })
    }
  }

  async #request(
    agent: Agent,
    { into, gate, squash = false, requestId, by }: LandOptions,
  ): Promise<Requested & { readonly queue: string }> {
    const { operations, newId } = this.#environment
    const { files, place } = worktreeOf(agent, this.#environment)
    const { repo, base, branch } = place.workspace
    const queue = await operations.queueOf(repo)
    const target = await operations.targetOf(repo, into, base)
    const head = await files.head(place, () => isAtRest(agent))
    const key = createHash('sha256')
      .update(`${requestId ?? newId()} ${agent.id}`)
      .digest('hex')
      .slice(0, 8)
    const wanted = { gate: gate ?? null, squash, ...(by && { by }) }
    return { queue, entry: `${agent.id}-${key}`, agent: agent.id, repo, branch, head, target, ...wanted }
  }

  async #found(name: string): Promise<{ readonly entry: LandingEntry; readonly stream: string }> {
    const names: string[] = []
    for (const { stream, snapshot } of await foldedQueues(this.#environment.store))
      for (const queued of snapshot.context.entries) {
        if (queued.entry === name) return { entry: entryOf(queued), stream }
        names.push(queued.entry)
      }
    throw new LandingNotFoundError({ entry: name, nearest: nearestName(name, names) })
  }

  /** The entries as they are, and then each one as it changes. Read from the log, so that any process can. */
  async *#watched(signal: AbortSignal): AsyncGenerator<LandingEntry> {
    const { store } = this.#environment
    const after = await store.head()
    const queues = new Map<string, FoldedQueue>()
    for (const folded of await foldedQueues(store)) {
      queues.set(folded.stream, folded)
      yield* folded.snapshot.context.entries.map(entryOf)
    }
    for await (const recorded of store.follow({ after, signal })) {
      const { stream, version } = recorded
      if (!stream.startsWith(LANDING_STREAMS)) continue
      const known = queues.get(stream) ?? { snapshot: landingKind.fold.initial, version: 0 }
      if (version <= known.version) continue
      const next = foldFact(landingKind.live, known.snapshot, landingKind, recorded) ?? known.snapshot
      queues.set(stream, { stream, snapshot: next, version })
      for (const entry of next.context.entries.map(entryOf)) {
        const before = known.snapshot.context.entries.find((one) => one.entry === entry.entry)
        if (!before || !isSame(entryOf(before), entry)) yield entry
      }
    }
  }
}

const entryOf = ({ entry, agent, status, target, commit, reason }: QueuedEntry): LandingEntry => ({
  ...{ entry, agent, status, target, commit, reason },
})

const isSame = (one: LandingEntry, other: LandingEntry): boolean =>
  one.status === other.status && one.reason === other.reason && one.commit === other.commit
