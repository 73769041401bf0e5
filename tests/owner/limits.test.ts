/** What the owner's socket takes: requests of bounded size, and a bounded number of connections. */

import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LARGEST_REQUEST } from '../../src/owner/answers.ts'
import { readOwnerRecord } from '../../src/owner/record.ts'
import { served } from './kit.ts'

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

test('Connections are bounded: one too many is closed, and the others are served', async () => {
  const { baseDir, remote } = await served()
  const socketPath = await socketOf(baseDir)
  const open: Socket[] = []
  let isRefused = false
  while (!isRefused && open.length < 2000) {
    const socket = connect(socketPath)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.once('close', () => {
      isRefused = true
    })
    await once(socket, 'connect')
    open.push(socket)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(isRefused).toBe(true)
  expect(open.length).toBeGreaterThan(50)
  const [first] = open
  first?.write('GET / HTTP/1.1\r\nhost: owner\r\n\r\n')
  expect(String((await once(first as Socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /)
  for (const socket of open) {
    if (!socket.destroyed) await Promise.all([once(socket, 'close'), socket.destroy()])
  }
  await vi.waitFor(async () => expect(await remote.agents()).toEqual([]))
})
