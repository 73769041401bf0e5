/** The snapshots of agents' files go along with the copies of a log, and are checked with it. With real git. */
import { existsSync, mkdtempSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { SnapshotMissing } from '../../../src/events/errors/workspace.ts'
import { restoreDatabase } from '../../../src/history/database-archive.ts'
import {
  compactLog,
  exportLog,
  exportText,
  importLog,
  openExport,
  restore,
  stateHash,
} from '../../../src/history/log-archive.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { backup, backupDirectory } from '../../../src/store/care/backup.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { verifyDatabase } from '../../../src/store/postgres/verification.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../../src/workspaces/operations.ts'
import { hasPostgres, place } from '../../postgres/database.ts'
import { few } from '../../repetitions.ts'

const user = (cwd: string, ...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd }).stdout

const filesIn = async (directory: string) =>
  (await readdir(directory)).filter((name) => name !== '.git').sort()

const open = (baseDir: string) =>
  Orchestrator.open({
    baseDir,
    runner: {
      ...scriptedRunner({
        async reply({ agent, directories: { workspace }, prompt }) {
          await mkdir(workspace, { recursive: true })
          await writeFile(join(workspace, prompt), `${prompt} of ${agent}\n`)
          return 'done'
        },
      }),
      ...directoryOperations({ clock: systemClock }),
    },
    serve: false,
  })

/** A log with an agent in a directory of its own, and one on a repository with a file `a.txt`. */
async function makeWorld(folder: string) {
  const repo = join(folder, 'repo')
  await mkdir(repo)
  user(repo, 'init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a.txt'), 'one\n')
  user(repo, 'add', '-A')
  user(repo, 'commit', '-qm', 'first')
  await using orchestrator = await open(join(folder, 'base'))
  const ROLE = { systemPrompt: 'You work.' }
  await orchestrator.createAgent({ id: 'own', ...ROLE })
  await orchestrator.createAgent({ id: 'dev', ...ROLE, workspace: { repo } })
  for (const agent of ['own', 'dev']) {
    await orchestrator.sendTask(agent, 'one')
    await orchestrator.sendTask(agent, 'two')
  }
}

const room = mkdtempSync(join(tmpdir(), 'snapshots-'))
const folder = join(room, 'world')
const made = join(room, 'made')
beforeAll(async () => {
  await mkdir(folder)
  await makeWorld(folder)
  await rename(folder, made)
})
afterAll(() => rm(room, { recursive: true }))

/** As it was made, and at the same place: a work tree says where it is. */
async function world() {
  await rm(folder, { recursive: true, force: true })
  await cp(made, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  const at = (name: string) => join(folder, name)
  return { folder, repo: at('repo'), base: at('base'), copy: at('copy') }
}

const COPIES = [
  ['a backup', async (base: string, file: string) => backupDirectory(base, file), restore],
  [
    'an export',
    async (base: string, file: string) => {
      await using store = await levelStore(base)
      return await exportLog(store, file)
    },
    importLog,
  ],
  [
    'a backup of an open store',
    async (base: string, file: string) => {
      await using store = await levelStore(base)
      return await backup(store, file)
    },
    restore,
  ],
  [
    'a backup beside an owner',
    async (base: string, file: string) => {
      await using _owner = await levelStore(base)
      return await backupDirectory(base, file)
    },
    restore,
  ],
] as const

test.each(COPIES)('%s carries the files, also to where their repository is not', async (_, take, bring) => {
  const { folder, repo, base, copy } = await world()
  const file = join(folder, 'archive')
  expect(await take(base, file)).toMatchObject({ agentsWithFiles: 2 })
  await rm(base, { recursive: true })
  await rm(repo, { recursive: true })
  await bring(file, copy)
  expect(await verifyStore(copy)).toMatchObject({ ok: true, findings: [] })
  await using orchestrator = await open(copy)
  const own = await orchestrator.agent('own')
  await own.ask('three')
  expect(await filesIn(own.workspace)).toEqual(['one', 'three', 'two'])
  await own.files.undo({ to: 1 })
  expect(await filesIn(own.workspace)).toEqual(['one'])
  // What was borrowed from the repository is there.
  const dev = await orchestrator.agent('dev')
  expect((await dev.files.list({ at: dev.version })).map(({ path }) => path)).toEqual(['a.txt', 'one', 'two'])
  expect(await dev.files.patch({ turn: 2 })).toContain('+two of dev')
  await expect(dev.ask('three')).rejects.toThrow('there is no such directory')
})

test.skipIf(!hasPostgres)(
  'a backup is restored into a database with the files: into a new base directory, into what an attempt that broke off has left, and into its own',
  async () => {
    const { folder, base } = await world()
    await backupDirectory(base, join(folder, 'archive'))
    await mkdir(join(folder, 'begun'))
    await writeFile(join(folder, 'begun/incoming.pack'), 'half a pack')
    for (const baseDir of [join(folder, 'above/new'), join(folder, 'begun'), base]) {
      const { url, schema } = await place()
      await restoreDatabase(join(folder, 'archive'), url, { schema, baseDir })
      expect(await verifyDatabase(url, { schema, baseDir })).toMatchObject({ ok: true, findings: [] })
    }
    // What is wrong with the directory is not said of the database.
    const { url, schema } = await place()
    const restored = restoreDatabase(join(folder, 'archive'), url, {
      schema,
      baseDir: join(folder, 'archive'),
    })
    await expect(restored).rejects.toMatchObject({ _tag: 'ArchiveNotWritten' })
  },
)

test('an archive without snapshots is as before, and so is a log that is restored from it', async () => {
  const { folder, base, copy } = await world()
  const file = join(folder, 'part')
  await using store = await levelStore(base)
  const summary = await exportLog(store, file, { stream: 'agent/own' })
  expect(summary).not.toHaveProperty('agentsWithFiles')
  expect(JSON.parse((await readFile(file, 'utf8')).split('\n', 1)[0] ?? '')).toMatchObject({ version: 1 })
  await importLog(file, copy)
  expect(existsSync(join(copy, 'files.git'))).toBe(false)
  expect(await verifyStore(copy)).toMatchObject({ ok: true })
  const redacted = join(folder, 'redacted')
  expect(await exportLog(store, redacted, { redacted: true })).not.toHaveProperty('agentsWithFiles')
})

test('an archive with snapshots can be looked at without a store', async () => {
  const { base } = await world()
  const pieces: string[] = []
  {
    await using store = await levelStore(base)
    for await (const piece of exportText(store)) pieces.push(piece)
  }
  const bytes = (async function* () {
    yield Buffer.from(pieces.join(''))
  })()
  await using store = await openExport({ name: 'export', bytes })
  expect(await store.head('agent/own')).toBeGreaterThan(0)
})

test('a log whose snapshots are lost is readable and works, and each that is missing is named', async () => {
  const { base, repo } = await world()
  await rm(join(base, 'files.git'), { recursive: true })
  await rm(join(base, 'agents'), { recursive: true })
  const { ok, findings } = await verifyStore(base)
  expect(ok).toBe(false)
  expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(['files']))
  expect(findings[0]).toMatchObject({
    stream: expect.stringMatching(/^agent\//),
    problem: expect.stringMatching(/^the snapshot [0-9a-f]{40} is missing$/),
  })
  await using orchestrator = await open(base)
  const own = await orchestrator.agent('own')
  await expect(own.files.list({ at: own.version })).rejects.toThrow(SnapshotMissing)
  // The stand-in names a file after its prompt, which says so.
  await own.ask('three')
  expect(await filesIn(own.workspace)).toEqual([
    expect.stringMatching(/^three\n\n\(The files of your earlier turns are not in your workspace/),
  ])
  // On a repository, nothing is built on files that nobody knows.
  user(repo, 'worktree', 'prune')
  await expect(orchestrator.sendTask('dev', 'three')).rejects.toThrow('is missing')
})

test('a file of a snapshot that is lost or changed is found', async () => {
  const { base } = await world()
  const objects = join(base, 'files.git', 'objects')
  const oid = user(join(base, 'files.git'), 'rev-parse', 'refs/agents/own:two')
  for (const name of await readdir(join(objects, 'pack'))) {
    if (!name.endsWith('.pack')) continue
    const pack = join(objects, 'pack', name)
    const whole = await readFile(pack)
    await chmod(pack, 0o600)
    const damaged = Buffer.from(whole)
    damaged.writeUInt8(damaged.readUInt8(14) ^ 0xff, 14)
    await writeFile(pack, damaged)
    expect((await verifyStore(base)).findings).toContainEqual(expect.objectContaining({ kind: 'files' }))
    // Taken apart, each object is a file.
    for (const file of [pack, pack.replace(/pack$/, 'idx')]) await rm(file)
    execaSync('git', ['unpack-objects', '-q'], { cwd: join(base, 'files.git'), input: whole })
  }
  const file = join(objects, oid.slice(0, 2), oid.slice(2))
  const content = await readFile(file)
  await chmod(file, 0o600)
  await writeFile(file, Buffer.concat([content.subarray(0, -4), Buffer.from('oops')]))
  expect((await verifyStore(base)).findings).toContainEqual(
    expect.objectContaining({ kind: 'files', problem: expect.stringContaining(oid) }),
  )
  await rm(file)
  expect((await verifyStore(base)).findings).toContainEqual(
    expect.objectContaining({ kind: 'files', problem: expect.stringContaining(oid) }),
  )
})

test.each(few(2, COPIES))(
  '%s carries what is whole, and names the agents whose snapshots are not',
  async (_, take, bring) => {
    const { folder, base, copy } = await world()
    const files = join(base, 'files.git')
    const tree = user(files, 'rev-parse', 'refs/agents/dev~1^{tree}')
    // Taken apart, each object is a file.
    for (const name of await readdir(join(files, 'objects/pack'))) {
      const pack = join(files, 'objects/pack', name)
      if (!name.endsWith('.pack')) continue
      const input = await readFile(pack)
      for (const file of [pack, pack.replace(/pack$/, 'idx')]) await rm(file)
      execaSync('git', ['unpack-objects', '-q'], { cwd: files, input })
    }
    await rm(join(files, 'objects', tree.slice(0, 2), tree.slice(2)))
    const file = join(folder, 'archive')
    expect(await take(base, file)).toMatchObject({ agentsWithFiles: 1, agentsWithoutFiles: ['dev'] })
    await bring(file, copy)
    const { findings } = await verifyStore(copy)
    expect(new Set(findings.map(({ stream }) => stream))).toEqual(new Set(['agent/dev']))
    await using orchestrator = await open(copy)
    const own = await orchestrator.agent('own')
    await own.files.undo({ to: 1 })
    expect(await filesIn(own.workspace)).toEqual(['one'])
  },
)

test('a compaction keeps the snapshots and says so, or drops those of old turns: then no other one is gone', async () => {
  const { folder, base, copy } = await world()
  const hashed = async () => {
    await using store = await levelStore(base)
    return (await stateHash(store)).hash
  }
  const snapshots = () => Number(user(join(base, 'files.git'), 'rev-list', '--count', 'refs/agents/dev'))
  const [before, all] = [await hashed(), snapshots()]
  expect(await compactLog(base, { keep: 9 })).toMatchObject({ oldSnapshots: 0, snapshotsDropped: false })
  const kept = await compactLog(base, { keep: 1 })
  expect(kept).toMatchObject({ oldSnapshots: expect.any(Number), snapshotsDropped: false })
  expect(kept.oldSnapshots).toBeGreaterThan(0)
  expect(snapshots()).toBe(all)
  const dry = await compactLog(base, { keep: 1, snapshots: true, dryRun: true })
  expect(dry).toMatchObject({ oldSnapshots: kept.oldSnapshots, snapshotsDropped: true })
  expect(snapshots()).toBe(all)
  const dropped = await compactLog(base, { keep: 1, snapshots: true })
  expect(dropped).toMatchObject({ facts: 0, oldSnapshots: kept.oldSnapshots, snapshotsDropped: true })
  expect(dropped.bytesAfter).toBeLessThan(dropped.bytesBefore)
  expect(snapshots()).toBeLessThan(all)
  expect(await compactLog(base, { keep: 1, snapshots: true })).toMatchObject({ oldSnapshots: 0 })
  expect(await hashed()).toBe(before)

  const file = join(folder, 'backup')
  expect(await backupDirectory(base, file)).toMatchObject({ agentsWithFiles: 2 })
  await restore(file, copy)
  for (const at of [base, copy]) expect(await verifyStore(at)).toMatchObject({ ok: true, findings: [] })
  await using orchestrator = await open(base)
  const { files, workspace } = await orchestrator.agent('dev')
  expect((await files.diff({ turn: 2 })).files).toMatchObject([{ path: 'two' }])
  await expect(files.diff({ turn: 1 })).rejects.toThrow('its files were dropped when the log was compacted')
  await files.undo()
  expect(await filesIn(workspace)).toEqual(['a.txt', 'one'])
  await expect(files.undo()).rejects.toThrow('no turn is left to undo')
  await orchestrator.sendTask('dev', 'three')
  expect(await filesIn(workspace)).toEqual(['a.txt', 'one', 'three'])
})

test('a compaction that was killed before it dropped the snapshots is completed by the next one', async () => {
  const { base } = await world()
  const files = join(base, 'files.git')
  await rename(files, `${files}-away`)
  await compactLog(base, { keep: 0, snapshots: true })
  await rename(`${files}-away`, files)
  const count = () => Number(user(files, 'rev-list', '--count', 'refs/agents/own'))
  const before = count()
  await compactLog(base, { keep: 0, snapshots: true })
  expect(count()).toBeLessThan(before)
  expect(await verifyStore(base)).toMatchObject({ ok: true, findings: [] })
})
