/** Workers and clients as orchestrators of this process that share a log, and the way between them without the engine. */
import { onTestFinished } from 'vitest'
import type { Placement } from '../../src/actors/agent/moving/placement.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { ClusterClient, clusterPlacement, type Transport } from '../../src/cluster/client.ts'
import { type ClaimedLog, executionOf, withClaims } from '../../src/cluster/handover/claims.ts'
import { EVERYWHERE } from '../../src/cluster/labels/groups.ts'
import type { EntityKind } from '../../src/cluster/requests.ts'
import { type LabelPlaces, Residents } from '../../src/cluster/residents.ts'
import { RunResidents } from '../../src/cluster/run-residents.ts'
import { clusterRuns, noDrivers } from '../../src/cluster/runs.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { RunPlacement } from '../../src/patterns/runs/run.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'

/** Tries again in the next turn of the event loop: what moves is there at once. */
/** No agent requires labels. */
const noLabels = {
  of: async ({ agent }: { readonly agent: string }) => ({ address: agent, requires: [] }),
  gone: () => new Promise<void>(() => {}),
  before: async () => [],
  isNowhere: async () => false,
}

export const everywhere: LabelPlaces = {
  required: async () => undefined,
  groupOf: () => EVERYWHERE,
  isNowhere: async () => false,
  letGo: async () => {},
}

const hasty: Clock = { ...systemClock, after: (_, fire) => systemClock.after(0, fire) }

interface OneWorker {
  readonly orchestrator: Orchestrator
  readonly agent: Residents
  readonly run: RunResidents
}

export async function inOneProcess(
  count: number,
  script: ScriptedRunnerOptions = {},
  clock: Clock = systemClock,
) {
  const log = memoryStore()
  const store = (): EventStore => ({ ...log, async [Symbol.asyncDispose]() {} })
  const runner = scriptedRunner({ clock, ...script })
  const workers: OneWorker[] = []
  const places = new Map<string, number>()
  const placeOf = (kind: EntityKind, id: string) => {
    const place =
      places.get(`${kind}/${id}`) ?? [...id].reduce((sum, char) => sum + char.charCodeAt(0), 0) % count
    places.set(`${kind}/${id}`, place)
    return workers[place] as OneWorker
  }
  /** It was lost here before, and never left: the engine has ended that. */
  const forget = async (all: Residents | RunResidents, id: string) => {
    if ([...all.ids].includes(id)) await all.leave(id)
  }
  const entering = new Map<string, Promise<void>>()
  /** As the engine does it, what is asked for the first time comes to life before it is asked. */
  const here = async (kind: EntityKind, id: string) => {
    const { [kind]: all } = placeOf(kind, id)
    const key = `${places.get(`${kind}/${id}`)} ${kind}/${id}`
    const enter = async () => {
      await forget(all, id)
      await all.enter(id)
    }
    if (!all.has(id) && !entering.has(key))
      entering.set(
        key,
        enter().finally(() => entering.delete(key)),
      )
    await entering.get(key)
    return all
  }
  const transport: Transport = {
    command: async (kind, id, request) => (await here(kind, id)).command(id, request),
    async ask(kind, id, request) {
      const all = await here(kind, id)
      return all instanceof Residents ? all.ask(id, request) : all.follow(id, request)
    },
    async drafts(id) {
      return ((await here('agent', id)) as Residents).drafts(id)
    },
  }
  const open = async (runs: RunPlacement, claims: ClaimedLog<EventStore>, placement: Placement) => {
    const orchestrator = await Orchestrator.open({
      ...{ store: claims.store, runner, clock, resume: 'on-demand', random: () => 1 },
      placement: { ...placement, runs, claim: (stream) => claims.claim(stream) },
    })
    onTestFinished(() => orchestrator.close())
    return orchestrator
  }
  const clients: ClusterClient[] = []
  const newClient = () => {
    const client = new ClusterClient(transport, noLabels, hasty)
    clients.push(client)
    return client
  }
  onTestFinished(() => {
    for (const client of clients) client.close()
  })
  for (let index = 0; index < count; index++) {
    const claims = withClaims(store())
    const client = newClient()
    const runs = clusterRuns({
      ...{ client, store: claims.store, drivers: noDrivers },
      owns: (id) => run.has(id),
      execute: (id) => run.execute(id),
    })
    const orchestrator = await open(runs, claims, {
      ...clusterPlacement(client),
      owns: (id) => agent.has(id),
    })
    const agent: Residents = new Residents(orchestrator, claims as never, everywhere, 0)
    const run: RunResidents = new RunResidents(
      orchestrator as never,
      claims as never,
      `w${index}`,
      async () => {},
    )
    workers.push({ orchestrator, agent, run })
  }
  const current = (run: string) => placeOf('run', run).run
  const move = async (run: string) => {
    places.set(`run/${run}`, ((places.get(`run/${run}`) ?? 0) + 1) % count)
    await forget(current(run), run)
    void newClient()
      .runCommand(run, 'drive', [])
      .catch(() => {})
  }
  return {
    ...{ log, runner, workers, transport },
    async client() {
      const claims = withClaims(store())
      const client = newClient()
      const execute = (run: string) => claims.claim(executionOf(run))
      const own = { client, store: claims.store, drivers: noDrivers, owns: () => false, execute }
      return open(clusterRuns(own), claims, clusterPlacement(client))
    },
    /** Its worker hands a run over. */
    async drain(run: string) {
      await current(run).leave(run)
      await move(run)
    },
    /** Its worker is cut off: another one has the run, and it does not know. Returns what it does when it hears of that. */
    async lose(run: string) {
      const before = current(run)
      await move(run)
      return () => before.lose([run])
    },
  }
}
