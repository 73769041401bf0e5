/** One owner at a time among real processes: in pid namespaces, through links, killed, and robbed of their lock files. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { repetitions } from '../../repetitions.ts'
import { randomNumbers } from '../random-numbers.ts'
import { all } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const RACES = repetitions('RACES', { short: 2, long: 100 })
/** The same each time; `npm run faults` takes a new one. */
const SEED = Number(process.env.SEED ?? 734_812)
const CONTENDERS = 3
/** How often the contenders of a race say that something was acknowledged. */
const SIGNS = 50

const PID_NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']
const hasNamespaces = canRun(PID_NAMESPACE)

function canRun([program = '', ...args]: readonly string[]): boolean {
  return spawnSync(program, [...args, 'true']).status === 0
}

interface Acknowledgement {
  readonly commitId: string
  readonly position: number
  readonly epoch: number
  readonly name: string
}

/** What happened in a race, for the report. */
interface Course {
  readonly acknowledged: number
  readonly owners: number
  readonly removals: number
  readonly kills: number
  readonly inNamespaces: number
}

/** Lets contenders fight for a store until enough was acknowledged, while lock files and contenders are taken away. */
async function race(directory: string, random: (below: number) => number): Promise<Course> {
  const base = join(directory, 'store')
  await mkdir(base)
  const links = [join(directory, 'link'), join(directory, 'folder', '..', 'link-to-link')]
  await mkdir(join(directory, 'folder'))
  await symlink(base, links[0] ?? '')
  await symlink('link', join(directory, 'link-to-link'))
  const acknowledgements = join(directory, 'acknowledgements')
  await writeFile(acknowledgements, '')

  const running = new Set<ChildProcess>()
  const removing: Promise<void>[] = []
  let signs = 0
  let started = 0
  let inNamespaces = 0
  let removals = 0
  let kills = 0
  let finish: (error?: Error) => void = () => {}
  const finished = new Promise<void>((resolve, reject) => {
    finish = (error) => (error ? reject(error) : resolve())
  })

  const start = () => {
    const program = join(import.meta.dirname, '../fixtures', 'contender.mjs')
    const path = [base, ...links][random(3)] ?? base
    const command = [process.execPath, program, path, acknowledgements, `c${started++}`, `${1 + random(30)}`]
    const isApart = hasNamespaces && random(2) === 0
    if (isApart) inNamespaces++
    const [file = '', ...args] = isApart ? [...PID_NAMESPACE, ...command] : command
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    running.add(child)
    let complaint = ''
    child.stderr.on('data', (text) => {
      complaint += text
    })
    child.stdout.on('data', () => onSign(child))
    child.once('close', () => {
      if (running.delete(child)) finish(new Error(`a contender has ended: ${complaint}`))
    })
  }

  const onSign = (child: ChildProcess) => {
    if (!running.has(child) || ++signs > SIGNS) return
    if (signs === SIGNS) return finish()
    const chance = random(16)
    const robbed = [['lock'], ['log/LOCK'], ['lock', 'log/LOCK'], ['lock', 'log/LOCK', 'owner.json']][chance]
    if (robbed) {
      removals++
      removing.push(...robbed.map((name) => rm(join(base, name), { force: true })))
    }
    if (chance === 4) {
      kills++
      running.delete(child)
      child.kill('SIGKILL')
      start()
    }
  }

  for (let n = 0; n < CONTENDERS; n++) start()
  try {
    await finished
  } finally {
    const ended = [...running].map((child) => {
      running.delete(child)
      const gone = once(child, 'close')
      child.kill('SIGKILL')
      return gone
    })
    await Promise.all([...ended, ...removing])
  }
  const lines = (await readFile(acknowledgements, 'utf8')).split('\n').filter((line) => line !== '')
  const acknowledged = lines.map((line) => JSON.parse(line) as Acknowledgement)
  await checkOutcome(base, acknowledged)
  const owners = new Set(acknowledged.map(({ epoch }) => epoch)).size
  return { acknowledged: acknowledged.length, owners, removals, kills, inNamespaces }
}

async function checkOutcome(base: string, acknowledged: readonly Acknowledgement[]): Promise<void> {
  const store = await levelStore(base)
  const facts = await all(store.readAll())
  await store[Symbol.asyncDispose]()
  const lost = acknowledged.filter(({ commitId, position, epoch }) => {
    const fact = facts[position - 1]
    return fact?.data.commitId !== commitId || fact.epoch !== epoch
  })
  expect(lost).toEqual([])
  // An owner that acknowledges something is the only one until it acknowledges nothing more.
  const epochs = acknowledged.map(({ epoch }) => epoch)
  expect(epochs).toEqual(epochs.toSorted((one, other) => one - other))
  const owners = new Set(acknowledged.map(({ epoch, name }) => `${epoch} ${name}`))
  expect(owners.size).toBe(new Set(epochs).size)
  expect(await verifyStore(base)).toMatchObject({ ok: true, facts: facts.length })
}

test(`In ${RACES} races of openers no two acknowledge, and nothing acknowledged is lost (SEED=${SEED})`, {
  timeout: 60_000 + RACES * 10_000,
}, async () => {
  process.stderr.write(`ownership: SEED=${SEED} RACES=${RACES}\n`)
  const random = randomNumbers(SEED)
  const total = { acknowledged: 0, owners: 0, removals: 0, kills: 0, inNamespaces: 0 }
  for (let number = 0; number < RACES; number++) {
    const course = await race(await temporaryDirectory(), random)
    for (const name of Object.keys(total) as (keyof Course)[]) total[name] += course[name]
  }
  if (!hasNamespaces)
    process.stderr.write(`ownership: skipped pid namespaces in ${RACES} races: not allowed\n`)
  process.stderr.write(`ownership: ${JSON.stringify(total)}, none lost\n`)
  if (process.env.FAULTS_REPORT) {
    const line = { name: 'ownership', seed: SEED, races: RACES, ...total, lost: 0 }
    appendFileSync(process.env.FAULTS_REPORT, `${JSON.stringify(line)}\n`)
  }
})
