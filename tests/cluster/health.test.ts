/** What a worker answers about itself. Nothing here needs the engine. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { serveHealth, type WorkerHealth } from '../../src/cluster/health.ts'
import { workerMetrics } from '../../src/cluster/metrics.ts'
import { samplesOf } from '../../src/remote/metrics.ts'

const FINE: WorkerHealth = {
  ...{ worker: 'one', release: '1.2.3', agents: 3, draining: false, cutOff: false, unheardMs: 1500 },
}

test('It lives unless it is cut off from the database, and is ready unless it also drains', async () => {
  let now = FINE
  await using served = await serveHealth({ host: '127.0.0.1', port: 0 }, () => now)
  const status = async (path: string, method = 'GET') =>
    (await fetch(`http://${served.address}${path}`, { method })).status
  const states = async () => [await status('/healthz'), await status('/readyz')]
  expect(await states()).toEqual([200, 200])
  now = { ...FINE, draining: true }
  expect(await states()).toEqual([200, 503])
  now = { ...FINE, cutOff: true }
  expect(await states()).toEqual([503, 503])
  expect(await (await fetch(`http://${served.address}/readyz`)).json()).toEqual(now)
  expect([await status('/'), await status('//'), await status('/readyz', 'POST')]).toEqual([404, 404, 405])
  expect(samplesOf(await (await fetch(`http://${served.address}/metrics`)).text())).toContainEqual({
    ...{ name: 'claude_agents_worker_agents', labels: { worker: 'one', release: '1.2.3' }, value: 3 },
  })
})

test('What is no request is refused, and nothing of it ends the worker', async () => {
  await using served = await serveHealth({ host: '127.0.0.1', port: 0 }, () => FINE)
  const [host = '', port = ''] = served.address.split(':')
  for (const sent of [
    'nonsense\r\n\r\n',
    'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET //[ HTTP/1.1\r\nHost: x\r\n\r\n',
  ]) {
    const socket = connect(Number(port), host)
    socket.end(sent)
    expect(await text(socket)).toMatch(/^HTTP\/1.1 4/)
  }
  expect((await fetch(`http://${served.address}/healthz`)).status).toBe(200)
})

test('Clients that say nothing, or never end what they say, keep none of the others from an answer', async () => {
  await using served = await serveHealth({ host: '127.0.0.1', port: 0 }, () => FINE)
  const [host = '', port = ''] = served.address.split(':')
  const slow = Array.from({ length: 30 }, () => connect(Number(port), host))
  onTestFinished(() => slow.forEach((socket) => void socket.destroy()))
  for (const socket of slow) socket.on('error', () => {})
  await Promise.all(slow.map((socket) => once(socket, 'connect')))
  for (const socket of slow.slice(0, 15)) socket.write('GET /healthz HTTP/1.1\r\n')
  const asked = { signal: AbortSignal.timeout(5000) }
  expect((await fetch(`http://${served.address}/healthz`, asked)).status).toBe(200)
})

test('At an address of this machine, it answers only by a name of this machine: a site that points its own there learns nothing', async () => {
  const statusFor = async (host: string, ...names: readonly (string | null)[]) => {
    await using served = await serveHealth({ host, port: 0 }, () => FINE)
    const port = Number(served.address.split(':')[1])
    const statuses: number[] = []
    for (const name of names) {
      const socket = connect(port, '127.0.0.1')
      socket.end(`GET /healthz HTTP/1.0\r\n${name === null ? '' : `Host: ${name}\r\n`}\r\n`)
      statuses.push(Number((await text(socket)).split(' ')[1]))
    }
    return statuses
  }
  expect(await statusFor('127.0.0.1', '127.0.0.1:7601', 'LOCALHOST', '[::1]:1', null)).toEqual([
    ...[200, 200, 200, 200],
  ])
  expect(await statusFor('127.0.0.1', 'evil.example', 'evil.example:7601', '127.0.0.1.evil.example')).toEqual(
    [...[403, 403, 403]],
  )
  expect(await statusFor('0.0.0.0', 'worker-1:7601')).toEqual([200])
})

test('Another process at its port is told of', async () => {
  await using served = await serveHealth({ host: '127.0.0.1', port: 0 }, () => FINE)
  const port = Number(served.address.split(':')[1])
  await expect(serveHealth({ host: '127.0.0.1', port }, () => FINE)).rejects.toMatchObject({
    _tag: 'InvalidInputError',
    hint: 'Choose another port: --health HOST:PORT',
  })
})

test('Metrics name the worker; those that only the worker itself can tell are left out of a list of workers', () => {
  const { cutOff, unheardMs, ...listed } = FINE
  const names = (text: string) => samplesOf(text).map(({ name }) => name.replace('claude_agents_worker_', ''))
  expect(names(workerMetrics([listed, { ...listed, worker: 'two' }]))).toEqual([
    ...['agents', 'agents', 'draining', 'draining'],
  ])
  expect(names(workerMetrics([FINE]))).toEqual(['agents', 'draining', 'cut_off', 'database_unheard_seconds'])
  expect(workerMetrics([])).toBe('')
})
