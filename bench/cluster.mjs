// The log on a PostgreSQL that is started for this: durable appends compared with LevelDB on the same disk, several
// processes' worth of writers with a follower, and, on a Node that can have them, workers of a cluster.
import { join } from 'node:path'
import { textOf } from './kit/answers.mjs'
import { dist, median, row, sized, timed, withDirectory } from './kit/measuring.mjs'
import { postgresPrograms, startPostgres } from './kit/postgres.mjs'
import { workerRows } from './kit/workers.mjs'

const { levelStore } = await import(`${dist}/store/level/store.js`)
const { postgresStore } = await import(`${dist}/store/postgres/store.js`)

export const name = 'cluster'

/** Rounds that do not count, until the code of both sides is compiled and PostgreSQL has planned its statements. */
const WARM_UP = sized(100, 5)
/** The number of concurrent appenders and of rounds, and what the ratio to LevelDB should be. */
const CASES = [
  { appenders: 256, rounds: sized(150, 5), goal: 0.5 },
  { appenders: 16, rounds: sized(500, 10), goal: 0.35 },
  { appenders: 1, rounds: sized(1500, 20), goal: 0.35 },
]
const WRITERS = 4
const APPENDS = sized(1000, 20)

export async function run() {
  const programs = postgresPrograms()
  if (programs === undefined) {
    console.error('PostgreSQL is not installed, so nothing is measured on it.')
    return []
  }
  const server = await startPostgres(programs, { onSocket: true })
  try {
    return await withDirectory(async (directory) => {
      const level = await levelStore(join(directory, 'store'))
      const postgres = await postgresStore(server.url('postgres'))
      try {
        const rows = []
        for (const benchCase of CASES) rows.push(await compare(level, postgres, benchCase))
        rows.push(...(await writers(server.url('postgres'))))
        return [...rows, ...(await workerRows(newDatabase(server)))]
      } finally {
        await postgres[Symbol.asyncDispose]()
        await level[Symbol.asyncDispose]()
      }
    })
  } finally {
    await server.stop()
  }
}

/** Makes databases on the server. */
function newDatabase(server) {
  let made = 0
  return async () => {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: server.url('postgres') })
    await client.connect()
    const name = `cluster_${++made}`
    await client.query(`create database ${name}`)
    await client.end()
    return server.url(name)
  }
}

let answers = 0
const answered = () => ({ type: 'Answered', v: 1, data: { text: textOf(++answers) } })

/** Both append the same, in turns, so that other load on the machine affects both alike. */
async function compare(level, postgres, { appenders, rounds, goal }) {
  const times = { level: [], postgres: [] }
  for (let round = 0; round < rounds + WARM_UP; round++) {
    const drafts = Array.from({ length: appenders }, answered)
    const appendTo = (store) =>
      timed(() => Promise.all(drafts.map((draft, number) => store.append(`agent/a${number}`, [draft]))))
    times.postgres.push(await appendTo(postgres))
    times.level.push(await appendTo(level))
  }
  return row({
    what: `durable append on PostgreSQL, ${appenders} at a time, compared with LevelDB`,
    value: median(times.postgres.slice(WARM_UP)) * 1000,
    unit: 'µs',
    baseline: median(times.level.slice(WARM_UP)) * 1000,
    goal,
  })
}

/** Writers with connections of their own, as on several machines, and one follower that sees what all of them write. */
async function writers(url) {
  const open = () => postgresStore(url, { schema: 'shared', access: 'shared' })
  const stores = await Promise.all(Array.from({ length: WRITERS }, open))
  const follower = await open()
  const writtenAt = new Map()
  const lags = []
  const following = (async () => {
    for await (const { position } of follower.follow()) {
      lags.push([position, performance.now()])
      if (lags.length === WRITERS * APPENDS) return
    }
  })()
  const ms = await timed(() =>
    Promise.all(
      stores.map(async (store, writer) => {
        for (let each = 0; each < APPENDS; each++) {
          const [{ position }] = await store.append(`agent/w${writer}`, [answered()])
          writtenAt.set(position, performance.now())
        }
      }),
    ),
  )
  await following
  for (const store of [...stores, follower]) await store[Symbol.asyncDispose]()
  const lag = lags
    .map(([position, seenAt]) => Math.max(0, seenAt - writtenAt.get(position)))
    .sort((one, other) => one - other)
  return [
    row({ what: `facts of ${WRITERS} writers`, value: (WRITERS * APPENDS * 1000) / ms, unit: 'facts/s' }),
    row({
      what: 'how long a follower is behind an append that was answered, p99',
      value: lag[Math.floor(lag.length * 0.99)],
      unit: 'ms',
      digits: 1,
    }),
  ]
}
