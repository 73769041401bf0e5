// Breaks each protection once, on a copy, and expects the tests that hold it to turn red: npm run mutants [-- [--vital] WORDS]
// WORDS select the mutations whose promise, file or tests contain all of them, and --vital those that CI makes. The list is
// scripts/mutations.mjs. The run fails if the tests stay green, if a mutation no longer applies, or if its tests are red without
// it. JOBS is how many run at once.
import { execFileSync, fork } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { MUTATIONS, staleness, VITAL } from './mutations.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals: words } = parseArgs({
  options: { vital: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const JOBS = Number(process.env.JOBS ?? Math.min(4, availableParallelism()))
/** As rarely as `npm test` repeats them, some tests would turn red by chance only. */
const OFTEN = {
  ...{ CASES: 'all', STORE_MODELS: '40', MACHINE_RUNS: '250', RESULTS: '25', CONFIGURATIONS: '500' },
  ...{ SETTLEMENT_RUNS: '100', CANCELLATION_RUNS: '200', FULL_DISK_RUNS: '100', KILLS: '10' },
  ...{ BYTES_APART: '19', POWER_LOSS_EVERY: '3', ROTTEN_BYTES: '6', FOLLOWERS: '20', DRIVEN_RUNS: '15' },
}
/** A mutation may make a test wait for ever, which is red as well: how much longer than without it its tests may take. */
const TIMES_AS_LONG = 3
const LEAST_MS = 10_000
const GRACE_MS = 10_000
/** How long the tests of one file may take as they are. */
const FILE_MS = 600_000
const NOT_COPIED = new Set(['node_modules', '.git', 'docs', 'examples'])
/** Nor what benches have installed for themselves. */
const filter = (path) => !path.endsWith('/node_modules')

const selected = MUTATIONS.filter(({ breaks, file, tests }) => {
  if (values.vital && !VITAL.some((edit) => breaks.endsWith(`: ${edit}`))) return false
  const text = [breaks, file, ...Object.keys(tests), ...Object.values(tests).flat()].join(' ').toLowerCase()
  return words.every((word) => text.includes(word.toLowerCase()))
})

const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const runner of running) runner.kill()
    rmSync(folder, { recursive: true, force: true })
    process.exit(130)
  })
}

async function main() {
  const runners = copies(Math.min(JOBS, selected.length)).map((copy) => new Runner(copy))
  console.log(`${selected.length} mutations, ${runners.length} at once`)
  // Red proves nothing of a test that is red anyway.
  const isSound = await asTheyAre(runners)
  const rows = []
  await inTurn(runners, selected, async (runner, mutation) => {
    const began = performance.now()
    const { breaks, file } = mutation
    let { result, by } = await resultOf(runner, mutation)
    if (result === 'GREEN') {
      // Once in hundreds of edits, a runner runs what it has transformed before. A new one transforms everything.
      runner.kill()
      ;({ result, by } = await resultOf(runner, mutation))
    }
    const durationMs = performance.now() - began
    rows.push({ breaks, file, result, by, seconds: Math.round(durationMs / 1000) })
    console.log(line(result, durationMs, `${file}: ${breaks} (${by})`))
  })
  for (const runner of runners) runner.kill()
  rows.sort((one, other) => (one.file < other.file ? -1 : 1))
  console.table(rows)
  const reds = rows.filter(({ result }) => result === 'red')
  console.log(`${reds.length} of ${rows.length} turn a test red`)
  if (reds.length < rows.length || !isSound) process.exitCode = 1
}

const line = (result, durationMs, text) =>
  `${result.padEnd(8)} ${String(Math.round(durationMs / 1000)).padStart(4)} s  ${text}`

/** How long the tests of each file took without any mutation, in ms. */
const durations = new Map()

/** Runs the tests as they are. Returns whether all of them ran and passed. */
async function asTheyAre(runners) {
  const files = new Map()
  for (const { tests } of selected)
    for (const [file, titles] of Object.entries(tests))
      files.set(file, [...new Set([...(files.get(file) ?? []), ...titles])])
  let isSound = true
  await inTurn(runners, [...files], async (runner, [file, titles]) => {
    const began = performance.now()
    const { passed = [], failed = [], problem } = await runner.run({ tests: { [file]: titles } }, FILE_MS)
    const durationMs = performance.now() - began
    durations.set(file, durationMs)
    console.log(line('as it is', durationMs, file))
    const missing = titles.filter((title) => !passed.some((name) => new RegExp(pattern(title)).test(name)))
    const problems = [
      ...failed.map(({ test, error }) => `red without any mutation: ${test}: ${error}`),
      ...missing.map((title) => `did not pass without any mutation: ${title}`),
      ...(problem ? [problem] : []),
    ]
    for (const each of problems) console.error(`${file}: ${each}`)
    isSound &&= problems.length === 0
  })
  return isSound
}

/** `red`, and by which test: one of the named ones failed, or none ended in time; `GREEN`; or why nothing can be said. */
async function resultOf(runner, { file, from, to, tests }) {
  const usual = Object.keys(tests).reduce((sum, test) => sum + (durations.get(test) ?? 0), 0)
  const limitMs = LEAST_MS + TIMES_AS_LONG * usual
  const { passed, failed, isTimeUp, problem } = await runner.run({ edit: { file, from, to }, tests }, limitMs)
  if (failed?.length > 0) return { result: 'red', by: failed[0].test }
  if (isTimeUp) return { result: 'red', by: `no end within ${Math.round(limitMs / 1000)} s` }
  return { result: problem ?? (passed.length > 0 ? 'GREEN' : 'no test ran'), by: '' }
}

/** Gives each runner the next item as soon as it has done its last one. */
async function inTurn(runners, items, work) {
  const queue = [...items]
  await Promise.all(
    runners.map(async (runner) => {
      for (let item = queue.shift(); item; item = queue.shift()) await work(runner, item)
    }),
  )
}

/** A process that runs tests in a copy, again and again. One that does not answer in time is ended, with all that it started. */
class Runner {
  #copy
  #process

  constructor(copy) {
    this.#copy = copy
    running.add(this)
  }

  run({ edit, tests }, limitMs) {
    this.#process ??= fork(join(this.#copy, 'scripts/mutant-runner.mjs'), {
      cwd: this.#copy,
      // In its own process group, so that the processes that tests start can be killed with it.
      ...{ detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
      env: { ...OFTEN, ...process.env, NODE_ENV: 'test' },
    })
    const child = this.#process
    const patterns = Object.fromEntries(
      Object.entries(tests).map(([file, titles]) => [file, titles.map(pattern).join('|')]),
    )
    return new Promise((resolve) => {
      const end = (answer) => {
        clearTimeout(timer)
        child.removeAllListeners()
        if (answer.isTimeUp || answer.problem) this.kill()
        resolve(answer)
      }
      // A test that waits in vain fails by itself; one that never yields does not.
      const timer = setTimeout(() => end({ isTimeUp: true }), limitMs + GRACE_MS)
      child.once('message', end)
      child.once('exit', (code) => end({ problem: `the runner ended with ${code}` }))
      child.send({ edit, patterns, testMs: limitMs })
    })
  }

  kill() {
    if (!this.#process) return
    try {
      process.kill(-this.#process.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
    this.#process = undefined
  }
}

/** A title, or the part of it that stands in the source. */
function pattern(title) {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%[a-z]|\\\$\\\{.*?\\\}/g, '.*')
}

/** Copies of the project whose compiled modules are those of its sources. */
function copies(count) {
  return Array.from({ length: count }, (_, number) => {
    const copy = join(folder, String(number))
    for (const name of readdirSync(root))
      if (!NOT_COPIED.has(name)) cpSync(join(root, name), join(copy, name), { recursive: true, filter })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    compile(copy)
    return copy
  })
}

/** Types do not matter here, nor does the bundle of the command. */
function compile(copy) {
  const compiler = join(copy, 'node_modules/typescript/bin/tsc')
  const options = ['-p', 'tsconfig.build.json', '--outDir', 'dist', '--noCheck', '--declaration', 'false']
  execFileSync(process.execPath, [compiler, ...options], {
    cwd: copy,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

try {
  const stale = staleness(selected, root)
  for (const problem of stale) console.error(problem)
  if (stale.length > 0 || selected.length === 0) process.exitCode = 1
  else await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
