/**
 * Everything that goes wrong in a cluster, done to one again and again under load: real workers, a real PostgreSQL, and an
 * auditor that reads only the log and the starts of calls. ROUNDS sets how often each fault is done (`npm run faults`: 20
 * times), KINDS which ones, and SEED what happens when.
 */
import { appendFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { verifyDatabase } from '../../src/store/postgres/verification.ts'
import { hasPostgres } from '../postgres/database.ts'
import { few, isLong, repetitions } from '../repetitions.ts'
import { randomNumbers } from '../store/random-numbers.ts'
import { type ChaosCluster, chaosCluster } from './chaos/cluster.ts'
import { FAULTS, type Fault } from './chaos/faults.ts'
import { ASKED, createAll, load, STEPS } from './chaos/load.ts'
import { whyNoNamespace } from './chaos/namespace.ts'
import { answersAway, comeAndGo, spendUnderKills } from './chaos/scenarios.ts'

const ROUNDS = repetitions('ROUNDS', { short: 1, long: 20 })
const SEED = Number(process.env.SEED ?? 1)
const { FAULTS_REPORT } = process.env
/** In short, two of those that end in seconds, and all of them in CI: the others wait for a lock to expire. */
const SHORT = few(2, ['kill', 'moves', 'crash', 'backends', 'drain', 'budget']).join()

/** What a call costs, in dollars. Sums of it are exact. */
const PRICE = isLong ? 0.125 : 0.5

const isDivided = isLong && !whyNoNamespace()
const { KINDS = isLong ? '' : SHORT } = process.env
const isChosen = (key: string) => KINDS === '' || KINDS.split(',').includes(key)
const chosen = FAULTS.filter(({ key }) => isChosen(key) && (isDivided || key !== 'link'))

/** One round: a load, the fault in the midst of it, and what the auditor says when all is over. */
async function round(cluster: ChaosCluster, fault: Fault, number: number) {
  const random = randomNumbers(SEED * 1000 + number)
  await cluster.complete()
  if (fault.isAway) await answersAway(cluster, `${fault.key}-${number}-before`)
  await cluster.calls(fault.callSeconds)
  const { answered, acknowledged, tasks } = load(cluster.team, `${fault.key}-${number}`)
  answered.catch(() => {})
  const harm = await fault.inject(cluster, random)
  await cluster.calls(1)
  await answered
  const { findings, accepted, starts, extra, unknown } = await cluster.auditor.judge(acknowledged)
  const times = new Map<string, number>()
  for (const { taskId } of extra) times.set(taskId, (times.get(taskId) ?? 0) + 1)
  return {
    figures: harm.figures ?? {},
    counts: { 'calls in flight': harm.inFlight, 'extra starts': extra.length, 'outcomes unknown': unknown },
    findings: [
      ...findings,
      ...(harm.findings ?? []),
      ...(accepted === tasks ? [] : [`${accepted} of ${tasks} tasks were accepted`]),
      ...(starts >= tasks ? [] : [`${starts} calls for ${tasks} tasks`]),
      ...(fault.isGraceful ? extra.map(({ taskId }) => `${taskId} began twice`) : []),
      ...[...times]
        .filter(([, more]) => more > 1)
        .map(([taskId, more]) => `${taskId} began ${more + 1} times`),
    ].map((finding) => `${fault.name}, round ${number} of seed ${SEED}: ${finding}`),
  }
}

describe.skipIf(!hasPostgres)('A cluster', { timeout: 3_600_000 }, () => {
  let cluster: ChaosCluster
  beforeAll(async () => {
    cluster = await chaosCluster({ size: isLong ? 4 : 3, isDivided, environment: { COST: String(PRICE) } })
    await createAll(cluster.team, [...ASKED, ...STEPS])
  }, 600_000)
  afterAll(() => cluster?.close())

  test.each(chosen)('keeps its promises through rounds of: $name', async (fault) => {
    const figures: Record<string, number[]> = {}
    const counts: Record<string, number> = {}
    for (let number = 1; number <= ROUNDS; number++) {
      const seen = await round(cluster, fault, number)
      if (isLong) for (const finding of seen.findings) process.stdout.write(`${finding}\n`)
      expect(seen.findings).toEqual([])
      for (const [name, count] of Object.entries(seen.counts)) counts[name] = (counts[name] ?? 0) + count
      for (const [name, values] of Object.entries(seen.figures))
        figures[name] = [...(figures[name] ?? []), ...values]
    }
    await isWhole(cluster)
    report(fault.name, { rounds: ROUNDS, ...counts, ...spreads(figures) })
  })

  test.skipIf(!isChosen('moves'))(
    'begins no call twice while a worker joins and another one is drained',
    async () => {
      const tasks = isLong ? 200 : 24
      for (let round = 1; round <= ROUNDS; round++) {
        const acknowledged = await comeAndGo(cluster, tasks, round)
        const { findings, starts, extra } = await cluster.auditor.judge(acknowledged)
        const is = { round, findings, starts, extra }
        expect(is).toEqual({ round, findings: [], starts: tasks, extra: [] })
      }
      report('a worker joins and one is drained', {
        rounds: ROUNDS,
        tasks: ROUNDS * tasks,
        'extra starts': 0,
      })
    },
  )

  test.skipIf(!isChosen('budget'))(
    'spends no more than its budget, but for calls whose worker was killed, and all of it',
    async () => {
      const [usd, kills] = isLong ? [10, 4] : [5, 1]
      const random = randomNumbers(SEED)
      const { calls, fewest, booked, lost, acknowledged } = await spendUnderKills(cluster, random, {
        usd,
        kills,
        price: PRICE,
      })
      expect(calls * PRICE).toBeLessThanOrEqual(usd + lost * PRICE)
      expect(booked).toBeGreaterThan(usd - PRICE)
      expect(fewest, 'no agent starves').toBeGreaterThan(0)
      expect((await cluster.auditor.judge(acknowledged)).findings).toEqual([])
      await isWhole(cluster)
      report('a budget under kills', {
        ...{ usd, price: PRICE, kills, calls, booked, 'calls in flight': lost },
        'fewest calls of an agent': fewest,
      })
    },
  )
})

const isWhole = async ({ url }: ChaosCluster) =>
  expect(await verifyDatabase(url)).toMatchObject({ ok: true, findings: [] })

/** The median and the largest of each figure, in ms. */
function spreads(figures: Readonly<Record<string, readonly number[]>>) {
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, values]) => {
      const sorted = values.toSorted((one, other) => one - other).map(Math.round)
      return sorted.length === 0
        ? []
        : [
            [`${name}, median in ms`, sorted[Math.floor(sorted.length / 2)]],
            [`${name}, at most in ms`, sorted.at(-1)],
          ]
    }),
  )
}

function report(fault: string, figures: object): void {
  const line = JSON.stringify({ name: `cluster: ${fault}`, ...figures })
  if (FAULTS_REPORT) appendFileSync(FAULTS_REPORT, `${line}\n`)
  else if (isLong) process.stdout.write(`${line}\n`)
}
