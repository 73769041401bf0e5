/** `worker`, and `cluster workers | drain`: the processes in which the agents of a database live. */
import type { Command } from 'commander'
import { pause, steadyTime, systemClock } from '../../clock.ts'
import type { ClusterWorker } from '../../cluster/options.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { unplacedInWords } from '../agent/whereabouts.ts'
import { listedNames, zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { listenForInterruption } from '../interruption.ts'
import { openRunner } from '../runner.ts'
import { list } from '../terminal/list.ts'
import { terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function workerCommand(command: Command): void {
  command
    .description('run a worker: agents of the database live in it, together with those of other workers')
    .option('--listen <host:port>', 'where it listens for the others (default: a free port of 127.0.0.1)')
    .option('--advertise <host:port>', 'where the others reach it, if that is not where it listens')
    .option(
      '--insecure-listen',
      'let it listen where other machines reach it: nothing checks who connects, and who does can ask the agents',
    )
    .option('--label <name>', 'what it has that agents can require, such as gpu (repeatable)', listedNames)
    .option('--health <host:port>', 'where it answers /healthz, /readyz and /metrics')
    .option('--name <name>', 'its name in the cluster (default: where the others reach it)')
    .option('--shared-dir', 'all workers have this base directory, on a file system that they share')
    .option(
      '--drain <seconds>',
      'seconds that an agent may take to end its work before it moves (default: 15 minutes)',
      zeroOrMore,
    )
    .action(withGlobals(work))
}

export function clusterCommands(cluster: Command): void {
  cluster
    .command('workers')
    .description('list the workers: where they are, what they have, and how many agents live in each')
    .action(withGlobals(workers))
  cluster
    .command('drain <worker>')
    .description(
      'let a worker hand its agents over, each once its work has ended, and end it; waits for that',
    )
    .action(withGlobals(drain))
}

interface WorkOptions {
  readonly listen?: string
  readonly advertise?: string
  readonly insecureListen?: boolean
  readonly health?: string
  readonly label?: readonly string[]
  readonly name?: string
  readonly sharedDir?: boolean
  /** Seconds. */
  readonly drain?: number
}

async function work(
  globals: GlobalOptions,
  { drain: drainSeconds, label: labels, ...options }: WorkOptions,
): Promise<void> {
  const database = requireDatabase(globals, 'worker')
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const { baseDir, config } = globals
  const { drain, ...configured } = config.cluster ?? {}
  // It uses the package as programs do: the engine has to be there once.
  const { openWorker } = await import('../../entry-points/cluster.ts')
  const opened = await openRunner(globals, screen)
  try {
    const worker: ClusterWorker = await openWorker({
      ...configured,
      ...{ database, baseDir, runner: opened.runner, logger: opened.logger },
      ...defined({ maxAgents: config.maxAgents, limits: config.limits, agentDefaults: config.agentDefaults }),
      ...options,
      ...defined({ labels: labels ?? configured.labels, drainMs: inMs(drainSeconds ?? drain) }),
    })
    const { name, listen, health } = worker
    if (screen.json) screen.value(defined({ worker: name, listen, health, ready: true }))
    else {
      screen.line(
        inert(`Worker ${name} listens at ${listen} (Ctrl-C drains it, Ctrl-C again ends it at once)`),
      )
      if (health !== undefined) screen.line(inert(`Its health: http://${health}/healthz, /readyz, /metrics`))
    }
    const asked = new Promise<null>((resolve) =>
      interruption.signal.addEventListener('abort', () => resolve(null), { once: true }),
    )
    const why = await Promise.race([worker.ended, asked])
    // It was asked to end, and does.
    if (why === null) process.exitCode = 0
    if (why === null) screen.note(`draining: ${plural(worker.agents, 'agent')} may move to the other workers`)
    interruption
      .insistence()
      .addEventListener('abort', () => void worker.close({ now: true }), { once: true })
    await worker.close({ now: why !== null })
    if (why !== null) throw why
  } finally {
    interruption.stop()
    await opened[Symbol.asyncDispose]()
  }
}

const inMs = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1000)

function workers(globals: GlobalOptions): Promise<void> {
  return withMembers(globals, 'cluster workers', async (members) => {
    const none = 'The database has no worker. Start one: claude-agents worker --database URL'
    const screen = terminal(globals)
    list(screen, await members.list(), none, (all) =>
      all.map(({ worker, address, agents, since, draining, release, labels }) =>
        inert(
          `${worker} at ${address}: ${plural(agents, 'agent')}, since ${since}${release === '' ? '' : `, release ${release}`}${labels.length === 0 ? '' : `, with ${labels.join(', ')}`}${draining ? ', draining' : ''}`,
        ),
      ),
    )
    const unplaced = unplacedInWords(await members.unplaced())
    if (unplaced !== undefined) screen.note(inert(`There is ${unplaced}.`))
  })
}

/** How often it is asked whether the worker has left. */
const LOOK_MS = 200

function drain(globals: GlobalOptions, worker: string): Promise<void> {
  return withMembers(globals, 'cluster drain', async (members) => {
    const screen = terminal(globals)
    const interruption = listenForInterruption()
    const begun = steadyTime(systemClock)
    try {
      const { agents, since } = await members.drain(worker)
      const isThere = async () =>
        (await members.list()).find((member) => member.worker === worker && member.since === since)
      screen.progress(
        `${worker} hands over ${plural(agents, 'agent')} (Ctrl-C stops waiting, and nothing else)`,
      )
      for (let left = await isThere(); left; left = await isThere()) {
        await pause(systemClock, LOOK_MS, interruption.signal)
        if (interruption.signal.aborted)
          return screen.note(`${worker} continues to hand over ${plural(left.agents, 'agent')}.`)
      }
      const leftMs = Math.round(steadyTime(systemClock) - begun)
      if (screen.json) screen.value({ worker, moved: agents, leftMs })
      else
        screen.line(
          inert(`${worker} has left after ${(leftMs / 1000).toFixed(1)} s: ${plural(agents, 'agent')} moved`),
        )
    } finally {
      interruption.stop()
    }
  })
}

async function withMembers(
  globals: GlobalOptions,
  command: string,
  use: (members: import('../../cluster/worker-table.ts').WorkerTable) => Promise<void>,
): Promise<void> {
  const database = requireDatabase(globals, command)
  const { WorkerTable } = await import('../../cluster/worker-table.ts')
  await using members = await WorkerTable.at(database, PATIENCE_MS)
  await use(members)
}

const PATIENCE_MS = 10_000

/** Throws InvalidInputError. */
function requireDatabase({ database }: GlobalOptions, command: string): string {
  if (database !== undefined) return database
  throw new InvalidInputError({
    what: command,
    problem: 'workers share a database, and none is named',
    hint: 'Name it: --database URL, or CLAUDE_AGENTS_DATABASE.',
  })
}
