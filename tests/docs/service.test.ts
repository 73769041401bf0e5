/** The unit and the container files of docs/service.md do what the page says: they are read there, and their commands run. */
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa, type Options } from 'execa'
import { beforeEach, describe, expect, test } from 'vitest'
import { blocks } from './documents.ts'
import { hasSystemd, type InstalledUnit, installed, servicesOf, verified } from './services.ts'

const PAGE = 'docs/service.md'
const { unit, compose } = servicesOf(PAGE)
const [dockerfile = ''] = blocks(PAGE, 'dockerfile')

let service: InstalledUnit

beforeEach(async () => {
  service = await installed(unit, 'claude-agents.service')
})

/** The values of a key of the unit, as systemd reads them. */
const values = (key: string) =>
  unit
    .split('\n')
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1).replaceAll('%h', service.home))

/** In seconds. */
const seconds = (span: string) => Number.parseFloat(span) * (span.endsWith('min') ? 60 : 1)

/** A command of the page, where and as the service would run it. */
function started(words: readonly string[], options: Options = {}) {
  const [program = '', ...rest] = words
  // Wherever the machine has its node.
  const path = [...values('Environment').map((one) => one.replace(/^PATH=/, '')), dirname(process.execPath)]
  const { home, project } = service
  return execa(program, rest, {
    cwd: project,
    env: { HOME: home, PATH: [join(project, 'node_modules/.bin'), ...path].join(':') },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    ...options,
  })
}

const words = (line = '') => line.split(' ')
const STATUS = ['claude-agents', 'serve', 'status']
const STOP = ['claude-agents', 'serve', 'stop']
const finishWithin = (command: readonly string[]) => Number(command[command.indexOf('--finish-within') + 1])

/** Resolves when a process says that it serves: from then on it ends in order. */
function served({ stdout }: ReturnType<typeof started>): Promise<void> {
  return new Promise((resolve) => {
    let said = ''
    stdout?.on('data', (piece) => {
      said += piece
      if (said.includes('Serving')) resolve()
    })
  })
}

describe('The unit of systemd', () => {
  test.skipIf(!hasSystemd)('is one that systemd accepts without a warning', () => {
    expect(verified(service)).toEqual({ status: 0, said: [] })
  })

  test('starts a process that serves, and takes SIGTERM and serve stop for a stop', async () => {
    expect(values('WorkingDirectory')).toEqual([service.project])
    // systemd runs it also after a failed start, when another process has the store open.
    expect(values('ExecStop')).toEqual([])
    for (const stop of [(pid = 0) => process.kill(pid, 'SIGTERM'), () => started(STOP)]) {
      const serving = started(words(values('ExecStart')[0]))
      await served(serving)
      await stop(serving.pid)
      expect((await serving).exitCode).toBe(0)
      expect((await started(STATUS)).exitCode).toBe(3)
    }
  })

  test('fails where another process has the store open, and leaves that one alone', async () => {
    const serving = started(words(values('ExecStart')[0]))
    await served(serving)
    const second = await started(words(values('ExecStart')[0]))
    expect(second.exitCode).toBe(1)
    expect(second.stderr).toContain(`process ${serving.pid}`)
    expect((await started(STATUS)).exitCode).toBe(0)
    await started(STOP)
    await serving
  })

  test('has more time to stop than its work has to finish', () => {
    expect(seconds(values('TimeoutStopSec')[0] ?? '')).toBeGreaterThan(
      finishWithin(words(values('ExecStart')[0])),
    )
  })
})

describe('The container', () => {
  const of = (instruction: string) =>
    dockerfile
      .split('\n')
      .filter((line) => line.startsWith(`${instruction} `))
      .map((line) => line.slice(instruction.length + 1))
  const command: string[] = JSON.parse(of('CMD')[0] ?? '[]')
  const check = of('HEALTHCHECK')[0]?.replace(/^.* CMD /, '') ?? ''

  test('is healthy while it serves, and stops when it is told to', async () => {
    const healthy = async () => (await started(['/bin/sh', '-c', check])).exitCode
    expect(await healthy()).toBe(1)
    const serving = started(command)
    await served(serving)
    expect(await healthy()).toBe(0)
    serving.kill('SIGTERM')
    expect((await serving).exitCode).toBe(0)
    expect(await healthy()).toBe(1)
  })

  test('has more time to stop than its work has to finish, and keeps the log in a volume', () => {
    const { stop_grace_period, volumes, init } = compose.services.agents
    expect(seconds(stop_grace_period)).toBeGreaterThan(finishWithin(command))
    expect(volumes[0].split(':')[1]).toBe(of('VOLUME')[0])
    expect(init).toBe(true)
  })

  test('trusts its configuration, so that its commands may do what it names', async () => {
    await writeFile(join(service.project, 'claude-agents.yaml'), 'notify: [{ command: [/bin/true] }]\n')
    expect((await started(['claude-agents', 'notify', 'test'])).exitCode).toBe(1)
    const trust = of('RUN').find((line) => line.startsWith('claude-agents')) ?? ''
    expect((await started(words(trust))).exitCode).toBe(0)
    expect((await started(['claude-agents', 'notify', 'test'])).exitCode).toBe(0)
  })
})
