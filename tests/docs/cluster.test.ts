/** The unit and the compose file of docs/cluster.md: systemd accepts the one, and the command accepts the options of both. */
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { workerCommand } from '../../src/cli/cluster/commands.ts'
import { hasSystemd, installed, servicesOf, verified } from './services.ts'

const { unit, compose } = servicesOf('docs/cluster.md')

/** The options that a line of words gives to `worker`. */
const optionsOf = (line: string) => line.split(' worker ')[1]?.match(/--[a-z-]+/g) ?? []

describe('The unit of a worker', () => {
  test.skipIf(!hasSystemd)('is one that systemd accepts without a warning', async () => {
    const worker = await installed(unit, 'claude-agents-worker.service')
    expect(verified(worker)).toEqual({ status: 0, said: [] })
  })

  test('has more time to stop than its agents have to end their work', () => {
    expect(/^TimeoutStopSec=(\d+)min$/m.exec(unit)?.[1]).toBe('16')
    expect(compose.services.worker.stop_grace_period).toBe('16m')
  })
})

test('What the page starts workers with are options of the command', () => {
  const worker = new Command('worker')
  workerCommand(worker)
  const known = worker.options.map(({ long }) => long)
  for (const line of [/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '', compose.services.worker.command]) {
    expect(optionsOf(line).length).toBeGreaterThan(0)
    for (const option of optionsOf(line)) expect(known).toContain(option)
  }
})

test('The compose file waits for the database, keeps its files, and has no password in it', () => {
  const { database, worker } = compose.services
  expect(worker.depends_on.database.condition).toBe('service_healthy')
  expect(Object.keys(compose.volumes)).toEqual(database.volumes.map((one: string) => one.split(':')[0]))
  for (const value of [database.environment.POSTGRES_PASSWORD, worker.environment.PGPASSWORD])
    expect(value).toMatch(/^\$\{PGPASSWORD:/)
  expect(worker.environment.CLAUDE_AGENTS_DATABASE).not.toMatch(/:[^/]+@/)
})
