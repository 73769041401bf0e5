/** Access control of the inspector, tested over plain HTTP, as an attacker would. */
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { inspector } from '../../src/inspector/inspector.ts'
import { memoryStore } from '../../src/store/memory-store.ts'

async function serving() {
  const store = memoryStore()
  await store.append('agent/a', [{ type: 'Greeted', v: 1, data: { text: 'hello' } }])
  const served = await inspector(store)
  onTestFinished(() => served.close())
  const url = new URL(served.url)
  return { url, port: Number(url.port), token: url.searchParams.get('token') ?? '', served, store }
}

interface Answered {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Not `fetch`, which sets `Host` itself and normalizes the path. */
function get(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('the printed URL opens the page, and sets a cookie with the key', async () => {
  const { port, token } = await serving()
  const { status, headers, body } = await get(port, `/?token=${token}`)
  expect(status).toBe(200)
  expect(body).toContain('<div id="page">')
  const [cookie] = headers['set-cookie'] ?? []
  expect(cookie).toMatch(/; HttpOnly; SameSite=Strict$/)
  const { status: next } = await get(port, '/api/moment', { cookie: (cookie ?? '').split(';')[0] ?? '' })
  expect(next).toBe(200)
})

test('nothing is served without the key, or with a wrong one of any length', async () => {
  const { port, token } = await serving()
  const wrong = [
    '',
    'x',
    token.slice(1),
    `${token}x`,
    token.replace(/.$/, (end) => (end === 'A' ? 'B' : 'A')),
  ]
  for (const path of [
    '/',
    '/page.js',
    '/api/moment',
    '/api/files',
    '/api/file',
    '/api/changes',
    '/api/live',
    '/nothing',
  ]) {
    expect(await get(port, path), path).toMatchObject({ status: 401 })
    for (const guess of wrong) {
      expect(await get(port, path, bearer(guess)), `${path} ${guess}`).toMatchObject({ status: 401 })
      expect(await get(port, path, { cookie: `claude-agents-inspect-${port}=${guess}` })).toMatchObject({
        status: 401,
      })
    }
  }
  expect(await get(port, '/?token=wrong')).toMatchObject({ status: 401 })
})

test('an unexpected Host header is refused, even with the key', async () => {
  const { port, token } = await serving()
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1',
    `127.0.0.1:${port + 1}`,
    `[::1]:${port}`,
  ]) {
    const refused = await get(port, '/api/moment', { ...bearer(token), host })
    expect(refused, host).toMatchObject({ status: 403 })
    expect(refused.body).toContain('Unexpected Host header; open the printed URL.')
  }
  const own = await get(port, '/api/moment', { ...bearer(token), host: `localhost:${port}` })
  expect(own).toMatchObject({ status: 200 })
})

test('a page of another origin is refused, even with the key', async () => {
  const { port, token } = await serving()
  for (const origin of [
    'https://evil.example',
    'null',
    `http://127.0.0.1:${port + 1}`,
    `https://127.0.0.1:${port}`,
  ]) {
    expect(await get(port, '/api/moment', { ...bearer(token), origin }), origin).toMatchObject({
      status: 403,
    })
  }
  const elsewhere = { ...bearer(token), 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }
  expect(await get(port, '/page.js', elsewhere)).toMatchObject({ status: 403 })
  const own = await get(port, '/api/moment', { ...bearer(token), origin: `http://127.0.0.1:${port}` })
  expect(own).toMatchObject({ status: 200 })
})

test('every method but GET is refused', async () => {
  const { port, token, store } = await serving()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']) {
    const answered = await get(port, '/api/moment', bearer(token), method)
    expect(answered).toMatchObject({ status: 405, headers: { allow: 'GET' } })
  }
  expect(await store.head()).toBe(1)
})

test('no path leads out of the page', async () => {
  const { port, token } = await serving()
  const paths = [
    '/../package.json',
    '/..%2f..%2fpackage.json',
    '/page.js/../../x',
    '//etc/passwd',
    '/index.html',
    '/__proto__',
    '/api/constructor',
  ]
  for (const path of paths) {
    const { status, body } = await get(port, path, bearer(token))
    expect([400, 404], path).toContain(status)
    expect(body).not.toMatch(/root:|claude-multi-agent/)
  }
})

test('invalid parameters are refused, and large ones are clamped', async () => {
  const { port, token } = await serving()
  const wrong = [
    'moment?at=-1',
    'moment?at=1e9',
    'moment?step=x',
    'facts?offset=0x10',
    'timeline?columns=1.5',
    `facts?text=${'x'.repeat(300)}`,
    'body?position=1&path=data.constructor',
    'body?position=9&path=data.text',
  ]
  for (const query of wrong) {
    expect(await get(port, `/api/${query}`, bearer(token)), query).toMatchObject({ status: 400 })
  }
  const { body } = await get(port, '/api/timeline?columns=999999999', bearer(token))
  expect(JSON.parse(body).columns).toBe(4000)
  expect(await get(port, `/api/facts?text=${'x'.repeat(9000)}`, bearer(token))).toMatchObject({ status: 400 })
})

test('every response forbids external resources, framing, MIME sniffing, caching and referrers', async () => {
  const { port, token } = await serving()
  for (const [path, headers] of [
    ['/', bearer(token)],
    ['/api/moment', bearer(token)],
    ['/', {}],
  ] as const) {
    const answered = await get(port, path, headers)
    expect(answered.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    const policy = answered.headers['content-security-policy'] ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
  }
})

test('two inspectors have different keys, and listen on the loopback address only', async () => {
  const [first, second] = [await serving(), await serving()]
  expect(first.token).not.toBe(second.token)
  expect(first.token.length).toBeGreaterThanOrEqual(43)
  expect(first.url.hostname).toBe('127.0.0.1')
  expect(await get(second.port, '/api/moment', bearer(first.token))).toMatchObject({ status: 401 })
})

test('a port in use is an error that says so', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  await expect(inspector(memoryStore(), { port })).rejects.toMatchObject({
    _tag: 'PortUnavailableError',
    message: expect.stringContaining(`port ${port} of 127.0.0.1: another program is using it`),
  })
  await expect(inspector(memoryStore(), { port: 70_000 })).rejects.toMatchObject({
    _tag: 'InvalidInputError',
  })
})

test('closing stops the server, and leaves the store open', async () => {
  const { port, token, served, store } = await serving()
  const live = get(port, '/api/live', bearer(token)).catch(() => 'ended')
  await get(port, '/api/moment', bearer(token))
  await served.close()
  await live
  await expect(get(port, '/', bearer(token))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  expect(await store.head()).toBe(1)
})
