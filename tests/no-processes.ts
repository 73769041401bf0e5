/** Before each file of quick tests: a process that one of them starts fails it. */
import childProcess from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, expect } from 'vitest'

/** What the test has tried to start. */
export const started: string[] = []
for (const name of ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'] as const) {
  const refuse = (program: unknown) => {
    started.push(`${name} ${program}`)
    throw new Error(`a quick test starts a process: ${name} ${program}`)
  }
  Object.assign(childProcess, { [name]: refuse })
}
syncBuiltinESMExports()

// Code may take a program that does not start for one that is not there.
afterEach(() => {
  expect(started.splice(0), 'a quick test starts no process: see tests/quick-tests.ts').toEqual([])
})
