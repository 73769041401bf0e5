/** The facade: a team of durable agents over one log. */
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { closest, distance } from 'fastest-levenshtein'
import { Observable } from 'rxjs'
import { Agent, type AskOptions, agentKind } from './actors/agent.ts'
import { cancelTasks } from './actors/agent-decisions.ts'
import type { AgentStatus, agentMachine } from './actors/agent-machine.ts'
import type { AgentEnvironment, Recovery } from './actors/agent-worker.ts'
import { replay, type Step } from './actors/replay.ts'
import { type AgentOptions, agentConfig } from './agent-options.ts'
import { claudeCli } from './claude/claude-cli.ts'
import type { AgentDirectories, AgentRunner } from './claude/runner.ts'
import { type Clock, systemClock } from './clock.ts'
import type { Recorded } from './events/envelope.ts'
import {
  AgentExistsError,
  AgentNotFoundError,
  ClosedError,
  InvalidInputError,
  TooManyAgentsError,
} from './events/errors.ts'
import { checkId, checkStreamName } from './events/ids.ts'
import type { TaskInput } from './events/task-input.ts'
import { type Logger, silentLogger } from './logger.ts'
import type { EventStore } from './store/event-store.ts'
import { levelStore } from './store/level-store.ts'

export interface OrchestratorOptions {
  /** Where the log and the agents live. Default `.claude-agents` in the working directory. */
  readonly baseDir?: string
  /** How many agents there may be at once. Default 100. */
  readonly maxAgents?: number
  /** What answers. Default: the `claude` command. */
  readonly runner?: AgentRunner
  /** The log. Default: LevelDB in the base directory. The orchestrator closes it. */
  readonly store?: EventStore
  /** A pino instance, or anything like it. Default: silent. */
  readonly logger?: Logger
  /**
   * What to do with what an earlier process had left (calls in flight, retries, queues): `'at-once'` (the default) goes
   * on with it now, `'on-demand'` when `recover` is called or the agent is asked something.
   */
  readonly resume?: 'at-once' | 'on-demand'
  readonly clock?: Clock
  /** A number from 0 to 1, for jitter. */
  readonly random?: () => number
}

/** An agent in a list: what is known of it without folding its facts. */
export interface AgentInfo {
  readonly id: string
  readonly status: AgentStatus
  readonly version: number
  readonly currentSession: string | null
  /** Tasks that wait or run. */
  readonly queue: number
  readonly totalInteractions: number
  readonly totalCostUsd: number
}

const DEFAULT_BASE_DIR = '.claude-agents'
const DEFAULT_MAX_AGENTS = 100
const AGENTS = 'agent/'

/**
 * @example
 * await using orchestrator = await Orchestrator.open()
 * await orchestrator.createAgent({ id: 'researcher', systemPrompt: 'You are a research specialist.' })
 * const text = await orchestrator.sendTask('researcher', 'What is known about coral bleaching?')
 */
export class Orchestrator implements AsyncDisposable {
  readonly baseDir: string
  readonly store: EventStore
  readonly #maxAgents: number
  readonly #environment: AgentEnvironment
  readonly #agents = new Map<string, Promise<Agent>>()
  readonly #recoveries: Recovery[] = []
  readonly #resume: 'at-once' | 'on-demand'
  #count: Promise<number> | undefined
  /** Agents come and go one after the other: two cannot both be the last that fits. */
  #roster: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  private constructor(options: OrchestratorOptions, baseDir: string, store: EventStore) {
    const { maxAgents = DEFAULT_MAX_AGENTS, clock = systemClock, logger = silentLogger } = options
    this.baseDir = baseDir
    this.store = store
    this.#maxAgents = maxAgents
    this.#resume = options.resume ?? 'at-once'
    this.#environment = {
      store,
      clock,
      logger,
      runner: options.runner ?? claudeCli({ clock, logger }),
      random: options.random ?? Math.random,
      newId: randomUUID,
      directories: (agent) => this.#directories(agent),
      recovered: (recovery) => {
        logger.info({ ...recovery }, 'a task of an earlier process was settled')
        this.#recoveries.push(recovery)
      },
    }
  }

  /**
   * Opens the log, or makes one, and goes on with what an earlier process had left.
   * Throws StoreInUse, UnsupportedFormat, StoreDamaged, CorruptRecord, TailLoss.
   */
  static async open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    const { baseDir = DEFAULT_BASE_DIR, maxAgents, clock, logger } = options
    if (maxAgents !== undefined && !(Number.isSafeInteger(maxAgents) && maxAgents > 0)) {
      throw new InvalidInputError({
        what: 'maxAgents',
        problem: `${maxAgents} is not a whole number of at least 1`,
      })
    }
    const path = resolve(baseDir)
    const store =
      options.store ??
      (await levelStore(path, { ...(clock ? { clock } : {}), ...(logger ? { logger } : {}) }))
    const orchestrator = new Orchestrator(options, path, store)
    try {
      if (orchestrator.#resume === 'at-once') await orchestrator.#resumeAll()
    } catch (error) {
      await orchestrator.close()
      throw error
    }
    return orchestrator
  }

  /** Creates an agent. Throws InvalidIdError, InvalidInputError, AgentExistsError, TooManyAgentsError. */
  createAgent(options: AgentOptions): Promise<Agent> {
    this.#assertOpen()
    const config = agentConfig(options)
    return this.#inTurn(async () => {
      const agent = await this.#load(options.id)
      if (agent.status !== 'absent') throw new AgentExistsError({ agent: options.id })
      const count = await this.#countAgents()
      if (count >= this.#maxAgents) throw new TooManyAgentsError({ maxAgents: this.#maxAgents })
      const { runner } = this.#environment
      await runner.prepare?.(this.#directories(options.id))
      await agent.record(() => [{ type: 'AgentCreated', data: { config } }])
      this.#count = Promise.resolve(count + 1)
      return agent
    })
  }

  /** Throws AgentNotFoundError, with the name that was probably meant. */
  async agent(id: string): Promise<Agent> {
    this.#assertOpen()
    checkId('agent', id)
    const agent = await this.#load(id)
    if (agent.status !== 'absent') return agent
    this.#agents.delete(id)
    throw new AgentNotFoundError({ agent: id, nearest: await this.#nearest(id) })
  }

  /** All agents, by name. Costs the same however much they have done. */
  async agents(): Promise<readonly AgentInfo[]> {
    this.#assertOpen()
    const infos: AgentInfo[] = []
    for await (const { stream, version, summary } of this.store.streams({ prefix: AGENTS })) {
      if (!summary || summary.status === 'absent') continue
      const id = stream.slice(AGENTS.length)
      infos.push({ id, status: summary.status, version, ...summary.info } as unknown as AgentInfo)
    }
    return infos
  }

  /** Asks and waits for the text of the reply. `agent(id)` and `ask` give more than the text. */
  async sendTask(id: string, task: string | TaskInput, options?: AskOptions): Promise<string> {
    const agent = await this.agent(id)
    return (await agent.ask(task, options)).text
  }

  /** Cancels what the agent has to do, ends its processes, deletes its directories. Its history stays in the log. */
  removeAgent(id: string): Promise<void> {
    return this.#inTurn(async () => {
      const agent = await this.agent(id)
      await agent.record(({ context }) => [
        ...cancelTasks(context, 'the agent was removed'),
        { type: 'AgentRemoved', data: {} },
      ])
      await agent.close()
      this.#agents.delete(id)
      this.#count = undefined
      await this.#environment.runner.discard?.(this.#directories(id))
    })
  }

  /** Removes all agents. */
  async cleanupAll(): Promise<void> {
    for (const { id } of await this.agents()) await this.removeAgent(id)
  }

  /**
   * What has been written after a position (default 0: everything), and then what is written, as it is written. Ends
   * when nobody listens any more or the orchestrator is closed. Also an async iterable.
   */
  events({ after = 0 }: { after?: number } = {}): Observable<Recorded> & AsyncIterable<Recorded> {
    const follow = (signal?: AbortSignal) => this.store.follow({ after, ...(signal ? { signal } : {}) })
    const events = new Observable<Recorded>((subscriber) => {
      const stop = new AbortController()
      const pump = async () => {
        for await (const recorded of follow(stop.signal)) subscriber.next(recorded)
      }
      pump().then(
        () => subscriber.complete(),
        (error) => subscriber.error(error),
      )
      return () => stop.abort()
    })
    return Object.assign(events, { [Symbol.asyncIterator]: () => follow()[Symbol.asyncIterator]() })
  }

  /** What has been written, and no more. `after` and `to` are positions, or versions where a stream is named. */
  log(
    options: { stream?: string; after?: number; to?: number; limit?: number } = {},
  ): AsyncIterable<Recorded> {
    const { stream, ...range } = options
    return stream === undefined ? this.store.readAll(range) : this.store.read(checkStreamName(stream), range)
  }

  /** Goes through the history of an agent's stream, offline: each fact, and the state before and after it. */
  replay(stream: string, { to }: { to?: number } = {}): AsyncIterable<Step<typeof agentMachine>> {
    return replay(agentKind, this.store, checkStreamName(stream), to)
  }

  /** Goes on with everything that an earlier process had left, and resolves with what became of it when all is done. */
  async recover(): Promise<readonly Recovery[]> {
    const agents = await this.#resumeAll()
    await Promise.all(agents.map((agent) => agent.settled()))
    return [...this.#recoveries]
  }

  /**
   * Stops taking tasks, ends the processes and closes the log. A task that is running, and those that wait, are gone on
   * with by the next opening; their askers get a ClosedError here.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await this.#roster
    const agents = await Promise.allSettled(this.#agents.values())
    await Promise.all(
      agents.map((loaded) => (loaded.status === 'fulfilled' ? loaded.value.close() : undefined)),
    )
    await this.store[Symbol.asyncDispose]()
  }

  #assertOpen(): void {
    if (this.#closing) throw new ClosedError({ what: 'orchestrator' })
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#roster.then(change)
    this.#roster = turn.catch(() => {})
    return turn
  }

  #directories(agent: string): AgentDirectories {
    const own = resolve(this.baseDir, 'agents', agent)
    return { workspace: resolve(own, 'workspace'), home: resolve(own, 'home') }
  }

  #load(id: string): Promise<Agent> {
    const known = this.#agents.get(id)
    if (known) return known
    const loading = Agent.load(id, this.#environment)
    this.#agents.set(id, loading)
    // What could not be read now may be readable after a repair.
    loading.catch(() => this.#agents.delete(id))
    return loading
  }

  /** Starts every agent that has something to do, after ending the processes that the log does not know. */
  async #resumeAll(): Promise<readonly Agent[]> {
    const agents: Agent[] = []
    for await (const { stream } of this.store.streams({ prefix: AGENTS, open: true })) {
      agents.push(await this.#load(stream.slice(AGENTS.length)))
    }
    const keep = agents.flatMap((agent) => agent.snapshot.context.current?.call?.callId ?? [])
    await this.#environment.runner.sweep?.({ baseDir: this.baseDir, keep })
    for (const agent of agents) agent.start()
    return agents
  }

  #countAgents(): Promise<number> {
    this.#count ??= this.agents().then((agents) => agents.length)
    return this.#count
  }

  async #nearest(id: string): Promise<string | null> {
    const ids = (await this.agents()).map((agent) => agent.id)
    const nearest = ids.length > 0 ? closest(id, ids) : null
    return nearest !== null && distance(id, nearest) <= Math.max(2, id.length / 3) ? nearest : null
  }
}
