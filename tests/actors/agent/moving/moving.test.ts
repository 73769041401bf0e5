/** An agent comes to life on another machine: with its files, their history, and its sessions. With real git. */
import { mkdtempSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { AgentRunner, Call } from '../../../../src/claude/runner.ts'
import { transcriptFolder } from '../../../../src/claude/session/branch.ts'
import { homeOperations } from '../../../../src/claude/session/home-texts.ts'
import { listTranscripts } from '../../../../src/claude/session/transcripts.ts'
import { systemClock } from '../../../../src/clock.ts'
import { DiskFullError } from '../../../../src/events/errors/call.ts'
import { CorruptBlob, StoreUnavailable } from '../../../../src/events/errors/store.ts'
import { Orchestrator } from '../../../../src/orchestrator.ts'
import type { EventStore } from '../../../../src/store/event-store.ts'
import { memoryStore } from '../../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../../../src/workspaces/operations.ts'
import { factsOf, git, visibleFiles } from '../files-world.ts'

/** Continues the transcript of its parent, as `claude` does: the lines that came before, under the new id. */
async function converse({
  sessionId,
  parentSessionId,
  prompt,
  directories,
}: Call): Promise<readonly string[]> {
  const files = await listTranscripts(directories.home)
  const parent = files.find((file) => file.sessionId === parentSessionId)
  if (parentSessionId !== null && !parent) throw new Error(`no session ${parentSessionId}`)
  const before = parent ? (await readFile(parent.path, 'utf8')).split('\n').filter(Boolean) : []
  const lines = before.map((line) => ({ ...JSON.parse(line), sessionId }))
  const said = { sessionId, type: 'user', uuid: `${sessionId}-${prompt}`, prompt }
  const text = [...lines, said].map((line) => `${JSON.stringify(line)}\n`).join('')
  await writeFile(join(await transcriptFolder(directories), `${sessionId}.jsonl`), text)
  return [...lines, said].map((line) => line.prompt)
}

type Complete = AgentRunner & Required<Pick<AgentRunner, 'files' | 'homes'>>

function machines(
  change: (store: EventStore) => EventStore = (store) => store,
  disturb: (runner: Complete) => AgentRunner = (runner) => runner,
) {
  const folder = mkdtempSync(join(tmpdir(), 'moving-'))
  const kept = memoryStore()
  const prompts: string[] = []
  const scripted = scriptedRunner({
    async reply(call) {
      prompts.push(call.prompt)
      // A conversation that is lost comes before it as text.
      const word = [...call.prompt.matchAll(/^[a-z]$/gm)].at(-1)?.[0] ?? ''
      const before = await visibleFiles(call.directories.workspace)
      await writeFile(join(call.directories.workspace, word), `${word}\n`)
      const said = await converse({ ...call, prompt: word })
      return `${before.join(' ')} | ${said.join(' ')}`
    },
  })
  const operations = directoryOperations({ clock: systemClock })
  const runner = disturb({ ...scripted, ...operations, homes: homeOperations })
  /** Until the next one is there. */
  let last: Orchestrator | undefined
  const at = async (name: string, sharedDir = false, isWorker = true) => {
    await last?.close()
    const store = { ...change(kept), [Symbol.asyncDispose]: async () => {} }
    const orchestrator = await Orchestrator.open({
      ...{ store, runner, serve: false, baseDir: join(folder, sharedDir ? 'shared' : name) },
      ...(isWorker && { residency: { worker: name, sharedDir } }),
    })
    last = orchestrator
    return orchestrator
  }
  onTestFinished(async () => {
    await last?.close()
    await rm(folder, { recursive: true, force: true })
  })
  const ask = async (machine: Orchestrator, word: string, agent = 'dev') =>
    (await (await machine.agent(agent)).ask(word)).text
  const workspace = (name: string) => join(folder, name, 'agents/dev/workspace')
  return { folder, kept, prompts, at, ask, workspace }
}

const ROLE = { id: 'dev', systemPrompt: 'You work.' }
const movesOf = async (orchestrator: Orchestrator) =>
  (await factsOf(orchestrator)).flatMap(({ type, data }) => (type === 'AgentMoved' ? [data] : []))

test('its files, their history and its session are there where it comes to life: it continues, and can undo', async () => {
  const { at, ask } = machines()
  const one = await at('one')
  await one.createAgent(ROLE)
  expect(await ask(one, 'a')).toBe(' | a')
  expect(await ask(one, 'b')).toBe('a | a b')
  const two = await at('two')
  expect(await ask(two, 'c')).toBe('a b | a b c')
  expect(await movesOf(two)).toEqual([
    {
      from: expect.objectContaining({ worker: 'one' }),
      to: expect.objectContaining({ worker: 'two' }),
      ...{ workspace: 'restored', session: 'restored' },
    },
  ])
  const { files } = await two.agent('dev')
  expect((await files.turns()).map(({ turn }) => turn)).toEqual([1, 2, 3])
  expect((await files.diff({ turn: 1 })).files).toMatchObject([{ path: 'a', status: 'added' }])
  await files.undo({ to: 1 })
  const three = await at('three')
  expect(await ask(three, 'd')).toBe('a | a b c d')
  await (await three.agent('dev')).files.undo({ to: 3 })
  expect(await ask(await at('one'), 'e')).toBe('a b c | a b c d e')
})

test('a process that is no worker has them as well, and what it does is not lost on the workers', async () => {
  const { at, ask, kept } = machines()
  const one = await at('one')
  await one.createAgent(ROLE)
  await ask(one, 'a')
  const alone = await at('laptop', false, false)
  expect(await ask(alone, 'b')).toBe('a | a b')
  expect(await ask(await at('one'), 'c')).toBe('a b | a b c')
  const moves = await movesOf(await at('laptop', false, false))
  expect(moves).toMatchObject([{ to: { worker: hostname() } }, { to: { worker: 'one' } }])
  // An agent that never lived in a worker costs nothing more.
  await (await at('laptop', false, false)).createAgent({ ...ROLE, id: 'other' })
  await ask(await at('laptop', false, false), 'a', 'other')
  const types = []
  for await (const { type } of kept.read('agent/other')) types.push(type)
  expect(types).not.toContain('AgentStored')
})

test('where workers share their directories, a process that is no worker brings and stores nothing: the files stay the newest', async () => {
  const { at, ask, folder } = machines()
  onTestFinished(() => void vi.unstubAllEnvs())
  /** Works in the shared directory, on another machine than the workers. */
  const alone = async () => {
    vi.stubEnv('XDG_STATE_HOME', folder)
    return at('laptop', true, false)
  }
  const worker = async () => {
    vi.unstubAllEnvs()
    return at('one', true)
  }
  await (await worker()).createAgent(ROLE)
  await ask(await worker(), 'a')
  await ask(await alone(), 'b')
  await ask(await alone(), 'c')
  await ask(await worker(), 'd')
  expect(await ask(await alone(), 'e')).toBe('a b c d | a b c d e')
  expect(await movesOf(await alone())).toEqual([])
})

test('what was stored before workers shared their directories is not taken for the newest', async () => {
  const { at, ask, folder } = machines()
  const before = await at('shared')
  await before.createAgent(ROLE)
  await ask(before, 'a')
  await ask(await at('one', true), 'b')
  await (await at('one', true)).close()
  // Another machine.
  vi.stubEnv('XDG_STATE_HOME', folder)
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(await ask(await at('laptop', true, false), 'c')).toBe('a b | a b c')
})

test('back on a machine that has older files, and some that no turn has left, it has those of its last turn only', async () => {
  const { at, ask, workspace, folder } = machines()
  const one = await at('one')
  await one.createAgent(ROLE)
  await ask(one, 'a')
  // A call that was killed with its machine.
  await writeFile(join(workspace('one'), 'half'), 'half done')
  await writeFile(join(workspace('one'), 'a'), 'half done')
  const two = await at('two')
  await ask(two, 'b')
  const again = await at('one')
  expect(await ask(again, 'c')).toBe('a b | a b c')
  expect(await readFile(join(workspace('one'), 'a'), 'utf8')).toBe('a\n')
  // What was there is still to be had.
  const [ref = ''] = git(
    join(folder, 'one/files.git'),
    'for-each-ref',
    '--format=%(refname)',
    'refs/left',
  ).split('\n')
  expect(git(join(folder, 'one/files.git'), 'ls-tree', '--name-only', ref).split('\n')).toEqual(['a', 'half'])
  // Where nothing has changed meanwhile, nothing is written.
  await (await (await at('two')).agent('dev')).files.list()
  const last = await at('one')
  expect(await ask(last, 'd')).toBe('a b c | a b c d')
  expect((await movesOf(last)).map(({ workspace }) => workspace)).toEqual([
    ...Array(3).fill('restored'),
    'kept',
  ])
})

test('of an agent on a repository, the branch comes along, whichever worktree had it checked out', async () => {
  const { at, ask, folder } = machines()
  const repo = join(folder, 'repo')
  git(folder, 'init', '-q', '-b', 'main', repo)
  await writeFile(join(repo, 'r.txt'), 'r\n')
  git(repo, 'add', '-A')
  git(repo, 'commit', '-qm', 'first')
  git(folder, 'clone', '-q', '--bare', repo, 'origin')
  const one = await at('one')
  await one.createAgent({ ...ROLE, workspace: { repo } })
  expect(await ask(one, 'a')).toBe('r.txt | a')
  // The same repository, with the worktree of the first machine.
  const two = await at('two')
  expect(await ask(two, 'b')).toBe('a r.txt | a b')
  expect(git(repo, 'log', '--format=%s', 'claude-agents/dev').split('\n')).toEqual(['b', 'a', 'first'])
  expect(git(join(folder, 'two/agents/dev/workspace'), 'status', '--porcelain')).toBe('')
  // Another clone at the same place: it has never heard of the agent.
  await rm(repo, { recursive: true })
  git(folder, 'clone', '-q', 'origin', repo)
  const three = await at('three')
  expect(await ask(three, 'c')).toBe('a b r.txt | a b c')
  expect(git(repo, 'log', '--format=%s', 'claude-agents/dev').split('\n')).toEqual(['c', 'b', 'a', 'first'])
  expect((await movesOf(three)).map(({ workspace }) => workspace)).toEqual(['restored', 'restored'])
})

test('a machine without its repository refuses its tasks and loses nothing: it continues where there is one', async () => {
  const { folder, at, ask } = machines()
  const repo = join(folder, 'repo')
  git(folder, 'init', '-q', '-b', 'main', repo)
  git(repo, 'commit', '-q', '--allow-empty', '-m', 'first')
  git(folder, 'clone', '-q', '--bare', repo, 'origin')
  const one = await at('one')
  await one.createAgent({ ...ROLE, workspace: { repo } })
  await ask(one, 'a')
  await rm(repo, { recursive: true })
  const two = await at('two')
  await expect(ask(two, 'b')).rejects.toThrow(`The repository ${repo}: there is no such directory.`)
  expect(await movesOf(two)).toEqual([])
  git(folder, 'clone', '-q', 'origin', repo)
  const three = await at('three')
  expect(await ask(three, 'c')).toBe('a | a c')
  expect(await movesOf(three)).toMatchObject([{ workspace: 'restored', session: 'restored' }])
})

test('what cannot be brought is in the log, and the model and the caller are told', async () => {
  let isGone = false
  const { at, ask, prompts } = machines((store) => ({
    ...store,
    blobs: {
      ...store.blobs,
      get: async (reference) => {
        if (isGone) throw new CorruptBlob({ ...reference, file: 'blobs', problem: 'it is missing' })
        return store.blobs.get(reference)
      },
    },
  }))
  const one = await at('one')
  await one.createAgent(ROLE)
  await ask(one, 'a')
  isGone = true
  const two = await at('two')
  const warnings: string[] = []
  const asked = (await two.agent('dev')).ask('b')
  for await (const message of asked) if (message.type === 'warning') warnings.push(message.message)
  // It begins anew with the conversation as text.
  expect((await asked).text).toBe(' | b')
  expect(warnings).toEqual([expect.stringMatching(/the files of its earlier turns and its session.*missing/)])
  expect(await movesOf(two)).toMatchObject([{ workspace: 'lost', session: 'lost' }])
  expect(prompts.at(-1)).toContain('The files of your earlier turns are not in your workspace')
  expect(prompts.at(-1)).toContain('<user>\na\n</user>')
  expect(await ask(two, 'c')).toBe('b | b c')
  // What is lost stays lost, and is not taken for what is newer.
  isGone = false
  const three = await at('three')
  expect(await ask(three, 'd')).toBe('b c | b c d')
  expect((await movesOf(three)).at(-1)).toMatchObject({ workspace: 'restored', session: 'restored' })
})

test('a database that is away, and a crash on the way, lose nothing: it is brought again, as a whole', async () => {
  let problem: 'away' | 'crash' | undefined
  const refuse = (facts: readonly { readonly type: string }[]) => {
    if (problem !== 'crash' || !facts.some(({ type }) => type === 'AgentMoved')) return
    problem = undefined
    throw new StoreUnavailable({ path: 'the database', problem: 'it is gone' })
  }
  const { at, ask, kept, workspace } = machines((store) => ({
    ...store,
    blobs: {
      ...store.blobs,
      get: async (reference) => {
        if (problem !== 'away') return store.blobs.get(reference)
        problem = undefined
        throw new StoreUnavailable({ path: 'the database', problem: 'it is away' })
      },
    },
    // The last of all: what was brought is not recorded.
    appendAll: async (appends) => {
      refuse(appends.flatMap(({ facts }) => facts))
      return store.appendAll(appends)
    },
    append: async (stream, facts, options) => {
      refuse(facts)
      return store.append(stream, facts, options)
    },
  }))
  const one = await at('one')
  await one.createAgent({ ...ROLE, retry: { attempts: 3, minDelayMs: 1, maxDelayMs: 1 } })
  await ask(one, 'a')
  await writeFile(join(workspace('one'), 'half'), 'half done')
  problem = 'away'
  const two = await at('two')
  expect(await ask(two, 'b')).toBe('a | a b')
  const again = await at('one')
  problem = 'crash'
  await (await again.agent('dev')).files.list().catch(() => {})
  expect((await movesOf(again)).length).toBe(1)
  expect(await visibleFiles(workspace('one'))).toEqual(['a', 'b'])
  expect(await ask(again, 'c')).toBe('a b | a b c')
  expect((await movesOf(again)).map((each) => each.workspace)).toEqual(['restored', 'kept'])
  expect(await kept.head()).toBeGreaterThan(0)
})

test('a disk that is full where it lives costs no answer, and one where it comes to life loses nothing', async () => {
  let full: 'saving' | 'packing' | 'arriving' | undefined
  const room = (what: typeof full, error: Error) => {
    if (full === what) throw error
  }
  const noRoom = new DiskFullError({ said: '/disk' })
  const written = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  const { at, ask } = machines(undefined, (runner) => ({
    ...runner,
    files: {
      ...runner.files,
      save: async (place, note) => {
        if (note.startsWith('after')) room('saving', noRoom)
        return runner.files.save(place, note)
      },
      pack: async (...what) => {
        room('packing', noRoom)
        return runner.files.pack(...what)
      },
    },
    homes: {
      ...runner.homes,
      write: async (...what) => {
        room('arriving', written)
        return runner.homes.write(...what)
      },
    },
  }))
  const storedAt = async (orchestrator: Orchestrator) =>
    (await factsOf(orchestrator)).findLast(({ type }) => type === 'AgentStored')?.data
  const one = await at('one')
  await one.createAgent({ ...ROLE, retry: { attempts: 1, minDelayMs: 1, maxDelayMs: 1 } })
  await ask(one, 'a')
  full = 'saving'
  expect(await ask(one, 'b')).toBe('a | a b')
  expect(await storedAt(one)).toMatchObject({
    files: null,
    problems: [expect.stringContaining('The disk with the files of the agent is full: /disk')],
  })
  full = undefined
  // Never older ones.
  const two = await at('two')
  expect(await ask(two, 'c')).toBe(' | a b c')
  expect(await movesOf(two)).toMatchObject([{ workspace: 'lost', session: 'restored' }])
  full = 'packing'
  await expect(ask(two, 'd')).resolves.toBe('c | a b c d')
  expect(await storedAt(two)).toMatchObject({ files: null })
  full = undefined
  expect(await ask(two, 'e')).toBe('c d | a b c d e')
  full = 'arriving'
  const three = await at('three')
  await expect(ask(three, 'f')).rejects.toMatchObject({ _tag: 'DiskFullError' })
  expect((await movesOf(three)).length).toBe(1)
  full = undefined
  expect(await ask(three, 'g')).toBe('c d e | a b c d e g')
})

test('where the workers share the directory, nothing is stored but where it lives', async () => {
  const { at, ask } = machines()
  const one = await at('one', true)
  await one.createAgent(ROLE)
  await ask(one, 'a')
  const two = await at('two', true)
  expect(await ask(two, 'b')).toBe('a | a b')
  const stored = (await factsOf(two)).filter(({ type }) => type === 'AgentStored')
  expect(stored.map(({ data }) => Object.keys(data))).toEqual([['home']])
  expect(await readdir(join(two.baseDir, 'agents/dev'))).toContain('files.git')
})
