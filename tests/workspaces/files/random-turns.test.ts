/** The laws of undo, retry and fork under random turns, in a worktree whose user has work of his own. In full: `LONG_TESTS=1`. */
import { mkdtempSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { OverloadedError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { filesOperations } from '../../../src/workspaces/files/operations.ts'
import { fromTree, isInner, outerOf } from '../../../src/workspaces/files/paths.ts'
import type { FilesPlace } from '../../../src/workspaces/files/place.ts'
import { directoryOperations } from '../../../src/workspaces/operations.ts'
import { factsOf } from '../../actors/agent/files-world.ts'
import { repetitions } from '../../repetitions.ts'
import { type Change, change, make, pictureOf } from './random-changes.ts'

const TURNS_A_RUN = 5
const TURNS = repetitions('TURNS', { short: 5, long: 500 })
const property = {
  numRuns: Math.ceil(TURNS / TURNS_A_RUN),
  seed: Number(process.env.SEED ?? 7),
  // To make the example smaller takes minutes: the seed and the path repeat it.
  endOnFailure: true,
}

const git = (cwd: string, ...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: '/dev/null' },
  }).stdout

/** A repository whose tree, index and stash are not those of its HEAD. */
async function world() {
  const folder = mkdtempSync(join(tmpdir(), 'random-turns-'))
  const repo = join(folder, 'repo')
  await mkdir(repo)
  git(repo, 'init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a'), 'one\r\ntwo\n')
  await writeFile(join(repo, 'run'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(repo, '.gitignore'), 'build\nnode_modules\n*.log\n')
  git(repo, 'add', '-A')
  git(repo, 'commit', '-qm', 'first')
  await writeFile(join(repo, 'a'), 'put aside\n')
  git(repo, 'stash', '-q')
  await writeFile(join(repo, 'a'), 'staged\n')
  git(repo, 'add', '-A')
  await writeFile(join(repo, 'a'), 'dirty\n')
  await writeFile(join(repo, '.git/info/exclude'), 'secret\n')
  const base = join(folder, 'base')
  const placeOf = async (agent: string): Promise<FilesPlace> => ({
    agent,
    directories: {
      workspace: join(base, 'agents', agent, 'workspace'),
      home: join(base, 'agents', agent, 'home'),
      base,
    },
    workspace: await filesOperations(systemClock).resolve({
      repo,
      base: 'HEAD',
      branch: `claude-agents/${agent}`,
    }),
  })
  const owned = async () => {
    const isOurs = /^\.git\/(worktrees|(logs\/)?refs\/(heads\/claude-agents|claude-agents)|objects)(\/|$)/
    const seen = [
      ...(await pictureOf(repo)),
      ...[...(await pictureOf(join(repo, '.git')))].map(([path, is]) => [`.git/${path}`, is]),
    ]
    return new Map((seen as [string, string][]).filter(([path]) => !isOurs.test(path)))
  }
  return { folder, repo, base, placeOf, owned }
}

/** The paths of a snapshot, as bytes in latin1. */
function savedIn(base: string, commit: string): ReadonlySet<string> {
  const listing = ['ls-tree', '-r', '-z', '--name-only', commit]
  const { stdout } = execaSync('git', ['--git-dir', join(base, 'files.git'), ...listing], {
    encoding: 'buffer',
  })
  return new Set(Buffer.from(stdout).toString('latin1').split('\0').filter(Boolean).map(fromTree))
}

/** Those that the repository ignores, as the user's git has it. */
function ignoredOf(workspace: string, paths: readonly string[]): ReadonlySet<string> {
  if (paths.length === 0) return new Set()
  const { stdout } = execaSync('git', ['check-ignore', '--no-index', '-z', '--stdin'], {
    cwd: workspace,
    input: Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1'),
    encoding: 'buffer',
    env: { GIT_CONFIG_GLOBAL: '/dev/null' },
    reject: false,
  })
  return new Set(Buffer.from(stdout).toString('latin1').split('\0').filter(Boolean))
}

interface Snapshot {
  readonly commit: string
  readonly tree: string
  readonly picture: ReadonlyMap<string, string>
  readonly saved: ReadonlySet<string>
}

/** Nothing is missed: what is not in a snapshot is ignored, a pipe, or in a `.git` that is no repository and has a directory for itself. */
async function snapshot(
  base: string,
  workspace: string,
  saved: { commit: string; tree: string },
): Promise<Snapshot> {
  const picture = await pictureOf(workspace)
  const paths = savedIn(base, saved.commit)
  const isAlone = (path: string) =>
    isInner(path) && ![...paths].some((saved) => saved.startsWith(`${outerOf(path)}/`))
  const left = [...picture.keys()].filter(
    (path) => !paths.has(path) && picture.get(path) !== 'pipe' && !isAlone(path),
  )
  expect(left.filter((path) => !ignoredOf(workspace, left).has(path))).toEqual([])
  return { commit: saved.commit, tree: saved.tree, picture, saved: paths }
}

/** Everything of the snapshot is as it was, and what neither of the two snapshots has is as it was before. */
async function expectRestored(
  workspace: string,
  to: Snapshot,
  before: { readonly picture: ReadonlyMap<string, string>; readonly saved: ReadonlySet<string> },
): Promise<void> {
  const now = await pictureOf(workspace)
  for (const path of to.saved) expect([path, now.get(path)]).toEqual([path, to.picture.get(path)])
  for (const [path, was] of before.picture)
    if (!before.saved.has(path)) expect([path, now.get(path)]).toEqual([path, was])
  const others = [...now.keys()].filter((path) => !to.saved.has(path) && before.saved.has(path))
  const ignored = ignoredOf(workspace, others)
  expect(others.filter((path) => !ignored.has(path) || now.get(path) !== before.picture.get(path))).toEqual(
    [],
  )
  for (const path of now.keys())
    expect([path, to.saved.has(path) || before.picture.has(path)]).toEqual([path, true])
}

const turns = fc.array(fc.array(change, { maxLength: 6 }), { minLength: TURNS_A_RUN, maxLength: TURNS_A_RUN })

test('after any turns, undo and fork restore bytes, modes and untracked files, and touch nothing that is ignored or foreign', async () => {
  await fc.assert(
    fc.asyncProperty(turns, fc.infiniteStream(fc.nat()), async (made, chosen) => {
      const { folder, base, placeOf, owned } = await world()
      const place = await placeOf('dev')
      const { workspace } = place.directories
      const foreign = await owned()
      const seen: Snapshot[] = []
      const files = filesOperations(systemClock)
      seen.push(await snapshot(base, workspace, await files.save(place, 'first')))
      for (const changes of made) {
        for (const one of changes) await make(workspace, one)
        seen.push(await snapshot(base, workspace, await files.save(place, 'turn')))
      }
      for (let times = 0; times < 3; times += 1) {
        const to = seen[(chosen.next().value as number) % seen.length] as Snapshot
        const picture = await pictureOf(workspace)
        // Another process knows nothing of these files.
        const other = filesOperations(systemClock)
        const restored = await other
          .restore(
            place,
            () => to.commit,
            'undo',
            async (done) => done,
          )
          .catch((error: Error) => error)
        if (restored instanceof Error) {
          // What is ignored, or a pipe, is in the way: it stays.
          expect(restored.message).toContain('is in the way')
          break
        }
        expect(restored?.after.tree).toBe(to.tree)
        await expectRestored(workspace, to, { picture, saved: savedIn(base, restored?.before.commit ?? '') })
      }
      const last = seen.at(-1) as Snapshot
      const fork = { ...(await placeOf('fork')), last: last.commit }
      expect((await filesOperations(systemClock).save(fork, 'fork')).tree).toBe(last.tree)
      await expectRestored(fork.directories.workspace, last, { picture: new Map(), saved: new Set() })
      expect(await owned()).toEqual(foreign)
      await rm(folder, { recursive: true, force: true, maxRetries: 10 })
    }),
    property,
  )
})

test('after any turns of an agent, a retry begins from the files before, and undo and fork bring them back', async () => {
  const turnsOfAgent = fc.array(
    fc.record({ changes: fc.array(change, { maxLength: 5 }), failed: fc.array(change, { maxLength: 3 }) }),
    { minLength: TURNS_A_RUN, maxLength: TURNS_A_RUN },
  )
  await fc.assert(
    fc.asyncProperty(turnsOfAgent, fc.infiniteStream(fc.nat()), async (made, chosen) => {
      const { folder, repo, base, owned } = await world()
      const foreign = await owned()
      const begun: ReadonlyMap<string, string>[] = []
      const scripted = scriptedRunner({
        async reply({ directories: { workspace }, prompt, attempt }) {
          const turn = made[Number(prompt)] as { changes: Change[]; failed: Change[] }
          begun.push(await pictureOf(workspace))
          const fails = attempt === 1 && turn.failed.length > 0
          for (const one of fails ? turn.failed : turn.changes) await make(workspace, one)
          return fails ? new OverloadedError() : 'done'
        },
      })
      const runner = { ...scripted, ...directoryOperations({ clock: systemClock }) }
      await using orchestrator = await Orchestrator.open({ baseDir: base, runner, serve: false })
      const retry = { minDelayMs: 1, maxDelayMs: 1 }
      const agent = await orchestrator.createAgent({
        id: 'dev',
        systemPrompt: 'You work.',
        workspace: { repo },
        retry,
      })
      const seen: Snapshot[] = []
      const versions: number[] = []
      for (const number of made.keys()) {
        begun.length = 0
        const asked = await agent.ask(String(number)).catch((error: unknown) => error as Error)
        if (asked instanceof Error) {
          expect(asked.message).toContain('is in the way')
          return
        }
        const { before, after } = (await agent.files.turns()).at(-1) as { before: string; after: string }
        const saved = savedIn(base, before)
        for (const path of saved) expect([path, begun.at(-1)?.get(path)]).toEqual([path, begun[0]?.get(path)])
        const tree = git(join(base, 'files.git'), 'rev-parse', `${after}^{tree}`)
        seen.push(await snapshot(base, agent.workspace, { commit: after, tree }))
        versions.push(agent.version)
      }
      const chosenTurn = (chosen.next().value as number) % seen.length
      const to = seen[chosenTurn] as Snapshot
      const picture = await pictureOf(agent.workspace)
      const undone = await agent.files.undo({ to: chosenTurn + 1 }).catch((error: Error) => error)
      if (undone instanceof Error) expect(undone.message).toContain('is in the way')
      else {
        expect(git(join(base, 'files.git'), 'rev-parse', `${undone.commit}^{tree}`)).toBe(to.tree)
        const [{ data }] = (await factsOf(orchestrator)).slice(-1) as unknown as [{ data: { from: string } }]
        await expectRestored(agent.workspace, to, { picture, saved: savedIn(base, data.from) })
      }
      const fork = await orchestrator.fork('dev', { at: versions[chosenTurn] as number, as: 'fork' })
      await expectRestored(fork.workspace, to, { picture: new Map(), saved: new Set() })
      expect(await owned()).toEqual(foreign)
      await orchestrator.close()
      await rm(folder, { recursive: true, force: true, maxRetries: 10 })
    }),
    property,
  )
})
