/** Whatever is in place of what was named, the public API rejects with errors of its own, and never with one of the language. */
import { execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../src/entry-points/config.ts'
import { inspector } from '../src/entry-points/inspect.ts'
import {
  backup,
  backupDirectory,
  compactLog,
  exportLog,
  importLog,
  openExport,
  repairStore,
  restore,
  stateHash,
  verifyStore,
} from '../src/entry-points/log.ts'
import { ClaudeAgentError } from '../src/events/errors/base.ts'
import { Orchestrator } from '../src/orchestrator.ts'
import { levelStore } from '../src/store/level/store.ts'
import { scriptedRunner } from '../src/testing/scripted-runner.ts'
import { socketAt } from './socket-at.ts'
import { temporaryDirectory } from './store/temporary.ts'

const open = (baseDir: string) => Orchestrator.open({ baseDir, runner: scriptedRunner() })

/** A store with an agent that has answered, a long text, and a run; and copies of it. */
let whole: { readonly base: string; readonly backup: string; readonly log: string }
const before = process.cwd()
afterAll(() => process.chdir(before))
beforeAll(async () => {
  const folder = await temporaryDirectory()
  // What takes a path for one of the working directory writes nothing here.
  process.chdir(await temporaryDirectory())
  whole = { base: join(folder, 'base'), backup: join(folder, 'x.backup'), log: join(folder, 'x.ndjson') }
  await using orchestrator = await open(whole.base)
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a' })
  await agent.ask('x'.repeat(70_000))
  await backup(orchestrator.store, whole.backup)
  await exportLog(orchestrator.store, whole.log)
})

/** Ends only with a typed error, or well. */
async function typed(name: string, work: () => Promise<unknown>): Promise<void> {
  const failure = await work().then(
    () => null,
    (error: unknown) => error,
  )
  if (failure !== null && !(failure instanceof ClaudeAgentError))
    expect.soft(`${name}: ${failure instanceof Error ? failure.stack : String(failure)}`).toBe('typed')
}

/** What may be in place of a file or a directory that was named. */
const PLACES: Readonly<Record<string, (path: string) => unknown>> = {
  nothing: () => {},
  'a file': (path) => writeFile(path, 'a file'),
  'an empty file': (path) => writeFile(path, ''),
  'a directory': (path) => mkdir(path),
  'a directory with something': (path) => mkdir(join(path, 'x'), { recursive: true }),
  'a pipe': (path) => execFileSync('mkfifo', [path]),
  'a socket': socketAt,
  'a dangling link': (path) => symlink('/nowhere/at/all', path),
  'a link to itself': (path) => symlink(path, path),
}

/** Paths at which nothing can be. */
const IMPOSSIBLE: Readonly<Record<string, string | (() => Promise<string>)>> = {
  'a name that is too long': `/tmp/${'x'.repeat(300)}`,
  // In few steps: what looks for a file in each directory above it looks in all of them.
  'a path that is too long': `/tmp/${`${'x'.repeat(200)}/`.repeat(25)}x`,
  'a null byte': '/tmp/a\0b',
  'a place below a file': '/etc/hostname/x',
  'a place where nothing can be made': '/proc/nowhere/x',
  'a place of the kernel': '/proc/self/x',
  'an empty text': '',
  'a number': 7 as never,
  'an object': {} as never,
  null: null as never,
}

/** Everything public that takes a path. */
const WORKS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  'Orchestrator.open': async (path) => {
    await using orchestrator = await open(path)
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a' })
    await agent.ask('hello')
    await orchestrator.history.verify()
  },
  levelStore: async (path) => (await levelStore(path))[Symbol.asyncDispose](),
  inspector: async (path) => (await inspector({ baseDir: path, port: 0 } as never))[Symbol.asyncDispose](),
  loadConfig: (path) => loadConfig({ file: path, environment: {} }),
  'loadConfig of a directory': (path) => loadConfig({ directory: path, environment: {} }),
  verifyStore: (path) => verifyStore(path),
  'verifyStore of a backup': (path) => verifyStore(path),
  repairStore: async (path) => repairStore(path, join(await temporaryDirectory(), 'x')),
  'repairStore to it': (path) => repairStore(whole.base, path),
  backupDirectory: async (path) => backupDirectory(path, join(await temporaryDirectory(), 'x')),
  'backupDirectory to it': (path) => backupDirectory(whole.base, path),
  restore: async (path) => restore(path, join(await temporaryDirectory(), 'x')),
  'restore to it': (path) => restore(whole.backup, path),
  importLog: async (path) => importLog(path, join(await temporaryDirectory(), 'x')),
  'importLog to it': (path) => importLog(whole.log, path),
  openExport: async (path) => stateHash(await openExport(path)),
  'exportLog to it': async (path) => {
    await using store = await openExport(whole.log)
    await exportLog(store, path)
  },
  compactLog: (path) => compactLog(path, { keep: 0 } as never),
  'a folder as input': async (path) => {
    await using orchestrator = await open(await temporaryDirectory())
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a' })
    await agent.ask({ prompt: 'look', folder: { path } } as never)
  },
}

/** A pipe is written through or read, and waits for its other end. */
const WAITS = new Set(['backupDirectory to it', 'exportLog to it', 'restore', 'importLog', 'openExport'])

describe.each(Object.keys(WORKS))('%s', (work) => {
  test('with anything else in place of what it names fails only with an error for people', async () => {
    for (const [place, make] of Object.entries(PLACES)) {
      if (place === 'a pipe' && WAITS.has(work)) continue
      const path = join(await temporaryDirectory(), 'x')
      await make(path)
      await typed(`${work}, ${place}`, async () => WORKS[work]?.(path))
    }
  })

  test('with a path at which nothing can be fails with an error for people', async () => {
    for (const [place, path] of Object.entries(IMPOSSIBLE))
      await typed(`${work}, ${place}`, async () => WORKS[work]?.(path as string))
  })
})

test('in a working directory that was removed, all of it says so', async () => {
  const [back, removed] = [process.cwd(), await mkdtemp(join(await temporaryDirectory(), 'x'))]
  process.chdir(removed)
  onTestFinished(() => process.chdir(back))
  await rm(removed, { recursive: true })
  for (const [work, does] of Object.entries(WORKS)) await typed(work, () => does('x'))
  const gone = { _tag: 'NoWorkingDirectory', message: expect.stringContaining('no longer exists') }
  await expect(Orchestrator.open({ runner: scriptedRunner() })).rejects.toMatchObject(gone)
  await expect(loadConfig({ environment: {} })).rejects.toMatchObject(gone)
})

test('whatever is in place of the files of a store, each operation on it fails only with an error for people', async () => {
  for (const place of ['nothing', 'a file', 'a directory', 'a pipe', 'a dangling link']) {
    for (const name of [
      'blobs',
      'agents',
      'agents/a',
      'agents/a/workspace',
      'agents/a/home',
      'log',
      'head',
    ]) {
      const baseDir = join(await temporaryDirectory(), 'base')
      await cp(whole.base, baseDir, { recursive: true })
      const opened = await open(baseDir)
      const path = join(baseDir, name)
      await rm(path, { recursive: true, force: true })
      if (!name.includes('/') || place !== 'nothing') await mkdir(join(path, '..'), { recursive: true })
      await PLACES[place]?.(path)
      const agent = await opened.agent('a').catch(() => null)
      const does: Record<string, () => Promise<unknown>> = {
        create: () => opened.createAgent({ id: 'b', systemPrompt: 'You are b' }),
        ask: async () => agent?.ask('x'.repeat(70_001), { session: 'fresh' }),
        verify: () => opened.history.verify(),
        log: async () => {
          for await (const _ of opened.history.log()) void _
        },
        late: () => opened.lateAnswers(),
        remove: () => opened.removeAgent('a'),
        backup: async () => backup(opened.store, join(await temporaryDirectory(), 'x')),
        close: () => opened.close(),
        reopen: async () => (await open(baseDir)).close(),
        'verify the store': () => verifyStore(baseDir),
      }
      for (const [operation, run] of Object.entries(does))
        await typed(`${operation}, with ${place} in place of ${name}`, run)
    }
  }
})
