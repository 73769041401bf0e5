// The speed of durable appends, compared with LevelDB itself writing the same payloads in one synced batch.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'

const dist = process.env.BENCH_DIST ?? new URL('../dist', import.meta.url).href
const { levelStore } = await import(`${dist}/store/level/store.js`)

export const name = 'store'

/** Rounds that do not count, until the code of both sides is compiled. */
const WARM_UP = 200
/** The number of concurrent appenders and of rounds, and the floor of the ratio to raw LevelDB. */
const CASES = [
  { appenders: 256, rounds: 300, floor: 0.35 },
  { appenders: 16, rounds: 1000, floor: 0.55 },
  { appenders: 1, rounds: 2000, floor: 0.8 },
]
/** Its JSON is 400 bytes long. */
const data = { text: 'x'.repeat(389) }

export async function run() {
  const directory = await mkdtemp(join(tmpdir(), 'bench-store-'))
  const raw = new Level(join(directory, 'raw'))
  await raw.open()
  const store = await levelStore(join(directory, 'store'))
  try {
    const rows = []
    for (const benchCase of CASES) rows.push(await compare(raw, store, benchCase))
    rows.push(...(await reads(store)))
    return rows
  } finally {
    await store[Symbol.asyncDispose]()
    await raw.close()
    await rm(directory, { recursive: true })
  }
}

/** Both sides write the same number of payloads, alternating, so that other load on the machine affects both alike. */
async function compare(raw, store, { appenders, rounds, floor }) {
  const payload = JSON.stringify(data)
  const times = { raw: [], store: [] }
  for (let round = 0; round < rounds + WARM_UP; round++) {
    times.raw.push(await timed(() => writeRaw(raw, payload, appenders)))
    times.store.push(await timed(() => appendAll(store, appenders)))
  }
  const [baseline, value] = [median(times.raw.slice(WARM_UP)), median(times.store.slice(WARM_UP))]
  return {
    what: `durable append, ${appenders} at a time (all of them together)`,
    value: round(value * 1000),
    unit: 'µs',
    baseline: round(baseline * 1000),
    ratio: round(baseline / value, 2),
    floor,
  }
}

let written = 0
async function writeRaw(raw, payload, count) {
  const batch = raw.batch()
  for (let number = 0; number < count; number++) batch.put(String(++written).padStart(16, '0'), payload)
  await batch.write({ sync: true })
}

/** Each appender has its own stream, as each agent has. */
const appendAll = (store, appenders) =>
  Promise.all(
    Array.from({ length: appenders }, (_, number) =>
      store.append(`agent/a${number}`, [{ type: 'Counted', v: 1, data }]),
    ),
  )

async function reads(store) {
  let all = 0
  const allMs = await timed(async () => {
    for await (const _ of store.readAll()) all++
  })
  let own = 0
  const ownMs = await timed(async () => {
    for await (const _ of store.read('agent/a0')) own++
  })
  return [
    { what: 'read the whole log, per fact', value: round((allMs * 1000) / all, 1), unit: 'µs' },
    { what: 'read one stream, per fact', value: round((ownMs * 1000) / own, 1), unit: 'µs' },
  ]
}

async function timed(action) {
  const start = performance.now()
  await action()
  return performance.now() - start
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]
const round = (number, digits = 0) => Number(number.toFixed(digits))
