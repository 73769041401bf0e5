/**
 * All agents of a store: created, listed, resumed and removed. Names, lists and counts come from the summaries that the
 * store keeps, and load no agent; the agents that live in this process are in a registry.
 */
import { resolve } from 'node:path'
import type { SessionFile } from '../../claude/runner.ts'
import { findSession } from '../../claude/session/adoption.ts'
import { trust } from '../../config/trust.ts'
import { type AgentFact, NO_FILES } from '../../events/agent-facts.ts'
import {
  AgentExistsError,
  AgentNotFoundError,
  HeldTasksError,
  TooManyAgentsError,
  UnlandedWorkError,
} from '../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { checkAgentId, checkId, streamName } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { nearestName } from '../../events/nearest-name.ts'
import {
  type AgentConfig,
  type AgentDefaults,
  type AgentOptions,
  agentConfig,
  type RepositoryWorkspace,
  withDefaults,
} from '../../events/options/agent.ts'
import type { Budget } from '../../events/options/budget.ts'
import { checkArgument, checkOptionsOf } from '../../events/options/decoding.ts'
import { countStreams, isThere } from '../../store/stream-count.ts'
import { checkDirectories } from '../../workspaces/added-directories.ts'
import type { FilesOperations } from '../../workspaces/files/operations.ts'
import type { FilesPlace, RepositoryPlace } from '../../workspaces/files/place.ts'
import type { KeptWork } from '../../workspaces/files/unlanded-work.ts'
import { foldStream } from '../engine/history.ts'
import { Mailbox } from '../engine/mailbox.ts'
import { Registry, type Residence } from '../engine/registry.ts'
import { Agent } from './agent.ts'
import { cancelTasks } from './decisions.ts'
import type { AgentEnvironment } from './environment.ts'
import { filesRestored } from './files.ts'
import { AGENT_STREAMS, type AgentInfo, agentIdOf, agentInfos, listedAgents } from './list.ts'
import { type AgentSnapshot, agentKind } from './machine.ts'
import { heldMessages } from './mailbox/unread.ts'
import { AgentElsewhere, localPlacement, type Placement } from './moving/placement.ts'
import { callIn, type KnownCall, type RunningProcess, runningProcesses } from './processes.ts'
import type { AgentRef } from './ref.ts'
import { type AdoptOptions, adoptingOptions } from './session/adopted.ts'
import { type ForkOptions, type ForkPoint, forkPoint } from './session/fork.ts'

/** How an agent is removed. */
export interface RemovalOptions {
  /** Also if it has held tasks or messages, which are dropped, or work on a repository that is not landed: a ref keeps it. Default: that is refused. */
  readonly force?: boolean
}

/** An agent that was removed, and where its work is if it was not landed. */
export interface RemovedAgent {
  readonly id: string
  readonly kept: KeptWork | null
}

/** Removes the agents one after the other; those that refuse it stay. Throws the first HeldTasksError or UnlandedWorkError. */
export async function removeEach(
  agents: readonly { readonly id: string }[],
  remove: (id: string) => Promise<unknown>,
): Promise<void> {
  const refused: Error[] = []
  for (const { id } of agents)
    await remove(id).catch((error) => {
      if (!(error instanceof UnlandedWorkError || error instanceof HeldTasksError)) throw error
      refused.push(error)
    })
  if (refused[0]) throw refused[0]
}

/** What a new agent begins with. */
interface Beginning {
  readonly budget?: Budget | undefined
  readonly fork?: ForkPoint
  readonly by?: string
  readonly adopted?: SessionFile | undefined
  /** The run that it is made for. */
  readonly run?: string
}

/** How many agents whose ids begin alike a typo is compared with. */
const MOST_LOOKED_AT = 200

export class AgentSystem {
  readonly #environment: AgentEnvironment
  readonly #maxAgents: number
  readonly #defaults: AgentDefaults
  readonly #here: Registry<Agent>
  readonly #placement: Placement
  readonly #stopReviews: () => void
  #count: number | undefined
  #sweeping: Promise<void> | undefined
  #isSwept = false
  /** Agents are created and removed one after the other, so that two cannot both be the last that fits. */
  readonly #changes = new Mailbox()

  constructor(
    environment: Omit<AgentEnvironment, 'owns' | 'swept' | 'isSwept'>,
    maxAgents: number,
    defaults: AgentDefaults,
    residence: Residence,
    placement: Placement,
  ) {
    this.#environment = {
      ...environment,
      owns: (id) => placement.owns(id),
      swept: () => this.#swept(),
      isSwept: () => this.#isSwept,
    }
    const used = (agent: Agent) => this.#here.used(agent.id, agent)
    this.#here = new Registry((id) => Agent.load(id, this.#environment, used), environment.clock, residence)
    this.#stopReviews = environment.admission.changes(() => {
      for (const agent of this.#here.present()) agent.review()
    })
    this.#placement = placement
    this.#maxAgents = maxAgents
    this.#defaults = defaults
  }

  async create(options: AgentOptions): Promise<AgentRef> {
    const complete = this.#complete(options)
    const { id } = complete
    if (this.#placement.owns(id)) return this.#createNew(options)
    return this.#elsewhere(id, agentConfig(complete).requires, 'createAgent', options)
  }

  async #createNew(options: AgentOptions, adopted?: SessionFile): Promise<AgentRef> {
    const complete = this.#complete(options)
    const { id, budget } = complete
    const config = await this.#config(complete)
    if (adopted && !this.#environment.runner.adopt)
      throw new InvalidInputError({
        what: adopted.path,
        problem: 'the runner cannot continue sessions of Claude Code',
      })
    return this.#changes.post(async () => {
      const agent = await this.#here.get(id)
      if (agent.status !== 'absent') throw new AgentExistsError({ agent: id })
      return this.#create(agent, config, { budget, adopted })
    })
  }

  /** Creates the agents, or reconfigures those that exist. Writes only what has changed. */
  async declare(agents: readonly AgentOptions[]): Promise<void> {
    const all = agents.map((options) => this.#complete(options))
    // All of them are checked before the first is written.
    for (const options of all) agentConfig(options)
    for (const [index, options] of all.entries()) {
      const { id, budget } = options
      if (!this.#placement.owns(id)) {
        await this.#elsewhere(id, options.requires, 'declareAgent', agents[index])
        continue
      }
      const config = await this.#config(options)
      await this.#changes.post(() => this.#declare(id, config, budget))
    }
  }

  /** Creates an agent that continues a session of Claude Code. */
  async adopt(session: string, options: AdoptOptions = {}): Promise<AgentRef> {
    checkArgument('The session', session, 'a text')
    checkArgument('The options of adopt', options, 'an object')
    const found = await findSession(session)
    const adopting = adoptingOptions(found, options)
    const { id } = adopting
    if (this.#placement.owns(id)) return this.#createNew(adopting, found)
    const { requires } = agentConfig(this.#complete(adopting))
    return this.#elsewhere(id, requires, 'adopt', found.path, adopting)
  }

  /** Creates an agent that continues another's conversation as of a version, without that agent's open tasks. */
  async fork(id: string, options: ForkOptions): Promise<AgentRef> {
    checkOptionsOf('fork', options, { at: true, as: true, by: 'a text' })
    const { at, as, by } = options
    checkAgentId(as)
    const { store } = this.#environment
    if ((await store.head(streamName('agent', id))) === 0) await this.get(id)
    const point = await forkPoint(store, id, at)
    if (!this.#placement.owns(as)) return this.#elsewhere(as, point.config.requires, 'fork', id, options)
    return this.#changes.post(async () => {
      const agent = await this.#here.get(as)
      if (agent.status !== 'absent') throw new AgentExistsError({ agent: as })
      return this.#create(agent, ownBranch(point.config, as), defined({ fork: point, by }))
    })
  }

  /**
   * The copy `<id>.<number>` of an agent, with a workspace and a session of its own. Created if it does not exist. The runs of
   * one process share their copies; where there are several processes, null for one that was made for another run.
   */
  async copy(id: string, number: number, run: string): Promise<AgentRef | null> {
    const copy = `${id}.${number}`
    const { config } = (await this.get(id)).snapshot.context
    if (!this.#placement.owns(copy)) {
      const made = await this.#placement.call(copy, 'copyAgent', [id, number, run], config?.requires)
      return made === false ? null : this.get(copy)
    }
    return this.#changes.post(async () => {
      const agent = await this.#here.get(copy)
      if (agent.status !== 'absent' || !config) return (await this.#isCopyOf(copy, run)) ? agent : null
      return this.#create(agent, ownBranch(config, agent.id), { run })
    })
  }

  /** Whether a run may use a copy: runs of other processes have copies of their own. */
  async #isCopyOf(copy: string, run: string): Promise<boolean> {
    if (this.#placement === localPlacement) return true
    for await (const { type, correlationId } of this.#environment.store.read(streamName('agent', copy), {
      direction: 'backwards',
    }))
      if (type === 'AgentCreated') return correlationId === run
    return false
  }

  /** The agent, wherever it lives. Throws AgentNotFoundError. */
  async get(id: string): Promise<AgentRef> {
    const agent = await this.folded(id)
    return this.#placement.owns(id) ? agent : new AgentElsewhere(agent, this.#placement)
  }

  /** The agent as this process has it, for what records in its stream here. Throws AgentNotFoundError. */
  async folded(id: string): Promise<Agent> {
    checkId('agent', id)
    const agent = await this.#here.get(id)
    if (!this.#placement.owns(id)) await agent.refresh()
    if (agent.status !== 'absent') return agent
    throw new AgentNotFoundError({ agent: id, nearest: await this.#nearest(id) })
  }

  /** The agent, if it is in memory. */
  here(id: string): Agent | undefined {
    const agent = this.#here.peek(id)
    return agent?.isHere && agent.status !== 'absent' && this.#placement.owns(id) ? agent : undefined
  }

  list(options?: { readonly open?: boolean }): Promise<readonly AgentInfo[]> {
    return listedAgents(this.#environment.store, options)
  }

  /** Throws HeldTasksError and UnlandedWorkError, unless forced to. */
  async remove(id: string, options: RemovalOptions = {}): Promise<RemovedAgent> {
    checkArgument('The options of removal', options, 'an object')
    if (!this.#placement.owns(id))
      return (await this.#placement.call(
        id,
        'removeAgent',
        [id, options],
        await this.#requires(id),
      )) as RemovedAgent
    const { force = false } = options
    return this.#changes.post(async () => {
      if (!force) await this.#assertNothingLost(await this.folded(id))
      return this.#remove(id)
    })
  }

  /** Ends what this process does for an agent, and records nothing. Its next use folds it afresh. */
  async release(id: string): Promise<void> {
    await this.#here.peek(id)?.close()
    this.#here.forget(id)
  }

  /** Removes an agent's copies that have no tasks and hold nothing, may be used by a run, and are used by no other one. */
  async removeCopies(id: string, run: string, isUsed: (copy: string) => boolean): Promise<void> {
    return this.#changes.post(async () => {
      const unused: Promise<unknown>[] = []
      for await (const copy of agentInfos(this.#environment.store, { prefix: `${AGENT_STREAMS}${id}.` }))
        if (
          copy.queue === 0 &&
          !copy.heldMessages &&
          !isUsed(copy.id) &&
          (await this.#isCopyOf(copy.id, run))
        )
          unused.push(this.#placement.owns(copy.id) ? this.#remove(copy.id) : this.remove(copy.id))
      await Promise.all(unused)
    })
  }

  /** Kills the processes that an earlier owner left and the log does not know, then starts every agent with open tasks. */
  async resume(): Promise<readonly Agent[]> {
    await this.#swept()
    const agents: Agent[] = []
    for await (const { stream } of this.#environment.store.streams({ prefix: AGENT_STREAMS, open: true })) {
      const id = agentIdOf(stream)
      if (!this.#placement.owns(id)) continue
      const agent = await this.#here.get(id)
      agent.start()
      agents.push(agent)
    }
    return agents
  }

  /** The state of an agent, without loading it for that. */
  async stateOf(id: string): Promise<AgentSnapshot> {
    const agent = this.#here.peek(id)
    if (agent) return agent.snapshot
    return (await foldStream(agentKind, this.#environment.store, streamName('agent', id))).snapshot
  }

  /** The running processes of calls, oldest first. */
  async processes(): Promise<readonly RunningProcess[]> {
    const { runner, baseDir } = this.#environment
    const found = (await runner.processes?.({ baseDir })) ?? []
    return found.length === 0 ? [] : runningProcesses(found, await this.#calls(), process.pid)
  }

  /** Resolves when no agent started in this process has a task to run. */
  async settled(): Promise<void> {
    const started = (await this.#here.living()).filter(({ isStarted }) => isStarted)
    await Promise.all(started.map((agent) => agent.settled()))
  }

  /** Halts the agents in memory: they refuse tasks and reject pending replies with the reason. */
  async refuse(reason: ClaudeAgentError): Promise<void> {
    for (const agent of await this.#here.known()) {
      agent.refuse(reason)
      void agent.halt()
    }
  }

  /** Closes the agents in memory and terminates the processes they leave behind. */
  async close(): Promise<void> {
    this.#here.close()
    this.#stopReviews()
    const closed = async () => Promise.all((await this.#here.known()).map((agent) => agent.close()))
    // First, as a removal may wait for what an agent cannot write now; then those that were created meanwhile.
    await closed()
    await this.#changes.idle()
    await closed()
    // If no call was ever made, no process can be left.
    if (this.#sweeping) await this.#sweep()
  }

  /** Makes or changes an agent where it lives. */
  async #elsewhere(
    id: string,
    requires: readonly string[] | undefined,
    method: string,
    ...args: readonly unknown[]
  ): Promise<AgentRef> {
    await this.#placement.call(id, method, args, requires)
    return this.get(id)
  }

  async #requires(id: string): Promise<readonly string[] | undefined> {
    return (await this.folded(id)).snapshot.context.config?.requires
  }

  /** The calls that the log has as open. */
  async #calls(): Promise<readonly KnownCall[]> {
    const calls: KnownCall[] = []
    for await (const { stream, summary } of this.#environment.store.streams({
      prefix: AGENT_STREAMS,
      open: true,
    })) {
      const agent = agentIdOf(stream)
      let call = callIn(summary)
      // Older summaries do not name it.
      if (call === undefined && summary?.status === 'busy')
        call = callIn(agentKind.summarize(await this.stateOf(agent)))
      if (!call) continue
      calls.push({ agent, taskId: call.taskId, call, isOurs: this.#here.peek(agent)?.isStarted === true })
    }
    return calls
  }

  /** See {@link AgentEnvironment.swept}. One sweep is enough; one that failed is repeated. */
  #swept(): Promise<void> {
    this.#sweeping ??= this.#sweep().catch((error: unknown) => {
      this.#sweeping = undefined
      throw error
    })
    return this.#sweeping
  }

  async #sweep(): Promise<void> {
    const { runner, baseDir, logger, moving } = this.#environment
    const sweeps = runner.sweep !== undefined && !moving?.isShared
    const keep = sweeps ? (await this.#calls()).map(({ call }) => call.callId) : []
    const ended = sweeps ? ((await runner.sweep?.({ baseDir, keep })) ?? 0) : 0
    this.#isSwept = true
    if (ended > 0) logger.warn({ ended }, 'terminated processes that the log does not know')
  }

  #complete(options: AgentOptions): AgentOptions {
    checkArgument('The options of the agent', options, 'an object')
    return withDefaults(this.#defaults, options)
  }

  /** The configuration of an agent that would be created with these options. */
  configOf(options: AgentOptions): Promise<AgentConfig> {
    return this.#config(this.#complete(options))
  }

  /** The configuration that options describe. What an agent began from stays as long as its base has the same name. */
  async #config(options: AgentOptions): Promise<AgentConfig> {
    const config = agentConfig(options)
    await checkDirectories(config, this.#environment.baseDir)
    const { id, workspace } = options
    if (workspace === undefined) return config
    const { files } = this.#environment.runner
    if (!files) {
      const problem = 'its runner has no workspaces'
      throw new InvalidInputError({ what: `The repository of agent "${id}"`, problem })
    }
    const known = (await this.#here.get(id)).snapshot.context.config?.workspace
    const { repo, base = 'HEAD', branch = branchOf(id), project, commit, message } = workspace
    const said = { project, message, commits: commit === 'agent' ? commit : undefined }
    if (known && resolve(repo) === known.repo && base === known.base && branch === known.branch)
      return { ...config, workspace: defined({ ...known, ...said }) }
    return { ...config, workspace: defined({ ...(await files.resolve({ repo, base, branch })), ...said }) }
  }

  async #declare(id: string, config: AgentConfig, budget: Budget | undefined): Promise<void> {
    const agent = await this.#here.get(id)
    if (agent.status === 'absent') return void (await this.#create(agent, config, { budget }))
    if (budget) await this.#environment.admission.setBudget(id, budget, 'declared')
    await agent.trustProject(config)
    await agent.configure(() => config)
  }

  async #create(
    agent: Agent,
    config: AgentConfig,
    { budget, fork, adopted, by, run }: Beginning = {},
  ): Promise<Agent> {
    const { store } = this.#environment
    // Other processes make agents as well.
    if (this.#placement !== localPlacement) this.#count = undefined
    this.#count ??= await countStreams(store, agentKind.kind)
    if (this.#count >= this.#maxAgents) throw new TooManyAgentsError({ maxAgents: this.#maxAgents })
    const { runner, directories, admission } = this.#environment
    // Its id was used before: whatever a removal left behind is not for the new agent.
    if (agent.version > 0) await runner.discard?.(directories(agent.id))
    await runner.prepare?.(directories(agent.id))
    const { forkedFrom, factId = null, files: to = NO_FILES } = fork ?? {}
    const { workspace } = config
    const place = { agent: agent.id, workspace, directories: directories(agent.id), last: fork?.files }
    if (workspace) await runner.files?.save(place, 'when it was created')
    // What a fork takes along is the work of an agent.
    const whole =
      workspace && !fork
        ? { ...config, workspace: await this.#withSettings({ ...place, workspace }) }
        : config
    const from = to === NO_FILES ? undefined : to
    const { moving } = this.#environment
    // What it was forked from may live on another machine.
    if (fork?.stored) await moving?.bring(agent.id, { ...fork, config: whole })
    const laidOut = await runner.files?.restore(
      place,
      () => from,
      'when it was created',
      async (restored) => filesRestored('fork', restored),
    )
    if (forkedFrom?.sessionId)
      await runner.branch?.(forkedFrom.sessionId, directories(forkedFrom.agent), directories(agent.id))
    if (adopted) await runner.adopt?.(adopted, directories(agent.id))
    // The budget first: a crash must not leave an agent without its limit.
    if (budget) await admission.setBudget(agent.id, budget, 'new')
    const created: AgentFact = { type: 'AgentCreated', data: defined({ config: whole, forkedFrom, by }) }
    // What it begins from is known at once, also if its workspace is lost before its first call.
    const files: readonly AgentFact[] = laidOut ? [laidOut] : []
    const session: readonly AgentFact[] = adopted
      ? [{ type: 'SessionAdopted', data: { sessionId: adopted.sessionId, turns: adopted.turns } }]
      : []
    const sessionId = adopted?.sessionId ?? forkedFrom?.sessionId
    const news = {
      commit: laidOut?.data.commit,
      ...(sessionId && { session: { sessionId, parentSessionId: null } }),
    }
    const stored = fork || adopted ? ((await moving?.store(agent.id, { config: whole }, news)) ?? []) : []
    const origin = { causationId: factId, ...(run !== undefined && { correlationId: run }) }
    await agent.record(() => [created, ...files, ...session, ...stored], origin)
    this.#count += 1
    return agent
  }

  /** The workspace with what the repository has of settings where the agent begins, which it trusts if it is to. */
  async #withSettings(place: RepositoryPlace): Promise<RepositoryWorkspace> {
    const { workspace } = place
    const { files } = this.#environment.runner
    const { repository, hash, problem } = (await files?.project(place)) ?? NO_SETTINGS
    if (hash === '') return workspace
    if (workspace.project && problem !== undefined)
      throw new WorkspaceError({ path: workspace.repo, problem, hint: 'Create the agent without --project.' })
    if (workspace.project) await trust({ path: repository, text: hash }, process.env)
    return { ...workspace, settings: hash }
  }

  #filesOf(agent: Agent): { readonly files: FilesOperations; readonly place: FilesPlace } | undefined {
    const { runner, directories } = this.#environment
    const { config, files } = agent.snapshot.context
    if (!runner.files) return undefined
    const { workspace } = config ?? {}
    const place = { agent: agent.id, workspace, directories: directories(agent.id), last: files?.commit }
    return { files: runner.files, place }
  }

  async #assertNothingLost(agent: Agent): Promise<void> {
    const own = this.#filesOf(agent)
    const work = await own?.files.unlanded(own.place)
    const held = await agent.held()
    const messages = heldMessages(agent.id, agent.snapshot.context)
    const counts = { held: held.length, messages: messages.length }
    if (work) throw new UnlandedWorkError({ agent: agent.id, ...work, ...counts })
    if (counts.held + counts.messages > 0) throw new HeldTasksError({ agent: agent.id, held, messages })
  }

  async #remove(id: string): Promise<RemovedAgent> {
    const agent = await this.folded(id)
    return agent.leave(() => this.#removed(agent))
  }

  /** Work that is not landed is kept under a ref. */
  async #removed(agent: Agent): Promise<RemovedAgent> {
    const { id } = agent
    const { runner, directories, logger } = this.#environment
    let kept: KeptWork | null = null
    const isWithoutTasks = ({ context }: AgentSnapshot) =>
      context.current === null && context.queue.length === 0
    // Its files first: a removal that fails can be repeated, and until then the agent is listed. A task that was asked
    // meanwhile may have put files there again.
    for (let isRemoved = false; !isRemoved; ) {
      await agent.endTasks(() => agent.record(({ context }) => cancelTasks(context, 'the agent was removed')))
      // A late answer is still recorded.
      await agent.settled()
      const own = this.#filesOf(agent)
      kept = (await own?.files.release(own.place)) ?? kept
      await runner.discard?.(directories(id))
      const data = defined({ kept: kept ?? undefined })
      const removed = await agent.record((snapshot) =>
        isWithoutTasks(snapshot) ? [{ type: 'AgentRemoved', data }] : [],
      )
      isRemoved = removed.length > 0
    }
    await agent.close()
    await this.#environment.admission.forget(id)
    this.#here.forget(id)
    if (this.#count !== undefined) this.#count -= 1
    if (kept)
      logger.warn({ agent: id, ...kept }, 'a removed agent had work that is not landed: a ref keeps it')
    return { id, kept }
  }

  /** The agent that was probably meant. Of many, only those whose ids begin alike are looked at. */
  async #nearest(id: string): Promise<string | null> {
    const all = await this.#idsLike('')
    for (const part of all.areAll ? [0] : [id.length - 1, id.length * 0.75, id.length / 2, id.length / 4]) {
      const { ids } = part === 0 ? all : await this.#idsLike(id.slice(0, Math.ceil(part)))
      const nearest = nearestName(id, ids)
      if (nearest !== null) return nearest
    }
    return null
  }

  async #idsLike(beginning: string): Promise<{ readonly ids: readonly string[]; readonly areAll: boolean }> {
    const ids: string[] = []
    let looked = 0
    for await (const { stream, summary } of this.#environment.store.streams({
      prefix: `${AGENT_STREAMS}${beginning}`,
    })) {
      if (++looked > MOST_LOOKED_AT) return { ids, areAll: false }
      if (isThere(summary)) ids.push(agentIdOf(stream))
    }
    return { ids, areAll: true }
  }
}

const NO_SETTINGS = { repository: '', hash: '', problem: undefined }

/** Two agents never work on one branch. */
const ownBranch = (config: AgentConfig, id: string): AgentConfig =>
  config.workspace ? { ...config, workspace: { ...config.workspace, branch: branchOf(id) } } : config

const branchOf = (id: string) => `claude-agents/${id}`
