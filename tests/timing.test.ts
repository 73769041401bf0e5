/** Tests bound steps, not time: a slow machine is not a fault. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const CLOCKS = /\bperformance\.now\b|\bprocess\.(?:cpuUsage|hrtime|uptime)\b|\bconsole\.time\b/

/** Where a time is only reported, is that of a lock that expires, or passes in a log as if it were days. */
const REPORTED = new Set([
  'cluster/chaos/cluster.ts',
  'cluster/chaos/faults.ts',
  'inspector/shop.ts',
  'processes/owner-kills.test.ts',
])

test('no test measures how long something took', () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !REPORTED.has(name) && name !== 'timing.test.ts',
  )
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter((name) => CLOCKS.test(readFileSync(join(import.meta.dirname, name), 'utf8')))).toEqual(
    [],
  )
})
