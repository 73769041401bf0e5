// Breaks each protection once, on a copy, and expects the tests that hold it to turn red: npm run mutants [-- WORDS]
// WORDS select the mutations whose promise, file or tests contain all of them. The list is scripts/mutations.mjs. The run fails
// if the tests stay green, if a mutation no longer applies, or if its tests are red without it. JOBS is how many run at once.
import { execFileSync, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MUTATIONS } from './mutations.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const words = process.argv.slice(2)
const JOBS = Number(process.env.JOBS ?? Math.min(4, availableParallelism()))
/** A mutation may make a test wait for ever, which is red as well. */
const TEST_MS = 60_000
const RUN_MS = 240_000
/** All of the tests, as they are. */
const WHOLE_RUN_MS = 3600_000
const NOT_COPIED = new Set(['node_modules', '.git', 'bench'])

const selected = MUTATIONS.filter(({ breaks, file, tests }) => {
  const text = [breaks, file, ...Object.keys(tests), ...Object.values(tests).flat()].join(' ').toLowerCase()
  return words.every((word) => text.includes(word.toLowerCase()))
})

const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running) process.kill(-child.pid, 'SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    process.exit(130)
  })
}

try {
  const broken = selected.flatMap(staleness)
  for (const problem of broken) console.error(problem)
  if (broken.length > 0 || selected.length === 0) process.exitCode = 1
  else await main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function main() {
  const quick = quickTests()
  const copies = Array.from({ length: Math.min(JOBS, selected.length) }, (_, number) => copyOf(number))
  console.log(`${selected.length} mutations, ${copies.length} at once`)
  const rows = []
  const queue = [...selected]
  const work = async (copy) => {
    for (let mutation = queue.shift(); mutation; mutation = queue.shift()) {
      const began = performance.now()
      const result = await resultOf(copy, mutation, quick)
      const seconds = Math.round((performance.now() - began) / 1000)
      rows.push({ breaks: mutation.breaks, file: mutation.file, result, seconds })
      console.log(
        `${result.padEnd(8)} ${String(seconds).padStart(4)} s  ${mutation.file}: ${mutation.breaks}`,
      )
    }
  }
  await Promise.all(copies.map(work))
  // Red proves nothing of a test that is red anyway.
  const before = await failures(copies[0], testsOf(selected), quick, { isEdited: false })
  for (const { title } of before.failed) console.error(`red without any mutation: ${title}`)
  if (before.problem) console.error(`without any mutation: ${before.problem}`)
  rows.sort((one, other) => (one.file < other.file ? -1 : 1))
  console.table(rows)
  const green = rows.filter(({ result }) => result !== 'red')
  console.log(`${rows.length - green.length} of ${rows.length} turn a test red`)
  if (green.length > 0 || before.failed.length > 0 || before.problem) process.exitCode = 1
}

/** What keeps a mutation from being tried: its line has changed, or a test that it names is gone. */
function staleness({ breaks, file, from, to, tests }) {
  const problems = []
  const text = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : ''
  const count = text.split(from).length - 1
  if (count !== 1 || from === to)
    problems.push(`${breaks}: ${JSON.stringify(from)} is ${count} times in ${file}`)
  for (const [test, titles] of Object.entries(tests)) {
    const content = existsSync(join(root, test)) ? readFileSync(join(root, test), 'utf8') : ''
    for (const title of titles)
      if (!content.includes(title))
        problems.push(`${breaks}: there is no test ${JSON.stringify(title)} in ${test}`)
  }
  return problems
}

/** The tests that need no build. */
function quickTests() {
  const list = ['list', '--filesOnly', '--json', '--project', 'quick']
  const files = JSON.parse(
    execFileSync(process.execPath, [vitest(root), ...list], { cwd: root, encoding: 'utf8' }),
  )
  return new Set(files.map(({ file }) => file.slice(root.length)))
}

function vitest(where) {
  return join(where, 'node_modules/vitest/vitest.mjs')
}

function copyOf(number) {
  const copy = join(folder, String(number))
  for (const name of readdirSync(root)) {
    if (!NOT_COPIED.has(name)) cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** `red`: at least one of the named tests failed; `green`; or why nothing can be said. */
async function resultOf(copy, mutation, quick) {
  const path = join(copy, mutation.file)
  const text = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    text.replace(mutation.from, () => mutation.to),
  )
  try {
    const { failed, problem } = await failures(copy, mutation.tests, quick, { isEdited: true })
    return failed.length > 0 ? 'red' : (problem ?? 'GREEN')
  } finally {
    writeFileSync(path, text)
  }
}

function testsOf(mutations) {
  const all = {}
  for (const { tests } of mutations)
    for (const [file, titles] of Object.entries(tests))
      all[file] = [...new Set([...(all[file] ?? []), ...titles])]
  return all
}

/** Runs tests by their titles, and returns those that failed. With an edit, the first failure is enough. */
async function failures(copy, tests, quick, { isEdited }) {
  const files = Object.keys(tests)
  if (files.some((file) => !quick.has(file))) build(copy)
  const titles = Object.values(tests).flat()
  const output = join(copy, 'report.json')
  rmSync(output, { force: true })
  const options = [
    '--testNamePattern',
    titles.map(pattern).join('|'),
    '--reporter',
    'json',
    '--outputFile',
    output,
  ]
  const limits = ['--testTimeout', String(TEST_MS), '--hookTimeout', String(TEST_MS), '--maxWorkers', '1']
  const words = [vitest(copy), 'run', ...files, ...options, ...(isEdited ? [...limits, '--bail', '1'] : [])]
  const isTimeUp = await run(copy, words, isEdited ? RUN_MS : WHOLE_RUN_MS)
  if (!existsSync(output))
    return { failed: isTimeUp ? [{ title: 'none ended in time' }] : [], problem: 'no test ran' }
  const results = JSON.parse(readFileSync(output, 'utf8')).testResults.flatMap(
    ({ assertionResults }) => assertionResults,
  )
  const ran = results.filter(({ status }) => status === 'passed' || status === 'failed')
  const missing = titles.filter(
    (title) => !ran.some(({ fullName }) => new RegExp(pattern(title)).test(fullName)),
  )
  return {
    failed: ran.filter(({ status }) => status === 'failed').map(({ fullName }) => ({ title: fullName })),
    ...(missing.length > 0 && { problem: `did not run: ${missing.join('; ')}` }),
  }
}

/** A title, or the part of it that stands in the source. */
function pattern(title) {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%[a-z]|\\\$\\\{.*?\\\}/g, '.*')
}

/** Tests of processes run the compiled modules. Types do not matter here, nor does the bundle of the command. */
function build(copy) {
  const compiler = join(copy, 'node_modules/typescript/bin/tsc')
  const words = [
    compiler,
    '-p',
    'tsconfig.build.json',
    '--outDir',
    'dist',
    '--noCheck',
    '--declaration',
    'false',
  ]
  execFileSync(process.execPath, words, { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Resolves to whether it took too long. */
function run(cwd, args, limitMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd,
      // In its own process group, so that the processes that tests start can be killed with it.
      ...{ detached: true, stdio: 'ignore', env: { ...process.env, NODE_ENV: 'test' } },
    })
    running.add(child)
    let isTimeUp = false
    const timer = setTimeout(() => {
      isTimeUp = true
      process.kill(-child.pid, 'SIGKILL')
    }, limitMs)
    child.on('exit', () => {
      clearTimeout(timer)
      running.delete(child)
      resolve(isTimeUp)
    })
  })
}
