/** `log backup | restore | export | import | hash | compact`, as a user runs them. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { InvalidRequestError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { MAIN, quickCommandLine } from '../command.ts'

const LONG = 'What is the answer? '.repeat(5000)
const SECRET = 'the secret of the pyramids'

/** A base directory with some of everything: answers, a failure, a cancellation, a reset, unfinished work. */
async function withHistory() {
  const line = await quickCommandLine()
  const baseDir = join(line.folder, '.claude-agents')
  const runner = scriptedRunner({
    reply: ({ prompt }) => {
      if (prompt === 'fail') return new InvalidRequestError({ said: SECRET })
      if (prompt === 'for ever') return { text: '', delayMs: 2 ** 30 }
      return prompt === LONG ? `${SECRET} ${'long '.repeat(20_000)}` : `${prompt}: ${SECRET}`
    },
  })
  const orchestrator = await Orchestrator.open({ baseDir, runner })
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You know ${SECRET}.` })
  const [a, b] = [await orchestrator.agent('a'), await orchestrator.agent('b')]
  await a.ask('first', { taskId: 'one' })
  await a.ask({ prompt: LONG, textInput: SECRET }, { taskId: 'two' })
  await a.ask('fail', { taskId: 'three' }).catch(() => {})
  await b.ask('again', { taskId: 'one' })
  await b.reset()
  const running = b.ask('for ever', { taskId: 'open' })
  const waiting = b.ask(LONG, { taskId: 'waiting' })
  for (const task of [running, waiting]) task.catch(() => {})
  for await (const { type, data } of orchestrator.events()) {
    if (type === 'TaskAccepted' && data.taskId === 'waiting') break
  }
  await orchestrator.close()
  return { ...line, baseDir }
}

type Run = Awaited<ReturnType<typeof quickCommandLine>>['run']

const failureOf = ({ stderr }: { stderr: string }) =>
  JSON.parse(stderr.split('\n').findLast((line) => line.startsWith('{"error"')) ?? 'null')?.error

async function hashes(run: Run, baseDir: string) {
  const { values, exitCode } = await run(['log', 'hash', '--json', '--base-dir', baseDir])
  expect(exitCode).toBe(0)
  return values
}

const verified = async (run: Run, baseDir: string) =>
  (await run(['log', 'verify', '--json', '--base-dir', baseDir])).values[0]

describe('the state hash', () => {
  test('is printed per stream and for the whole, and is the same after export and import, backup and restore', async () => {
    const { run, folder, baseDir } = await withHistory()
    const before = await hashes(run, baseDir)
    expect(before).toMatchObject([
      { stream: 'agent/a', folded: true, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { stream: 'agent/b', folded: true },
      { stream: null, streams: 2 },
    ])
    expect((await run(['log', 'hash'])).stdout).toContain(`${before[0]?.hash}  agent/a`)

    expect((await run(['log', 'export', 'x.ndjson'])).exitCode).toBe(0)
    expect((await run(['log', 'import', 'x.ndjson', '--to', 'imported'])).exitCode).toBe(0)
    expect(await hashes(run, join(folder, 'imported'))).toEqual(before)
    expect(await verified(run, join(folder, 'imported'))).toMatchObject({ ok: true, blobs: 2 })

    expect((await run(['log', 'backup', 'x.backup'])).exitCode).toBe(0)
    expect((await run(['log', 'restore', 'x.backup', '--to', 'restored'])).exitCode).toBe(0)
    expect(await hashes(run, join(folder, 'restored'))).toEqual(before)
    expect(await verified(run, join(folder, 'restored'))).toMatchObject({ ok: true, blobs: 2 })

    // The replies are there, and are not asked for again.
    const again = await run([
      'agent',
      'ask',
      'a',
      'first',
      '--task-id',
      'one',
      '--json',
      '--base-dir',
      'restored',
    ])
    expect(again.values[0]).toMatchObject({ text: `first: ${SECRET}` })
  })

  test('differs when anything else has happened', async () => {
    const { run, baseDir } = await withHistory()
    const before = await hashes(run, baseDir)
    await run(['agent', 'reset', 'a'])
    const after = await hashes(run, baseDir)
    expect(after[0]?.hash).not.toBe(before[0]?.hash)
    expect(after[1]?.hash).toBe(before[1]?.hash)
    expect(after[2]?.hash).not.toBe(before[2]?.hash)
  })
})

describe('log backup', () => {
  test('while another process appends at full speed gives a store that verifies and is a prefix of the original', async () => {
    const { run, folder } = await quickCommandLine()
    const baseDir = join(folder, '.claude-agents')
    const said = await open(join(folder, 'acknowledged'), 'w')
    const program = resolve(import.meta.dirname, '../../store/fixtures/writer.mjs')
    const writer = spawn(process.execPath, [program, baseDir, '1', '16'], {
      stdio: ['ignore', said.fd, 'inherit'],
    })
    const gone = once(writer, 'exit')
    const acknowledged = async () => (await readFile(join(folder, 'acknowledged'), 'utf8')).split('\n').length
    try {
      await vi.waitUntil(async () => (await acknowledged()) >= 1000, { timeout: 60_000, interval: 10 })
      for (const name of ['one', 'two']) {
        const { values, exitCode, stderr } = await run(['log', 'backup', `${name}.backup`, '--json'])
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
        expect(values[0]?.records).toBeGreaterThan(1000)
      }
    } finally {
      writer.kill('SIGKILL')
      await gone
      await said.close()
    }
    const chain = async (directory: string) => {
      await using store = await levelStore(directory)
      const hashes: string[] = []
      for await (const { hash } of store.chain()) hashes.push(hash)
      return hashes
    }
    const original = await chain(baseDir)
    for (const name of ['one', 'two']) {
      expect((await run(['log', 'restore', `${name}.backup`, '--to', name])).exitCode).toBe(0)
      expect(await verified(run, join(folder, name))).toMatchObject({ ok: true })
      const facts = await chain(join(folder, name))
      expect(facts.length).toBeGreaterThan(1000)
      expect(facts.every((hash, at) => hash === original[at])).toBe(true)
    }
  })

  test('and export fail without a store, and create nothing', async () => {
    const { run, folder } = await quickCommandLine()
    for (const words of [['backup', 'x'], ['export', 'x'], ['hash'], ['compact', '--keep', '1']]) {
      expect((await run(['log', ...words])).exitCode).toBe(2)
    }
    expect(await readdir(folder)).toEqual([])
  })
})

describe('log restore and log import', () => {
  test('refuse a directory that is not empty', async () => {
    const { run } = await withHistory()
    await run(['log', 'backup', 'x.backup'])
    await run(['log', 'export', 'x.ndjson'])
    const restoring = await run(['log', 'restore', 'x.backup', '--to', '.claude-agents', '--json'])
    expect([restoring.exitCode, failureOf(restoring).code]).toEqual([1, 'DirectoryNotEmpty'])
    // Without --to it is the base directory.
    expect(failureOf(await run(['log', 'import', 'x.ndjson', '--json'])).code).toBe('DirectoryNotEmpty')
    expect((await run(['log', 'import', 'x.ndjson', '--base-dir', 'new'])).exitCode).toBe(0)
  })

  test('import reads what export writes through a pipe', async () => {
    const { run } = await withHistory()
    const { stdout } = await run(['log', 'export'])
    expect(
      (await run(['log', 'import', '-', '--to', 'piped', '--json'], `${stdout}\n`)).values[0],
    ).toMatchObject({
      forReading: false,
    })
  })

  test('import refuses a chain that does not match, with line and position', async () => {
    const { run, folder } = await withHistory()
    await run(['log', 'export', 'x.ndjson'])
    const lines = (await readFile(join(folder, 'x.ndjson'), 'utf8')).split('\n')
    const at = lines.findIndex((line) => line.includes('"type":"CallSucceeded"'))
    const { position } = JSON.parse(lines[at] ?? '')
    lines[at] = String(lines[at]).replace(SECRET, 'something else')
    await writeFile(join(folder, 'x.ndjson'), lines.join('\n'))
    const ran = await run(['log', 'import', 'x.ndjson', '--to', 'y', '--json'])
    expect(failureOf(ran)).toMatchObject({
      code: 'InvalidArchive',
      message: `x.ndjson:${at + 1} (position ${position} of the log): its hash does not match.`,
    })
    expect(existsSync(join(folder, 'y'))).toBe(false)
  })
})

describe('log export', () => {
  test('--redact keeps the shape and none of the words; what is made of it is for reading', async () => {
    const { run, folder, baseDir } = await withHistory()
    const before = await hashes(run, baseDir)
    expect((await run(['log', 'export', 'x.ndjson', '--redact'])).exitCode).toBe(0)
    const text = await readFile(join(folder, 'x.ndjson'), 'utf8')
    for (const words of [SECRET, 'You know', 'first', 'the answer']) expect(text).not.toContain(words)
    const facts = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(facts[0]).toMatchObject({ redacted: true })
    expect(facts.find(({ type }) => type === 'TaskAccepted').data).toMatchObject({
      taskId: 'one',
      prompt: '[redacted: 5 characters]',
    })

    expect((await run(['log', 'restore', 'x.ndjson', '--to', 'y'])).exitCode).toBe(1)
    const imported = await run(['log', 'import', 'x.ndjson', '--to', 'y'])
    expect(imported).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('read-only') })
    const there = ['--base-dir', 'y', '--json']
    expect((await hashes(run, 'y')).map(({ stream, version }) => [stream, version])).toEqual(
      before.map(({ stream, version }) => [stream, version]),
    )
    expect((await run(['agent', 'list', ...there])).values).toMatchObject([
      { id: 'a', totalInteractions: 2 },
      { id: 'b', status: 'busy' },
    ])
    expect((await run(['replay', 'agent/b', ...there])).exitCode).toBe(0)
    expect((await run(['recover', ...there])).values).toEqual([])
    const asked = await run(['agent', 'ask', 'b', 'hello', ...there])
    expect(failureOf(asked)).toMatchObject({ code: 'StoreForReading' })
    expect(await verified(run, 'y')).toMatchObject({ ok: true })
  })

  test('ends quietly when its reader has seen enough, as does log', async () => {
    const { start } = await withHistory()
    for (const words of [['log'], ['log', 'export', '-']]) {
      const command = start(...words)
      command.stdout.destroy()
      expect(await command).toMatchObject({ exitCode: 0, stderr: '' })
    }
  })

  test('--stream and --after export a part; one from the beginning can be imported read-only', async () => {
    const { run, baseDir } = await withHistory()
    const before = await hashes(run, baseDir)
    await run(['log', 'export', 'x.ndjson', '--stream', 'agent/b'])
    expect((await run(['log', 'import', 'x.ndjson', '--to', 'y'])).exitCode).toBe(0)
    expect((await hashes(run, 'y'))[0]).toEqual(before[1])
    const after = await run(['log', 'export', '--after', '3'])
    const positions = after.stdout.split('\n').flatMap((line) => JSON.parse(line).position ?? [])
    expect(positions[0]).toBe(4)
    expect((await run(['log', 'export', 'z.ndjson', '--after', '3'])).exitCode).toBe(0)
    const ran = await run(['log', 'import', 'z.ndjson', '--to', 'z', '--json'])
    expect(failureOf(ran)).toMatchObject({ code: 'InvalidArchive', hint: expect.stringContaining('--after') })
    const unknown = await run(['log', 'export', '--stream', 'agent/nobody', '--json'])
    expect(failureOf(unknown)).toMatchObject({ code: 'StreamNotFoundError' })
  })
})

describe('log compact', () => {
  test('drops the texts of tasks that have ended, and nothing else', async () => {
    const { run, folder, baseDir } = await withHistory()
    const before = await hashes(run, baseDir)
    await run(['log', 'export', 'before.ndjson'])
    const dry = (await run(['log', 'compact', '--keep', '0', '--dry-run', '--json'])).values[0]
    expect(dry?.bytesAfter).toBe(dry?.bytesBefore)
    const done = (await run(['log', 'compact', '--keep', '0', '--json'])).values[0]
    expect(done).toMatchObject({ facts: 7, orphans: { blobs: 1 } })
    expect(done).toMatchObject({ facts: dry?.facts, orphans: dry?.orphans })
    expect(Number(done?.bytesAfter)).toBeLessThan(Number(done?.bytesBefore))

    expect(await hashes(run, baseDir)).toEqual(before)
    expect(await verified(run, baseDir)).toMatchObject({ ok: true, blobs: 1 })
    expect((await run(['log', '--json'])).stdout).not.toContain(`first: ${SECRET}`)
    // Again there is nothing left to drop.
    expect((await run(['log', 'compact', '--keep', '0', '--json'])).values[0]).toMatchObject({ facts: 0 })

    const asked = (prompt: string) => run(['agent', 'ask', 'a', prompt, '--task-id', 'one', '--json'])
    expect(failureOf(await asked('first'))).toMatchObject({ code: 'BodyDropped' })
    expect(failureOf(await asked('second'))).toMatchObject({ code: 'TaskConflictError' })

    // It is moved like any other, and the hashes of the facts are those that they always had.
    expect((await run(['log', 'export', 'after.ndjson'])).exitCode).toBe(0)
    expect((await run(['log', 'import', 'after.ndjson', '--to', 'moved'])).exitCode).toBe(0)
    expect(await hashes(run, join(folder, 'moved'))).toEqual(await hashes(run, baseDir))
    expect(await verified(run, join(folder, 'moved'))).toMatchObject({ ok: true })
    const chain = async (file: string) =>
      (await readFile(join(folder, file), 'utf8'))
        .trim()
        .split('\n')
        .flatMap((line) => JSON.parse(line).hash ?? [])
    expect((await chain('after.ndjson')).slice(0, 10)).toEqual((await chain('before.ndjson')).slice(0, 10))
  })

  test('keeps the last tasks of each agent, or those that ended after a date', async () => {
    const { run } = await withHistory()
    const facts = async (...words: string[]) =>
      (await run(['log', 'compact', '--dry-run', '--json', ...words])).values[0]?.facts
    expect(await facts('--keep', '1')).toBe(4)
    expect(await facts('--keep', '9')).toBe(0)
    expect(await facts('--before', '2020-01-01')).toBe(0)
    expect(await facts('--before', '2999-01-01')).toBe(7)
    // Of no text, no hash either; that of a short text is longer.
    expect((await run(['log', 'compact', '--dry-run', '--keep', '9'])).stdout).toMatch(
      /: no space would be freed\.$/,
    )
    expect((await run(['log', 'compact'])).exitCode).toBe(2)
    expect((await run(['log', 'compact', '--before', 'yesterday'])).exitCode).toBe(2)
    expect((await run(['log', 'compact', '--keep', '1', '--before', '2020-01-01'])).exitCode).toBe(2)
  })

  test('refuses a damaged store, and changes nothing in it', async () => {
    const { run, baseDir } = await withHistory()
    const blobs = join(baseDir, 'blobs')
    const [blob = ''] = (await readdir(blobs, { recursive: true })).filter((name) => name.length > 60)
    await writeFile(join(blobs, blob), 'rotten')
    const before = (await run(['log', '--json'])).stdout
    const ran = await run(['log', 'compact', '--keep', '0', '--json'])
    expect(failureOf(ran)).toMatchObject({ code: 'CompactionRefused' })
    expect((await run(['log', '--json'])).stdout).toBe(before)
  })
})

test
  .skipIf(!existsSync('/dev/full'))
  .each([['doctor', '--simulate'], ['log', 'export'], ['log', '--json'], ['tail'], ['help']])(
  'a full disk is said once by %s, however much it has to write',
  async (...words) => {
    const { run, folder, environment } = await quickCommandLine()
    for (const id of ['a', 'b', 'c']) await run(['agent', 'create', id, 'You work.'])
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...words], {
      ...{ cwd: folder, env: environment, encoding: 'utf8' },
      stdio: ['ignore', full, 'pipe'],
    })
    expect(status).toBe(1)
    expect(stderr.match(/The disk is full/g)).toHaveLength(1)
  },
)
