/** What receivers get, and what becomes of one that fails, says too much or never ends. */
import { createHmac } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  checkReceivers,
  type Notification,
  type NotificationReceiver,
} from '../../src/events/options/notify.ts'
import { deliverer, problemWith, type Reach, receiverName } from '../../src/notifications/receivers.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

const EVENT: Notification = {
  id: 'x:7',
  type: 'held',
  at: '2026-01-01T00:00:00.000Z',
  agent: 'writer',
  reason: 'approval',
  message: 'Task t1 of agent "writer" is held: it needs approval.',
  hint: 'claude-agents agent approve t1',
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
})

const send = (
  receiver: NotificationReceiver,
  reach: Partial<Reach> = {},
  signal = new AbortController().signal,
) => deliverer(reach)(receiver, EVENT, signal)

const node = (program: string, ...words: string[]): NotificationReceiver => ({
  command: [process.execPath, '-e', program, ...words],
})

describe('A command', () => {
  test('gets the notification as JSON on stdin, and its arguments as they are', async () => {
    const file = join(folder, 'got')
    const program = `require('fs').writeFileSync(process.argv[1], JSON.stringify([process.argv.slice(2), require('fs').readFileSync(0, 'utf8')]))`
    expect(await send(node(program, file, '$HOME; touch x', '*'))).toEqual({
      outcome: 'delivered',
      said: 'exit code 0',
    })
    const [words, input] = JSON.parse(await readFile(file, 'utf8'))
    expect(words).toEqual(['$HOME; touch x', '*'])
    expect(JSON.parse(input)).toEqual(EVENT)
  })

  test('that does not read stdin, or prints without end, is none the worse for it', async () => {
    expect(await send(node('process.exit(0)'))).toMatchObject({ outcome: 'delivered' })
    const chatty = `for (let i = 0; i < 5000; i++) { process.stdout.write('x'.repeat(1000)); process.stderr.write('y'.repeat(1000)) }`
    expect(await send(node(chatty))).toMatchObject({ outcome: 'delivered' })
  })

  test('that fails is quoted with the end of stderr, without secrets and control characters', async () => {
    const program = `console.error('begin' + 'x'.repeat(100000)); console.error('\\u001b[31mthe key ' + process.env.MY_TOKEN + ' is wrong'); process.exit(3)`
    const environment = { ...process.env, MY_TOKEN: 'abcdefghijkl' }
    const { outcome, said } = await send(node(program), { environment })
    expect(outcome).toBe('failed')
    expect(said).toMatch(/^exit code 3: x+ the key \[redacted\] is wrong$/)
    expect(said.length).toBeLessThan(350)
  })

  test('that does not exist is told', async () => {
    expect(await send({ command: ['a\u0000b'] })).toMatchObject({ outcome: 'failed' })
    const receiver: NotificationReceiver = { command: [join(folder, 'nothing')] }
    expect(await send(receiver)).toMatchObject({ outcome: 'failed' })
    expect(await problemWith(receiver)).toBe(`there is no program ${join(folder, 'nothing')}`)
    expect(await problemWith({ command: ['node'] })).toBe(null)
  })

  test('that takes longer than 30 s is ended, with what it has started', async () => {
    const clock = virtualClock()
    const file = join(folder, 'pid')
    const child = `setInterval(() => {}, 1000)`
    const program = `const { pid } = require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'ignore' }); require('fs').writeFileSync(process.argv[1] + '.new', String(pid)); require('fs').renameSync(process.argv[1] + '.new', process.argv[1]); setInterval(() => {}, 1000)`
    const sent = send(node(program, file), { clock })
    let pid = 0
    while (pid === 0) pid = await readFile(file, 'utf8').then(Number, () => 0)
    await clock.advance(30_000)
    expect(await sent).toEqual({ outcome: 'failed', said: 'it took longer than 30 s' })
    for (let isAlive = true; isAlive; )
      isAlive = await readFile(`/proc/${pid}/stat`, 'utf8').then(
        (stat) => !/\) Z /.test(stat),
        () => false,
      )
  })
})

interface Got {
  readonly method: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server on this machine that remembers what it gets. */
async function server(
  answer: (response: ServerResponse, url: string) => void = (response) => void response.end(),
) {
  const got: Got[] = []
  const listening = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    got.push({ method: request.method, headers: request.headers, body })
    answer(response, request.url ?? '')
  })
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    listening.closeAllConnections()
    listening.close()
  })
  return { got, url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/hook/SECRETPATH` }
}

describe('A webhook', () => {
  test('gets the notification by POST, signed with its secret and the time', async () => {
    const { got, url } = await server()
    const clock = virtualClock()
    const environment = { HOOK_SECRET: 'whsec-of-mine' }
    const receiver: NotificationReceiver = { webhook: { url, secret: { env: 'HOOK_SECRET' } } }
    expect(await send(receiver, { clock, environment })).toEqual({ outcome: 'delivered', said: 'HTTP 200' })
    const [{ method, headers, body } = { method: '', headers: {}, body: '' }] = got
    expect(method).toBe('POST')
    expect(headers['content-type']).toBe('application/json')
    expect(JSON.parse(body)).toEqual(EVENT)
    const seconds = clock.now() / 1000
    const expected = createHmac('sha256', 'whsec-of-mine').update(`${seconds}.${body}`).digest('hex')
    expect(headers['x-claude-agents-signature']).toBe(`t=${seconds},v1=${expected}`)
    expect(JSON.stringify([headers, body])).not.toContain('whsec-of-mine')
  })

  test('without a secret is not signed', async () => {
    const { got, url } = await server()
    await send({ webhook: { url } })
    expect(got[0]?.headers).not.toHaveProperty('x-claude-agents-signature')
  })

  test('reads its secret from a file anew for each delivery, and cannot be used without it', async () => {
    const { got, url } = await server()
    const file = join(folder, 'secret')
    const receiver: NotificationReceiver = { webhook: { url, secret: { file } } }
    const unusable = { outcome: 'unusable', said: `its secret cannot be read from ${file}` }
    expect(await send(receiver)).toEqual(unusable)
    expect(await problemWith(receiver)).toBe(unusable.said)
    await writeFile(file, 'one\n')
    expect(await send(receiver)).toMatchObject({ outcome: 'delivered' })
    await writeFile(file, 'two')
    expect(await send(receiver)).toMatchObject({ outcome: 'delivered' })
    await writeFile(file, ' \n')
    expect(await send(receiver)).toEqual(unusable)
    expect(got.length).toBe(2)
    expect(await problemWith({ webhook: { url, secret: { env: 'NOT_SET' } } }, {})).toBe(
      'the variable NOT_SET is not set',
    )
  })

  test.each([
    [500, 'failed'],
    [503, 'failed'],
    [429, 'failed'],
    [400, 'refused'],
    [404, 'refused'],
    [410, 'refused'],
    [204, 'delivered'],
  ] as const)('that answers with %i: %s', async (status, outcome) => {
    const { url } = await server((response) => void response.writeHead(status).end())
    expect(await send({ webhook: { url } })).toEqual({ outcome, said: `HTTP ${status}` })
  })

  test('is not followed elsewhere', async () => {
    const { got, url } = await server(
      (response, path) =>
        void response.writeHead(path === '/other' ? 200 : 307, { location: '/other' }).end(),
    )
    expect(await send({ webhook: { url } })).toEqual({
      outcome: 'refused',
      said: 'HTTP 307: redirects are not followed',
    })
    expect(got.length).toBe(1)
  })

  test('that answers without end is not read, and one that never answers is left after 10 s', async () => {
    const endless = await server((response) => void response.writeHead(200).write('x'.repeat(1000)))
    expect(await send({ webhook: { url: endless.url } })).toMatchObject({ outcome: 'delivered' })
    const clock = virtualClock()
    const silent = await server(() => void clock.advance(10_000))
    expect(await send({ webhook: { url: silent.url } }, { clock })).toEqual({
      outcome: 'failed',
      said: 'it took longer than 10 s',
    })
  })

  test('that cannot be reached is told without its path', async () => {
    const receiver: NotificationReceiver = { webhook: { url: 'http://127.0.0.1:1/hook/SECRETPATH' } }
    const { outcome, said } = await send(receiver)
    expect(outcome).toBe('failed')
    expect(said).toMatch(/^no answer/)
    expect(said + receiverName(receiver)).not.toContain('SECRETPATH')
  })
})

test('The bell rings where there is a terminal, and nowhere else', async () => {
  const written: string[] = []
  const write = (text: string) => written.push(text)
  expect(await send({ bell: true }, { terminal: { write } })).toMatchObject({ outcome: 'delivered' })
  expect(written).toEqual([])
  await send({ bell: true }, { terminal: { isTTY: true, write } })
  expect(written).toEqual(['\u0007'])
})

describe('Receivers are refused', () => {
  test.each([
    [[{}], 'notify[0]: it names not exactly one of command, webhook and bell'],
    [[{ bell: true, command: ['x'] }], 'notify[0]: it names not exactly one'],
    [[{ command: [] }], 'notify[0].command'],
    [[{ command: 'notify-send x' }], 'notify[0].command'],
    [
      [{ bell: true, on: ['hold'] }],
      'notify[0].on[0]: "hold" is not one of held, failed, done, budget, supervision',
    ],
    [[{ bell: true, on: [] }], 'notify[0].on'],
    [[{ bell: true, if: 'x' }], 'notify[0]: there is no "if"'],
    [[{ bell: true }, { bell: true }], 'notify: it has the same receiver twice, or two with the same id'],
    [[{ webhook: {} }], 'notify[0].webhook: it has no url'],
    ['x', 'notify'],
  ])('%j', (receivers, message) => {
    expect(() => checkReceivers(receivers)).toThrow(message)
  })

  test.each([
    'ftp://example.com/SECRET',
    'file:///SECRET',
    'https://user:SECRET@example.com',
    'SECRET',
    'javascript:SECRET',
  ])('whose address is %s, without repeating it', (url) => {
    expect(() => checkReceivers([{ webhook: { url } }])).toThrow('notify[0].webhook.url: it is not an http')
    expect(() => checkReceivers([{ webhook: { url } }])).not.toThrow('SECRET')
  })

  test.each([
    'SECRET',
    { env: 'MY-SECRET' },
    { env: '$SECRET' },
    { value: 'SECRET' },
    {},
    { env: 'A', file: 'b' },
  ])('whose secret is %j, without repeating it', (secret) => {
    const check = () => checkReceivers([{ webhook: { url: 'https://example.com', secret } }])
    expect(check).toThrow('notify[0].webhook.secret')
    expect(check).not.toThrow('SECRET')
  })
})

test('What is executable but a directory is no program', async () => {
  await chmod(folder, 0o700)
  expect(await problemWith({ command: [folder] })).toContain('there is no program')
})
