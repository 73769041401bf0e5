/** Git servers on loopback: a real one that asks for a password, and others that misbehave. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createDeflate } from 'node:zlib'
import { onTestFinished } from 'vitest'
import { GIT_ENVIRONMENT } from './git-world.ts'

/** Starts a server, and returns `localhost:PORT`. It is closed when the test ends. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `localhost:${(server.address() as AddressInfo).port}`
}

/** `git http-backend` for the repositories in that directory. */
export const httpBackend =
  (root: string): RequestListener =>
  (request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
    const backend = spawn('git', ['http-backend'], {
      env: {
        ...GIT_ENVIRONMENT,
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      },
    })
    request.pipe(backend.stdin)
    answer(backend.stdout, response)
  }

/** The output of a CGI program: a few header lines, an empty one, and the body. */
function answer(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let head = Buffer.alloc(0)
  output.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) return
    const lines = head.subarray(0, end).toString().split('\r\n')
    const headers = lines.map((line) => line.split(': ', 2) as [string, string])
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200'
    response.writeHead(Number.parseInt(status, 10), headers)
    response.write(head.subarray(end + 4))
  })
  output.on('end', () => response.end())
}

/** Accepts only this name and password. */
export const withPassword =
  (login: string, listener: RequestListener): RequestListener =>
  (request, response) => {
    const given = `Basic ${Buffer.from(login).toString('base64')}`
    if (request.headers.authorization === given) return listener(request, response)
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end()
  }

const packet = (data: Buffer | string) => {
  const body = Buffer.from(data)
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, '0')), body])
}
const END = Buffer.from('0000')

/** Advertises one commit, and then sends an object that never ends. */
export const endlessPack: RequestListener = (request, response) => {
  const commit = 'a'.repeat(40)
  if (request.method === 'GET') {
    response.writeHead(200, { 'Content-Type': 'application/x-git-upload-pack-advertisement' })
    const abilities = 'shallow side-band-64k symref=HEAD:refs/heads/main'
    const lines = [packet('# service=git-upload-pack\n'), END, packet(`${commit} HEAD\0${abilities}\n`)]
    response.end(Buffer.concat([...lines, packet(`${commit} refs/heads/main\n`), END]))
    return
  }
  // Asked twice: first for the shallow boundary, then for the pack.
  let body = ''
  request.setEncoding('utf8').on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    response.writeHead(200, { 'Content-Type': 'application/x-git-upload-pack-result' })
    response.write(Buffer.concat([packet(`shallow ${commit}`), END]))
    if (!body.includes('done')) return response.end()
    response.write(packet('NAK\n'))
    // One object: a blob of 2^39 bytes.
    sendBand(response, Buffer.concat([Buffer.from('PACK\0\0\0\x02\0\0\0\x01'), objectHeader(3, 2n ** 39n)]))
    return floodBlob(response)
  })
}

function floodBlob(response: ServerResponse): void {
  const deflate = createDeflate({ level: 0 })
  const noise = randomBytes(60_000)
  const fill = () => {
    while (!response.destroyed && deflate.write(noise)) {}
  }
  deflate.on('drain', fill)
  deflate.on('data', (chunk: Buffer) => {
    if (sendBand(response, chunk)) return
    deflate.pause()
    response.once('drain', () => deflate.resume())
  })
  response.once('close', () => deflate.destroy())
  fill()
}

function sendBand(response: ServerResponse, data: Buffer): boolean {
  let goOn = true
  for (let at = 0; at < data.length; at += 60_000) {
    goOn = response.write(packet(Buffer.concat([Buffer.from([1]), data.subarray(at, at + 60_000)])))
  }
  return goOn
}

/** The type and size that precede an object in a pack. */
function objectHeader(type: number, size: bigint): Buffer {
  const bytes: number[] = []
  let byte = (type << 4) | Number(size & 15n)
  for (let left = size >> 4n; left > 0n; left >>= 7n) {
    bytes.push(byte | 0x80)
    byte = Number(left & 127n)
  }
  return Buffer.from([...bytes, byte])
}

/** Accepts the request and never answers. */
export function silent(): {
  readonly listener: RequestListener
  readonly asked: Promise<IncomingMessage>
  readonly closed: Promise<void>
} {
  let ask: (request: IncomingMessage) => void = () => {}
  let close: () => void = () => {}
  return {
    asked: new Promise((resolve) => {
      ask = resolve
    }),
    closed: new Promise((resolve) => {
      close = resolve
    }),
    listener(request, response) {
      response.once('close', close)
      ask(request)
    },
  }
}
