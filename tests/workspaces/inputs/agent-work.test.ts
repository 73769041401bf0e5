/** What an agent has made in its workspace is never overwritten: refused with what changed, or kept beside. */
import { execFileSync } from 'node:child_process'
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { InputChangedError } from '../../../src/events/errors/workspace.ts'
import type { Material } from '../../../src/events/task-input.ts'
import { indexEntries } from '../../../src/workspaces/inputs/git-index.ts'
import { RECORD_NAME } from '../../../src/workspaces/inputs/placed-record.ts'
import { GIT_ENVIRONMENT, git, type Repository, repository } from './git-world.ts'
import { leftInHome, makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const LOCAL = { allowLocalRepos: true }

/** The refusal of an input, in which the workspace stays as it is. */
async function changesOf(material: Material): Promise<string> {
  const before = await readdir(world.directories.workspace, { recursive: true })
  const error = await world.refusal(material, LOCAL)
  expect(error).toBeInstanceOf(InputChangedError)
  expect(error.hint).toContain('--replace')
  expect(await readdir(world.directories.workspace, { recursive: true })).toEqual(before)
  return String((error as InputChangedError).details.changes)
}

describe('a folder that is placed again', () => {
  const folder = () => ({ folders: [{ source: world.source('folder'), target: 'proj' }] })

  beforeEach(async () => {
    await world.give('folder/a.txt', 'one')
    await world.give('folder/deep/b.txt', 'two')
    await world.place(folder())
  })

  test.each<[string, () => Promise<unknown>, string]>([
    ['an edit', () => appendFile(world.at('proj/a.txt'), '!'), 'edited a.txt'],
    ['an edit of equal length', () => writeFile(world.at('proj/a.txt'), 'eno'), 'edited a.txt'],
    ['a new file', () => writeFile(world.at('proj/deep/made'), 'x'), 'new deep/made'],
    ['a new directory', () => mkdir(world.at('proj/more')), 'new more'],
    ['a deletion', () => rm(world.at('proj/deep/b.txt')), 'deleted deep/b.txt'],
    ['a permission', () => chmod(world.at('proj/a.txt'), 0o755), 'edited a.txt'],
    ['a new name', () => rename(world.at('proj/a.txt'), world.at('proj/c.txt')), 'new c.txt; deleted a.txt'],
    [
      'a link in place of a file',
      async () => {
        await rm(world.at('proj/a.txt'))
        await symlink('deep/b.txt', world.at('proj/a.txt'))
      },
      'edited a.txt',
    ],
    ['a pipe', async () => execFileSync('mkfifo', [world.at('proj/pipe')]), 'new pipe'],
    [
      'a name that is not UTF-8',
      () => writeFile(Buffer.concat([Buffer.from(world.at('proj/')), Buffer.from([0x66, 0xff])]), 'x'),
      'new f\xff',
    ],
  ])('is refused after %s', async (_, change, named) => {
    await change()
    expect(await changesOf(folder())).toBe(named)
    // Replaced by all of another kind, it is the agent's work just as well.
    const source = await world.give('file')
    expect(await changesOf({ files: [{ source, target: 'proj' }] })).toBe(named)
  })

  test('names the first changes and counts the others', async () => {
    for (let number = 1; number <= 8; number += 1) await writeFile(world.at(`proj/made-${number}`), 'x')
    expect(await changesOf(folder())).toBe('new made-1, made-2, made-3, made-4, made-5 and 3 more')
  })

  test('is kept beside the new one if the task says so, each time under a name of its own', async () => {
    for (const kept of ['proj.replaced-1', 'proj.replaced-2']) {
      await writeFile(world.at('proj/made'), kept)
      expect(await world.place({ ...folder(), replace: true })).toMatchObject([{ target: 'proj', kept }])
      expect((await readdir(world.at('proj'))).sort()).toEqual(['a.txt', 'deep'])
      expect(await readFile(world.at(`${kept}/made`), 'utf8')).toBe(kept)
    }
    // What is kept is the agent's, and is not placed over either.
    const source = world.source('folder')
    expect(await changesOf({ folders: [{ source, target: 'proj.replaced-1' }] })).toBe('')
  })

  test('replaces what the agent has not changed, and is placed where it has removed everything', async () => {
    await world.give('folder/a.txt', 'new')
    await world.place(folder())
    expect(await readFile(world.at('proj/a.txt'), 'utf8')).toBe('new')
    await rm(world.at('proj'), { recursive: true })
    await world.place(folder())
    expect((await readdir(world.directories.workspace)).sort()).toEqual(['proj'])
  })

  test('is not the work of the agent where another input has been placed in it', async () => {
    const source = await world.give('extra')
    const both = { ...folder(), files: [{ source, target: 'proj/new/extra' }] }
    await world.place(both)
    await world.place(both)
    await world.place(folder())
    await world.place({ files: both.files })
    await appendFile(world.at('proj/new/extra'), '!')
    expect(await changesOf({ files: both.files })).toBe('edited proj/new/extra')
    expect(await changesOf(folder())).toBe('edited new/extra')
  })

  test('is refused if the record of what was placed is gone, unless it is there as it would be placed', async () => {
    await rm(join(world.directories.home, RECORD_NAME))
    await world.place(folder())
    await writeFile(join(world.directories.home, RECORD_NAME), '{"survey": 1}')
    await writeFile(world.at('proj/a.txt'), 'by the agent')
    expect(await changesOf(folder())).toBe('')
    // Whatever the agent makes of the record, it can be written again.
    await rm(join(world.directories.home, RECORD_NAME))
    await mkdir(join(world.directories.home, RECORD_NAME, 'deep'), { recursive: true })
    await world.place({ ...folder(), replace: true })
    await world.place(folder())
  })

  test('is left as the agent has changed it if a step of the same run placed it', async () => {
    const placing = 'run-1'
    await world.place(folder(), { placing })
    await writeFile(world.at('proj/made'), 'by the first step')
    const again = await world.place({ ...folder(), replace: true }, { placing })
    expect(again).toMatchObject([{ target: 'proj', left: true }])
    expect(await readFile(world.at('proj/made'), 'utf8')).toBe('by the first step')
    // Something else in its place is not that step's input, and another run is another matter.
    await world.give('other/file')
    const other = { folders: [{ source: world.source('other'), target: 'proj' }] }
    expect(await world.refusal(other, { placing })).toBeInstanceOf(InputChangedError)
    expect(await world.refusal(folder(), { placing: 'run-2' })).toBeInstanceOf(InputChangedError)
  })
})

describe('a repository that is placed again', () => {
  let repo: Repository
  const clone = () => world.at('repo')
  const here = (...words: string[]) => git(clone(), ...words)
  const write = (file: string, text: string) => writeFile(join(clone(), file), text)
  const material = (): Material => ({ repos: [{ url: repo.path }] })

  beforeEach(async () => {
    repo = await repository(world)
    await repo.write('.gitignore', 'built/\n')
    await repo.write('main.txt', 'main')
    await repo.commit()
    await world.place(material(), LOCAL)
  })

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['an edit', () => write('main.txt', 'edited'), /^edited main.txt$/],
    ['an untracked file', () => write('made', 'x'), /^new made$/],
    [
      'an ignored file',
      async () => {
        await mkdir(join(clone(), 'built'))
        await write('built/big', 'x')
      },
      /^new built$/,
    ],
    [
      'a commit',
      async () => {
        await write('main.txt', 'committed')
        await here('commit', '--quiet', '--all', '--message=by the agent')
      },
      /^edited main.txt; git: (?=.*branch main)/,
    ],
    [
      'a commit that was undone, which only the reflog still names',
      async () => {
        await write('main.txt', 'committed')
        await here('commit', '--quiet', '--all', '--message=by the agent')
        await here('reset', '--quiet', '--hard', 'HEAD@{1}')
      },
      /^git: objects$/,
    ],
    [
      'a stash',
      async () => {
        await write('main.txt', 'stashed')
        await here('stash')
      },
      /^git: stash$/,
    ],
    ['a branch', () => here('branch', 'feature/x'), /^git: .*branch feature\/x/],
    ['a tag', () => here('tag', 'v1'), /^git: tag v1$/],
    [
      'a change that is only staged',
      async () => {
        await write('main.txt', 'staged')
        await here('add', 'main.txt')
        await write('main.txt', 'main')
      },
      /^git: staged changes$/,
    ],
    ['settings', () => here('config', 'user.name', 'agent'), /^git: config$/],
  ])('is refused after %s', async (_, change, named) => {
    await change()
    expect(await changesOf(material())).toMatch(named)
    const [placed] = await world.place({ ...material(), replace: true }, LOCAL)
    expect(placed?.kept).toBe('repo.replaced-1')
    expect(await here('status', '--porcelain')).toBe('')
    expect(await git(world.at('repo.replaced-1'), 'rev-parse', 'HEAD')).toMatch(/^[0-9a-f]{40}$/)
  })

  test('is placed again after the agent has only looked at it', async () => {
    for (const words of [['status'], ['diff'], ['log'], ['fetch'], ['add', '--all'], ['stash', 'list']])
      await here(...words)
    await world.place(material(), LOCAL)
    await repo.write('main.txt', 'upstream')
    await repo.commit()
    await world.place(material(), LOCAL)
    expect(await readFile(join(clone(), 'main.txt'), 'utf8')).toBe('upstream')
  })
})

test("of git's index only what it says about content counts", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.stringMatching(/^[a-z]{1,9}(\/[a-z]{1,9})?$/), { minLength: 1, maxLength: 8 }),
      fc.constantFrom('sha1', 'sha256'),
      async (names, format) => {
        const { path } = await repository(world, `repo-${crypto.randomUUID()}`)
        execFileSync('git', ['init', '--quiet', `--object-format=${format}`, 'inner'], {
          cwd: path,
          env: GIT_ENVIRONMENT,
        })
        const inner = join(path, 'inner')
        const entries = async () => indexEntries(await readFile(join(inner, '.git/index')))?.toString('hex')
        const hash = (await git(inner, 'hash-object', '-w', '/dev/null')).trim()
        const stage = (name: string) =>
          git(inner, 'update-index', '--add', '--cacheinfo', `100644,${hash},d-${name.replace('/', '-/')}`)
        for (const name of names) await stage(name)
        const first = await entries()
        expect(first).toBeDefined()
        await git(inner, 'read-tree', (await git(inner, 'write-tree')).trim())
        expect(await entries()).toBe(first)
        await stage(`${names[0]}x`)
        expect(await entries()).not.toBe(first)
      },
    ),
    { numRuns: 5 },
  )
})

/** A step of an agent's life: its own work, or an input. */
type Move =
  | { readonly type: 'work'; readonly path: string; readonly text: string }
  | { readonly type: 'source'; readonly path: string; readonly text: string }
  | { readonly type: 'place'; readonly target: string; readonly replace: boolean; readonly failAt: number }

const TARGETS = ['a', 'a/b', 'c']
const path = fc.constantFrom('x', 'b/y', 'b', 'z')
const text = fc.stringMatching(/^[a-z]{1,3}$/)
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    type: fc.constant('work' as const),
    path: fc.tuple(fc.constantFrom(...TARGETS), path).map((steps) => steps.join('/')),
    text,
  }),
  fc.record({ type: fc.constant('source' as const), path, text }),
  fc.record({
    type: fc.constant('place' as const),
    target: fc.constantFrom(...TARGETS),
    replace: fc.boolean(),
    failAt: fc.nat(3),
  }),
)

type Placing = Extract<Move, { type: 'place' }>

/** Places the folder, perhaps interrupted on the way; the error if it is refused. */
async function placed({ target, replace, failAt }: Placing): Promise<unknown> {
  let steps = 0
  const interrupted = new Error('interrupted')
  const onStep = () => {
    steps += 1
    if (failAt > 0 && steps === failAt * 2) throw interrupted
  }
  const material = { folders: [{ source: world.source('folder'), target }], replace }
  return world.place(material, { onStep }).then(
    () => undefined,
    (error: unknown) => (error === interrupted ? undefined : error),
  )
}

async function changeSource({ path: name, text: content }: Extract<Move, { type: 'source' }>) {
  await rm(world.source(`folder/${name}`), { recursive: true, force: true }).catch(() => {})
  await world.give(`folder/${name}`, content).catch(() => {})
}

test('whatever an agent has written is in its workspace for ever, also if a placement is interrupted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 14 }), async (moves) => {
      world = await makeWorld()
      await world.give('folder/x', 'given')
      const written = new Set<string>()
      for (const [number, one] of moves.entries()) {
        if (one.type === 'source') await changeSource(one)
        else if (one.type === 'place') await placed(one)
        else {
          // In a file of its own, which the agent itself never overwrites.
          const work = `work-${number}`
          await mkdir(join(world.at(one.path), '..'), { recursive: true }).then(
            () => writeFile(`${world.at(one.path)}-${work}`, work),
            () => writeFile(world.at(work), work),
          )
          written.add(work)
        }
        const texts = new Set<string>()
        const { workspace } = world.directories
        for (const entry of await readdir(workspace, { recursive: true, withFileTypes: true }))
          if (entry.isFile()) texts.add(await readFile(join(entry.parentPath, entry.name), 'utf8'))
        for (const work of written) expect(texts).toContain(work)
      }
      expect(await leftInHome(world)).toEqual([])
    }),
    { numRuns: 60 },
  )
})

test('input is never taken for the work of an agent, also if a placement was interrupted', async () => {
  const given = move.filter(({ type }) => type !== 'work')
  await fc.assert(
    fc.asyncProperty(fc.array(given, { minLength: 1, maxLength: 14 }), async (moves) => {
      world = await makeWorld()
      await world.give('folder/x', 'given')
      for (const one of moves) {
        if (one.type === 'source') await changeSource(one)
        else if (one.type === 'place') expect(await placed(one)).not.toBeInstanceOf(InputChangedError)
      }
      for (const name of await readdir(world.directories.workspace)) expect(name).not.toContain('replaced')
    }),
    { numRuns: 60 },
  )
})
