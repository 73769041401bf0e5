// Fault injection at length: kill -9 under load, random damage to every kind of file, races of openers, a thousand process
// starts, 10,000 agents that leave memory, 10,000 simulated worlds, 500 turns over files, 300 mixtures of mishaps of
// repositories, kills at all points of a landing, 20 rounds of each fault of a cluster, and every other test that has a longer
// form. `npm test` runs the same tests with smaller numbers. Set the numbers with KILLS, CORRUPTIONS, RACES, SEEDS,
// TURNS, MIXTURES, ROUNDS, POINTS (`all`, or such a part of them as `2/8`), SEED (the same seed repeats a run, except for
// timing) and MINUTES, the time limit of each part. KEEP=DIR keeps the damaged stores that were read wrong. JOBS is how many
// parts run at once, 1 if it is not given. ONLY names some of the parts by what their names or files have in them:
// `ONLY=kill,backup npm run faults`.
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const {
  KILLS = '1000',
  CORRUPTIONS = '2000',
  RACES = '100',
  SEEDS = '10000',
  TURNS = '500',
  MIXTURES = '300',
  ROUNDS = '20',
  MINUTES = '30',
  JOBS = '1',
  ONLY = '',
  SEED = String(Date.now() % 1_000_000),
  // All of them take hours: another part each time.
  POINTS = `${Number(SEED) % 8}/8`,
} = process.env

const PARTS = [
  { name: 'kill -9', file: 'tests/store/level/kill.test.ts' },
  { name: 'power losses', file: 'tests/store/level/power-loss.test.ts' },
  { name: 'races of openers', file: 'tests/store/level/ownership.test.ts' },
  { name: 'kill -9 of owners with busy agents', file: 'tests/processes/owner-kills.test.ts' },
  { name: 'kill -9 of owners of runs', file: 'tests/processes/run-owner-kills.test.ts' },
  { name: 'kill -9 of agents that write to each other', file: 'tests/processes/message-kills.test.ts' },
  { name: 'kill -9 of workflows', file: 'tests/e2e/workflow-kill.test.ts' },
  { name: 'random damage', file: 'tests/store/care/random-damage.test.ts' },
  { name: 'backups of a busy store', file: 'tests/store/care/backup.test.ts' },
  { name: 'starts of a process', file: 'tests/claude/process/many-starts.test.ts' },
  { name: '10,000 agents in the heap', file: 'tests/actors/heap.test.ts' },
  { name: 'simulated worlds', file: 'tests/testing/simulation.test.ts' },
  { name: 'turns over files', file: 'tests/workspaces/files/random-turns.test.ts' },
  { name: 'mishaps of repositories', file: 'tests/workspaces/files/mishaps.test.ts' },
  { name: 'kills of a landing', file: 'tests/processes/landing-kills.test.ts' },
]
const CHAOS = 'tests/cluster/chaos.test.ts'
/** The faults of a cluster, as `KINDS` names them: in parts, because each takes long. */
const KINDS = ['kill,crash,backends,budget', 'drain,flap,moves', 'freeze', 'silence', 'refuse', 'link']
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const hasEngine = major > 22 || (major === 22 && minor >= 19)
if (hasEngine)
  for (const kinds of KINDS)
    PARTS.push({ name: `faults of a cluster: ${kinds}`, file: CHAOS, environment: { KINDS: kinds } })
else console.log('The faults of a cluster are left out: its engine needs Node 22.19 or newer.')
// Whatever else `npm test` runs in short.
for (const name of readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' }).sort()) {
  const file = `tests/${name}`
  if (!file.endsWith('.test.ts') || file === CHAOS || PARTS.some((part) => part.file === file)) continue
  const text = readFileSync(join(root, file), 'utf8')
  if (/from '[./]+\/repetitions\.ts'/.test(text)) PARTS.push({ name: name.replace('.test.ts', ''), file })
}

const folder = mkdtempSync(join(tmpdir(), 'faults-'))
// PostgreSQL runs as another user.
chmodSync(folder, 0o755)
const report = join(folder, 'report.ndjson')
writeFileSync(report, '')
const environment = {
  ...process.env,
  LONG_TESTS: '1',
  KILLS,
  CORRUPTIONS,
  RACES,
  SEEDS,
  TURNS,
  MIXTURES,
  ROUNDS,
  POINTS,
  SEED,
  FAULTS_REPORT: report,
  TMPDIR: folder,
}

/** The processes of the parts that are running. */
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running) process.kill(-child.pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    process.exit(130)
  })
}

/** Runs a part; resolves to `passed`, `failed` or `timed out`. */
function run({ file, environment: own = {} }) {
  return new Promise((resolve) => {
    // A test of many repetitions may take as long as its part.
    const limit = ['--testTimeout', String(Number(MINUTES) * 60_000)]
    const words = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', file, ...limit]
    const child = spawn(process.execPath, words, {
      cwd: root,
      env: { ...environment, ...own },
      stdio: ['ignore', 'ignore', 'inherit'],
      // In its own process group, so that the writers and readers that it starts can be killed with it.
      detached: true,
    })
    running.add(child)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      process.kill(-child.pid, 'SIGKILL')
    }, Number(MINUTES) * 60_000)
    child.on('exit', (code) => {
      clearTimeout(timer)
      running.delete(child)
      resolve(timedOut ? 'timed out' : code === 0 ? 'passed' : 'failed')
    })
  })
}

console.log(
  `SEED=${SEED} KILLS=${KILLS} CORRUPTIONS=${CORRUPTIONS} RACES=${RACES} SEEDS=${SEEDS} TURNS=${TURNS} MIXTURES=${MIXTURES} ROUNDS=${ROUNDS} POINTS=${POINTS}`,
)
try {
  const rows = []
  const left = PARTS.filter(({ name, file }) =>
    ONLY.split(',').some((word) => name.includes(word) || file.includes(word)),
  )
  const runInTurn = async () => {
    for (let part = left.shift(); part; part = left.shift()) {
      const began = performance.now()
      const result = await run(part)
      const row = { part: part.name, result, seconds: Math.round((performance.now() - began) / 1000) }
      console.log(`${row.result} in ${row.seconds} s: ${row.part}`)
      rows.push(row)
      if (result !== 'passed') process.exitCode = 1
    }
  }
  const problem =
    left.length === 0
      ? `ONLY=${ONLY} names none of the parts.`
      : !(Number(JOBS) >= 1) && `JOBS=${JOBS} is no number of parts to run at once.`
  if (problem) {
    console.error(problem)
    process.exitCode = 2
  }
  await Promise.all(Array.from({ length: Number(JOBS) }, runInTurn))
  console.table(rows)
  for (const line of readFileSync(report, 'utf8').split('\n').filter(Boolean)) {
    const { name, ...figures } = JSON.parse(line)
    console.log(name)
    console.table(figures)
  }
} finally {
  rmSync(folder, { recursive: true })
}
