// A worker of a cluster whose calls take half a second and do nothing. Says when it serves; SIGTERM ends it.
const { BENCH_DIST, DATABASE, BASE_DIR, WORKER, CALLS_IN_FLIGHT } = process.env
const { openWorker } = await import(`${BENCH_DIST}/entry-points/cluster.js`)
const { scriptedRunner } = await import(`${BENCH_DIST}/entry-points/testing.js`)

const worker = await openWorker({
  database: DATABASE,
  baseDir: BASE_DIR,
  name: WORKER,
  limits: { callsInFlight: Number(CALLS_IN_FLIGHT), processStarts: Number(CALLS_IN_FLIGHT) },
  runner: scriptedRunner({ reply: () => ({ text: 'done', delayMs: 500 }) }),
})
process.stdout.write('ready\n')
process.on('SIGTERM', () => void worker.close({ now: true }).then(() => process.exit(0)))
