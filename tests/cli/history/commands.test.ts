/** The past on the command line: without `claude`, and with a damaged log. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { commandLine, MAIN } from '../command.ts'

/** A log with an agent that was asked twice and a run, and a command line on which there is no `claude`. */
async function lived(environment: Readonly<Record<string, string>> = { PATH: '/nowhere' }) {
  const { folder, run } = await commandLine({ CLAUDE_AGENTS_CLAUDE_PATH: '/nowhere', ...environment })
  const baseDir = join(folder, '.claude-agents')
  const first = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
  const agent = await first.createAgent({ id: 'echo', systemPrompt: 'You repeat what you hear.' })
  await agent.ask('one \x1b[31mred', { taskId: 't1' })
  await first.run(sequential(['echo']), 'two', { id: 'r', name: 'twice' })
  await first.close()
  return { folder, baseDir, run }
}

test('state, diff, replay, why, stats and --verify read a log without claude', async () => {
  const { run } = await lived()
  const at = await run(['state', 'agent/echo', '--at', '3', '--json'])
  const human = await run(['state', 'run/r'])
  const diff = await run(['diff', 'agent/echo', '3', '4', '--json'])
  const replay = await run(['replay', 'agent/echo', '--from', '2', '--to', '4', '--json'])
  const why = await run(['why', '11'])
  const stats = await run(['stats', '--csv'])
  const verify = await run(['replay', '--verify', '--all', '--json'])
  expect(at.values[0]).toMatchObject({ stream: 'agent/echo', version: 3, state: { value: 'busy' } })
  expect(human.stdout).toMatch(/^run\/r {2}version 4, .*\nstate +succeeded\nname +twice/)
  expect(diff.values[0]).toMatchObject({ from: 3, to: 4, changes: expect.any(Array) })
  expect(JSON.stringify(diff.values[0])).toContain(
    '"path":"context.totals.interactions","before":0,"after":1',
  )
  expect(replay.values.map(({ version }) => version)).toEqual([2, 3, 4])
  expect(replay.values[1]).toMatchObject({
    type: 'CallStarted',
    before: { status: 'idle' },
    after: { status: 'busy' },
  })
  expect(why.stdout).toMatch(
    /11 {2}run\/r {2}RunSucceeded[\s\S]*TaskAccepted[\s\S]*RunStarted[\s\S]*asked for by: orchestrator\.run/,
  )
  expect(stats.stdout).toMatch(/^agent,tasks,succeeded[^\n]*\necho,2,2,0,0,0,/)
  expect(verify.values[0]).toMatchObject({ ok: true, facts: 11, streams: 2 })
  expect(verify.exitCode).toBe(0)
})

test('one byte that is another one fails the verification, with the position', async () => {
  const { baseDir, run } = await lived()
  const log = join(baseDir, 'log')
  const name = (await readdir(log)).find((file) => file.endsWith('.log')) ?? ''
  const bytes = await readFile(join(log, name))
  const place = bytes.indexOf('CallSucceeded')
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place)
  await writeFile(join(log, name), bytes)
  const { exitCode, stdout, stderr } = await run(['replay', '--verify', '--all'])
  expect({ exitCode, said: stdout + stderr }).toMatchObject({
    exitCode: 1,
    said: expect.stringMatching(/position 4\b/),
  })
})

test('what is missing is reported, with how to find it', async () => {
  const { run } = await lived()
  const cases: [string[], number, RegExp][] = [
    [['state', 'agent/echo', '--at', '99'], 1, /has no version 99: its last one is 7/],
    [['state', 'agent/echo', '--at-time', '2001-01-01'], 1, /"agent\/echo" did not exist at 2001-01-01/],
    [['why', '99'], 1, /no fact at position 99: the log ends at 11/],
    [['replay', 'agent/echo', '--step'], 2, /it needs a terminal/],
    [['fork', 'echo', '--at', '1'], 2, /--as/],
    [['rerun', 'tt1'], 1, /No task has the id "tt1"\. Did you mean "t1"\?/],
    [['stats', '--csv', '--json'], 2, /it cannot be combined with --json/],
    [['workflow', 'run', 'echo:0', 'x'], 2, /echo:0: it is no pool, which has from 1 to \d+ copies/],
  ]
  for (const [words, exitCode, said] of cases) {
    const { stderr, exitCode: ended } = await run(words)
    expect({ words, exitCode: ended, stderr }).toMatchObject({
      ...{ words, exitCode, stderr: expect.stringMatching(said) },
    })
  }
})

test('a task is asked again of the agent that had it: of several, the one that is named', async () => {
  const { baseDir, run } = await lived()
  const again = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
  await (await again.createAgent({ id: 'other', systemPrompt: 'You help.' })).ask('three', { taskId: 't1' })
  await again.close()
  const unclear = await run(['rerun', 't1'])
  expect([unclear.exitCode, unclear.stderr]).toEqual([
    1,
    expect.stringMatching(/More than one thing has the id "t1".*--agent ID/s),
  ])
  const asked = async (agent: string) =>
    (await run(['log', '--json', '--stream', `agent/${agent}`])).values.filter(
      ({ type }) => type === 'TaskAccepted',
    ).length
  const before = [await asked('echo'), await asked('other')]
  await run(['rerun', 't1', '--agent', 'other'])
  expect([await asked('echo'), await asked('other')]).toEqual([before[0], (before[1] ?? 0) + 1])
})

test('while a prompt is being edited, the store can be used', async () => {
  const EDITOR = `${process.execPath} ${MAIN} --json agent list > seen; printf 'What else?' >`
  const { folder, run } = await lived({ EDITOR })
  const rerun = await run(['rerun', 't1', '--edit', '--json'])
  expect(rerun.stderr).toContain('BinaryNotFoundError')
  expect(JSON.parse(await readFile(join(folder, 'seen'), 'utf8'))).toMatchObject({ id: 'echo', queue: 0 })
  const { values } = await run(['log', '--json', '--stream', 'agent/echo'])
  const asked = values.filter(({ type }) => type === 'TaskAccepted').at(-1)
  expect(asked?.data).toMatchObject({ prompt: 'What else?' })
})
