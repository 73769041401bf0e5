/** Cloning from servers: with a login that stays hidden, and within limits whatever the server does. */
import { readdir, readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { CloneError, CloneTimeoutError, InputTooLargeError } from '../../../src/events/errors/workspace.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { endlessPack, httpBackend, serve, silent, withPassword } from './git-server.ts'
import { git, processesOf, repository } from './git-world.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

/** Resolves once git has asked, and rejects if the placement has ended without that. */
const asked = (server: ReturnType<typeof silent>, placing: Promise<Error>) =>
  Promise.race([server.asked, placing.then((error) => Promise.reject(error))])

describe('a login in the URL', () => {
  const SECRET = 'hunter2-s€cret'
  const login = `me:${encodeURIComponent(SECRET)}`
  const traces = (text: string) => [SECRET, encodeURIComponent(SECRET)].filter((form) => text.includes(form))

  test('is accepted, and is written nowhere', async () => {
    const { first } = await repository(world)
    const host = await serve(withPassword(`me:${SECRET}`, httpBackend(world.source('.'))))
    const placed = await world.place({ repos: [{ url: `http://${login}@${host}/repo` }] })
    expect(placed).toMatchObject([{ source: `http://${host}/repo`, commit: first }])
    expect(traces(JSON.stringify(placed))).toEqual([])
    for (const file of await readdir(world.at('repo/.git'), { recursive: true, withFileTypes: true })) {
      if (file.isFile())
        expect(traces(await readFile(`${file.parentPath}/${file.name}`, 'latin1'))).toEqual([])
    }
    expect(await git(world.at('repo'), 'remote', 'get-url', 'origin')).toBe(`http://${host}/repo`)
  })

  test('works for a commit as well, and as a token alone', async () => {
    const { first } = await repository(world)
    const host = await serve(withPassword('token-token:', httpBackend(world.source('.'))))
    const repos = [{ url: `http://token-token@${host}/repo`, ref: first }]
    expect(await world.place({ repos })).toMatchObject([{ commit: first }])
  })

  test('that is wrong is rejected without being repeated', async () => {
    const host = await serve(withPassword('somebody:else', httpBackend(world.source('.'))))
    const error = await world.refusal({ repos: [{ url: `http://${login}@${host}/repo` }] })
    expect(error).toBeInstanceOf(CloneError)
    expect(error).toMatchObject({
      retryable: false,
      details: { problem: 'refused', url: `http://${host}/repo` },
    })
    expect(traces(inspect(error, { depth: 9 }) + error.stack)).toEqual([])
  })

  test('is not in the arguments of any process, where every user could read it', async () => {
    const server = silent()
    const host = await serve(withPassword(`me:${SECRET}`, server.listener))
    const controller = new AbortController()
    const placing = world.refusal(
      { repos: [{ url: `http://${login}@${host}/repo` }] },
      { signal: controller.signal },
    )
    await asked(server, placing)
    const pids = await processesOf(world)
    expect(pids.length).toBeGreaterThan(0)
    for (const pid of pids) expect(traces(await readFile(`/proc/${pid}/cmdline`, 'utf8'))).toEqual([])
    controller.abort()
    await placing
  })

  test('is not sent to a server that the first one redirects to', async () => {
    const seen: (string | undefined)[] = []
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end()
    })
    const host = await serve((request, response) => {
      response.writeHead(301, { Location: `http://${other}${request.url}` }).end()
    })
    await world.refusal({ repos: [{ url: `http://${login}@${host}/repo` }] })
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter((header) => header !== undefined)).toEqual([])
  })

  test("is removed from the server's messages", async () => {
    const host = await serve(
      withPassword(`me:${SECRET}`, (_, response) => {
        response.writeHead(500, { 'Content-Type': 'text/plain' }).end(`password ${SECRET} is bad\n`)
      }),
    )
    const error = await world.refusal({ repos: [{ url: `http://${login}@${host}/repo` }] })
    expect(error).toMatchObject({ retryable: true, details: { problem: 'network' } })
    expect(traces(inspect(error, { depth: 9 }))).toEqual([])
  })
})

test('a server that is down is worth a retry', async () => {
  const error = await world.refusal({ repos: [{ url: 'http://127.0.0.1:1/repo' }] })
  expect(error).toMatchObject({ _tag: 'CloneError', retryable: true, details: { problem: 'network' } })
})

test('a server cannot redirect to another protocol', async () => {
  const host = await serve((_, response) => {
    response.writeHead(302, { Location: 'file:///etc' }).end()
  })
  const error = await world.refusal({ repos: [{ url: `http://${host}/repo` }] })
  expect(error).toBeInstanceOf(CloneError)
})

test('a server that never answers is abandoned after the time limit of a clone, and git is gone', async () => {
  const server = silent()
  const host = await serve(server.listener)
  const clock = virtualClock()
  const placing = world.refusal({ repos: [{ url: `http://${host}/repo` }] }, { clock })
  await asked(server, placing)
  expect(await processesOf(world)).not.toEqual([])
  await clock.advance(119_999)
  expect(await processesOf(world)).not.toEqual([])
  await clock.advance(1)
  const error = await placing
  expect(error).toBeInstanceOf(CloneTimeoutError)
  expect(error.retryable).toBe(true)
  expect(error.message).toContain('120 s')
  await server.closed
  expect(await processesOf(world)).toEqual([])
  expect(clock.pending).toBe(0)
})

test('an aborted signal kills git and what it has started', async () => {
  const server = silent()
  const host = await serve(server.listener)
  const controller = new AbortController()
  const placing = world.refusal({ repos: [{ url: `http://${host}/repo` }] }, { signal: controller.signal })
  await asked(server, placing)
  const reason = new Error('called off')
  controller.abort(reason)
  expect(await placing).toBe(reason)
  await server.closed
  expect(await processesOf(world)).toEqual([])
})

test('an endless pack is cut off while it arrives', async () => {
  const host = await serve(endlessPack)
  const error = await world.refusal(
    { repos: [{ url: `http://${host}/repo` }] },
    { limits: { bytes: 5_000_000 } },
  )
  expect(error).toBeInstanceOf(InputTooLargeError)
  expect(error.details).toMatchObject({ limitedBy: 'bytes', source: `http://${host}/repo` })
  expect(await processesOf(world)).toEqual([])
})
