/** A pipe, a directory or a socket in place of a file of a store or of the configuration is an error that names it; nothing hangs. */
import { execFileSync } from 'node:child_process'
import { cp, mkdir, readdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/configuration.ts'
import { ClaudeAgentError } from '../../../src/events/errors/base.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { connectOwner } from '../../../src/remote/client.ts'
import { backupDirectory } from '../../../src/store/care/backup.ts'
import { repairStore } from '../../../src/store/care/repair.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { few } from '../../repetitions.ts'
import { socketAt } from '../../socket-at.ts'
import { countedTo } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const KINDS: Readonly<Record<string, (path: string) => unknown>> = {
  pipe: (path) => execFileSync('mkfifo', [path]),
  directory: (path) => mkdir(path),
  socket: socketAt,
}

let original: string
beforeAll(async () => {
  original = await temporaryDirectory()
  const store = await levelStore(original)
  await store.append('note/a', countedTo(20))
  await store.append('note/b', [
    { type: 'Noted', v: 1, data: { text: { ...(await store.blobs.put('x'.repeat(70_000))) } } },
  ])
  await store[Symbol.asyncDispose]()
  // A second opening makes a table of the log.
  await (await levelStore(original))[Symbol.asyncDispose]()
})

const WORKS: Readonly<Record<string, (baseDir: string) => Promise<unknown>>> = {
  open: async (baseDir) => (await Orchestrator.open({ baseDir, runner: scriptedRunner() })).close(),
  connect: (baseDir) => connectOwner(baseDir),
  verify: (baseDir) => verifyStore(baseDir),
  backup: async (baseDir) => backupDirectory(baseDir, join(await temporaryDirectory(), 'backup')),
  repair: async (baseDir) => repairStore(baseDir, join(await temporaryDirectory(), 'repaired')),
}

describe.each(few(1, Object.keys(KINDS)))('With a %s in place of a file of a store', (kind) => {
  test.each(Object.keys(WORKS))('%s ends, and fails only with an error for people', async (work) => {
    const files = (await readdir(original, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => relative(original, join(entry.parentPath, entry.name)))
    expect(files.length).toBeGreaterThan(6)
    // A repair starts a process each time.
    const tried = work === 'repair' ? files.filter((file) => /CURRENT|MANIFEST|head/.test(file)) : files
    for (const file of [...tried, 'lock']) {
      const baseDir = await temporaryDirectory()
      await cp(original, baseDir, { recursive: true })
      await rm(join(baseDir, file), { force: true })
      await KINDS[kind]?.(join(baseDir, file))
      const failure = await WORKS[work]?.(baseDir).then(
        () => null,
        (error: unknown) => error,
      )
      if (failure !== null) expect(failure, file).toBeInstanceOf(ClaudeAgentError)
      if (work === 'open' && ['lock', 'head', 'store.json'].includes(file))
        expect(failure).toMatchObject({
          _tag: 'NotAFileError',
          message: expect.stringContaining(`${file} is a`),
          hint: expect.stringContaining('move it away'),
        })
    }
  })

  test('or of the configuration, it is named', async () => {
    const directory = await temporaryDirectory()
    await KINDS[kind]?.(join(directory, 'claude-agents.yaml'))
    await expect(loadConfig({ directory, environment: {} })).rejects.toMatchObject({
      _tag: 'ConfigError',
      message: expect.stringContaining('claude-agents.yaml'),
    })
  })
})
