/** `attach` and `wait`: what another process does is watched from outside, whichever process that is. */
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { MAIN, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

const DIST = resolve(import.meta.dirname, '../../../dist')

/** Three agents: `a` fails what is bad, never answers `wait` unless the service is told to, and `slowly` after a signal. */
const SERVICE = `
import { Orchestrator, parallel, sequential } from '${DIST}/index.js'
import { AuthenticationError } from '${DIST}/entry-points/errors.js'
import { scriptedRunner } from '${DIST}/entry-points/testing.js'
const answersAll = process.argv.includes('answers-all')
const reply = ({ agent, prompt }) =>
  prompt.includes('bad')
    ? new AuthenticationError({ said: 'no key' })
    : { text: agent + '\\u001b[31m heard ' + prompt, costUsd: 0.01, delayMs: prompt.includes('wait') && !answersAll ? 1e8 : 0 }
const scripted = scriptedRunner({ reply })
async function* start(call, options) {
  if (call.prompt === 'slowly') {
    yield { type: 'text', text: 'half of what ' }
    await new Promise((resolve) => process.once('SIGUSR2', resolve))
  }
  yield* scripted.start(call, options)
}
const orchestrator = await Orchestrator.open({ runner: { ...scripted, start } })
for (const id of ['a', 'b', 'c'])
  await orchestrator.createAgent({ id, systemPrompt: 'x', retry: { attempts: 0 } }).catch(() => {})
const patterns = { short: sequential(['a', 'b']), wide: parallel(['a', 'b', 'c']), one: sequential(['c']) }
for (const [name, task, id] of JSON.parse(process.argv[2]))
  orchestrator.run(patterns[name], task, { id, name }).catch(() => {})
const a = await orchestrator.agent('a')
for (const [taskId, task, approval] of JSON.parse(process.argv[3])) await a.accept(task, { taskId, approval })
console.log('ready')
setInterval(() => {}, 1000)
`

type Runs = readonly (readonly [pattern: 'short' | 'wide' | 'one', task: string, id: string])[]
type Tasks = readonly (readonly [id: string, task: string, approval?: boolean])[]

async function service(folder: string, runs: Runs, tasks: Tasks, ...more: string[]) {
  const file = join(folder, 'service.mjs')
  await writeFile(file, SERVICE)
  const words = [file, JSON.stringify(runs), JSON.stringify(tasks), ...more]
  const running = execa('node', words, { cwd: folder, reject: false })
  onTestFinished(() => void running.kill('SIGKILL'))
  expect(await linesOf(running).next()).toMatchObject({ value: 'ready' })
  const stop = async () => {
    running.kill('SIGKILL')
    await running
  }
  return Object.assign(stop, { goOn: () => running.kill('SIGUSR2') })
}

/** Leaving the loop of a `for await` would wait for the process. */
const linesOf = (running: AsyncIterable<unknown>) => running[Symbol.asyncIterator]()

const said = (text: string) => expect.stringContaining(text)

test('wait prints what the attached command prints, and exits as it does', async () => {
  const { folder, run } = await quickCommandLine()
  const runs: Runs = [
    ['short', 'go', 'r1'],
    ['wide', 'bad', 'r2'],
    ['one', 'wait', 'r3'],
  ]
  const stop = await service(folder, runs, [['t1', 'hello']])
  await run(['wait', 'r1'])
  await run(['agent', 'ask', 'a', 'bad', '--task-id', 't2'])
  for (const json of [[], ['--json']]) {
    const asked = await run(['agent', 'ask', 'a', 'hello', '--task-id', 't1', ...json])
    expect(await run(['wait', 't1', ...json])).toEqual(asked)
    const failed = await run(['agent', 'ask', 'a', 'bad', '--task-id', 't2', ...json])
    expect(await run(['wait', 'task/t2', ...json])).toEqual(failed)
    expect(failed).toMatchObject({ exitCode: 1, stderr: said('not logged in') })
  }
  expect(await run(['wait', 'r1', '--json'])).toMatchObject({
    exitCode: 0,
    values: [
      {
        ...{ runId: 'r1', pattern: 'short', success: true, agents: ['a', 'b'], errors: [] },
        metadata: { finalOutput: said('b'), costUsd: 0.02, steps: 2, reused: 0 },
      },
    ],
  })
  expect(await run(['wait', 'r2', '--json'])).toMatchObject({
    exitCode: 1,
    values: [{ runId: 'r2', success: false, errors: [{ agent: 'a' }, { agent: 'b' }, { agent: 'c' }] }],
  })
  const late = await run(['wait', 'run/r3', '--timeout', '0', '--json'])
  expect(late).toMatchObject({ exitCode: 124, stdout: '' })
  expect(JSON.parse(late.stderr).error).toMatchObject({
    ...{ code: 'NotEndedError', message: 'Run r3 has not ended within 0 s.' },
  })
  await run(['workflow', 'cancel', 'r3'])
  expect(await run(['wait', 'r3'])).toMatchObject({ exitCode: 1, stderr: said('was cancelled') })
  // At rest it is the same.
  const served = await run(['wait', 'r1', '--json'])
  await stop()
  expect(await run(['wait', 'r1', '--json'])).toEqual(served)
})

test('wait and attach outlive the owner, say once that no process works on it, and continue with the next', async () => {
  const { folder, run, start } = await quickCommandLine()
  const runs: Runs = [['short', 'wait', 'r1']]
  const stop = await service(folder, runs, [['t1', 'wait']])
  const waiting = [
    start('wait', 't1', '--json'),
    start('wait', 'r1', '--json'),
    start('attach', 'r1', '--json'),
  ]
  const attached = linesOf(waiting[2] as never)
  expect(JSON.parse((await attached.next()).value as string)).toMatchObject({ type: 'RunStarted' })
  const notes = waiting.map(async (command) => {
    let text = ''
    for await (const piece of command.stderr as AsyncIterable<Buffer>) {
      text += piece
      if (text.includes('serve')) return text
    }
    return text
  })
  await stop()
  expect(await Promise.all(notes.slice(0, 2))).toEqual([
    said('No process works on it'),
    said('claude-agents serve'),
  ])
  const late = await run(['wait', 't1', '--timeout', '0', '--json'])
  expect(late).toMatchObject({ exitCode: 124, stdout: '' })
  expect(JSON.parse(late.stderr.split('\n').at(-1) ?? '').error.message).toMatch(
    /has not ended within 0 s\. No process works on it: .* claude-agents serve$/,
  )
  const told = await run(['wait', 't1', '--timeout', '0.5'])
  expect(told.stderr.match(/No process works on it/g)).toHaveLength(1)
  const stopAgain = await service(folder, runs, [], 'answers-all')
  const [task, result, facts] = await Promise.all(waiting)
  expect(task).toMatchObject({ exitCode: 0, stdout: said('a\\u001b[31m heard wait') })
  expect(JSON.parse(String(task?.stdout))).toMatchObject({ taskId: 't1', agent: 'a' })
  expect(JSON.parse(String(result?.stdout))).toMatchObject({ runId: 'r1', success: true })
  for (const command of [task, result]) expect(String(command?.stderr).match(/No process/g)).toHaveLength(1)
  const lines = String(facts?.stdout)
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ position }) => position)).toEqual(
    lines.map(({ position }) => position).toSorted((x, y) => x - y),
  )
  expect(lines.at(-1)).toMatchObject({ stream: 'run/r1', type: 'RunSucceeded' })
  expect(facts?.exitCode).toBe(0)
  await stopAgain()
})

test('attach shows history, then what comes; many may attach, and one that leaves stops nothing', async () => {
  const { folder, run, start } = await quickCommandLine()
  await service(
    folder,
    [['wide', 'go', 'r1']],
    [
      ['t1', 'hello'],
      ['t2', 'wait', true],
    ],
  )
  const one = start('attach', 'a', '--json')
  const other = start('attach', 't2')
  // Read from the beginning: what a command has printed before is lost.
  const lines = linesOf(one as never)
  const shown = linesOf(other as never)
  const asked = shown.next()
  const next = async (type: string) => {
    for (;;) {
      const { value } = await lines.next()
      const fact = JSON.parse(value as string)
      if (fact.type === type) return fact
    }
  }
  expect(await next('AgentCreated')).toMatchObject({ version: 1, stream: 'agent/a' })
  expect(await next('TaskHeld')).toMatchObject({ data: { taskId: 't2' } })
  one.kill('SIGINT')
  expect(await one).toMatchObject({ exitCode: 130, stderr: said('Nothing was stopped') })
  expect((await asked).value).toBe('▸ wait  t2')
  expect((await shown.next()).value).toContain('it needs approval: claude-agents agent approve t2')
  await run(['agent', 'reject', 't2', '--reason', 'no use'])
  expect(await other).toMatchObject({ exitCode: 1, stderr: said('was rejected') })
  const ended = await run(['attach', 't1'])
  expect(ended).toMatchObject({ exitCode: 0, stdout: '▸ hello  t1\na heard hello' })
  const team = await run(['attach', 'run/r1'])
  expect(team.exitCode).toBe(0)
  expect(team.stdout).toMatch(
    /^▸ [abc] {2}working\n[\s\S]*✓ c {2}done {2}0 tokens {2}\$0\.01\n[\s\S]*## a\n\na heard go/,
  )
  expect(team.stdout).not.toContain('\u001b')
  expect((await run(['attach', 't1', '--json'])).values.map(({ type }) => type)).toEqual([
    ...['TaskAccepted', 'CallStarted', 'ProcessStarted', 'CallSucceeded'].filter(
      (type) => type !== 'ProcessStarted',
    ),
  ])
})

test('what is watched is named by its id, or told apart', async () => {
  const { folder, run } = await quickCommandLine()
  await service(
    folder,
    [['short', 'go', 'report-7']],
    [
      ['t1', 'hello'],
      ['report-7', 'hello'],
    ],
  )
  await run(['agent', 'ask', 'b', 'other', '--task-id', 't1'])
  const refused = async (...words: string[]) => {
    const { exitCode, stderr } = await run([...words, '--json'])
    return { exitCode, ...JSON.parse(stderr).error }
  }
  expect(await refused('wait', 'report-8')).toMatchObject({
    ...{ exitCode: 1, code: 'IdNotFoundError', message: said('Did you mean "report-7"?') },
  })
  expect(await refused('attach', 'run/t1')).toMatchObject({ exitCode: 1, code: 'IdNotFoundError' })
  expect(await refused('wait', 'report-7')).toMatchObject({
    ...{ code: 'AmbiguousIdError', message: said('run/report-7, task/report-7 of agent a') },
  })
  expect(await refused('wait', 't1')).toMatchObject({
    message: said('task/t1 of agent a, task/t1 of agent b'),
  })
  expect(await refused('wait', 'a')).toMatchObject({ exitCode: 2, hint: said('claude-agents attach a') })
  expect(await refused('wait', 't1', '--agent', 'c')).toMatchObject({ code: 'TaskNotFoundError' })
  expect(await run(['wait', 't1', '--agent', 'b'])).toMatchObject({ exitCode: 0, stdout: 'b heard other' })
  expect(await run(['wait', 'run/report-7'])).toMatchObject({ exitCode: 0, stdout: said('b heard') })
  expect(await run(['wait', 'task/report-7'])).toMatchObject({ exitCode: 0, stdout: 'a heard hello' })
})

test.runIf(hasTmux)(
  'on a terminal, a run is shown as workflow run shows it, and no line is longer than the terminal',
  async () => {
    const { folder, run } = await quickCommandLine()
    await service(
      folder,
      [
        ['wide', 'bad', 'r1'],
        ['one', 'wait', 'r2'],
      ],
      [['t1', 'bad']],
    )
    const terminal = await tmux(folder, {})
    const command = (...words: string[]) => [process.execPath, MAIN, ...words].join(' ')
    await terminal.type(`stty cols 40; ${command('attach', 'r2')}; echo "exit $?"`)
    const working = await terminal.shows(/▸ c +working +[\d.]+ s/)
    expect(working).toContain('run/r2 (Ctrl-C stops watching')
    await terminal.press('C-c')
    await terminal.shows(/Nothing was stopped\.[^$]*attach run\/r2\n(.*\n)*exit 130/)
    await terminal.type(command('attach', 'a'))
    const failed = await terminal.shows(/▸ bad +t1\n(.*\n)*✗ failed: claude is not logged in.*…\n/)
    for (const line of failed.split('\n').filter((each) => /^[▸!✗]/.test(each)))
      expect(line.length).toBeLessThanOrEqual(40)
    await terminal.press('C-c')
    expect((await run(['attach', 'r1', '--json'])).exitCode).toBe(1)
    expect((await run(['workflow', 'list', '--json'])).values[0]).toMatchObject({
      runId: 'r2',
      status: 'running',
    })
  },
)

test.runIf(hasTmux)(
  'on a terminal, an answer is shown while it is written, once, and to each who watches',
  async () => {
    const { folder, run } = await quickCommandLine()
    const { goOn } = await service(folder, [], [['t1', 'slowly']])
    const terminals = await Promise.all([tmux(folder, {}, 'one'), tmux(folder, {}, 'two')])
    const command = (...words: string[]) => `${[process.execPath, MAIN, ...words].join(' ')}; echo "exit $?"`
    for (const [index, name] of ['t1', 'a'].entries()) {
      await terminals[index]?.type(command('attach', name))
      await terminals[index]?.shows(/▸ slowly +t1\nhalf of what/)
    }
    expect((await run(['agent', 'list', '--json'])).values[0]).toMatchObject({ id: 'a', status: 'busy' })
    goOn()
    const [task, agent] = terminals
    const ended = await task?.shows(/half of what a heard slowly\n0 tokens, \$0\.01\nexit 0/)
    expect(ended?.match(/heard/g)).toHaveLength(1)
    const watched = await agent?.shows(/half of what a heard slowly\n0 tokens, \$0\.01\n/)
    expect(watched?.match(/heard/g)).toHaveLength(1)
  },
)
