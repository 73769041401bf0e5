/**
 * Before the tests with processes: a PostgreSQL that all of them share, started when the first one asks for it and ended with
 * the run, also when that is killed. They ask through a socket, whose path is in `TEST_POSTGRES`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface KeptServer {
  /** Where its socket is. */
  readonly folder: string
  readonly data: string
  /** As a crash would. */
  crash(): Promise<void>
  /** Without a chance to do anything. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** Starts a server that ends with this process at the latest. */
export async function keptServer(settings: Readonly<Record<string, string>> = {}): Promise<KeptServer> {
  const keeper = spawn(
    process.execPath,
    [join(import.meta.dirname, 'keeper.mjs'), JSON.stringify(settings)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const lines = createInterface({ input: keeper.stdout })[Symbol.asyncIterator]()
  const answered = async () => {
    const line = await lines.next()
    if (line.done) throw new Error('PostgreSQL was not started')
    return JSON.parse(line.value) as Pick<KeptServer, 'folder' | 'data'>
  }
  const tell = async (command: object) => {
    keeper.stdin.write(`${JSON.stringify(command)}\n`)
    await answered()
  }
  return {
    ...(await answered()),
    crash: () => tell({ signal: 'SIGQUIT' }),
    kill: () => tell({ signal: 'SIGKILL' }),
    start: () => tell({}),
    stop: () => ended(keeper),
  }
}

async function ended(keeper: ChildProcess): Promise<void> {
  const end = once(keeper, 'exit')
  keeper.stdin?.end()
  await end
}

/** Nothing waits for the disk: no test of the shared server is about what a power loss leaves. */
const QUICK = { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB', max_connections: '200' }

export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-test-'))
  let starting: Promise<KeptServer> | undefined
  const asked = createServer((socket) => {
    socket.on('error', () => {})
    starting ??= keptServer(QUICK)
    starting.then(
      (server) => socket.end(server.folder),
      (error) => socket.destroy(error),
    )
  })
  process.env.TEST_POSTGRES = join(folder, 'socket')
  await new Promise<void>((resolve) => asked.listen(process.env.TEST_POSTGRES, resolve))
  return async () => {
    asked.close()
    await (await starting?.catch(() => undefined))?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
