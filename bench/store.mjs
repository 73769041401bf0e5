// The speed of durable appends, compared with LevelDB itself writing the same bytes in one synced batch; and of reads.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { textOf } from './kit/answers.mjs'
import { dist, median, row, sized, timed, withDirectory } from './kit/measuring.mjs'

const { levelStore } = await import(`${dist}/store/level/store.js`)
const { openLevel } = await import(`${dist}/store/level/database.js`)
const { recordKey } = await import(`${dist}/store/level/entries.js`)
const { storedTextOf } = await import(`${dist}/store/fact-text.js`)

export const name = 'store'

/** Rounds that do not count, until the code of both sides is compiled. */
const WARM_UP = sized(200, 10)
/** The number of concurrent appenders and of rounds, and what the ratio to LevelDB itself should be and must be. */
const CASES = [
  { appenders: 256, rounds: sized(300, 10), goal: 0.55, floor: 0.35 },
  { appenders: 16, rounds: sized(1000, 20), goal: 0.75, floor: 0.55 },
  { appenders: 1, rounds: sized(2000, 40), goal: 0.9, floor: 0.8 },
]

export const run = () =>
  withDirectory(async (directory) => {
    const raw = await openLevel(join(directory, 'raw'), { createIfMissing: true })
    const store = await levelStore(join(directory, 'store'))
    try {
      const rows = []
      for (const benchCase of CASES) rows.push(await compare(raw, store, benchCase))
      return [...rows, ...(await reads(store))]
    } finally {
      await store[Symbol.asyncDispose]()
      await raw.close()
    }
  })

/** Both sides write the same, in turns, so that other load on the machine affects both alike. */
async function compare(raw, store, { appenders, rounds, goal, floor }) {
  const times = { raw: [], store: [] }
  for (let round = 0; round < rounds + WARM_UP; round++) {
    const drafts = Array.from({ length: appenders }, answered)
    let appended = []
    times.store.push(
      await timed(async () => {
        appended = await Promise.all(drafts.map((draft, number) => store.append(`agent/a${number}`, [draft])))
      }),
    )
    const records = appended.flat().map((fact) => recordOf(store.storeId, fact))
    times.raw.push(await timed(() => writeRaw(raw, records)))
  }
  return row({
    what: `durable append, ${appenders} at a time (all of them together)`,
    value: median(times.store.slice(WARM_UP)) * 1000,
    unit: 'µs',
    baseline: median(times.raw.slice(WARM_UP)) * 1000,
    goal,
    floor,
  })
}

let answers = 0
const answered = () => ({ type: 'Answered', v: 1, data: { text: textOf(++answers) } })

/** As many bytes as the log holds of a fact: its text behind two hashes. */
const recordOf = (storeId, fact) => [
  recordKey(fact.position),
  `r${randomBytes(64).toString('base64url')}${storedTextOf(storeId, fact)}`,
]

async function writeRaw(raw, records) {
  const batch = raw.batch()
  for (const [key, value] of records) batch.put(key, value)
  await batch.write({ sync: true })
}

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
    row({ what: 'read the whole log, per fact', value: (allMs * 1000) / all, unit: 'µs', digits: 1 }),
    row({ what: 'read one stream, per fact', value: (ownMs * 1000) / own, unit: 'µs', digits: 1 }),
  ]
}
