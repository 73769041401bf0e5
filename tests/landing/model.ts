/** Repository, gate and agents as a model in memory, which outlives the process that lands there, and may kill it at any step. */
import type { AgentRunner } from '../../src/claude/runner.ts'
import { systemClock } from '../../src/clock.ts'
import { Landings, type LandingsEnvironment } from '../../src/landing/landings.ts'
import { hostLogger } from '../../src/logger.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { type CrashPoint, MortalStore } from '../../src/testing/mortal-store.ts'
import type { LandingOperations } from '../../src/workspaces/files/landing.ts'

type Files = Readonly<Record<string, string>>

interface ModelCommit {
  readonly parents: readonly string[]
  readonly files: Files
  /** The entry that it merges. */
  readonly entry?: string
}

/** What an agent does when it is asked to mend its work. */
export type Mends = 'well' | 'badly' | 'not' | 'fails'

export interface ModelAgent {
  readonly id: string
  readonly files: Files
  readonly mends: Mends
}

const GATE = 'green'

/** No file is bad, and two that are fine alone may not be together. */
export const isGreen = (files: Files): boolean => {
  const values = Object.values(files)
  return !values.includes('bad') && !(values.includes('p') && values.includes('q'))
}

export class ModelWorld {
  readonly commits = new Map<string, ModelCommit>([['c0', { parents: [], files: { base: '0' } }]])
  readonly branches = new Map<string, string>([['main', 'c0']])
  readonly asked = new Map<string, Promise<void>>()
  /** How often the gate was run. */
  judged = 0
  /** What is wrong with what has happened. */
  readonly wrong: string[] = []
  readonly agents: readonly ModelAgent[]
  isCheckedOut = false
  #merges = new Map<string, string>()

  constructor(agents: readonly ModelAgent[]) {
    this.agents = agents
    for (const { id, files } of agents)
      this.branches.set(id, this.add({ parents: ['c0'], files: { base: '0', ...files } }))
  }

  add(commit: ModelCommit): string {
    const id = `c${this.commits.size}`
    this.commits.set(id, commit)
    return id
  }

  at(commit: string): ModelCommit {
    return this.commits.get(commit) ?? { parents: [], files: {} }
  }

  history(commit: string): ReadonlySet<string> {
    const seen = new Set<string>()
    const left = [commit]
    for (let next = left.pop(); next !== undefined; next = left.pop())
      if (!seen.has(next)) {
        seen.add(next)
        left.push(...this.at(next).parents)
      }
    return seen
  }

  /** The user commits a file of their own. */
  userCommits(value: string): void {
    const tip = this.branches.get('main') ?? ''
    this.branches.set('main', this.add({ parents: [tip], files: { ...this.at(tip).files, user: value } }))
  }

  merged(ours: string, theirs: string): { readonly files: Files; readonly conflicts: readonly string[] } {
    const own = this.history(ours)
    const common = [...this.history(theirs)].filter((commit) => own.has(commit))
    const base = common.reduce((one, other) => (this.history(other).has(one) ? other : one), 'c0')
    const [was, is, other] = [base, ours, theirs].map((commit) => this.at(commit).files) as [
      Files,
      Files,
      Files,
    ]
    const files: Record<string, string> = {}
    const conflicts: string[] = []
    for (const path of new Set([...Object.keys(is), ...Object.keys(other)])) {
      const isConflict = is[path] !== was[path] && other[path] !== was[path] && is[path] !== other[path]
      const value = isConflict ? 'marked' : is[path] === was[path] ? other[path] : is[path]
      if (isConflict) conflicts.push(path)
      if (value !== undefined) files[path] = value
    }
    return { files, conflicts }
  }

  /** One process: its operations end with it. `turn` is called before and after each. */
  operations(turn: () => Promise<void>): LandingOperations {
    const step =
      <T>(work: () => T) =>
      async (): Promise<T> => {
        await turn()
        const result = work()
        await turn()
        return result
      }
    return {
      queueOf: async () => 'shop-0',
      targetOf: async () => 'main',
      tipOf: (_, branch) => step(() => this.branches.get(branch) ?? null)(),
      contains: (_, commit, part) => step(() => this.history(commit).has(part))(),
      isOnBranch: (_, commit) =>
        step(() => [...this.branches.values()].some((tip) => this.history(tip).has(commit)))(),
      marked: async (commit, paths) => paths.filter((path) => this.at(commit).files[path] === 'marked'),
      merge: (_, onto, works) =>
        step(() => {
          const commits: { entry: string; commit: string }[] = []
          const contained: string[] = []
          let last = onto
          for (const { entry, head, squash } of works) {
            if (this.history(onto).has(head)) {
              contained.push(entry)
              continue
            }
            const { files, conflicts } = this.merged(last, head)
            if (conflicts.length > 0)
              return { commits, contained, conflict: { entry, tree: '', conflicts, said: '' } }
            last = this.add({ parents: squash ? [last] : [last, head], files, entry })
            commits.push({ entry, commit: last })
          }
          return { commits, contained, conflict: null }
        })(),
      judge: (_, commit) =>
        step(() => {
          this.judged += 1
          const isFine = isGreen(this.at(commit).files)
          return { exitCode: isFine ? 0 : 1, output: isFine ? '' : 'it is red' }
        })(),
      move: ({ target, tip, commit, name }) =>
        step(() => {
          const now = this.branches.get(target) ?? ''
          if (this.history(now).has(commit))
            return { outcome: 'moved', branch: target, advice: null } as const
          if (now !== tip) return { outcome: 'missed' } as const
          if (!isGreen(this.at(commit).files)) this.wrong.push(`${target} moves to ${commit}, which is red`)
          const first = `claude-agents/landed/${target}`
          const before = this.branches.get(first)
          const isFree = before === undefined || this.history(commit).has(before)
          const branch = !this.isCheckedOut ? target : isFree ? first : `${first}-${name}`
          this.branches.set(branch, commit)
          return {
            outcome: 'moved',
            branch,
            advice: this.isCheckedOut ? `git merge ${branch}` : null,
          } as const
        })(),
    }
  }

  agent(id: string, turn: () => Promise<void>) {
    const found = this.agents.find((agent) => agent.id === id)
    if (!found) throw new Error(`no agent ${id}`)
    const workspace = { repo: '/shop', base: 'HEAD', commit: 'c0', branch: id }
    return {
      id,
      snapshot: { context: { config: { workspace }, current: null } },
      start() {},
      settled: async () => {},
      cancel: async () => true,
      record: async () => [],
      ask: async (_: unknown, { taskId }: { taskId: string }) => {
        await turn()
        const known = this.asked.get(taskId) ?? this.#mended(found)
        this.asked.set(taskId, known)
        await known
        await turn()
      },
    }
  }

  async #mended({ id, mends }: ModelAgent): Promise<void> {
    const tip = this.branches.get(id) ?? ''
    const { files } = this.at(tip)
    if (mends === 'fails') throw new Error('the agent has failed')
    if (mends === 'not') return
    const value = mends === 'badly' ? 'bad' : `mended by ${id}`
    const faulty = (text: string) => ['marked', 'bad', 'p', 'q'].includes(text)
    const mended = Object.entries(files).map(([path, text]) => [path, faulty(text) ? value : text])
    this.branches.set(id, this.add({ parents: [tip], files: Object.fromEntries(mended) }))
  }

  files(turn: () => Promise<void>): AgentRunner['files'] {
    return {
      head: async ({ workspace }: { workspace: { branch: string } }) => {
        await turn()
        return this.branches.get(workspace.branch) ?? ''
      },
      mergeIn: async (
        { workspace: { branch } }: { workspace: { branch: string } },
        commit: string,
        { name }: { name: string },
      ) => {
        await turn()
        const tip = this.branches.get(branch) ?? ''
        const known = this.#merges.get(name)
        if (known === undefined && this.history(tip).has(commit)) return { conflicts: [], restored: {} }
        const { files, conflicts } = this.merged(tip, commit)
        if (known !== undefined && this.history(tip).has(known)) {
          const [one = '', other = ''] = this.at(known).parents
          return { conflicts: this.merged(one, other).conflicts, restored: {} }
        }
        const merged = this.add({ parents: [tip, commit], files })
        this.#merges.set(name, merged)
        this.branches.set(branch, merged)
        await turn()
        return { conflicts, restored: {} }
      },
    } as unknown as AgentRunner['files']
  }
}

export interface Death {
  /** At which step of git or of an agent, from 1; or at which append. */
  readonly step?: number
  readonly crash?: CrashPoint
}

/** A process that lands in the world. Its landings never settle once it has died. */
export function landingProcess(world: ModelWorld, lasting: EventStore, death: Death = {}) {
  const mortal = new MortalStore(lasting, death.crash ? { crash: death.crash } : {})
  let steps = 0
  const turn = async () => {
    steps += 1
    if (steps === death.step) mortal.die()
    await mortal.whileAlive(async () => {})
  }
  let ids = 0
  const environment = {
    store: mortal.store,
    clock: systemClock,
    logger: hostLogger(undefined),
    operations: world.operations(turn),
    runner: { files: world.files(turn) },
    directories: () => ({ workspace: '', home: '' }),
    agent: async (id: string) => world.agent(id, turn),
    agentsOf: async () => [],
    newId: () => `${++ids}`,
  } as unknown as LandingsEnvironment
  return {
    landings: new Landings(environment),
    mortal,
    get steps() {
      return steps
    },
  }
}

export { GATE }
