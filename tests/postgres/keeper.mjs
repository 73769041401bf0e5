// Keeps a PostgreSQL for tests until its input ends, however that comes: also when the tests are killed.
// Each line of the input is done in turn, and answered by a line: {"signal": "SIGQUIT"} ends the server, {} starts it again.
import { createInterface } from 'node:readline'
import { postgresPrograms, startPostgres } from '../../bench/kit/postgres.mjs'

const settings = JSON.parse(process.argv[2] ?? '{}')
const programs = postgresPrograms()
const server = await startPostgres(programs, { settings, onSocket: true })
const answer = () => process.stdout.write(`${JSON.stringify({ folder: server.folder, data: server.data })}\n`)
// A terminal sends it to the whole group; the end of the input says when.
process.on('SIGINT', () => {})
try {
  answer()
  for await (const line of createInterface({ input: process.stdin })) {
    const { signal } = JSON.parse(line)
    if (signal) await server.end(signal)
    else await server.start()
    answer()
  }
} finally {
  await server.stop()
}
