// A PostgreSQL for a bench or for tests: in a temporary folder, on a socket or a loopback port, gone at the end.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const DEBIAN = '/usr/lib/postgresql'

/** The folder of its programs; undefined where it is not installed. */
export const postgresPrograms = () =>
  [
    ...(existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : []),
    ...(process.env.PATH ?? '').split(delimiter),
  ].find((path) => existsSync(join(path, 'initdb')) && existsSync(join(path, 'postgres')))

/**
 * Starts a server with its defaults, so that a commit waits for the disk.
 *
 * @param settings More of them, as in postgresql.conf.
 * @param onSocket Whether it listens on a socket in its folder alone, and on no port.
 */
export async function startPostgres(programs, { settings = {}, onSocket = false } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'))
  const user = unprivileged()
  if (user) chownSync(folder, user.uid, user.gid)
  const options = { cwd: folder, ...user }
  const data = join(folder, 'data')
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'owner', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...options, encoding: 'utf8' },
  )
  if (made.status !== 0)
    throw new Error(`initdb ended with ${made.status}: ${made.stderr ?? made.error?.message}`)
  const port = onSocket ? 5432 : await freePort()
  const words = Object.entries({ ...settings, port, listen_addresses: onSocket ? '' : '127.0.0.1' }).flatMap(
    ([name, value]) => ['-c', `${name}=${value}`],
  )
  const log = join(folder, 'log')
  let server
  const start = async () => {
    server = spawn(
      'sh',
      ['-c', `exec "$0" "$@" >>${log} 2>&1`, join(programs, 'postgres'), '-D', data, '-k', folder, ...words],
      {
        ...options,
        stdio: 'ignore',
      },
    )
    const ready = ['-h', folder, '-p', String(port), '-t', '30', '-q', '-U', 'owner', '-d', 'postgres']
    while (spawnSync(join(programs, 'pg_isready'), ready, { stdio: 'ignore' }).status !== 0) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}: see ${log}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  /** `SIGINT` ends it properly, `SIGQUIT` as a crash would. */
  const end = async (signal = 'SIGINT') => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    server.kill(signal)
    await ended
  }
  const stop = async () => {
    await end('SIGQUIT')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  const where = onSocket ? `/?host=${encodeURIComponent(folder)}` : ''
  const at = onSocket ? '' : `127.0.0.1:${port}`
  return {
    folder,
    data,
    port,
    start,
    end,
    stop,
    url: (name) => `postgresql://owner@${at}/${name}${where.slice(1)}`,
  }
}

/** PostgreSQL refuses to run as root. */
function unprivileged() {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (kind) => Number(spawnSync('id', [kind, 'postgres'], { encoding: 'utf8' }).stdout)
  const [uid, gid] = [idOf('-u'), idOf('-g')]
  if (!uid) throw new Error('there is no user postgres, and root cannot run PostgreSQL')
  return { uid, gid }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
