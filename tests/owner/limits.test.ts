/** What the owner's socket takes: requests of bounded size, and a bounded number of connections. */

import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { AgentSnapshot } from '../../src/actors/agent/machine.ts'
import { silentLogger } from '../../src/logger.ts'
import { LARGEST_REQUEST } from '../../src/owner/answers.ts'
import {
  type OwnerRecord,
  readOwnerRecord,
  removeOwnerRecord,
  writeOwnerRecord,
} from '../../src/owner/record.ts'
import { MOST_CONNECTIONS, serveOwner } from '../../src/owner/socket.ts'
import { connectOwner } from '../../src/remote/client.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { few } from '../repetitions.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { connected, served, WITHOUT_RUNS } from './kit.ts'

const MEGABYTE = 1024 * 1024

async function socketOf(baseDir: string): Promise<string> {
  return (await readOwnerRecord(baseDir))?.socket ?? ''
}

/** Posts a body of this many megabytes, and returns the status and the lines of the answer. */
function post(socketPath: string, megabytes: number) {
  return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const piece = Buffer.alloc(MEGABYTE, ' ')
    const posting = request({ socketPath, path: '/commands', method: 'POST' }, async (response) => {
      let text = ''
      for await (const part of response.setEncoding('utf8')) text += part
      resolve({ status: response.statusCode, text })
    })
    posting.once('error', reject)
    const write = (left: number): void => {
      if (left === 0) posting.end('{}')
      else posting.write(piece, () => write(left - 1))
    }
    write(megabytes)
  })
}

test('A request that is too large is refused with the limit, and the owner serves on', async () => {
  const { baseDir, remote } = await served()
  const socketPath = await socketOf(baseDir)
  const { status, text } = await post(socketPath, LARGEST_REQUEST / MEGABYTE)
  expect(status).toBe(413)
  expect(JSON.parse(text)).toMatchObject({
    error: {
      tag: 'InvalidInputError',
      message: expect.stringContaining(`larger than ${LARGEST_REQUEST} bytes`),
    },
  })
  // As large as can be, it is read, and only then found to say nothing.
  expect((await post(socketPath, LARGEST_REQUEST / MEGABYTE - 1)).status).toBe(200)
  expect(await remote.agents()).toEqual([])
})

/** A connection that says this, and nothing more. */
async function connectionTo(socketPath: string, said = ''): Promise<Socket> {
  const socket = connect(socketPath)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  if (said !== '') socket.write(said)
  return socket
}

test('Connections are bounded: one too many is told so, and the others are served', async () => {
  const { baseDir } = await served()
  const socketPath = await socketOf(baseDir)
  const open: Socket[] = []
  while (open.length < MOST_CONNECTIONS) open.push(await connectionTo(socketPath))
  await expect(connectOwner(baseDir)).rejects.toMatchObject({
    _tag: 'OwnerBusy',
    message: expect.stringContaining('takes no more clients'),
    hint: expect.stringContaining('Try again'),
  })
  const [first] = open
  first?.write('GET / HTTP/1.1\r\nhost: owner\r\n\r\n')
  expect(String((await once(first as Socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /)
  // On a busy machine, the owner may have closed some.
  for (const socket of open) if (!socket.closed) await Promise.all([once(socket, 'close'), socket.destroy()])
  await vi.waitFor(async () => expect((await connectOwner(baseDir))?.pid).toBe(process.pid), {
    timeout: 60_000,
  })
})

test('300 tasks of other processes are served at the same time', async () => {
  const { remote } = await served({ reply: ({ prompt }) => `re: ${prompt}` })
  const agent = await remote.createAgent({ id: 'a', systemPrompt: 'You are a' })
  const asked = Array.from({ length: 300 }, (_, task) => agent.ask(`task ${task}`))
  const replies = await Promise.all(asked)
  expect(replies.map(({ text }) => text)).toEqual(asked.map((_, task) => `re: task ${task}`))
})

const HALF_OPEN = few<readonly [string, string]>(3, [
  [
    'in the middle of its request',
    'POST /commands HTTP/1.1\r\nhost: owner\r\ncontent-length: 100\r\n\r\n{"agent"',
  ],
  ['before it reads its answer', 'GET /facts HTTP/1.1\r\nhost: owner\r\n\r\n'],
  ['before it reads what it follows', 'GET /follow?after=0 HTTP/1.1\r\nhost: owner\r\n\r\n'],
  ['when it connects', ''],
  ['when it is present', 'GET /presence HTTP/1.1\r\nhost: owner\r\n\r\n'],
  ['in the middle of its headers', 'POST /commands HTTP/1.1\r\nhost: ow'],
  ['in the middle of its task', 'POST /tasks HTTP/1.1\r\nhost: owner\r\ncontent-length: 100\r\n\r\n{"agent"'],
  [
    'before it reads the answer to its command',
    postOf('/commands', { agent: null, method: 'processes', args: [] }),
  ],
  [
    'before it reads the reply to its task',
    postOf('/tasks', { ask: 'one', agent: 'a', taskId: 't', task: 'x', options: {} }),
  ],
])

function postOf(path: string, body: object): string {
  const text = JSON.stringify(body)
  return `POST ${path} HTTP/1.1\r\nhost: owner\r\ncontent-length: ${text.length}\r\n\r\n${text}`
}

/** More than a socket holds that is not read. */
const LARGE = 'x'.repeat(2 * MEGABYTE)

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const IDLE = { context: { current: null, queue: [] } } as unknown as AgentSnapshot

/** An owner whose answers are all large. */
async function servedLarge() {
  const baseDir = await temporaryDirectory()
  const store = await levelStore(baseDir)
  onTestFinished(() => store[Symbol.asyncDispose]())
  await store.append('note/a', [{ type: 'Noted', v: 1, data: { text: LARGE.slice(0, MEGABYTE / 2) } }])
  const ask = () => Object.assign(Promise.resolve({ text: LARGE }), { async *[Symbol.asyncIterator]() {} })
  async function* drafts() {}
  const system = {
    ...WITHOUT_RUNS,
    agent: async () => ({ snapshot: IDLE, ask, cancel: async () => true, reply: ask, drafts }),
    processes: async () => [LARGE],
  }
  const socket = await serveOwner({ baseDir, store, system, logger: silentLogger })
  onTestFinished(() => socket.close())
  return { baseDir, socket }
}

test.each(HALF_OPEN)('A client that stops %s holds up no other client, and not the end', async (_, said) => {
  const { baseDir, socket } = await servedLarge()
  const path = await socketOf(baseDir)
  for (let left = 3; left > 0; left--) (await connectionTo(path, said)).pause()
  const client = await connected(baseDir)
  const result = { result: [LARGE] }
  const command = { agent: null, method: 'processes', args: [] }
  for (let left = 3; left > 0; left--)
    for await (const line of client.post('/commands', command)) expect(line).toEqual(result)
  let waitedFor = false
  const drained = socket.drained(new AbortController().signal, () => {
    waitedFor = true
  })
  // What bounds the wait outlives this.
  await setImmediate()
  collectGarbage()
  await drained
  expect(waitedFor).toBe(false)
  const closed = socket.close()
  await setImmediate()
  collectGarbage()
  await closed
})

test('An owner that ends while a client connects is none, not an error', async () => {
  const { baseDir, own } = await served()
  const record = await readOwnerRecord(baseDir)
  await own.close()
  const server = createServer(async (socket) => {
    await removeOwnerRecord(baseDir)
    socket.destroy()
  })
  onTestFinished(() => void server.close())
  server.listen(record?.socket)
  await once(server, 'listening')
  await writeOwnerRecord(baseDir, record as OwnerRecord)
  expect(await connectOwner(baseDir)).toBeNull()
})

test.each([
  ['closes the connection', 'closed the connection without an answer'],
  ['refuses it', 'takes no more clients'],
])('A client whose owner %s is not told that the owner has ended', async (how, said) => {
  const { baseDir, own } = await served()
  const record = await readOwnerRecord(baseDir)
  await own.close()
  // In its place another server, which does only this.
  const server = createServer((socket) => {
    if (how === 'refuses it')
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    else socket.destroy()
  })
  onTestFinished(() => void server.close())
  server.listen(record?.socket)
  await once(server, 'listening')
  await writeOwnerRecord(baseDir, record as OwnerRecord)
  const refused = await connectOwner(baseDir).catch((error: Error) => error)
  expect(String(refused)).toContain(said)
  expect(String(refused)).not.toContain('has ended')
})
