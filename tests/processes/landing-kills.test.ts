/**
 * A process that lands the work of three agents is killed before or after any fact and any git command. Real processes, real
 * git. `POINTS=all` tries all points, as `LONG_TESTS=1` does; otherwise a few of them.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { isLong } from '../repetitions.ts'

const PROGRAM = join(import.meta.dirname, 'fixtures/landing-owner.mjs')

/** Runs the real git, and kills its caller before or after one of its commands. Git is started with no environment of ours. */
const shim = (real: string, count: string, { KILL_GIT = '', KILL_WHEN = '' }: Point) => `#!/bin/sh
n=$(( $(cat '${count}') + 1 )); echo $n > '${count}'
if [ "$n" = "${KILL_GIT}" ] && [ "${KILL_WHEN}" = before ]; then kill -KILL $PPID; exit 137; fi
'${real}' "$@"; code=$?
if [ "$n" = "${KILL_GIT}" ]; then kill -KILL $PPID; fi
exit $code
`

/** All points take an hour. */
const LONGEST_MS = 3 * 60 * 60_000

interface Point {
  readonly KILL_GIT?: string
  readonly KILL_APPEND?: string
  readonly KILL_WHEN?: string
}

async function world() {
  const folder = await mkdtemp(join(tmpdir(), 'landing-kills-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const [live, saved, bin] = [join(folder, 'live'), join(folder, 'saved'), join(folder, 'bin')]
  const [repo, base, count] = [join(live, 'shop'), join(live, 'base'), join(folder, 'count')]
  const user = (...command: string[]) =>
    execa('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', '-C', repo, ...command]).then(
      ({ stdout }) => stdout,
    )
  const real = (await execa('sh', ['-c', 'command -v git'])).stdout
  await mkdir(bin)
  const run = async (what: string, point: Point = {}) => {
    await writeFile(count, '0')
    await writeFile(join(bin, 'git'), shim(real, count, point), { mode: 0o755 })
    const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, ...point }
    const { exitCode, stdout, signal } = await execa(process.execPath, [PROGRAM, base, repo, what], {
      env,
      reject: false,
      stderr: 'inherit',
    })
    return { exitCode, signal, stdout, gits: Number(await readFile(count, 'utf8')) }
  }
  await execa('git', ['init', '-q', '-b', 'main', repo])
  await writeFile(join(repo, 'a.txt'), 'zero\n')
  await user('add', '-A')
  await user('commit', '-qm', 'first')
  await run('prepare')
  await cp(live, saved, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  const restore = async () => {
    await rm(live, { recursive: true, force: true, maxRetries: 5 })
    await cp(saved, live, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  }
  return { repo, user, run, restore }
}

/** Of all points, those to try: in the short form two, far from each other. */
function chosen(points: readonly Point[]): readonly Point[] {
  if (isLong || process.env.POINTS === 'all') return points
  const [part = 0, parts = 1] = (process.env.POINTS ?? '').split('/').map(Number)
  if (parts > 1) return points.filter((_, at) => at % parts === part)
  const every = Math.ceil(points.length / 2)
  return points.filter((_, at) => at % every === Math.floor(every / 2))
}

test(
  'killed before or after any fact and any git command, a landing of three continues: no dirty tree, nothing twice',
  async () => {
    const { user, run, restore } = await world()
    const untouched = await run('land')
    const { appends } = JSON.parse(untouched.stdout) as { appends: number }
    const points: Point[] = ['before', 'after'].flatMap((KILL_WHEN) => [
      ...Array.from({ length: untouched.gits }, (_, at) => ({ KILL_GIT: String(at + 1), KILL_WHEN })),
      ...Array.from({ length: appends }, (_, at) => ({ KILL_APPEND: String(at + 1), KILL_WHEN })),
    ])
    for (const point of chosen(points)) {
      const where = JSON.stringify(point)
      await restore()
      const killed = await run('land', point)
      expect(killed.signal, where).toBe('SIGKILL')
      // Right after the kill, and at the end.
      const states = [await user('status', '--porcelain')]
      const first = await user('rev-list', '--first-parent', 'main')
      const { stdout } = await run('land')
      states.push(await user('status', '--porcelain'))
      expect(states, where).toEqual(['', ''])
      const { ended } = JSON.parse(stdout) as { ended: readonly { status: string; entry: string }[] }
      expect(
        ended.map(({ status }) => status),
        where,
      ).toEqual(['landed', 'landed', 'landed'])
      const landings = (await user('log', '--format=%(trailers:key=Landing,valueonly,separator=)', 'main'))
        .split('\n')
        .filter((line) => line !== '')
      expect(landings.sort(), where).toEqual(ended.map(({ entry }) => entry).sort())
      // Whatever main was at, it had passed its gate.
      for (const commit of [...first.split('\n'), await user('rev-parse', 'main')])
        expect(await user('show', `${commit}:a.txt`), where).not.toContain('<<<')
      expect((await user('show', 'main:a.txt')).split('\n').sort(), where).toEqual(['first', 'third'])
      expect(await user('show', 'main:b.txt'), where).toBe('two')
      expect(await user('fsck', '--no-dangling', '--strict'), where).toBe('')
    }
  },
  LONGEST_MS,
)
