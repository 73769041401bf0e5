/** A damaged store on the command line: every command refuses it, none changes it, and repair saves the rest. */
import { existsSync } from 'node:fs'
import { cp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { levelStore } from '../../../src/store/level/store.ts'
import { contents } from '../../store/store-kit.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { quickCommandLine } from '../command.ts'

/** A store made by the command line: two agents, in tables and a log. */
let original: string | undefined

async function makeOriginal(): Promise<string> {
  const { run, folder } = await quickCommandLine()
  for (const id of ['a', 'b']) expect((await run(['agent', 'create', id, `You are ${id}.`])).exitCode).toBe(0)
  expect((await run(['agent', 'reset', 'a'])).exitCode).toBe(0)
  const store = join(await temporaryDirectory(), 'store')
  await cp(join(folder, '.claude-agents'), store, { recursive: true })
  return store
}

async function copied() {
  const line = await quickCommandLine()
  const store = join(line.folder, '.claude-agents')
  original ??= await makeOriginal()
  await cp(original, store, { recursive: true })
  return { ...line, store, log: join(store, 'log') }
}

/** A table, the log and the MANIFEST. */
async function oneOfEach(log: string): Promise<string[]> {
  const names = await readdir(log)
  return [/\.ldb$/, /\.log$/, /^MANIFEST/].map((kind) => names.findLast((name) => kind.test(name)) ?? '')
}

async function flip(file: string, at: number): Promise<void> {
  const content = await readFile(file)
  const offset = Math.floor(content.length * at)
  content[offset] = (content[offset] ?? 0) ^ 16
  await writeFile(file, content)
}

test('A flipped byte: log verify names the file, agent show fails with the same, and repair saves the rest', async () => {
  const names = await oneOfEach((await copied()).log)
  for (const [index, name] of names.entries()) {
    const { run, store, log, folder } = await copied()
    const file = join(log, name)
    await flip(file, ((index + 1) % 5) / 5)
    const before = await contents(store)
    const verified = await run(['log', 'verify', '--json'])
    expect(verified.exitCode).toBe(1)
    expect(verified.values[0]).toMatchObject({
      ok: false,
      findings: expect.arrayContaining([expect.objectContaining({ file })]),
    })
    const shown = await run(['agent', 'show', 'a', '--json'])
    expect(shown).toMatchObject({ exitCode: 1, stdout: '' })
    expect(JSON.parse(shown.stderr).error).toMatchObject({
      code: expect.stringMatching(/^(StoreDamaged|CorruptRecord|SequenceGap|TailLoss)$/),
      hint: expect.stringContaining('log repair'),
    })
    const repaired = await run(['log', 'repair', '--to', 'repaired', '--json'])
    expect(repaired.exitCode).toBe(0)
    expect(await contents(store)).toEqual(before)
    expect(existsSync(join(folder, 'repaired/loss-report.json'))).toBe(true)
    expect((await run(['log', 'verify', '--base-dir', 'repaired'])).exitCode).toBe(0)
  }
})

test('Without CURRENT every command refuses, and no file has changed', async () => {
  const { run, store, log } = await copied()
  await rm(join(log, 'CURRENT'))
  const before = await contents(store)
  for (const words of [
    ['agent', 'list'],
    ['agent', 'show', 'a'],
    ['agent', 'sessions', 'a'],
    ['agent', 'create', 'c', 'x'],
    ['agent', 'ask', 'a', 'x'],
    ['agent', 'reset', 'a'],
    ['agent', 'remove', 'a'],
    ['recover'],
    ['log'],
    ['replay', 'agent/a'],
    ['log', 'verify'],
  ]) {
    const { exitCode, stdout, stderr } = await run(words)
    expect({ words, exitCode }).toEqual({ words, exitCode: 1 })
    expect(stdout + stderr).toContain('CURRENT')
  }
  expect(await contents(store)).toEqual(before)
})

describe('A store without its store.json', () => {
  test('is refused as damaged, not taken for a missing one', async () => {
    const { run, store } = await copied()
    await rm(join(store, 'store.json'))
    const before = await contents(store)
    for (const words of [['agent', 'list'], ['log'], ['log', 'verify']])
      expect((await run(words)).exitCode).toBe(1)
    expect(await contents(store)).toEqual(before)
  })
})

test('A second process is refused with the pid of the first, also through a symbolic link', async () => {
  const { run, store, folder } = await copied()
  await symlink(store, join(folder, 'link'))
  await using _owner = await levelStore(store)
  await rm(join(store, 'log', 'LOCK'))
  for (const words of [
    ['agent', 'create', 'a', 'You are a', '--base-dir', 'link'],
    ['log', 'verify', '--base-dir', 'link'],
    ['log', 'repair', '--to', 'x', '--base-dir', 'link'],
  ]) {
    const { exitCode, stderr } = await run([...words, '--json'])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'StoreInUse',
      message: expect.stringContaining(String(process.pid)),
    })
  }
})

test('Without a store, verify says so and creates none; repair needs a directory', async () => {
  const { run, folder } = await quickCommandLine()
  expect(await run(['log', 'verify'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('.claude-agents does not exist'),
  })
  expect(existsSync(join(folder, '.claude-agents'))).toBe(false)
  expect((await run(['log', 'repair'])).exitCode).toBe(2)
})
