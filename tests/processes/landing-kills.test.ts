/**
 * A landing of three, killed: before and after any fact and any git command, and inside of git, before each change that it makes
 * to files. Real git. `POINTS=all` tries all points, as `LONG_TESTS=1` does, and `POINTS=2/8` those of the third of eight parts;
 * otherwise a few of them.
 *
 * One process lands, and stands still at each point: what a kill of it and of all its children would leave there is copied. From
 * each copy, this process continues.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Clock, systemClock } from '../../src/clock.ts'
import { ClaudeAgentError } from '../../src/events/errors/base.ts'
import type { LandingEntry } from '../../src/landing/landings.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../src/workspaces/operations.ts'
import { isLong } from '../repetitions.ts'
import { land, prepare, work } from './fixtures/landing-work.mjs'

const FIXTURES = join(import.meta.dirname, 'fixtures')
const LONGEST_MS = 3 * 60 * 60_000

/** Which of the steps are tried, in their order. */
const isTried = (() => {
  const [part, parts] = (process.env.POINTS ?? '').split('/').map(Number)
  if (parts !== undefined) return (step: number) => step % parts === part
  const isAll = isLong || process.env.POINTS === 'all'
  return (step: number, every: number) => isAll || step % every === Math.floor(every / 2)
})() as (step: number, every: number) => boolean

/** Waits, but not for long. */
const hurried: Clock = { ...systemClock, after: (delayMs, then) => systemClock.after(delayMs / 50, then) }

interface Step {
  readonly number: number
  /** `begin` and `end` of a git, what it changes, or a fact. */
  readonly what: string
}

/** Lets whoever asks do one step at a time: what they are about to do is told first. */
async function steps(socket: string, tell: (step: Step) => 'go' | 'die') {
  const waiting: { readonly client: Socket; readonly what: string }[] = []
  let busy: Socket | null = null
  let number = 0
  const next = () => {
    const first = busy ? undefined : waiting.shift()
    if (!first) return
    busy = first.client
    number += 1
    first.client.write(tell({ number, what: first.what }) === 'go' ? 'g' : 'k')
  }
  const server = createServer((client) => {
    client.once('data', (said) => {
      waiting.push({ client, what: String(said).trim() })
      next()
    })
    client.on('error', () => {})
    client.once('close', () => {
      if (busy === client) busy = null
      next()
    })
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  onTestFinished(() => void server.close())
}

async function world() {
  const folder = await mkdtemp(join(tmpdir(), 'landing-kills-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [live, saved, bin] = [join(folder, 'live'), join(folder, 'saved'), join(folder, 'bin')]
  const [repo, baseDir, socket] = [join(live, 'shop'), join(live, 'base'), join(folder, 'steps')]
  const user = (...command: string[]) =>
    execFileSync(
      'git',
      ['-c', 'user.name=User', '-c', 'user.email=user@example.com', '-C', repo, ...command],
      {
        encoding: 'utf8',
      },
    ).trim()
  const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim()
  const library = join(folder, 'stopping-git.so')
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(FIXTURES, 'stopping-git.c'), '-ldl'])
  await mkdir(bin)
  await writeFile(
    join(bin, 'git'),
    `#!/bin/sh\nexport LD_PRELOAD='${library}' GIT_STEPS='${socket}'\nexec '${real}' "$@"\n`,
  )
  chmodSync(join(bin, 'git'), 0o755)
  const path = `${bin}${delimiter}${process.env.PATH}`

  await mkdir(repo, { recursive: true })
  user('init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a.txt'), 'zero\n')
  user('add', '-A')
  user('commit', '-qm', 'first')
  const open = () => {
    const runner = { ...scriptedRunner({ reply: work }), ...directoryOperations({ clock: hurried }) }
    return Orchestrator.open({ baseDir, runner, clock: hurried, serve: false })
  }
  {
    await using orchestrator = await open()
    await prepare(orchestrator, repo)
  }
  copy(live, saved)
  /** The owner begins as it is now. */
  const owner = () =>
    execa(process.execPath, [join(FIXTURES, 'landing-owner.mjs'), baseDir, repo, 'land'], {
      env: { PATH: path, STEPS: socket },
      stderr: 'inherit',
    })
  const settled = async () => {
    await using orchestrator = await open()
    const ended = await land(orchestrator).catch((error) => {
      // What was asked for is asked for again.
      if (!(error instanceof ClaudeAgentError) || !error.retryable) throw error
      return land(orchestrator)
    })
    return ended as readonly LandingEntry[]
  }
  return { folder, live, saved, repo, socket, path, user, owner, settled }
}

function copy(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
}

/** Of all files, without the times. */
function pictureOf(directory: string): string {
  const hash = createHash('sha256')
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    // What nothing names is nothing: an object that is not complete, and a place for objects.
    if (/\/tmp_obj(_|dir-)|\/objects\/[0-9a-f]{2}$/.test(path)) continue
    hash.update(path)
    // An object has the name of its content.
    if (entry.isFile() && !/\/[0-9a-f]{38}$|\/LOG/.test(path)) hash.update(readFileSync(path))
  }
  return hash.digest('hex')
}

/** Nothing of a process runs once it has stopped. */
function stopped<T>(pid: number, work: () => T): T {
  process.kill(pid, 'SIGSTOP')
  const threads = () =>
    readdirSync(`/proc/${pid}/task`).map((name) => readFileSync(`/proc/${pid}/task/${name}/stat`, 'utf8'))
  while (!threads().every((stat) => /\) T /.test(stat)));
  try {
    return work()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

type World = Awaited<ReturnType<typeof world>>

const commitsOf = ({ user }: World) => user('rev-list', '--first-parent', 'main').split('\n')

function locksIn(directory: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.lock') && statSync(join(directory, name)).isFile())
}

/** What has landed, whatever has happened on the way. `before`: where the branch was at the kill. */
function check(one: World, ended: readonly LandingEntry[], before: readonly string[], where: string): void {
  const { user, repo } = one
  expect(
    ended.map(({ status, reason }) => [status, reason]),
    where,
  ).toEqual(ended.map(() => ['landed', null]))
  expect(user('status', '--porcelain'), where).toBe('')
  const landings = user('log', '--format=%(trailers:key=Landing,valueonly,separator=)', 'main').split('\n')
  expect(landings.filter(Boolean).sort(), where).toEqual(ended.map(({ entry }) => entry).sort())
  // Whatever main was at, it had passed its gate.
  for (const commit of [...before, ...commitsOf(one)])
    expect(user('show', `${commit}:a.txt`), where).not.toContain('<<<')
  expect(user('show', 'main:a.txt').split('\n').sort(), where).toEqual(['first', 'third'])
  expect(user('show', 'main:b.txt'), where).toBe('two')
  expect(user('fsck', '--no-dangling', '--strict', '--no-progress'), where).toBe('')
  expect(locksIn(join(repo, '.git')), where).toEqual([])
}

const canStopGit = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0

test.runIf(canStopGit)(
  'killed before or after any fact and any git command, or in the middle of git, a landing of three continues: no dirty tree, nothing twice',
  async () => {
    const one = await world()
    const { folder, live, user, owner, settled, socket } = one
    const seen = new Set<string>()
    const images: { readonly image: string; readonly step: Step; readonly where: string }[] = []
    let pid = 0
    await steps(socket, (step) => {
      if (isTried(step.number, 500) && pid > 0)
        stopped(pid, () => {
          const picture = pictureOf(live)
          if (seen.has(picture)) return
          seen.add(picture)
          const image = join(folder, `image-${step.number}`)
          copy(live, image)
          images.push({ image, step, where: `${step.number}: ${step.what}` })
        })
      return 'go'
    })
    const running = owner()
    pid = running.pid ?? 0
    await running
    check(one, await settled(), [], 'not killed')
    expect(images.length).toBeGreaterThan(0)
    for (const { image, step, where } of images) {
      rmSync(live, { recursive: true, force: true, maxRetries: 5 })
      renameSync(image, live)
      if (!/^git \d+ (?!begin|end)/.test(step.what)) expect(user('status', '--porcelain'), where).toBe('')
      const before = commitsOf(one)
      check(one, await settled(), before, where)
    }
  },
  LONGEST_MS,
)

test.runIf(canStopGit)(
  'a git that is killed alone, when it begins or before any change that it makes, is repeated: no dirty tree, nothing twice',
  async () => {
    const one = await world()
    const { live, saved, path, settled, socket } = one
    const all: string[] = []
    let count = 0
    let victim: number | undefined
    let where = ''
    await steps(socket, ({ what }) => {
      count += 1
      if (victim === undefined) all.push(what)
      if (count !== victim) return 'go'
      where = `${count}: ${what}`
      return 'die'
    })
    const landed = async () => {
      rmSync(live, { recursive: true, force: true, maxRetries: 5 })
      copy(saved, live)
      count = 0
      where = ''
      vi.stubEnv('PATH', path)
      try {
        return await settled()
      } finally {
        vi.unstubAllEnvs()
      }
    }
    check(one, await landed(), [], 'not killed')
    for (const [at, what] of all.entries()) {
      if (!isTried(at, 700) || what.endsWith(' end')) continue
      victim = at + 1
      check(one, await landed(), [], where)
    }
  },
  LONGEST_MS,
)
