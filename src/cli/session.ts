/**
 * The orchestrator that a command works with: that of the process that has the store open, or one that is opened here
 * and closed at the end. Work that is to outlive the command is left to an owner in the background.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentInfo } from '../actors/agent/list.ts'
import type { Config } from '../config/configuration.ts'
import { AgentNotFoundError } from '../events/errors/agent.ts'
import { OtherRunnerError } from '../events/errors/owner.ts'
import { defined } from '../events/json.ts'
import { withDefaults } from '../events/options/agent.ts'
import type { Logger } from '../logger.ts'
import type { Orchestrator } from '../orchestrator.ts'
import type { OrchestratorOptions } from '../orchestrator-options.ts'
import { hasStore, noteNoStore, refuseDatabase } from './existing-store.ts'
import type { GlobalOptions } from './global-options.ts'
import { type Interruption, listenForInterruption } from './interruption.ts'
import { commandLogger } from './logger.ts'
import { type OpenedRunner, openRunner } from './runner.ts'
import { type Terminal, terminal } from './terminal/output.ts'

export interface Session {
  readonly orchestrator: Orchestrator
  readonly terminal: Terminal
  /** The pid of the process that has the store open; null when it is this one. */
  readonly owner: number | null
  /** Aborted on Ctrl-C, or when the system asks the process to end. */
  readonly signal: AbortSignal
  /** Leaves what was accepted here to an owner in the background, which is started when this process is done. */
  readonly leave: () => void
  /** Where it continues then. */
  readonly leftTo: string
  /** This session, or one through the next owner of the store if its own has ended. */
  readonly renewed: () => Promise<Session>
  /** Reads what was done, also if the owner that did it has ended: then through the next one, or from the files. */
  readonly look: <Result>(read: (orchestrator: Orchestrator) => Promise<Result>) => Promise<Result>
}

/** How long to wait before the next owner is looked for. */
const NEXT_OWNER_MS = 100

type Work = (session: Session) => Promise<void>

/** The session that the commands of an interactive one share: it is opened once. */
const shared = new AsyncLocalStorage<Session>()

/** Whether the command is a line of an interactive session, which reads the keys. */
export const isConversation = (): boolean => shared.getStore() !== undefined

/** Runs something whose commands all work in this session. */
export const sharing = <T>(session: Session, run: () => Promise<T>): Promise<T> => shared.run(session, run)

/**
 * `read`: the command changes nothing, and never takes the store from a process that wants to open it. `change`: it changes
 * something, and asks for no answer. `call`: it asks for answers, which cost money unless the model is simulated. `leave`: it
 * asks for them and does not wait, so it works only through an owner that outlives it, which it starts if there is none.
 */
type Purpose = 'read' | 'change' | 'call' | 'leave'

const asksForAnswers = (purpose: Purpose) => purpose === 'call' || purpose === 'leave'

/**
 * Opens, works, closes; within an interactive session it just works.
 *
 * @param listening Of a process that has several sessions at a time, and listens once for all of them.
 */
export async function withSession(
  options: GlobalOptions,
  work: Work,
  purpose: Purpose = 'call',
  listening?: Interruption,
): Promise<void> {
  const own = shared.getStore()
  if (own) return work({ ...own, terminal: terminal(options) })
  if (purpose === 'leave' && !(await hasWorkers(options))) refuseDatabase(options, '--detach')
  const screen = terminal(options)
  const interruption = listening ?? listenForInterruption()
  const { signal } = interruption
  const { accessForReading, accessOwner, accessStore, isOwnersEnd, isUnserved, ownAccess, ownerOf } =
    await import('./access.ts')
  let opened: OpenedRunner | undefined
  const { database } = options
  const open = async () => {
    opened ??= await openRunner(options, screen)
    // A command that asks for nothing ends at once, and leaves what is to be told to the next owner.
    const notify = purpose === 'call' ? options.config.notify : undefined
    return openHere(options, opened, { resume: 'on-demand', ...defined({ notify }) })
  }
  let hasChanged = () => true
  let isLeft = false
  const leave = () => {
    isLeft = true
  }
  const access = async () => {
    if (database !== undefined) return ownAccess(await open())
    if (purpose === 'leave') return accessOwner(options.baseDir, () => startBackground(options))
    return accessStore(options.baseDir, open, { asks: asksForAnswers(purpose) })
  }
  const begin = async (): Promise<Session> => {
    const { orchestrator, owner, runner, isUsed } =
      purpose === 'read'
        ? await accessForReading(options.baseDir, { logger: await commandLogger(options), database })
        : await access()
    try {
      if (owner !== null) refuseOtherRunner(options, { pid: owner, runner: runner ?? '' }, purpose)
      if (owner !== null && purpose !== 'read') await createDeclared(orchestrator, options.config)
    } catch (error) {
      await orchestrator.close()
      if (!isUnserved(error) || signal.aborted) throw error
      return beginAgain()
    }
    hasChanged = isUsed
    const without = database === undefined ? 'after this session' : 'in the workers'
    const leftTo = owner === null ? without : `in process ${owner}`
    return { orchestrator, owner, terminal: screen, signal, leave, leftTo, renewed, look }
  }
  /** The owner is about to end. Until it has, each look at it costs both processes work. */
  const beginAgain = async (): Promise<Session> => {
    await delay(NEXT_OWNER_MS, undefined, { signal }).catch(() => {})
    return begin()
  }
  /** Works, and again with the next owner as often as one ends before it has done anything for this command. */
  const serve = async () => {
    for (;;) {
      try {
        return await work(session)
      } catch (error) {
        if (!isUnserved(error) || hasChanged() || signal.aborted) throw error
        await session.orchestrator.close()
        session = await beginAgain()
      }
    }
  }
  const renewed = async () => {
    if (session.owner !== null && (await ownerOf(options.baseDir)) !== session.owner) {
      await session.orchestrator.close()
      session = await begin()
    }
    return session
  }
  const look: Session['look'] = async (read) => {
    try {
      return await read(session.orchestrator)
    } catch (error) {
      if (session.owner === null || !isOwnersEnd(error)) throw error
      const { watchStore } = await import('./live/watched-store.ts')
      return watchStore(options).look(read)
    }
  }
  let session: Session
  try {
    session = await begin()
    try {
      await serve()
    } finally {
      if (await othersServed(session.orchestrator, interruption, screen)) leave()
      if (!listening) interruption.stop()
      await session.orchestrator.close()
    }
  } finally {
    await opened?.[Symbol.asyncDispose]()
    if (isLeft && database === undefined) await startBackground(options)
  }
}

/**
 * An owner has written what its own configuration declares. Of that of the command, it creates the agents that it does not
 * know; those that it knows stay as they are, until they are applied.
 */
async function createDeclared(orchestrator: Orchestrator, config: Config): Promise<void> {
  await orchestrator.declared()
  for (const agent of config.agents ?? [])
    await orchestrator.agent(agent.id).catch((error) => {
      if (!(error instanceof AgentNotFoundError)) throw error
      return orchestrator.declareAgent(withDefaults(config.agentDefaults ?? {}, agent))
    })
}

let starting: Promise<unknown> | undefined

/** Once for all sessions that need it now. */
const startBackground = async (options: GlobalOptions) => {
  const { startOwner } = await import('./service/background.ts')
  starting ??= startOwner(options).finally(() => {
    starting = undefined
  })
  await starting
}

/**
 * Waits for what other commands have asked of this process, however its own work ended. Resolves with whether they have
 * left something to it that it has not finished.
 */
async function othersServed(
  orchestrator: Orchestrator,
  { signal, insistence }: Interruption,
  screen: Terminal,
): Promise<boolean> {
  let isWaiting = false
  const tell = () => {
    const how = signal.aborted ? 'Ctrl-C again ends both' : 'Ctrl-C twice ends both'
    screen.note(`Another command is working through this one, which ends after it (${how}).`)
  }
  const interrupted = () => isWaiting && tell()
  signal.addEventListener('abort', interrupted, { once: true })
  try {
    return await orchestrator.served(insistence(), () => {
      isWaiting = true
      tell()
    })
  } finally {
    signal.removeEventListener('abort', interrupted)
  }
}

/**
 * Works with the store if there is one.
 *
 * @param missing What to throw if there is none, after a note that says what was found and how to begin.
 */
export async function withStore(
  options: GlobalOptions,
  work: Work,
  missing?: () => Error,
  purpose: Purpose = 'call',
): Promise<void> {
  if (hasStore(options)) return withSession(options, work, purpose)
  noteNoStore(options)
  if (missing) throw missing()
}

/** Reads the store if there is one, and writes nothing. */
export const readStore = (options: GlobalOptions, work: Work, missing?: () => Error): Promise<void> =>
  withStore(options, work, missing, 'read')

/** The agents of the store, read from its log alone: an orchestrator takes longer to load than to list them. */
export async function storedAgents(options: GlobalOptions): Promise<readonly AgentInfo[]> {
  const own = shared.getStore()
  if (own) return own.orchestrator.agents()
  const [{ openLog }, { listedAgents }] = await Promise.all([
    import('../remote/live-log.ts'),
    import('../actors/agent/list.ts'),
  ])
  const { store } = await openLog(options.database ?? options.baseDir, {
    logger: await commandLogger(options),
  })
  try {
    return await listedAgents(store)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

/** Throws AgentNotFoundError for agents that are neither in the store nor declared. Without a store, nothing is known. */
export async function requireKnown(globals: GlobalOptions, agents: readonly string[]): Promise<void> {
  const declared = new Set(globals.config.agents?.map(({ id }) => id))
  const unsure = agents.filter((agent) => !declared.has(agent))
  if (unsure.length === 0 || !hasStore(globals)) return
  await readStore(globals, async ({ orchestrator }) => {
    for (const agent of unsure) await orchestrator.agent(agent)
  })
}

/** Opens the store in this process. Throws StoreInUse. */
export async function openHere(
  options: GlobalOptions,
  { runner, logger }: OpenedRunner,
  when: Pick<OrchestratorOptions, 'resume' | 'onStop' | 'notify'> = {},
): Promise<Orchestrator> {
  const { Orchestrator } = await import('../orchestrator.ts')
  return Orchestrator.open({
    baseDir: options.baseDir,
    ...(options.database !== undefined && (await logIn(options.database, logger))),
    logger,
    runner,
    ...when,
    ...orchestratorOptions(options.config),
  })
}

/** Whether the work is done by workers, which outlive each command. */
export const hasWorkers = async ({ database }: GlobalOptions): Promise<boolean> =>
  database !== undefined && (await import('../cluster/worker-table.ts')).WorkerTable.areIn(database)

/** The log in a database: of this process alone, or through the workers that it has. */
async function logIn(
  database: string,
  logger: Logger,
): Promise<Pick<OrchestratorOptions, 'store' | 'cluster'>> {
  const { WorkerTable } = await import('../cluster/worker-table.ts')
  if (await WorkerTable.areIn(database)) return { cluster: { database } }
  return { store: await (await import('../store/postgres/store.ts')).postgresStore(database, { logger }) }
}

/** Throws OtherRunnerError: a command never reaches an account that it does not mean to, and is never answered by a simulation. */
export function refuseOtherRunner(
  { baseDir, simulate }: GlobalOptions,
  { pid, runner }: { readonly pid: number; readonly runner: string },
  purpose: Purpose,
): void {
  const isSimulated = runner === 'simulated'
  if (simulate ? isSimulated || purpose === 'read' : !isSimulated || !asksForAnswers(purpose)) return
  throw new OtherRunnerError({ path: resolve(baseDir), pid, runner, simulate })
}

function orchestratorOptions(config: Config) {
  const { maxAgents, limits, budget, callMinimum, cacheReadWeight } = config
  const { sessionPersistence, replaceInputs, agentDefaults, agents } = config
  const bounds = { maxAgents, limits, budget, callMinimum, cacheReadWeight }
  return defined({ ...bounds, sessionPersistence, replaceInputs, agentDefaults, agents })
}
