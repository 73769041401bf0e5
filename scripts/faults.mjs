// The long form of what repeating shows: kill -9 under load, random damage to every kind of file, a thousand starts of a
// process. `npm test` runs the same tests with smaller numbers. The numbers can be set: KILLS, CORRUPTIONS, RACES, SEED (the
// same one gives the same run, but for timing) and MINUTES, after which a part that is not done counts as failed.
// KEEP=DIR keeps there, as they were damaged, the stores that were read wrong.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const {
  KILLS = '1000',
  CORRUPTIONS = '2000',
  RACES = '100',
  MINUTES = '30',
  SEED = String(Date.now() % 1_000_000),
} = process.env

const PARTS = [
  { name: 'kill -9', file: 'tests/store/level/kill.test.ts' },
  { name: 'races of openers', file: 'tests/store/level/ownership.test.ts' },
  { name: 'kill -9 of owners with busy agents', file: 'tests/processes/owner-kills.test.ts' },
  { name: 'kill -9 of workflows', file: 'tests/e2e/workflow-kill.test.ts' },
  { name: 'random damage', file: 'tests/store/care/random-damage.test.ts' },
  { name: 'backups of a busy store', file: 'tests/store/care/backup.test.ts' },
  { name: 'starts of a process', file: 'tests/claude/process/many-starts.test.ts' },
]

const folder = mkdtempSync(join(tmpdir(), 'faults-'))
const report = join(folder, 'report.ndjson')
writeFileSync(report, '')
const environment = {
  ...process.env,
  LONG_TESTS: '1',
  KILLS,
  CORRUPTIONS,
  RACES,
  SEED,
  FAULTS_REPORT: report,
  TMPDIR: folder,
}

/** The part that runs now. */
let running = null
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (running) process.kill(-running.pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    process.exit(130)
  })
}

/** Resolves with how a part ended: `passed`, `failed`, or `not done in time`. */
function run({ file }) {
  return new Promise((resolve) => {
    const words = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', file]
    const child = spawn(process.execPath, words, {
      cwd: root,
      env: environment,
      stdio: ['ignore', 'ignore', 'inherit'],
      // A group of its own, so that the writers and readers that it starts can be ended with it.
      detached: true,
    })
    running = child
    let late = false
    const timer = setTimeout(() => {
      late = true
      process.kill(-child.pid, 'SIGKILL')
    }, Number(MINUTES) * 60_000)
    child.on('exit', (code) => {
      clearTimeout(timer)
      resolve(late ? 'not done in time' : code === 0 ? 'passed' : 'failed')
    })
  })
}

console.log(`SEED=${SEED} KILLS=${KILLS} CORRUPTIONS=${CORRUPTIONS} RACES=${RACES}`)
try {
  const rows = []
  for (const part of PARTS) {
    const began = performance.now()
    const result = await run(part)
    rows.push({ part: part.name, result, seconds: Math.round((performance.now() - began) / 1000) })
    if (result !== 'passed') process.exitCode = 1
  }
  console.table(rows)
  for (const line of readFileSync(report, 'utf8').split('\n').filter(Boolean)) {
    const { name, ...figures } = JSON.parse(line)
    console.log(name)
    console.table(figures)
  }
} finally {
  rmSync(folder, { recursive: true })
}
