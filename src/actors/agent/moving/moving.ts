/**
 * Agents that move between the workers of a cluster: what another machine needs to continue one is stored beside the log, and
 * laid out where it comes to life. Also in a process that works with the log by itself while no worker is there.
 *
 * M1. What is stored of a turn is durable before the turn is recorded, in the same append; or that append says what is not.
 * M2. An agent has come to where it lives (`AgentMoved`) before anything is done with its files or its sessions there.
 * M3. Files and sessions are those of the last turn that was recorded, or the log says that they are lost: never older ones.
 */
import { hostname } from 'node:os'
import type { AgentRunner, HomeText } from '../../../claude/runner.ts'
import { type AgentFact, NO_FILES } from '../../../events/agent-facts.ts'
import { DiskFullError } from '../../../events/errors/call.ts'
import { isDiskFull } from '../../../events/errors/phrases.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'
import { GitNotInstalled } from '../../../events/errors/workspace.ts'
import { defined } from '../../../events/json.ts'
import type { Brought, Home, StoredFiles, StoredText } from '../../../events/options/moving.ts'
import type { Logger } from '../../../logger.ts'
import type { BlobReference, Blobs } from '../../../store/blobs.ts'
import type { AgentDirectories } from '../../../workspaces/directories.ts'
import type { FilesPlace } from '../../../workspaces/files/place.ts'
import type { Place } from '../../../workspaces/place.ts'
import type { Decides } from '../../engine/life.ts'
import { mayPass } from '../../engine/wish.ts'
import type { agentMachine } from '../machine.ts'
import type { ForkPoint } from '../session/fork.ts'
import type { AgentContext } from '../state.ts'
import { bytesOf, divided, LARGEST_PIECE, staying } from './pieces.ts'

/** Where this process is in a cluster. */
export interface Residency {
  readonly worker: string
  /** Whether all workers have the same directories of agents: nothing is copied then. */
  readonly sharedDir: boolean
}

export interface MovingEnvironment {
  /** Without one, this process is no worker: it stores only agents that have lived in one. */
  readonly residency?: Residency | undefined
  readonly place: () => Place
  readonly blobs: Blobs
  readonly runner: AgentRunner
  readonly directories: (agent: string) => AgentDirectories
  readonly logger: Logger
}

/** What has changed since the last time: the newest snapshot of the files, and a session that has ended. */
export interface News {
  readonly commit?: string | undefined
  /** Why there is no snapshot of the files as they are. */
  readonly unsaved?: string | undefined
  readonly session?: { readonly sessionId: string; readonly parentSessionId: string | null }
}

type MovingAgent = Decides<typeof agentMachine> & { readonly snapshot: { readonly context: AgentContext } }

type Brings = Pick<AgentContext, 'config' | 'stored' | 'files' | 'session'>

/** In bytes: what all packs of an agent may take together. */
const LARGEST_FILES = 2 ** 30
/** How many conversations of an agent are stored: those of runs that ended long ago are not continued. */
const MOST_SESSIONS = 16

export class Moving {
  readonly #environment: MovingEnvironment
  readonly #residency: Residency
  /** The arrivals that are going on, by agent. */
  readonly #arriving = new Map<string, Promise<unknown>>()
  /** What was said of agents, so that it is said once. */
  readonly #said = new Map<string, string>()

  /** Those whose files could not be stored. That is not tried again with each turn, for what it takes. */
  readonly #unstorable = new Set<string>()

  constructor(environment: MovingEnvironment) {
    this.#environment = environment
    this.#residency = environment.residency ?? { worker: hostname(), sharedDir: false }
  }

  /** Whether this is a worker, and others may have processes of calls in the base directory. */
  get isShared(): boolean {
    return this.#residency.sharedDir
  }

  get #home(): Home {
    return { worker: this.#residency.worker, ...this.#environment.place() }
  }

  /** Whether what an agent needs elsewhere is stored. */
  stores({ stored }: Pick<AgentContext, 'stored'>): boolean {
    return this.#environment.residency !== undefined || (stored !== undefined && hasTexts(stored))
  }

  /** Whether what an agent has stored is to be brought to where this process is. */
  isToCome({ stored }: Pick<AgentContext, 'stored'>): boolean {
    if (!stored || isSameHome(stored.home, this.#home)) return false
    // Workers that share their directories have stored nothing else.
    return this.#environment.residency !== undefined || hasTexts(stored)
  }

  /**
   * Brings what the agent has from where it lived before. Throws what may pass, and what this machine lacks for it; what is lost
   * is recorded, and told.
   */
  async arrive(agent: string, actor: MovingAgent, tell: (message: string) => void = () => {}): Promise<void> {
    for (let going = this.#arriving.get(agent); going; going = this.#arriving.get(agent)) await going
    if (!this.isToCome(actor.snapshot.context)) return
    const arriving = this.#arrive(agent, actor, tell)
    this.#arriving.set(
      agent,
      arriving.catch(() => {}),
    )
    await arriving.finally(() => this.#arriving.delete(agent))
  }

  async #arrive(agent: string, actor: MovingAgent, tell: (message: string) => void): Promise<void> {
    const { context } = actor.snapshot
    const { stored, config } = context
    if (!stored || !config) return
    const to = this.#home
    const problems: string[] = []
    const workspace = await outcomeOf(() => this.#bringFiles(agent, context), problems)
    const session = await outcomeOf(() => this.#bringSessions(agent, context), problems)
    const data = {
      ...{ from: stored.home, to, workspace, session },
      ...(problems.length > 0 && { problems }),
    }
    await actor.decide(
      ({ context: { stored: now } }) =>
        now && !isSameHome(now.home, to) ? [{ type: 'AgentMoved', data }] : [],
      { whileClosing: true },
    )
    const { logger } = this.#environment
    logger.info({ agent, from: stored.home.worker, workspace, session }, 'an agent has moved here')
    const lost = lostInWords({ workspace, session, problems })
    if (lost) {
      logger.warn({ agent }, lost)
      tell(lost)
    }
  }

  /** Brings a new agent what the one that it was forked from had, wherever that lives. Does nothing for what is not there. */
  async bring(
    agent: string,
    { config, stored, files, forkedFrom }: Pick<ForkPoint, 'config' | 'stored' | 'files' | 'forkedFrom'>,
  ): Promise<void> {
    if (!stored || !this.isToCome({ stored })) return
    // It begins a branch of its own.
    const { branch: _, ...own } = stored.files ?? { packs: [] }
    const context = {
      ...{ config, session: forkedFrom.sessionId },
      stored: { ...stored, ...(files !== undefined && { files: { ...own, commit: files } }) },
      ...(files !== undefined && { files: { commit: files } }),
    }
    const problems: string[] = []
    const workspace = await outcomeOf(() => this.#bringFiles(agent, context), problems)
    const session = await outcomeOf(() => this.#bringSessions(agent, context), problems)
    const lost = lostInWords({ workspace, session, problems })
    if (lost) this.#environment.logger.warn({ agent }, lost)
  }

  async #bringFiles(agent: string, { stored, files, config }: Brings): Promise<Brought> {
    const { runner, directories, blobs } = this.#environment
    if (this.isShared || !runner.files) return 'kept'
    const { commit: newest, branch, packs = [], shallow } = stored?.files ?? {}
    const commit = (stored?.isBehind ? files?.commit : newest) ?? files?.commit ?? NO_FILES
    const place = { agent, workspace: config?.workspace, directories: directories(agent), last: commit }
    // It never had a file, and its worktree is made as any other.
    if (commit === NO_FILES && branch === undefined && !files) return 'kept'
    return runner.files.arrive(place, {
      ...{ commit, branch, shallow },
      packs: packs.map((pack) => ({ ...pack, read: () => bytesOf(blobs, pack.parts) })),
    })
  }

  async #bringSessions(agent: string, { stored, session }: Brings): Promise<Brought> {
    const { runner, directories, blobs } = this.#environment
    const { homes } = runner
    if (this.isShared || !homes) return 'kept'
    const read = (texts: readonly StoredText[] = []): Promise<readonly HomeText[]> =>
      Promise.all(texts.map(async ({ name, parts }) => ({ name, text: await textOf(blobs, parts) })))
    const sessions = await read(stored?.sessions)
    const notes = await read(stored?.notes)
    if (sessions.length + notes.length > 0) await homes.write({ sessions, notes }, directories(agent))
    if (session !== null && !(await homes.has(session, directories(agent)))) return 'lost'
    return sessions.length > 0 ? 'restored' : 'kept'
  }

  /**
   * Stores what is new, and returns the fact that says so; none if nothing is. Throws what may pass: until then, what it
   * belongs to is not to be recorded.
   */
  async store(
    agent: string,
    { stored, config }: Pick<Brings, 'stored' | 'config'>,
    { commit, unsaved, session }: News,
    tell: (message: string) => void = () => {},
  ): Promise<readonly AgentFact[]> {
    if (!this.stores({ stored })) return []
    const home = this.#home
    const isHere = stored !== undefined && isSameHome(stored.home, home)
    const { runner } = this.#environment
    if (this.isShared) {
      // What was stored before the directories were shared is older than the files in these.
      const outdated = stored && hasTexts(stored) ? { files: null, sessions: [], notes: [] } : undefined
      return isHere && !outdated ? [] : [{ type: 'AgentStored', data: { home, ...outdated } }]
    }
    const problems: string[] = []
    const { workspace } = config ?? {}
    const place = { agent, workspace, directories: this.#environment.directories(agent), last: commit }
    let files: StoredFiles | null | undefined
    if (unsaved !== undefined) {
      problems.push(unsaved)
      files = null
    } else if (commit !== undefined && runner.files && !this.#unstorable.has(agent)) {
      const storing = () => this.#storeFiles(place, commit, stored?.files)
      files = await attempt('its files', problems, storing, () => this.#unstorable.add(agent))
    }
    const texts =
      session && runner.homes
        ? await attempt('its conversation', problems, () => this.#storeSession(place, session, stored))
        : undefined
    if (texts?.isLost) problems.push('the transcript of its conversation cannot be read, or is too large')
    this.#tell(agent, problems, tell)
    const data = defined({
      home,
      files,
      sessions: texts === null ? [] : texts?.sessions,
      notes: texts?.notes,
      problems: problems.length > 0 ? problems : undefined,
    })
    return isHere && Object.keys(data).length === 1 ? [] : [{ type: 'AgentStored', data }]
  }

  #tell(agent: string, problems: readonly string[], tell: (message: string) => void): void {
    const said = problems.join('; ')
    if ((this.#said.get(agent) ?? '') === said) return
    this.#said.set(agent, said)
    if (said === '') return
    const message = `if the agent moves to another machine, not everything comes along: ${said}`
    this.#environment.logger.warn({ agent }, message)
    tell(message)
  }

  /** undefined if they are stored already. */
  async #storeFiles(
    place: FilesPlace,
    commit: string,
    stored: StoredFiles | undefined,
  ): Promise<StoredFiles | undefined> {
    const { runner, blobs } = this.#environment
    const { files } = runner
    if (!files) return undefined
    if (commit === NO_FILES && !place.workspace)
      return stored?.commit === commit ? undefined : { ...(stored ?? { packs: [] }), commit }
    if (stored?.commit === commit && !place.workspace) return undefined
    let packs = stored?.packs ?? []
    let [branch, shallow] = [stored?.branch, stored?.shallow ?? []]
    /** Packs what came after the packs that stay. Before it is stored, its size is known: it may be joined with those before. */
    const add = async (isStored: boolean): Promise<void> => {
      const made = await files.pack(place, commit, packs.at(-1), (pieces) =>
        piecesIn(pieces, isStored ? blobs : null),
      )
      ;({ branch } = made)
      shallow = [...new Set([...shallow, ...made.shallow])]
      if (made.isWhole) packs = []
      const { held, parts, bytes, isEmpty } = made.taken
      if (isEmpty) return
      const all = packs.reduce((sum, pack) => sum + pack.bytes, bytes)
      if (all > LARGEST_FILES) throw new TooLarge(all)
      const sizes = packs.map((pack) => pack.bytes)
      const left = isStored ? packs.length : staying(sizes, bytes)
      if (!isStored && (!held || left < packs.length)) {
        packs = packs.slice(0, left)
        return add(true)
      }
      const pieces = held ? [await blobs.put(held.toString('base64'))] : parts
      packs = [...packs, { commit, ...defined({ branch }), parts: pieces, bytes }]
    }
    await add(false)
    if (stored?.commit === commit && stored.branch === branch) return undefined
    return { commit, ...defined({ branch }), packs, ...(shallow.length > 0 && { shallow }) }
  }

  async #storeSession(
    { directories }: FilesPlace,
    { sessionId, parentSessionId }: NonNullable<News['session']>,
    stored: AgentContext['stored'],
  ) {
    const { runner, blobs } = this.#environment
    const { sessions = [], notes = [] } = stored ?? {}
    const read = await runner.homes?.read(sessionId, directories)
    const put = async ({ name, text }: HomeText, before: StoredText | undefined): Promise<StoredText> => {
      const { known, fresh } = divided(text, before?.parts ?? [])
      const parts: BlobReference[] = [...known]
      for (const piece of fresh) parts.push(await blobs.put(piece))
      return { name, parts }
    }
    const parent = sessions.find(({ name }) => name === parentSessionId)
    const own = read?.session && (await put(read.session, parent))
    const others = sessions.filter(({ name }) => name !== parentSessionId && name !== own?.name)
    return {
      sessions: own ? [...others, own].slice(-MOST_SESSIONS) : others,
      notes: await Promise.all(
        (read?.notes ?? []).map((note) =>
          put(
            note,
            notes.find(({ name }) => name === note.name),
          ),
        ),
      ),
      isLost: !own,
    }
  }
}

/** What did not come along, in words; undefined if all did. */
export function lostInWords({
  workspace,
  session,
  problems = [],
}: {
  readonly workspace: Brought
  readonly session: Brought
  readonly problems?: readonly string[]
}): string | undefined {
  const lost = [
    ...(workspace === 'lost' ? ['the files of its earlier turns'] : []),
    ...(session === 'lost' ? ['its session (what was said is in the log)'] : []),
  ]
  if (lost.length === 0) return undefined
  const because = problems.length > 0 ? `: ${problems.join('; ')}` : ''
  return `the agent has moved to this machine, and not everything came along: ${lost.join(' and ')}${because}`
}

const problemIn = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const hasTexts = ({ files, sessions, notes }: NonNullable<Brings['stored']>): boolean =>
  files !== undefined || (sessions?.length ?? 0) + (notes?.length ?? 0) > 0

/** Whether two places are one. Where it is not known, the worker decides. */
const isSameHome = (one: Home, other: Home): boolean =>
  one.machine === other.machine &&
  one.home === other.home &&
  (one.home !== null || one.worker === other.worker)

class TooLarge extends Error {
  constructor(bytes: number) {
    const [taken, most] = [bytes, LARGEST_FILES].map((size) => `${Math.ceil(size / 2 ** 20)} MiB`)
    super(`with their history they take ${taken}, and ${most} are stored at most`)
  }
}

/**
 * Does it; null if that is impossible, for a reason that is noted. Throws what may pass, but nothing waits for room on the disk of
 * this machine: the next turn is stored once there is some.
 *
 * @param givenUp Called if it would fail the same way again.
 */
async function attempt<T>(
  what: string,
  problems: string[],
  work: () => Promise<T>,
  givenUp: () => void = () => {},
): Promise<T | null> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DiskFullError)) {
      if (mayPass(error)) throw error
      givenUp()
    }
    problems.push(`${what}: ${problemIn(error)}`)
    return null
  }
}

/** What is missing on this machine, its repository, git or room, is no loss: another one may have it. */
const isOfMachine = (error: unknown) =>
  error instanceof InvalidInputError || error instanceof GitNotInstalled || isDiskFull(error)

async function outcomeOf(work: () => Promise<Brought>, problems: string[]): Promise<Brought> {
  try {
    return await work()
  } catch (error) {
    if (mayPass(error) || isOfMachine(error)) throw error
    problems.push(problemIn(error))
    return 'lost'
  }
}

interface TakenPieces {
  /** All of it, if it is small and was not stored. */
  readonly held?: Buffer
  readonly parts: readonly BlobReference[]
  readonly bytes: number
  readonly isEmpty: boolean
}

/** The number of objects in the head of a pack, and where it is. */
const PACK_COUNT = 8

/** Stores the pieces of a pack as they come; or (`blobs` is null) counts them. */
async function piecesIn(pieces: AsyncIterable<Buffer>, blobs: Blobs | null): Promise<TakenPieces> {
  const parts: BlobReference[] = []
  let bytes = 0
  let waiting: Buffer[] = []
  let waits = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > LARGEST_FILES) throw new TooLarge(bytes)
    if (!blobs && bytes > LARGEST_PIECE) waiting = []
    else waiting.push(piece)
    waits += piece.length
    if (!blobs || waits < LARGEST_PIECE) continue
    parts.push(await blobs.put(Buffer.concat(waiting).toString('base64')))
    ;[waiting, waits] = [[], 0]
  }
  const rest = Buffer.concat(waiting)
  const isEmpty =
    bytes < LARGEST_PIECE && rest.length === bytes && (bytes === 0 || rest.readUInt32BE(PACK_COUNT) === 0)
  if (isEmpty) return { parts, bytes: 0, isEmpty }
  if (!blobs) return { ...(bytes <= LARGEST_PIECE && { held: rest }), parts, bytes, isEmpty }
  if (rest.length > 0) parts.push(await blobs.put(rest.toString('base64')))
  return { parts, bytes, isEmpty }
}

async function textOf(blobs: Blobs, parts: readonly BlobReference[]): Promise<string> {
  let text = ''
  for (const { sha256, bytes } of parts) text += await blobs.get({ sha256, bytes })
  return text
}
