/** A random script from a seed. */
import type { AgentOptions } from '../../events/options/agent.ts'
import { ERRORS } from './behaviour.ts'
import { type Random, randomOf } from './random.ts'
import { ORDERS } from './schedule.ts'
import {
  type Action,
  type FaultName,
  type Happening,
  NESTING_KINDS,
  type Nesting,
  type Script,
  type Tree,
} from './script.ts'

export interface GenerateOptions {
  readonly seed: number
  readonly steps: number
  readonly faults: ReadonlySet<FaultName>
  readonly agents: readonly AgentOptions[]
  /** The names of workflows to run instead of random ones. */
  readonly workflows: readonly string[]
  /** How many actors of the user's own there are, by name. */
  readonly actors: readonly string[]
}

/** Errors with which the account asks to wait: a task that got them for ever would never end. */
const PASSING = new Set(['RateLimitedError', 'OverloadedError'])

export function generate(options: GenerateOptions): Script {
  const { seed, steps } = options
  const random = randomOf(seed, 'script')
  const agents = options.agents.map((agent) => agentOf(agent, random))
  const tree = random.chance(0.35)
    ? treeOf(
        agents.map(({ id }) => id),
        random,
      )
    : null
  const writer = new Writer(random, options, tree !== null)
  return {
    seed,
    order: random.pick(ORDERS),
    agents,
    limits: {
      mailbox: random.pick([2, 4, 20]),
      ...(random.chance(0.5) ? { callsInFlight: random.between(1, 3) } : {}),
    },
    sessionPersistence: random.chance(0.8),
    budget: random.chance(0.3) ? { usd: random.between(1, 20) / 100 } : null,
    tree,
    actions: Array.from({ length: steps }, () => ({ gap: gapOf(random), ...writer.next() })) as Action[],
  }
}

/** Of the worlds: one is enough. */
const TOPIC = 'topic/news'

/** How much goes on before the next action: often nothing, so that actions meet. */
const gapOf = (random: Random) => random.pick([0, 0, 0, 1, 2, 3, 5, 8, 13, 21, 60])

function agentOf(given: AgentOptions, random: Random): AgentOptions {
  return {
    timeoutMs: random.pick([500, 5_000, 300_000]),
    retry: { attempts: random.between(0, 3), minDelayMs: random.pick([0, 10, 1000]) },
    ...(random.chance(0.2) ? { budget: { usd: random.between(1, 12) / 100 } } : {}),
    onMessage: random.pick(['queue', 'queue', 'wake', 'hold']),
    ...given,
  }
}

function treeOf(agents: readonly string[], random: Random): Tree {
  const members = Array.from({ length: random.between(1, 3) }, (_, number) => ({
    id: `m${number}`,
    ...(random.chance(0.3) ? { stopsAfterMs: random.pick([10, 200]) } : {}),
  }))
  const supervised = agents.slice(0, random.between(0, 2)).map((agent) => ({ agent, id: agent }))
  return {
    strategy: random.pick(['one-for-one', 'one-for-all', 'rest-for-one']),
    intensity: { maxRestarts: random.between(0, 4), withinMs: random.pick([10, 1000, 60_000]) },
    backoffMs: random.chance(0.4) ? random.pick([1, 50, 700]) : null,
    children: [...members, ...supervised].map((child) => ({
      ...child,
      restart: random.pick(['permanent', 'permanent', 'transient', 'temporary']),
    })),
  }
}

/** Writes one action after the other, and remembers the names in it. */
class Writer {
  readonly #random: Random
  readonly #options: GenerateOptions
  readonly #tasks: Extract<Happening, { do: 'ask' }>[] = []
  readonly #runs: Extract<Happening, { do: 'run' }>[] = []
  readonly #kinds: readonly (readonly [weight: number, write: () => Happening | undefined])[]
  readonly #agents: readonly string[]
  #forks = 0
  readonly #sent: Extract<Happening, { do: 'send' }>[] = []
  #writes = 0

  constructor(random: Random, options: GenerateOptions, hasTree: boolean) {
    this.#random = random
    this.#options = options
    const has = (fault: FaultName) => (options.faults.has(fault) ? 1 : 0)
    const tree = hasTree ? 1 : 0
    const { pick, between, chance } = random
    const agents = options.agents.map(({ id }) => id)
    this.#agents = agents
    const agent = () => pick(agents)
    const child = () => pick(['m0', 'm0', 'm1', 'm2', ...agents.slice(0, 2)])
    this.#kinds = [
      [22, () => this.#ask()],
      [4, () => this.#again()],
      [2, () => this.#conflict()],
      [2, () => this.#ofTask('wait for reply')],
      [5, () => this.#ofTask('cancel')],
      [8, () => this.#run()],
      [3, () => this.#ofRun('run again')],
      [1, () => this.#ofRun('pause run')],
      [1, () => this.#ofRun('cancel run')],
      [2, () => this.#ofRun('resume run')],
      [1, () => this.#ofRun('plan run')],
      [1, () => this.#ofRun('fork run')],
      [1, () => ({ do: 'reset', agent: agent() })],
      [1, () => ({ do: 'stop', agent: agent() })],
      [1, () => ({ do: 'remove', agent: agent() })],
      [2, () => ({ do: 'create', agent: agent() })],
      [1, () => ({ do: 'configure', agent: agent(), retries: between(0, 3) })],
      [1, () => ({ do: 'fork', agent: agent(), as: `f${++this.#forks}` })],
      [4, () => this.#budget()],
      [3, () => ({ do: 'approve', nth: between(0, 3) })],
      [1, () => ({ do: 'reject', nth: between(0, 3) })],
      [6, () => this.#tell()],
      [1, () => this.#ofActor(pick(['stop actor', 'kill actor']))],
      [7, () => this.#send()],
      [2, () => this.#subscribe()],
      [2, () => ({ do: 'write note', note: 'n', write: ++this.#writes, over: between(0, 4) })],
      [3 * tree, () => ({ do: 'supervise' })],
      [5 * tree, () => ({ do: 'end child', child: child(), reason: pick(['crashed', 'crashed', 'normal']) })],
      [1 * tree, () => ({ do: 'terminate child', child: child() })],
      [1 * tree, () => ({ do: 'restart child', child: child() })],
      [1 * tree, () => ({ do: 'delete child', child: child() })],
      [1 * tree, () => ({ do: 'start child', child: child() })],
      [1 * tree, () => ({ do: 'refuse starts', child: child(), times: between(1, 3) })],
      [0.5 * tree, () => ({ do: 'stop supervisor' })],
      [3, () => ({ do: 'wait', ms: pick([1, 20, 100, 1000, 60_000]) })],
      [3 * has('crashes'), () => ({ do: 'crash' })],
      [
        4 * has('crashes'),
        () => ({ do: 'crash at append', append: between(1, 12), when: chance(0.5) ? 'before' : 'after' }),
      ],
      [2 * has('full disks'), () => ({ do: 'fill the disk', ms: pick([1, 100, 3000]) })],
      [1 * has('clocks'), () => ({ do: 'set the clock', ms: pick([-3_600_000, -1000, 1000, 3_600_000]) })],
      [0.7, () => ({ do: 'drain', ms: pick([0, 50, 30_000]) })],
      [1.5, () => ({ do: 'close' })],
    ]
  }

  next(): Happening {
    const total = this.#kinds.reduce((sum, [weight]) => sum + weight, 0)
    for (;;) {
      let left = this.#random.next() * total
      for (const [weight, write] of this.#kinds) {
        left -= weight
        if (left >= 0) continue
        const happening = write()
        if (happening) return happening
        break
      }
    }
  }

  #ask(): Happening {
    const { pick, chance } = this.#random
    const task = `t${this.#tasks.length + 1}`
    const throws = this.#options.faults.has('listeners') && chance(0.1)
    const ask: Extract<Happening, { do: 'ask' }> = {
      do: 'ask',
      agent: pick(this.#agents),
      task,
      prompt: `${task} ${this.#behaviour()}`,
      ...(chance(0.2) ? { session: 'fresh' as const } : {}),
      ...(chance(0.1) ? { approval: true } : {}),
      ...(throws ? { throws } : {}),
    }
    this.#tasks.push(ask)
    return ask
  }

  #behaviour(): string {
    const { pick, chance, between } = this.#random
    const after = `after ${pick([1, 5, 30, 200, 4000])} ms`
    const late = chance(0.3) ? ', late' : ''
    const lost = chance(0.3) ? ', and is lost' : ''
    if (!this.#options.faults.has('calls') || chance(0.65)) return `answers ${after}${late}${lost}`
    if (chance(0.15)) return `hangs${lost}`
    const tag = pick(ERRORS)
    const times = PASSING.has(tag) || chance(0.5) ? ` ${between(1, 2)} times` : ''
    return `fails with ${tag}${times} ${after}${lost}`
  }

  #again(): Happening | undefined {
    return this.#tasks.length === 0 ? undefined : this.#random.pick(this.#tasks)
  }

  #conflict(): Happening | undefined {
    const ask = this.#again()
    return ask?.do === 'ask' ? { ...ask, prompt: `${ask.task} answers otherwise` } : undefined
  }

  #ofTask(what: 'wait for reply' | 'cancel'): Happening | undefined {
    if (this.#tasks.length === 0) return undefined
    const { agent, task } = this.#random.pick(this.#tasks.slice(-4))
    return { do: what, agent, task }
  }

  #run(): Happening {
    const run = `r${this.#runs.length + 1}`
    const { workflows } = this.#options
    const pattern =
      workflows.length > 0
        ? { workflow: this.#random.pick(workflows) }
        : nestingOf(this.#agents, this.#random, 2)
    const happening: Extract<Happening, { do: 'run' }> = { do: 'run', run, pattern, input: `go ${run}` }
    this.#runs.push(happening)
    return happening
  }

  #ofRun(
    what: 'run again' | 'pause run' | 'cancel run' | 'resume run' | 'plan run' | 'fork run',
  ): Happening | undefined {
    if (this.#runs.length === 0) return undefined
    const known = this.#random.pick(this.#runs.slice(-3))
    const { run } = known
    if (what === 'run again') return known
    if (what !== 'fork run') return { do: what, run }
    return { do: what, run, at: this.#random.between(1, 3), as: `f${++this.#forks}` }
  }

  #budget(): Happening {
    const { pick, between } = this.#random
    const usd = pick([null, between(1, 30) / 100, between(1, 100) / 100])
    const whose = pick(['all', 'all', 'agent', 'run'])
    if (whose === 'agent') return { do: 'set budget', agent: pick(this.#agents), usd }
    const run = this.#runs.at(-1)?.run
    return whose === 'run' && run !== undefined ? { do: 'set budget', run, usd } : { do: 'set budget', usd }
  }

  #tell(): Happening | undefined {
    const { actors, faults } = this.#options
    if (actors.length === 0) return undefined
    const throws = faults.has('listeners') && this.#random.chance(0.1)
    return {
      do: 'tell',
      actor: this.#random.pick(actors),
      command: this.#random.between(0, 1_000_000),
      ...(throws ? { throws } : {}),
    }
  }

  /** Some are sent again. */
  #send(): Happening {
    const { pick, chance } = this.#random
    const again = chance(0.2) && this.#sent.length > 0
    if (again) return pick(this.#sent)
    const to = pick([...this.#agents, ...this.#agents, ...this.#options.actors, TOPIC])
    const from = chance(0.2) ? null : pick(this.#agents)
    const sent = { do: 'send' as const, from, to, message: this.#sent.length + 1 }
    this.#sent.push(sent)
    return sent
  }

  #subscribe(): Happening {
    const { pick } = this.#random
    const subscriber = pick([...this.#agents, ...this.#options.actors])
    return { do: pick(['subscribe', 'subscribe', 'unsubscribe']), subscriber, topic: 'news' }
  }

  #ofActor(what: 'stop actor' | 'kill actor'): Happening | undefined {
    const { actors } = this.#options
    return actors.length === 0 ? undefined : { do: what, actor: this.#random.pick(actors) }
  }
}

function nestingOf(agents: readonly string[], random: Random, depth: number): Nesting {
  const part = (): Nesting => {
    if (depth > 0 && random.chance(0.35)) return nestingOf(agents, random, depth - 1)
    return random.chance(0.15) ? { pool: random.pick(agents), size: 2 } : { agent: random.pick(agents) }
  }
  return {
    kind: random.pick(NESTING_KINDS),
    parts: Array.from({ length: random.between(1, 3) }, part),
    number: random.between(0, 2),
  }
}
