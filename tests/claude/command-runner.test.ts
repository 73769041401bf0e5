/** Any program as a runner: its output is the answer, and it is limited and terminated as `claude` is. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concatMap } from 'rxjs'
import { expect, test } from 'vitest'
import { type CommandRunnerOptions, commandRunner } from '../../src/claude/command-runner.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import type { PlacedInput } from '../../src/events/task-input.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { Pattern } from '../../src/patterns/pattern.ts'
import { collect, testAgent } from './calls.ts'

/** A program made of these lines of shell. */
async function script(lines: string, options: Partial<CommandRunnerOptions> = {}) {
  const agent = await testAgent()
  const command = join(agent.baseDir, 'program')
  await writeFile(command, `#!/bin/sh\n${lines}\n`)
  await chmod(command, 0o755)
  return { agent, runner: commandRunner({ graceMs: 500, ...options, command }) }
}

test('its output is the answer, streamed line by line', async () => {
  const agent = await testAgent()
  const runner = commandRunner({ command: 'sort', args: ['-u'] })
  const { error, result, text } = await collect(runner, agent.call('pear\napple\npear'))
  expect(error).toBeNull()
  expect(result).toMatchObject({ text: 'apple\npear', costUsd: 0, turns: null })
  expect(text).toBe('apple\npear\n')
})

test('the prompt arrives literally, and the input can be composed differently', async () => {
  const prompt = '--version /clear @/etc/hostname \u2028 $(id)'
  const plain = await script('cat')
  expect((await collect(plain.runner, plain.agent.call(prompt))).result?.text).toBe(prompt)
  const both = await script('cat', { input: ({ settings, prompt }) => `${settings.systemPrompt}|${prompt}` })
  expect((await collect(both.runner, both.agent.call('Hi'))).result?.text).toBe('You are a tester.|Hi')
})

test('its arguments may depend on the call, and no shell interprets them', async () => {
  const { agent, runner } = await script('cat >/dev/null; echo "$1 $2"', {
    args: ({ attempt }) => [`${attempt}`, '$(id); `id`'],
  })
  expect((await collect(runner, agent.call('x'))).result?.text).toBe('1 $(id); `id`')
})

test('it runs in the workspace with its own home, and sees none of our keys', async () => {
  process.env.ANTHROPIC_API_KEY ??= 'sk-ant-not-yours'
  const { agent, runner } = await script('cat >/dev/null; pwd; env', { environment: { GIVEN: 'yes' } })
  const { result } = await collect(runner, agent.call('x'))
  const lines = result?.text.split('\n') ?? []
  expect(lines[0]).toBe(agent.directories.workspace)
  expect(lines).toContain(`HOME=${agent.directories.home}`)
  expect(lines).toContain('GIVEN=yes')
  expect(result?.text).not.toContain('ANTHROPIC')
})

test('any other exit code is an error with the end of stderr, without secrets and control sequences', async () => {
  const { agent, runner } = await script('echo half; printf "\\033[31mbad $OTHER_TOKEN" >&2; exit 3', {
    environment: { OTHER_TOKEN: 'hunter2-hunter2' },
  })
  const { error, result } = await collect(runner, agent.call('x'))
  expect(result).toBeNull()
  expect(error).toMatchObject({ _tag: 'CommandFailedError', retryable: true })
  expect(String(error)).toMatch(/The command failed: .*program: exit code 3: bad \[redacted\]\.$/)
})

test.each([
  ['a program that is not there', 'no-such-program-anywhere', 'cannot be started (ENOENT)'],
  ['a path where none is', './no/such/program', 'cannot be started (ENOENT)'],
])('%s is an error that names it', async (_, command, said) => {
  const agent = await testAgent()
  const { error } = await collect(commandRunner({ command }), agent.call('x'))
  expect(error).toMatchObject({ _tag: 'CommandFailedError', message: expect.stringContaining(said) })
  expect(String(error)).toContain(command)
})

test('a killed program says so', async () => {
  const { agent, runner } = await script('kill -9 $$')
  expect((await collect(runner, agent.call('x'))).error).toMatchObject({
    message: expect.stringContaining('it was killed by SIGKILL'),
  })
})

test('half an answer is no answer, even if the program exits cleanly when terminated', async () => {
  const { agent, runner } = await script('trap "exit 0" TERM; echo half; while :; do sleep 0.05; done')
  const abort = new AbortController()
  const { error, result } = await collect(runner, agent.call('x'), {
    signal: abort.signal,
    onMessage: (message) => message.type === 'text' && abort.abort(),
  })
  expect(result).toBeNull()
  expect(error).toMatchObject({ _tag: 'CallCancelledError' })
})

test('an answer may be one long line', async () => {
  const { agent, runner } = await script("head -c 9437184 /dev/zero | tr '\\\\0' x")
  const { result, error } = await collect(runner, agent.call('x'))
  expect(error).toBeNull()
  expect(result?.text).toHaveLength(9_437_184)
})

test('a program that prints too much is terminated', async () => {
  const { agent, runner } = await script('yes', { limits: { lineBytes: 1_000, callBytes: 100_000 } })
  expect((await collect(runner, agent.call('x'))).error).toMatchObject({ _tag: 'OutputTooLargeError' })
})

test.runIf(process.platform === 'linux')(
  'after a crash its outcome is unknown, unless it was never started',
  async () => {
    const { agent, runner } = await script('echo done; sleep 1000')
    const call = agent.call('x')
    const abort = new AbortController()
    const signal = new AbortController().signal
    const left: { pid: number; startTime: string | null }[] = []
    const running = collect(runner, call, {
      signal: abort.signal,
      async onMessage(message) {
        if (message.type === 'process') left.push(message)
        if (message.type !== 'text') return
        expect(await runner.recover(call, { process: left[0] ?? null, signal })).toEqual({
          outcome: 'unanswered',
        })
        const entry = await linuxProcessTable.entry(left[0]?.pid ?? 0)
        expect(entry === null || entry.ended).toBe(true)
      },
    })
    expect((await running).error).toMatchObject({ _tag: 'CommandFailedError' })
    expect(await runner.recover(call, { process: null, signal })).toEqual({ outcome: 'unsent' })
  },
)

test('of a run, the material is placed once for its agent: later steps work on what earlier ones made of it', async () => {
  const agent = await testAgent()
  const source = join(agent.baseDir, 'source')
  await mkdir(source)
  await writeFile(join(source, 'given'), 'x')
  const runner = commandRunner({
    command: 'sh',
    args: ['-c', 'cat >/dev/null; echo made >> proj/made; wc -l < proj/made'],
  })
  const open = () => Orchestrator.open({ runner, baseDir: join(agent.baseDir, 'store') })
  const material = { folders: [{ source, target: 'proj' }] }
  {
    await using orchestrator = await open()
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    const twice: Pattern = (ask) => concatMap((task) => ask('a', task).pipe(concatMap(() => ask('a', task))))
    const { success, metadata } = await orchestrator.run(twice, { prompt: 'x', ...material })
    expect({ success, text: metadata.finalOutput }).toEqual({ success: true, text: '2' })
  }
  await using orchestrator = await open()
  await expect(orchestrator.sendTask('a', { prompt: 'y', ...material })).rejects.toMatchObject({
    _tag: 'InputChangedError',
    message: expect.stringContaining('new made'),
  })
  expect(await orchestrator.sendTask('a', { prompt: 'y', ...material, replace: true })).toBe('1')
  const placed = []
  for await (const { type, data } of orchestrator.history.log())
    if (type === 'InputsPlaced') placed.push(...(data.inputs as unknown as PlacedInput[]))
  expect(placed.map(({ kept, left }) => kept ?? left)).toEqual([undefined, true, 'proj.replaced-1'])
  expect(await orchestrator.agents()).toMatchObject([{ id: 'a', status: 'idle' }])
})
