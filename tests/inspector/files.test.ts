/** The files of an agent in the inspector: at any position, and what has changed them. Its server, with real git. */
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { OverloadedError } from '../../src/events/errors/call.ts'
import { CorruptBlob } from '../../src/events/errors/store.ts'
import { readingStore } from '../../src/remote/reading-store.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { until } from '../actors/world.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { agentOnRepository, inspecting } from './repository.ts'

const actor = 'agent/dev'
const paths = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path)
const patchOf = ({ patch }: { readonly patch: readonly (readonly [string, string])[] }) =>
  patch.filter(([kind]) => kind !== 'head').map(([kind, text]) => `${kind} ${text}`)

describe('at a position', () => {
  test('the files are those that the agent had then, each with its kind, its size and its text', async () => {
    const { orchestrator, positionsOf, agent } = await agentOnRepository({
      async one(workspace) {
        await writeFile(join(workspace, 'b.sh'), 'echo b\n', { mode: 0o755 })
        await symlink('../../etc/passwd', join(workspace, 'link'))
        await writeFile(join(workspace, 'empty'), '')
      },
      two: (workspace) => rm(join(workspace, 'b.sh')),
    })
    await agent.ask('one')
    await agent.ask('two')
    const { ask } = await inspecting(orchestrator)
    const [one = 0, two = 0] = await positionsOf('CallSucceeded')

    expect(await ask('files', { actor, at: 1 })).toMatchObject({ total: 1, files: [{ path: 'a.txt' }] })
    const { files, ...counts } = await ask('files', { actor, at: one })
    expect(counts).toEqual({ total: 4, matching: 4, problem: null })
    expect(files).toMatchObject([
      { path: 'a.txt', kind: 'file', bytes: 8 },
      { path: 'b.sh', kind: 'program', bytes: 7 },
      { path: 'empty', kind: 'file', bytes: 0 },
      { path: 'link', kind: 'link', bytes: 16 },
    ])
    expect(paths((await ask('files', { actor, at: two })).files)).toEqual(['a.txt', 'empty', 'link'])

    const read = (path: string, at: number) =>
      ask('file', { actor, at, key: files.find((file) => file.path === path)?.key ?? '' })
    expect(await read('b.sh', one)).toMatchObject({ text: 'echo b\n', moreBytes: 0, problem: null })
    expect(await read('link', one)).toMatchObject({ text: '../../etc/passwd', file: { kind: 'link' } })
    expect(await read('empty', two)).toMatchObject({ text: '' })
    expect(await read('b.sh', two)).toMatchObject({ text: null, file: null, problem: null })
  })

  test('the moment says which snapshot the agent had, and which fact changed the files last', async () => {
    const { orchestrator, positionsOf, agent } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'b'), ''),
    })
    await agent.ask('one')
    await agent.ask('nothing')
    const { ask } = await inspecting(orchestrator)
    const filesAt = async (at: number) => (await ask('moment', { at, actor })).actor?.files
    const [saved = 0] = await positionsOf('FilesSaved')
    const [one = 0, nothing = 0] = await positionsOf('CallSucceeded')
    expect((await filesAt(saved - 1))?.changes).toBeNull()
    expect((await filesAt(saved))?.changes).toBe(saved)
    expect((await filesAt(saved + 1))?.changes).not.toBe(saved)
    expect((await filesAt(one))?.changes).toBe(one)
    expect((await filesAt(one + 1))?.changes).toBe(one)
    expect((await filesAt(nothing))?.snapshot).toBe((await filesAt(one))?.snapshot)
    expect((await ask('moment', { at: one })).fact).toMatchObject({ changesFiles: true })
    expect((await ask('moment', { at: one + 1 })).fact).toMatchObject({ changesFiles: false })
  })

  test('a store that no process has open shows the same', async () => {
    const { orchestrator, positionsOf, agent, baseDir } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'b'), 'b\n'),
    })
    await agent.ask('one')
    const [one = 0] = await positionsOf('CallSucceeded')
    await orchestrator.close()
    await using store = await readingStore(baseDir)
    const { ask } = await inspecting({ store, baseDir })
    expect(paths((await ask('files', { actor, at: one })).files)).toEqual(['a.txt', 'b'])
    expect(patchOf(await ask('changes', { actor, at: one }))).toEqual(['hunk @@ -0,0 +1 @@', 'added +b'])
  })

  test('of an agent that lives on another machine, they are what is stored of it, also of earlier turns and of later ones', async () => {
    const { orchestrator, positionsOf, agent, folder } = await agentOnRepository(
      {
        one: (workspace) => writeFile(join(workspace, 'b'), 'b\n'),
        two: (workspace) => writeFile(join(workspace, 'b'), 'B\n'),
        three: (workspace) => writeFile(join(workspace, 'c'), 'c\n'),
      },
      'one',
    )
    await agent.ask('one')
    await agent.ask('two')
    const baseDir = join(folder, 'elsewhere')
    await mkdir(baseDir)
    vi.stubEnv('TMPDIR', folder)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { store } = orchestrator
    const { ask, close } = await inspecting({ store, baseDir })
    const [one = 0, two = 0] = await positionsOf('CallSucceeded')
    expect(paths((await ask('files', { actor, at: one })).files)).toEqual(['a.txt', 'b'])
    expect(patchOf(await ask('changes', { actor, at: one }))).toEqual(['hunk @@ -0,0 +1 @@', 'added +b'])
    expect(patchOf(await ask('changes', { actor, at: two }))).toContain('added +B')
    await agent.ask('three')
    const [, , three = 0] = await positionsOf('CallSucceeded')
    expect(paths((await ask('files', { actor, at: three })).files)).toEqual(['a.txt', 'b', 'c'])
    // Nothing of it stays.
    const copies = async () =>
      (await readdir(folder)).filter((name) => name.startsWith('claude-agents-files-'))
    expect(await copies()).toHaveLength(1)
    await close()
    expect(await copies()).toEqual([])

    // What is lost is said in words.
    const lost: EventStore = {
      ...store,
      blobs: {
        ...store.blobs,
        get: (reference) =>
          Promise.reject(new CorruptBlob({ ...reference, file: 'blobs', problem: 'it is missing' })),
      },
    }
    const { ask: askLost } = await inspecting({ store: lost, baseDir })
    expect(await askLost('files', { actor, at: one })).toMatchObject({
      files: [],
      problem: expect.stringContaining('it is missing'),
    })
  })
})

describe('what was changed', () => {
  test('is told at each fact of a turn, by hand, and by undoing it', async () => {
    const { orchestrator, positionsOf, agent } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'a.txt'), 'one\n2\n'),
      two: (workspace) => writeFile(join(workspace, 'c'), 'c\n'),
    })
    await agent.ask('one')
    await writeFile(join(agent.workspace, 'by-hand'), '')
    await agent.ask('two')
    await agent.files.undo()
    const { ask } = await inspecting(orchestrator)
    const changes = (at: number | undefined) => ask('changes', { actor, at: at ?? 0 })
    const [, after, byHand] = await positionsOf('FilesSaved')
    const [committed] = await positionsOf('FilesCommitted')
    const [one, two] = await positionsOf('CallSucceeded')
    const [undone] = await positionsOf('FilesRestored')
    const ofTurn = { total: 1, added: 1, removed: 1, files: [{ path: 'a.txt', status: 'changed' }] }
    expect(await changes(after)).toMatchObject({ by: 'call', turn: null, ...ofTurn })
    expect(await changes(committed)).toMatchObject({ by: 'turn', turn: 1, ...ofTurn })
    const turn = await changes(one)
    expect(turn).toMatchObject({ by: 'turn', turn: 1, ...ofTurn })
    expect(patchOf(turn)).toEqual(['hunk @@ -1,2 +1,2 @@', 'same  one', 'removed -two', 'added +2'])
    expect(await changes(byHand)).toMatchObject({ by: 'hand', files: [{ path: 'by-hand', status: 'added' }] })
    expect(await changes(two)).toMatchObject({ turn: 2, files: [{ path: 'c', status: 'added', added: 1 }] })
    expect(await changes(undone)).toMatchObject({ by: 'undo', files: [{ path: 'c', status: 'removed' }] })
    expect((await agent.files.diff({ turn: 2 })).files).toMatchObject([{ path: 'c' }])
    const all = await ask('changes', { actor, at: two ?? 0, all: 1 })
    expect(all).toMatchObject({ by: 'all', turn: null })
    expect(paths(all.files)).toEqual(['a.txt', 'by-hand', 'c'])
  })

  test('by an agent without a repository is told from its first turn on', async () => {
    const { orchestrator, positionsOf } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'b'), 'b\n'),
      two: (workspace) => writeFile(join(workspace, 'c'), 'c\n'),
    })
    const agent = await orchestrator.createAgent({ id: 'own', systemPrompt: 'You work.' })
    for (const prompt of ['nothing', 'one', 'two']) await agent.ask(prompt)
    const { ask } = await inspecting(orchestrator)
    const own = { actor: 'agent/own' }
    const [nothing = 0, one = 0, two = 0] = await positionsOf('CallSucceeded', own.actor)
    expect((await ask('moment', { at: nothing })).fact).toMatchObject({ changesFiles: false })
    const added = (path: string) => ({ path, status: 'added', added: 1, removed: 0 })
    const turn = await ask('changes', { ...own, at: one })
    expect(turn).toMatchObject({ by: 'turn', turn: 2, total: 1, files: [added('b')] })
    expect((await agent.files.diff({ turn: 2 })).files).toEqual([added('b')])
    expect(await ask('changes', { ...own, at: two })).toMatchObject({ turn: 3, files: [added('c')] })
    const all = await ask('changes', { ...own, at: two, all: 1 })
    expect(all.files).toMatchObject([added('b'), added('c')])
    const fork = await orchestrator.fork('own', { as: 'fork' })
    await fork.ask('two')
    expect(paths((await fork.files.diff()).files)).toEqual([])
    const at = await orchestrator.store.head()
    expect(paths((await ask('files', { actor: 'agent/fork', at })).files)).toEqual(['b', 'c'])
    expect(paths((await ask('changes', { actor: 'agent/fork', at, all: 1 })).files)).toEqual([])
  })

  test('by a call that did not end well is told where it was taken back', async () => {
    const { orchestrator, positionsOf, agent } = await agentOnRepository({
      async go(workspace, attempt) {
        await writeFile(join(workspace, `attempt-${attempt}`), '')
        if (attempt === 1) throw new OverloadedError()
      },
    })
    await agent.ask('go')
    const { ask } = await inspecting(orchestrator)
    const [restored = 0] = await positionsOf('FilesRestored')
    expect(await ask('changes', { actor, at: restored })).toMatchObject({
      by: 'failure',
      files: [{ path: 'attempt-1', status: 'removed' }],
    })
  })

  test('is limited to one file on demand, also where a file has become a link', async () => {
    const { orchestrator, positionsOf, agent } = await agentOnRepository({
      async one(workspace) {
        await rm(join(workspace, 'a.txt'))
        await symlink('b', join(workspace, 'a.txt'))
        await writeFile(join(workspace, 'b'), 'b\n')
        await writeFile(join(workspace, 'c'), 'c\n')
      },
    })
    await agent.ask('one')
    const { ask } = await inspecting(orchestrator)
    const [at = 0] = await positionsOf('CallSucceeded')
    const { files } = await ask('changes', { actor, at })
    const only = async (path: string) => {
      const key = files.find((file) => file.path === path)?.key ?? ''
      const changes = await ask('changes', { actor, at, key })
      expect(changes).toMatchObject({ only: key, total: 3 })
      return patchOf(changes).filter((line) => !line.startsWith('hunk'))
    }
    expect(await only('a.txt')).toEqual([
      'removed -one',
      'removed -two',
      'added +b',
      'same \\ No newline at end of file',
    ])
    expect(await only('b')).toEqual(['added +b'])
    expect(await only('c')).toEqual(['added +c'])
    expect(await ask('changes', { actor, at, key: 'unknown' })).toMatchObject({ only: null, total: 3 })
    expect(await ask('changes', { actor, at, text: 'B' })).toMatchObject({
      total: 3,
      matching: 1,
      files: [{ path: 'b' }],
    })
  })
})

describe('what an agent wrote is hostile', () => {
  test('names and texts are made visible, and no line passes for another one', async () => {
    const { orchestrator, positionsOf, agent } = await agentOnRepository({
      async one(workspace) {
        await writeFile(join(workspace, 'red\u001b[31m\u202Etxt.exe'), '\u001b[2Jgone \u202Eevil\r\n')
        await writeFile(join(workspace, 'two\nlines\t'), 'diff --git a/x b/x\n@@ -1 +1 @@\n++ b/x\n')
        await writeFile(Buffer.from(`${workspace}/latin-\xe9`, 'latin1'), Buffer.from([0xe9, 10]))
        await writeFile(join(workspace, '--output=x'), '')
        await writeFile(join(workspace, 'binary'), Buffer.from([1, 0, 2]))
        execaSync('git', ['init', '-q', join(workspace, 'inner')])
      },
    })
    await agent.ask('one')
    const { ask } = await inspecting(orchestrator)
    const [at = 0] = await positionsOf('CallSucceeded')
    const { files } = await ask('files', { actor, at, text: '' })
    const shown = paths(files)
    const red = 'red\\x1b[31m\\u202etxt.exe'
    expect(shown).toEqual(
      expect.arrayContaining([red, 'two\\x0alines\\x09', 'latin-\ufffd', '--output=x', 'inner/.git/HEAD']),
    )
    const read = (path: string) =>
      ask('file', { actor, at, key: files.find((file) => file.path === path)?.key ?? '' })
    expect((await read(red)).text).toBe('\\x1b[2Jgone \\u202eevil\\x0d\n')
    expect((await read('latin-\ufffd')).text).toBe('\ufffd\n')
    expect(await read('binary')).toMatchObject({ text: null, file: { bytes: 3 }, problem: null })

    const all = await ask('changes', { actor, at })
    expect(all.files.find(({ path }) => path === 'binary')).toMatchObject({ added: null, removed: null })
    const key = all.files.find(({ path }) => path.startsWith('two'))?.key ?? ''
    expect(patchOf(await ask('changes', { actor, at, key }))).toEqual([
      'hunk @@ -0,0 +1,3 @@',
      'added +diff --git a/x b/x',
      'added +@@ -1 +1 @@',
      'added +++ b/x',
    ])
    expect(JSON.stringify([all, files])).not.toMatch(/\\u001b|\u202e/)
  })

  test('ten thousand files and ten megabytes of changes are bounded, counted and searched', async () => {
    const line = `${'x'.repeat(99)}\n`
    const blob = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`
    const files = [
      ...Array.from({ length: 10_000 }, (_, number) => [`many/${number}.txt`, ''] as const),
      ...['p', 'q'].map((path) => [path, line.repeat(50_000)] as const),
      ['r', `${'y'.repeat(3_000_000)}\n`] as const,
    ]
    const baseDir = await temporaryDirectory()
    const git = (input: string, ...command: string[]) =>
      execaSync('git', ['-C', join(baseDir, 'files.git'), ...command], { input }).stdout
    execaSync('git', ['init', '-q', '--bare', join(baseDir, 'files.git')])
    const commit = (name: string, content: string) =>
      `commit refs/agents/${name}\ncommitter a <a> 0 +0000\ndata 0\n${content}\n`
    const written = files.map(([path, text]) => `M 644 inline ${path}\n${blob(text)}`).join('')
    git(commit('from', '') + commit('to', written), 'fast-import', '--quiet')
    const names = git('', 'rev-parse', 'refs/agents/from', 'refs/agents/to').split('\n')
    const store = await storeOfRestored(names[0] ?? '', names[1] ?? '')
    const { ask, send } = await inspecting({ store, baseDir })
    const at = await store.head()
    const listed = await ask('files', { actor, at })
    expect([listed.total, listed.matching, listed.files.length]).toEqual([10_003, 10_003, 500])
    expect(paths((await ask('files', { actor, at, text: 'MANY/9999' })).files)).toEqual(['many/9999.txt'])

    const changes = await ask('changes', { actor, at, text: '/777' })
    expect([changes.total, changes.matching, changes.files.length]).toEqual([10_003, 11, 11])
    expect(changes).toMatchObject({ added: 100_001, isMore: false })
    expect([changes.patch.length, changes.moreLines > 100_000]).toEqual([2000, true])
    const of = async (text: string) => {
      const found = await ask('changes', { actor, at, text })
      const key = found.files.find(({ path }) => path === text)?.key ?? ''
      const body = await (await send('changes', { actor, at, key })).text()
      return { ...JSON.parse(body), size: body.length }
    }
    // Its section has six lines before the first one that was added.
    expect(await of('q')).toMatchObject({ moreLines: 50_000 + 6 - 2000 })
    const long = await of('r')
    expect(long.patch.at(-1)[1]).toMatch(/^\+y{999}… \(3000001 bytes\)$/)
    expect(long.size).toBeLessThan(200_000)
    const read = await ask('file', {
      actor,
      at,
      key: (await ask('files', { actor, at, text: 'r' })).files.find(({ path }) => path === 'r')?.key ?? '',
    })
    expect([read.text?.length, read.moreBytes]).toEqual([200_000, 2_800_001])
  })

  test('a log that names an option of git instead of a snapshot runs nothing', async () => {
    const baseDir = await temporaryDirectory()
    execaSync('git', ['init', '-q', '--bare', join(baseDir, 'files.git')])
    const option = `--output=${join(baseDir, 'written')}`
    const store = await storeOfRestored(option, option)
    const { ask } = await inspecting({ store, baseDir })
    const at = await store.head()
    for (const answer of [await ask('files', { actor, at }), await ask('changes', { actor, at, all: 1 })])
      expect(answer.problem).toContain('this is not the name of a snapshot')
    await expect(readFile(join(baseDir, 'written'))).rejects.toThrow('ENOENT')
  })
})

/** The log of an agent whose files were brought from one snapshot to another. */
async function storeOfRestored(from: string, commit: string) {
  const { orchestrator } = await agentOnRepository({})
  const store = memoryStore()
  for await (const { type, v, data } of orchestrator.store.read(actor))
    await store.append(actor, [{ type, v, data }])
  const counts = { changed: 0, added: 0, removed: 0 }
  const data = { because: 'undo', from, to: commit, commit, tree: commit, ...counts }
  await store.append(actor, [{ type: 'FilesRestored', v: 1, data }])
  return store
}

describe('what cannot be shown is said', () => {
  test('a snapshot that is gone, a log without its snapshots, and a store without its directory', async () => {
    const { orchestrator, positionsOf, agent, baseDir } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'b'), ''),
    })
    await agent.ask('one')
    const [at = 0] = await positionsOf('CallSucceeded')
    const { ask } = await inspecting(orchestrator)
    await rm(join(baseDir, 'files.git/objects'), { recursive: true })
    await mkdir(join(baseDir, 'files.git/objects'))
    for (const what of ['files', 'file', 'changes'] as const)
      expect((await ask(what, { actor, at })).problem).toMatch(
        /a snapshot cannot be read \(git [a-z-]+ failed: .*\)\. Part of that directory is missing/,
      )
    await rm(join(baseDir, 'files.git'), { recursive: true })
    for (const what of ['files', 'file', 'changes'] as const)
      expect((await ask(what, { actor, at })).problem).toContain(
        'there are no snapshots here. If the log was copied',
      )
    const alone = await inspecting(orchestrator.store)
    expect((await alone.ask('files', { actor, at })).problem).toContain('inspector({ store, baseDir })')
  })

  test('an agent without files, and a fact that changed none', async () => {
    const { orchestrator } = await agentOnRepository({})
    await (await orchestrator.createAgent({ id: 'other', systemPrompt: 'You work.' })).ask('x')
    const { ask, send } = await inspecting(orchestrator)
    const at = await orchestrator.store.head()
    expect((await ask('moment', { at, actor: 'agent/other' })).actor?.files).toBeNull()
    expect((await ask('files', { actor: 'agent/other', at })).problem).toContain(
      `agent/other: no snapshot of its files was saved up to position ${at}`,
    )
    for (const [query, what] of [
      [{ actor, at: 1 }, 'changes'],
      [{ actor: 'agent/other', at }, 'changes'],
      [{ actor: 'run/x', at }, 'files'],
      [{ actor, at: -1 }, 'files'],
    ] as const)
      expect((await send(what, query)).status, JSON.stringify(query)).toBe(400)
  })
})

test('git runs once at a time for each kind of request, and ends when the page goes', async () => {
  const { orchestrator, agent, positionsOf } = await agentOnRepository({
    one: (workspace) => writeFile(join(workspace, 'b'), ''),
  })
  await agent.ask('one')
  const [at = 0] = await positionsOf('CallSucceeded')
  const { ask, send } = await inspecting(orchestrator)
  await ask('files', { actor, at })
  // A git that never ends, and says when it began.
  const folder = await temporaryDirectory()
  const log = join(folder, 'started')
  await writeFile(log, '')
  await writeFile(join(folder, 'git'), `#!/bin/sh\necho $$ >> ${log}\nexec sleep 600\n`, { mode: 0o755 })
  const started = async (count: number) => {
    for (;;) {
      const pids = (await readFile(log, 'utf8')).split('\n').filter(Boolean).map(Number)
      if (pids.length >= count) return pids
    }
  }
  const isRunning = (pid = 0) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
  try {
    const page = () => new AbortController()
    const asked = (what: 'files' | 'changes', { signal }: AbortController) =>
      send(what, { actor, at }, signal).then(
        () => 'answered',
        () => 'gone',
      )
    const [first, second, third] = [page(), page(), page()]
    const answers = [asked('files', first)]
    const [one] = await started(1)
    answers.push(asked('files', second), asked('changes', third))
    // The changes do not wait for the files; the other files do.
    const [, other] = await started(2)
    third.abort()
    await until(() => !isRunning(other))
    expect(await started(2)).toHaveLength(2)
    expect(isRunning(one)).toBe(true)
    first.abort()
    const [, , two] = await started(3)
    expect(isRunning(one)).toBe(false)
    expect(isRunning(two)).toBe(true)
    second.abort()
    await until(() => !isRunning(two))
    expect(await Promise.all(answers)).toEqual(['gone', 'gone', 'gone'])
  } finally {
    vi.unstubAllEnvs()
  }
})
