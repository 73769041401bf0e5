/** The kinds of faults. Each is done to a cluster under load, and makes good again what it has done. */
import { isLong } from '../../repetitions.ts'
import type { ChaosCluster, Worker } from './cluster.ts'

export interface Fault {
  /** One word, of which ids are made. */
  readonly key: string
  readonly name: string
  /** How long calls take that begin before it. */
  readonly callSeconds: number
  /** Whether no call may begin twice. Otherwise each may that was in flight, once. */
  readonly isGraceful: boolean
  /** Whether it is done to the worker in a network namespace, which therefore needs an agent. */
  readonly isAway?: boolean
  /** @param random A number below another one. */
  readonly inject: (cluster: ChaosCluster, random: (below: number) => number) => Promise<Harm>
}

/** What was seen of it. */
export interface Harm {
  /** How many calls it met. */
  readonly inFlight: number
  /** Each in ms. */
  readonly figures?: Readonly<Record<string, readonly number[]>>
  readonly findings?: readonly string[]
}

/** After this, others have what a worker had that was not heard of. */
const LOCK_MS = 30_000
/** By then a worker that is cut off has ended its calls: others may have what it had. */
const ENDED_MS = (LOCK_MS * 2) / 3
/** Longer than anything waits for it. */
const ENDLESS = 45

/** How many calls run anywhere. */
const inFlight = async (cluster: ChaosCluster) =>
  (await Promise.all(cluster.workers.map((worker) => cluster.running(worker)))).flat().length

/** A worker is not heard of for longer than the lock; its calls would take longer than that, and begin again elsewhere. */
async function cutOff(
  cluster: ChaosCluster,
  worker: Worker,
  random: (below: number) => number,
  {
    cut,
    mend,
    ends,
  }: { cut(): void; mend(): Promise<void> | void; ends: 'while it is cut off' | 'when it wakes up' },
): Promise<Harm> {
  const held = await cluster.running(worker)
  await cluster.calls(1)
  cut()
  const since = performance.now()
  const cutAt = Date.now()
  const ended = async () => {
    while ((await cluster.running(worker)).some(({ callId }) => held.some((call) => call.callId === callId)))
      await cluster.pause(100)
    return performance.now() - since
  }
  const longest = LOCK_MS + 3000 + random(3000)
  if (ends === 'when it wakes up') {
    await cluster.pause(longest)
    await mend()
    const woken = performance.now() - since
    const figures = { 'calls ended after waking up': held.length ? [(await ended()) - woken] : [] }
    return { inFlight: held.length, figures }
  }
  const endedAfter = held.length
    ? await Promise.race([ended(), cluster.pause(ENDED_MS + 2000, Number.NaN)])
    : 0
  await cluster.pause(Math.max(0, longest - (performance.now() - since)))
  await mend()
  const isLate = !(endedAfter <= ENDED_MS)
  const endedAt = cutAt + endedAfter
  const tasks = new Set(held.map(({ taskId }) => taskId))
  const early = (await cluster.starts()).filter(
    ({ taskId, at, worker: by }) => tasks.has(taskId) && by !== worker.name && at > cutAt && at < endedAt,
  )
  return {
    inFlight: held.length,
    figures: held.length ? { 'calls ended after the cut': [endedAfter] } : {},
    findings: [
      ...(isLate ? [`${worker.name} was cut off, and its calls still ran after ${ENDED_MS} ms`] : []),
      ...early.map(
        ({ taskId, worker: by }) => `${taskId} began in ${by} before it had ended in ${worker.name}`,
      ),
    ],
  }
}

/** Resolves when the calls that were lost have begun again. */
const KILL: Fault = {
  key: 'kill',
  name: 'kill -9',
  callSeconds: 2,
  isGraceful: false,
  async inject(cluster, random) {
    const victim = await cluster.busy()
    await cluster.pause(random(500))
    const held = await cluster.running(victim)
    const at = Date.now()
    victim.child.kill('SIGKILL')
    return { inFlight: held.length, figures: { 'take-over': await takeOver(cluster, held, at) } }
  },
}

const cutFromDatabase = (key: 'silence' | 'refuse', how: string): Fault => ({
  key,
  name: `cut off from PostgreSQL, ${how}`,
  callSeconds: ENDLESS,
  isGraceful: false,
  async inject(cluster, random) {
    const victim = await cluster.busy()
    const { [key]: cut, mend } = victim.way
    return cutOff(cluster, victim, random, { cut, mend, ends: 'while it is cut off' })
  },
})

export const FAULTS: readonly Fault[] = [
  KILL,
  {
    key: 'freeze',
    name: 'SIGSTOP for longer than the lock',
    callSeconds: ENDLESS,
    isGraceful: false,
    async inject(cluster, random) {
      const victim = await cluster.busy()
      return cutOff(cluster, victim, random, {
        cut: () => void victim.child.kill('SIGSTOP'),
        mend: () => void victim.child.kill('SIGCONT'),
        ends: 'when it wakes up',
      })
    },
  },
  cutFromDatabase('silence', 'half-open'),
  cutFromDatabase('refuse', 'refused'),
  {
    key: 'crash',
    name: 'PostgreSQL killed and restarted',
    callSeconds: 2,
    isGraceful: false,
    async inject(cluster, random) {
      await cluster.pause(random(2000))
      const met = await inFlight(cluster)
      await cluster.server.kill()
      await cluster.pause(random(4000))
      await cluster.server.start()
      return { inFlight: met }
    },
  },
  {
    key: 'backends',
    name: 'backends terminated',
    callSeconds: 2,
    isGraceful: false,
    async inject(cluster, random) {
      let met = 0
      for (let times = 1 + random(4); times > 0; times--) {
        await cluster.pause(random(1500))
        met += await inFlight(cluster)
        await cluster.disconnectAll()
      }
      return { inFlight: met }
    },
  },
  {
    key: 'drain',
    name: 'SIGTERM and join with long calls',
    callSeconds: isLong ? 30 : 5,
    isGraceful: true,
    async inject(cluster, random) {
      const victim = await cluster.busy()
      await cluster.pause(random(2000))
      const held = await cluster.running(victim)
      victim.child.kill('SIGTERM')
      await cluster.join(victim.isAway)
      await victim.exited
      return { inFlight: held.length }
    },
  },
  {
    key: 'flap',
    name: 'shards that flap',
    // Some of them begin in a worker that joins, or end in one that leaves.
    callSeconds: 10,
    isGraceful: true,
    async inject(cluster, random) {
      let met = 0
      for (let times = 2 + random(2); times > 0; times--) {
        const guest = await cluster.join()
        await cluster.pause(random(1500))
        met += await inFlight(cluster)
        guest.child.kill('SIGTERM')
        if (random(2) === 0) await guest.exited
      }
      return { inFlight: met }
    },
  },
  {
    key: 'link',
    name: 'the link to a network namespace cut',
    callSeconds: ENDLESS,
    isGraceful: false,
    isAway: true,
    async inject(cluster, random) {
      const { away } = cluster
      const victim = await cluster.busy(1, ({ isAway }) => isAway)
      if (!away) return { inFlight: 0 }
      return cutOff(cluster, victim, random, { ...away, ends: 'while it is cut off' })
    },
  },
]

/** How long after its worker had died each of its calls began again. */
async function takeOver(
  cluster: Pick<ChaosCluster, 'starts' | 'pause'>,
  held: readonly { readonly taskId: string }[],
  diedAt: number,
): Promise<readonly number[]> {
  for (;;) {
    const starts = await cluster.starts()
    const again = held.map(
      ({ taskId }) => starts.find((start) => start.taskId === taskId && start.at > diedAt)?.at,
    )
    if (again.every((at) => at !== undefined)) return again.map((at) => (at ?? 0) - diedAt)
    await cluster.pause(50)
  }
}
