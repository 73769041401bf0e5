// Snapshots of an agent's files: their CPU time compared with `git status` of the same tree, and their bytes on disk.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesIn, dist, least, row, sized, withDirectory } from './kit/measuring.mjs'

const { filesOperations } = await import(`${dist}/workspaces/files/operations.js`)
const { systemClock } = await import(`${dist}/clock.js`)

export const name = 'files'

const FILES = sized(5000, 200)
const A_DIRECTORY = 50
const CHANGED = 10
/** The system counts CPU time in hundredths of a second: each round does this many. */
const AT_ONCE = sized(20, 2)
const ROUNDS = sized(5, 1)
const TURNS = sized(400, 20)
const CHANGE = 2048

export const run = () =>
  withDirectory(async (folder) => {
    const repo = join(folder, 'repo')
    await makeRepository(repo)
    const files = filesOperations(systemClock)
    const workspace = await files.resolve({ repo, base: 'HEAD', branch: 'agent' })
    const base = join(folder, 'base')
    const directories = { workspace: join(base, 'workspace'), home: join(base, 'home'), base }
    const place = { agent: 'a', workspace, directories }
    const save = () => files.save(place, 'bench')
    await save()
    await save()
    const status = () => execFileSync('git', ['status', '--porcelain'], { cwd: directories.workspace })
    status()

    const rows = []
    for (const { changed, most } of [
      { changed: 0, most: 2 },
      { changed: CHANGED, most: 3 },
    ]) {
      const times = { save: [], status: [] }
      for (let round = 0; round < ROUNDS; round += 1) {
        times.save.push(await cpuOfEach(save, () => change(directories.workspace, changed)))
        times.status.push(await cpuOfEach(status, () => change(directories.workspace, changed)))
        await save()
      }
      rows.push(
        row({
          what: `a snapshot of ${FILES} files, ${changed} of them changed, compared with git status (at most ${most} times)`,
          value: least(times.save),
          unit: 'ms of CPU',
          digits: 1,
          baseline: least(times.status),
          goal: Math.floor(100 / most) / 100,
        }),
      )
    }
    const objects = join(base, 'files.git/objects')
    const before = await bytesIn(objects)
    for (let turn = 0; turn < TURNS; turn += 1) {
      await writeFile(join(directories.workspace, fileName(turn % FILES)), randomBytes(CHANGE))
      await save()
    }
    return [
      ...rows,
      row({
        what: `the objects of ${TURNS} turns that change 2 KB each, compared with the changes (at most 3 times as much)`,
        value: ((await bytesIn(objects)) - before) / 1024,
        unit: 'KB',
        baseline: (TURNS * CHANGE) / 1024,
        goal: 0.33,
      }),
    ]
  })

const fileName = (number) => join(`d${Math.floor(number / A_DIRECTORY)}`, `f${number}.txt`)

async function makeRepository(repo) {
  for (let number = 0; number < FILES; number += 1) {
    if (number % A_DIRECTORY === 0) await mkdir(join(repo, `d${number / A_DIRECTORY}`), { recursive: true })
    await writeFile(join(repo, fileName(number)), `${number}\n`.repeat(50))
  }
  const git = (...command) =>
    execFileSync('git', ['-c', 'user.name=Me', '-c', 'user.email=me@example.com', ...command], { cwd: repo })
  git('init', '-q')
  git('add', '-A')
  git('commit', '-qm', 'first')
}

let changes = 0
async function change(directory, count) {
  for (let number = 0; number < count; number += 1)
    await writeFile(join(directory, fileName(number * Math.floor(FILES / count))), `${++changes}\n`)
}

/** The CPU time that an action takes on average, in ms: of this process and of those that it has started. */
async function cpuOfEach(action, prepare) {
  let sum = 0
  for (let time = 0; time < AT_ONCE; time += 1) {
    await prepare()
    const before = cpu()
    await action()
    sum += cpu() - before
  }
  return sum / AT_ONCE
}

/** In ms, with the processes that have ended. */
function cpu() {
  const { user, system } = process.cpuUsage()
  // After the name, which may contain anything: utime, stime, cutime, cstime are the 12th to the 15th.
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (user + system) / 1000 + (Number(fields[13]) + Number(fields[14])) * TICK_MS
}
const TICK_MS = 10
