/** Many calls leave nothing behind: no descriptor, no listener, no zombie. */
import { getEventListeners } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeCli } from '../../../src/claude/claude-cli.ts'
import { linuxProcessTable } from '../../../src/claude/process/table.ts'
import { repetitions } from '../../repetitions.ts'
import { collect, testAgent } from '../calls.ts'

const STARTS = repetitions('STARTS', { short: 60, long: 1_000 })
const AT_ONCE = 4

/** The smallest program that ends a call successfully. */
const SMALL = `#!/bin/sh
if [ "$1" = --version ]; then echo '2.1.197 (Claude Code)'; exit; fi
read -r line
echo '{"type":"result","subtype":"success","is_error":false,"result":"fine"}'
`

const PROCESS_EVENTS = ['exit', 'beforeExit', 'SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'warning']

test.runIf(process.platform === 'linux')(`${STARTS} starts`, async () => {
  const agents = await Promise.all(Array.from({ length: AT_ONCE }, testAgent))
  const path = join(agents[0]?.baseDir ?? '', 'small')
  await writeFile(path, SMALL, { mode: 0o755 })
  const runner = claudeCli({ path, maxStarts: AT_ONCE, maxProcesses: AT_ONCE })
  // One signal for all of them, as in a long-lived orchestrator.
  const { signal } = new AbortController()
  const start = (count: number) =>
    Promise.all(
      agents.map(async (agent) => {
        for (let index = 0; index < count / AT_ONCE; index += 1) {
          const { result, error } = await collect(runner, agent.call('x'), { signal })
          expect(error).toBeNull()
          expect(result?.text).toBe('fine')
        }
      }),
    )
  const left = async () => ({
    descriptors: (await readdir('/proc/self/fd')).length,
    abortListeners: getEventListeners(signal, 'abort').length,
    processListeners: PROCESS_EVENTS.map((name) => process.listenerCount(name)),
    children: (await linuxProcessTable.entries()).filter(({ parentPid }) => parentPid === process.pid).length,
  })

  await start(AT_ONCE * 5)
  const { descriptors, ...before } = await left()
  await start(STARTS - AT_ONCE * 5)
  const { descriptors: descriptorsAfter, ...after } = await left()
  expect(after).toEqual(before)
  expect(before).toMatchObject({ abortListeners: 0, children: 0 })
  // One or two may belong to something else in this process.
  expect(descriptorsAfter).toBeLessThanOrEqual(descriptors + 2)
})
