/** Files of agents that live on another machine, laid out in a temporary directory from what is stored of them, to be looked at. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentRunner } from '../../../claude/runner.ts'
import { NO_FILES } from '../../../events/agent-facts.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'
import { defined } from '../../../events/json.ts'
import type { Blobs } from '../../../store/blobs.ts'
import type { AgentDirectories } from '../../../workspaces/directories.ts'
import { isElsewhere, type Place } from '../../../workspaces/place.ts'
import type { AgentContext } from '../state.ts'
import { bytesOf } from './pieces.ts'

interface CopiesEnvironment {
  readonly runner: Pick<AgentRunner, 'files'>
  readonly blobs: Blobs
  readonly place: () => Place
  readonly directories: (agent: string) => AgentDirectories
}

/** The files of an agent as they were after its last answered turn. */
export interface CopiedFiles {
  readonly commit: string
  /** Where its snapshots are. */
  readonly directories: AgentDirectories
}

export class StoredCopies implements AsyncDisposable {
  readonly #environment: CopiesEnvironment
  /** By agent and snapshot. */
  readonly #copies = new Map<string, Promise<CopiedFiles>>()
  #folder: Promise<string> | undefined

  constructor(environment: CopiesEnvironment) {
    this.#environment = environment
  }

  /**
   * The copy of an agent that lives elsewhere; undefined if its files are here, or it never had any.
   *
   * @throws InvalidInputError if they are not stored
   */
  async of(
    agent: string,
    { stored, files }: Pick<AgentContext, 'stored' | 'files'>,
  ): Promise<CopiedFiles | undefined> {
    if (!stored || !isElsewhere(defined({ ...stored.home }), this.#environment.place())) return undefined
    const newest = files?.commit ?? NO_FILES
    const commit = stored.isBehind ? newest : (stored.files?.commit ?? newest)
    if (commit === NO_FILES) return undefined
    // Where workers share their directories, nothing is stored.
    if (!stored.files && existsSync(this.#environment.directories(agent).workspace)) return undefined
    const key = `${agent} ${commit}`
    const known = this.#copies.get(key)
    if (known) return known
    const copy = this.#laidOut(agent, commit, stored)
    this.#copies.set(key, copy)
    copy.catch(() => this.#copies.delete(key))
    return copy
  }

  async #laidOut(
    agent: string,
    commit: string,
    { home, files: stored }: NonNullable<AgentContext['stored']>,
  ): Promise<CopiedFiles> {
    const { runner, blobs } = this.#environment
    this.#folder ??= mkdtemp(join(tmpdir(), 'claude-agents-files-'))
    const base = await this.#folder
    const own = join(base, agent)
    const directories = {
      base,
      workspace: join(own, 'workspace'),
      home: join(own, 'home'),
      snapshots: join(own, 'files.git'),
    }
    const packs = (stored?.packs ?? []).map((pack) => ({ ...pack, read: () => bytesOf(blobs, pack.parts) }))
    const moved = { commit, packs, ...defined({ shallow: stored?.shallow }) }
    const outcome = await runner.files?.arrive({ agent, workspace: undefined, directories }, moved)
    if (outcome !== 'lost') return { commit, directories }
    throw new InvalidInputError({
      what: `The files of agent "${agent}"`,
      problem: 'they are not in the database',
      hint: `They are in the base directory of worker ${home.worker}: name it with --base-dir DIR there, or start that worker.`,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true })
  }
}
