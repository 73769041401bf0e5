/** What has work in this worker and no caller: agents with tasks, runs, schedules and topics. Each is found in the log, and kept at work. */
import { requiredLabels } from '../actors/agent/list.ts'
import { foldStream } from '../actors/engine/history.ts'
import { UnreadableStreams } from '../actors/engine/unreadable.ts'
import { steadyTime, systemClock } from '../clock.ts'
import type { Logger } from '../logger.ts'
import { runKind } from '../patterns/runs/machine.ts'
import { portable } from '../patterns/runs/options.ts'
import type { EventStore } from '../store/event-store.ts'
import type { ClusterClient } from './client.ts'
import type { WorkerDuties } from './duties.ts'
import { CUT_OFF_AFTER_MS } from './handover/lease.ts'
import { BEAT_MS, every } from './handover/presence.ts'
import { addressIn } from './labels/groups.ts'
import type { Residents } from './residents.ts'
import type { RunResidents } from './run-residents.ts'

interface WakingEnvironment {
  readonly store: EventStore
  readonly client: ClusterClient
  readonly residents: Pick<Residents, 'lostFor' | 'regain'>
  readonly runs: Pick<RunResidents, 'lostFor' | 'regain' | 'waiting'>
  readonly duties: Pick<WorkerDuties, 'tendSchedules' | 'tendTopics'>
  /** The group of shards of those that require these labels; undefined if this worker does not serve it. */
  readonly groupOf: (requires: readonly string[]) => string | undefined
  /** Whether what has an address is for this worker. */
  readonly isMine: (address: string) => boolean
  readonly logger: Logger
}

/** How often it is tried to build the workflow of a run that waits. */
const LOOKED_AT_AGAIN_MS = 60_000

export class Waking {
  readonly #environment: WakingEnvironment
  readonly #unreadable: UnreadableStreams
  /** What is under way to keep something here, each by a name of its own. */
  readonly #kept = new Set<string>()
  /** The runs that only the program that has started them can execute, and those that wait: when to look at each again. */
  readonly #left = new Map<string, number>()
  readonly #stop: () => Promise<void>
  #isOver = false

  constructor(environment: WakingEnvironment) {
    const { logger } = environment
    this.#environment = environment
    this.#unreadable = new UnreadableStreams(logger)
    // What hangs in there must not keep the worker from saying that it lives.
    this.#stop = every(systemClock, BEAT_MS, async () => {
      if (this.#isOver) return
      await this.#wake().catch((error) => logger.warn({ error }, 'agents with work could not be looked for'))
    })
  }

  /** Begins nothing more. */
  end(): void {
    this.#isOver = true
  }

  /** Resolves when it does nothing any more. */
  stop(): Promise<void> {
    this.end()
    return this.#stop()
  }

  async #wake(): Promise<void> {
    const { store, duties, isMine } = this.#environment
    this.#regain()
    for await (const { stream, version, summary } of store.streams({ prefix: 'agent/', open: true })) {
      if (this.#isOver) return
      this.#wakeAgent({ stream, version }, requiredLabels(summary)?.now ?? [])
    }
    for await (const { stream, version } of store.streams({ prefix: 'run/', open: true })) {
      if (this.#isOver) return
      await this.#wakeRun({ stream, version })
    }
    if (!this.#isOver) await duties.tendSchedules(isMine)
    if (!this.#isOver) await duties.tendTopics(isMine)
  }

  #wakeAgent(head: Head, requires: readonly string[]): void {
    const { client, groupOf, isMine } = this.#environment
    const id = idIn(head.stream)
    const group = groupOf(requires)
    if (group === undefined || !isMine(addressIn(group, id))) return
    this.#keep(`${group} ${head.stream}`, () =>
      this.#unreadable.unless(head, () => client.command(id, 'start', [], requires)),
    )
  }

  async #wakeRun(head: Head): Promise<void> {
    const { store, isMine } = this.#environment
    const id = idIn(head.stream)
    if (!isMine(id) || (this.#left.get(id) ?? 0) > steadyTime(systemClock)) return
    await this.#unreadable.unless(head, async () => {
      if (await isOfItsProgram(store, head.stream)) this.#lookLater(id)
      else this.#keep(head.stream, () => this.#drive(id))
    })
  }

  async #drive(run: string): Promise<void> {
    const { client, runs } = this.#environment
    await client.runCommand(run, 'drive', [])
    if (Object.hasOwn(runs.waiting, run)) this.#lookLater(run)
  }

  #lookLater(run: string): void {
    this.#left.set(run, steadyTime(systemClock) + LOOKED_AT_AGAIN_MS)
  }

  /** The engine says that they are here, and nothing else has had them for long. */
  #regain(): void {
    const { residents, runs, logger } = this.#environment
    // Each by itself: one may have to wait for another worker.
    for (const [what, here] of Object.entries({ agent: residents, run: runs }))
      for (const id of here.lostFor(CUT_OFF_AFTER_MS))
        this.#keep(`lost ${what} ${id}`, () =>
          here
            .regain(id)
            .catch((error) =>
              logger.warn({ [what]: id, error }, 'what was lost here could not be claimed again'),
            ),
        )
  }

  #keep(name: string, request: () => Promise<unknown>): void {
    if (this.#kept.has(name)) return
    this.#kept.add(name)
    void request()
      .catch(() => {})
      .finally(() => this.#kept.delete(name))
  }
}

interface Head {
  readonly stream: string
  readonly version: number
}

const idIn = (stream: string) => stream.slice(stream.indexOf('/') + 1)

/** Whether the workflow of a run is code, as of its last execution. */
async function isOfItsProgram(store: EventStore, stream: string): Promise<boolean> {
  const { context } = (await foldStream(runKind, store, stream)).snapshot
  return portable(context.workflow) === null
}
