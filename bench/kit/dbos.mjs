// A two-step workflow in DBOS Transact, on a PostgreSQL that is started for it.
//
// A separate package, and installed on first use, because only this bench needs it: npm ci --prefix bench/dbos
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { textOf } from './answers.mjs'

const folder = fileURLToPath(new URL('../dbos/', import.meta.url))
const DEBIAN = '/usr/lib/postgresql'

/** Returns the workflow as a function, and how to end everything; undefined where PostgreSQL or DBOS is missing. */
export async function startDbos() {
  const programs = [
    ...(existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : []),
    ...(process.env.PATH ?? '').split(delimiter),
  ].find((path) => existsSync(join(path, 'initdb')) && existsSync(join(path, 'postgres')))
  if (programs === undefined) {
    console.error('PostgreSQL is not installed, so nothing is compared with DBOS.')
    return undefined
  }
  try {
    if (!existsSync(join(folder, 'node_modules'))) {
      console.error('Installing DBOS in bench/dbos (once).')
      spawnSync('npm', ['ci', '--prefix', folder], { stdio: ['ignore', 'ignore', 'inherit'] })
    }
    const { resolve } = createRequire(join(folder, 'package.json'))
    const { DBOS } = await import(pathToFileURL(resolve('@dbos-inc/dbos-sdk')).href)
    const postgres = await startPostgres(programs)
    try {
      return await launch(DBOS, postgres)
    } catch (error) {
      await postgres.stop()
      throw error
    }
  } catch (error) {
    console.error(`Nothing is compared with DBOS: ${error.message.split('\n')[0]}`)
    return undefined
  }
}

async function launch(DBOS, postgres) {
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: postgres.url,
    logLevel: 'error',
    runAdminServer: false,
  })
  let answers = 0
  const step = (name) => DBOS.runStep(async () => textOf(++answers), { name })
  const task = DBOS.registerWorkflow(
    async () => {
      await step('one')
      return await step('two')
    },
    { name: 'two steps' },
  )
  await DBOS.launch()
  return {
    task: () => task(),
    async stop() {
      await DBOS.shutdown()
      await postgres.stop()
    },
  }
}

/** With its defaults, so that a commit waits for the disk. */
async function startPostgres(programs) {
  const data = mkdtempSync(join(tmpdir(), 'bench-postgres-'))
  const user = unprivileged()
  if (user) chownSync(data, user.uid, user.gid)
  const options = { cwd: data, stdio: 'ignore', ...user }
  const made = spawnSync(join(programs, 'initdb'), ['-D', data, '-U', 'bench', '-A', 'trust'], options)
  if (made.status !== 0) throw new Error(`initdb ended with ${made.status ?? made.error?.message}`)
  const port = await freePort()
  const server = spawn(
    join(programs, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', data],
    options,
  )
  const stop = async () => {
    if (server.exitCode === null) {
      const ended = once(server, 'exit')
      server.kill('SIGINT')
      await ended
    }
    rmSync(data, { recursive: true })
  }
  const ready = ['-h', '127.0.0.1', '-p', String(port), '-t', '30']
  while (spawnSync(join(programs, 'pg_isready'), ready, { stdio: 'ignore' }).status !== 0) {
    if (server.exitCode !== null) {
      await stop()
      throw new Error(`PostgreSQL ended with ${server.exitCode}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { url: `postgresql://bench@127.0.0.1:${port}/bench_dbos_sys`, stop }
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
