/** Repeated kill -9 of a real writer under load, on one store: nothing acknowledged is lost, nothing is torn. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { repetitions } from '../../repetitions.ts'
import { randomNumbers } from '../random-numbers.ts'
import { all } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const KILLS = repetitions('KILLS', { short: 6, long: 40 })
/** The same each time; `npm run faults` takes a new one. */
const SEED = Number(process.env.SEED ?? 734_812)

/** What was acknowledged to a writer: for each commit id, the position of the first fact and the number of facts. */
type Acknowledged = Map<string, { first: number; count: number }>

/** Runs a writer until it has reported `killAfter` acknowledged commits, then kills it. */
async function runAndKill(
  directory: string,
  run: number,
  appenders: number,
  killAfter: number,
): Promise<Acknowledged> {
  const program = join(import.meta.dirname, '../fixtures', 'writer.mjs')
  const child = spawn(process.execPath, [program, directory, String(run), String(appenders)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const acknowledged: Acknowledged = new Map()
  // Lines that were still in the pipe when it died count as well: they were acknowledged.
  for await (const line of createInterface({ input: child.stdout })) {
    const [commitId, first, count] = line.split(' ')
    if (commitId && first && count) acknowledged.set(commitId, { first: Number(first), count: Number(count) })
    if (acknowledged.size === killAfter) child.kill('SIGKILL')
  }
  expect((await gone)[1]).toBe('SIGKILL')
  return acknowledged
}

function checkNothingLost(facts: readonly Recorded[], acknowledged: Acknowledged, from: number): void {
  const byPosition = new Map(facts.map((fact) => [fact.position, fact]))
  for (const [commitId, { first, count }] of acknowledged) {
    for (let index = 0; index < count; index++) {
      expect(byPosition.get(first + index)?.data).toMatchObject({ commitId, index, count })
    }
  }
  expect(facts.map(({ position }) => position)).toEqual(facts.map((_, index) => from + 1 + index))
}

/** Each commit is there once, complete and contiguous, acknowledged or not. */
function checkNothingTorn(facts: readonly Recorded[]): void {
  const commits = new Set<unknown>()
  for (let at = 0; at < facts.length; ) {
    const { commitId, count } = facts[at]?.data ?? {}
    expect(commits.has(commitId)).toBe(false)
    commits.add(commitId)
    const commit = facts.slice(at, at + Number(count)).map(({ data }) => [data.commitId, data.index])
    expect(commit).toEqual(Array.from({ length: Number(count) }, (_, index) => [commitId, index]))
    at += Number(count)
  }
}

const bare = (facts: readonly Recorded[]) => facts.map(({ type, v, data }) => ({ type, v, data }))

/** The last commit may not have been acknowledged: appending it again finds it, and writes nothing. */
async function checkRepeated(store: EventStore, last: Recorded | undefined): Promise<void> {
  const commitId = last?.data.commitId
  if (!last || typeof commitId !== 'string') return
  const facts = await all(store.readAll({ after: last.position - Number(last.data.count) }))
  const part = (isRun: boolean) => facts.filter(({ stream }) => (stream === 'run/all') === isRun)
  const group = [
    { own: part(false), id: commitId },
    { own: part(true), id: `${commitId}.run` },
  ].flatMap(({ own, id }) => (own[0] ? [{ stream: own[0].stream, facts: bare(own), commitId: id }] : []))
  const again = await store.appendAll(group)
  expect(again.flat()).toEqual(facts)
  expect(await store.head()).toBe(last.position)
}

test(`${KILLS} times kill -9 under load loses nothing acknowledged (SEED=${SEED})`, {
  timeout: 60_000 + KILLS * 2000,
}, async () => {
  process.stderr.write(`kill -9: SEED=${SEED} KILLS=${KILLS}\n`)
  const random = randomNumbers(SEED)
  const directory = await temporaryDirectory()
  let checked = 0
  let total = 0
  for (let run = 1; run <= KILLS; run++) {
    const acknowledged = await runAndKill(directory, run, 1 + random(16), 1 + random(150))
    await using store = await levelStore(directory)
    const facts = await all(store.readAll({ after: checked }))
    checkNothingLost(facts, acknowledged, checked)
    checkNothingTorn(facts)
    await checkRepeated(store, facts.at(-1))
    checked += facts.length
    total += acknowledged.size
  }
  await using store = await levelStore(directory)
  for await (const { stream, version } of store.streams()) {
    const facts = await all(store.read(stream))
    expect(facts.map((fact) => fact.version)).toEqual(
      Array.from({ length: version }, (_, index) => index + 1),
    )
  }
  expect(await store.head()).toBe(checked)
  await store[Symbol.asyncDispose]()
  expect(await verifyStore(directory)).toMatchObject({ ok: true, facts: checked })
  const counts = { kills: KILLS, acknowledged: total, facts: checked }
  if (process.env.FAULTS_REPORT) {
    const line = { name: 'kill -9', seed: SEED, ...counts, lost: 0, doubled: 0, outOfOrder: 0, torn: 0 }
    appendFileSync(process.env.FAULTS_REPORT, `${JSON.stringify(line)}\n`)
  }
  process.stderr.write(`kill -9: ${total} commits acknowledged, ${checked} facts in the log, none lost\n`)
})
