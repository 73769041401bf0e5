import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { userName } from '../../../src/inbox/user-name.ts'
import { answer } from '../../../src/testing/model/answer.ts'
import { type SimulatedModel, simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { commandLine, quickCommandLine } from '../command.ts'

let model: SimulatedModel
beforeAll(async () => {
  model = await simulatedModel()
})
afterAll(() => model.close())

const failureOf = ({ stderr }: { stderr: string }) =>
  JSON.parse(stderr.split('\n').findLast((line) => line.startsWith('{"error"')) ?? 'null')?.error

describe('the JSON of', () => {
  test('agent ask, show, list, sessions, log and replay keeps its contract', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run([
      'agent',
      'create',
      'a',
      'You are a test.',
      '--retries',
      '1',
      '--timeout',
      '60',
      '--tools',
      'Read, Grep',
      'web_search',
    ])
    const [reply] = (await run(['agent', 'ask', 'a', 'hello', '--json'])).values
    expect(reply).toEqual({
      taskId: expect.any(String),
      agent: 'a',
      text: expect.stringContaining('hello'),
      sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      parentSessionId: null,
      costUsd: expect.any(Number),
      usage: expect.objectContaining({ inputTokens: expect.any(Number), outputTokens: expect.any(Number) }),
      tokens: expect.any(Number),
      durationMs: expect.any(Number),
      stopReason: null,
      attempts: 1,
    })
    const link = { sessionId: reply?.sessionId, parentSessionId: null, taskId: reply?.taskId, rebuilt: false }
    const { values: shown } = await run(['agent', 'show', 'a', '--json'])
    expect(shown).toEqual([
      {
        id: 'a',
        status: 'idle',
        version: 5,
        systemPrompt: 'You are a test.',
        allowedTools: ['Read', 'Grep', 'WebSearch'],
        currentSession: reply?.sessionId,
        sessions: [link],
        current: null,
        queue: [],
        held: [],
        failure: null,
        metrics: {
          totalInteractions: 1,
          totalTokens: expect.any(Number),
          totalCostUsd: reply?.costUsd,
          estimatedCostUsd: 0,
          sessionCount: 1,
        },
      },
    ])
    expect((await run(['agent', 'sessions', 'a', '--json'])).values).toEqual([link])
    expect((await run(['agent', 'list', '--json'])).values).toMatchObject([
      { id: 'a', status: 'idle', version: 5 },
    ])

    const log = (await run(['log', '--json'])).values
    expect(log.map(({ type }) => type)).toEqual([
      'AgentCreated',
      'TaskAccepted',
      'CallStarted',
      'ProcessStarted',
      'CallSucceeded',
    ])
    expect(Object.keys(log[0] ?? {}).sort()).toEqual(
      [
        'at',
        'causationId',
        'correlationId',
        'data',
        'epoch',
        'id',
        'position',
        'stream',
        'type',
        'v',
        'version',
      ].sort(),
    )
    const part = (await run(['log', '--json', '--stream', 'agent/a', '--after', '2', '--limit', '2'])).values
    expect(part.map(({ version }) => version)).toEqual([3, 4])

    const replayed = (await run(['replay', 'agent/a', '--to', '3', '--json'])).values
    expect(replayed).toMatchObject([
      { version: 1, type: 'AgentCreated', before: { status: 'absent' }, after: { status: 'idle' } },
      { version: 2, type: 'TaskAccepted', before: { status: 'idle' }, after: { status: 'idle' } },
      { version: 3, type: 'CallStarted', before: { status: 'idle' }, after: { status: 'busy' } },
    ])
    expect((await run(['recover', '--json'])).values).toEqual([])
  })

  test('an error is on stderr, and stdout is empty', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'researcher', 'x'])
    const ran = await run(['agent', 'show', 'reseacher', '--json'])
    expect(ran).toMatchObject({ exitCode: 1, stdout: '' })
    expect(failureOf(ran)).toEqual({
      code: 'AgentNotFoundError',
      message: 'No agent "reseacher". Did you mean "researcher"?',
      hint: 'List them: claude-agents agent list',
    })
  })
})

describe('bad input gets a clear error and writes nothing:', () => {
  test.each(['../x', '/x', 'A b', 'x'.repeat(300)])('the id %j', async (id) => {
    const { run, folder } = await quickCommandLine(model.environment)
    const ran = await run(['agent', 'create', id, 'x', '--json'])
    expect(ran.exitCode).toBe(2)
    expect(failureOf(ran)).toMatchObject({ code: 'InvalidIdError', hint: expect.stringContaining('a-z') })
    expect((await run(['log', '--json'])).values).toEqual([])
    expect(existsSync(join(folder, '.claude-agents/agents'))).toBe(false)
  })

  test('a duplicate id, an empty prompt, too many agents', async () => {
    const { run } = await quickCommandLine({ ...model.environment, CLAUDE_AGENTS_MAX_AGENTS: '1' })
    await run(['agent', 'create', 'a', 'x'])
    expect(failureOf(await run(['agent', 'create', 'a', 'x', '--json']))).toMatchObject({
      code: 'AgentExistsError',
    })
    expect(failureOf(await run(['agent', 'create', 'b', 'x', '--json']))).toMatchObject({
      code: 'TooManyAgentsError',
    })
    expect(failureOf(await run(['agent', 'create', 'b', '', '--json']))).toMatchObject({
      code: 'InvalidInputError',
    })
    expect(failureOf(await run(['agent', 'ask', 'a', '', '--json']))).toMatchObject({
      code: 'InvalidInputError',
    })
    expect(failureOf(await run(['agent', 'ask', 'a', '-', '--json'], ' \n'))).toMatchObject({
      code: 'InvalidInputError',
    })
    expect((await run(['log', '--json'])).values.length).toBe(1)
  })

  test('an unknown command, option or value, with exit code 2', async () => {
    const { run } = await quickCommandLine(model.environment)
    for (const words of [
      ['agnet'],
      ['agent', 'list', '--nope'],
      ['log', '--limit', 'x'],
      ['log', '--log-level', 'loud'],
    ]) {
      const ran = await run(words)
      expect({ words, exitCode: ran.exitCode }).toEqual({ words, exitCode: 2 })
      expect(ran.stderr).toContain('error:')
    }
  })

  test('a missing file for --text', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    const ran = await run(['agent', 'ask', 'a', 'x', '--text', 'missing.txt'])
    expect(ran.exitCode).toBe(2)
    expect(ran.stderr).toContain('missing.txt')
  })

  test('an unknown stream and an unknown agent', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    expect(failureOf(await run(['log', '--stream', 'agent/b', '--json']))).toMatchObject({
      code: 'StreamNotFoundError',
    })
    expect(failureOf(await run(['replay', 'agent/b', '--json']))).toMatchObject({
      code: 'StreamNotFoundError',
    })
    expect(failureOf(await run(['replay', 'a b', '--json']))).toMatchObject({ code: 'InvalidIdError' })
    expect(failureOf(await run(['agent', 'remove', 'b', '--json']))).toMatchObject({
      code: 'AgentNotFoundError',
    })
  })

  test('a base directory with a store of a newer format, which stays untouched', async () => {
    const { run, folder } = await quickCommandLine(model.environment)
    await mkdir(join(folder, '.claude-agents'), { mode: 0o700 })
    const file = join(folder, '.claude-agents/store.json')
    await writeFile(file, JSON.stringify({ format: 99, storeId: 'x' }))
    const ran = await run(['agent', 'list', '--json'])
    expect(ran.exitCode).toBe(1)
    expect(failureOf(ran)).toMatchObject({
      code: 'UnsupportedFormat',
      hint: expect.stringContaining('Upgrade'),
    })
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ format: 99, storeId: 'x' })
  })
})

describe('a store that is in use', () => {
  test('is read through its owner; what needs its files is refused with the pid of the owner', async () => {
    const own = await simulatedModel({ reply: [answer.held('later')] })
    await using _ = own
    const { run, start } = await quickCommandLine(own.environment)
    await run(['agent', 'create', 'a', 'x'])
    const asking = start('agent', 'ask', 'a', 'x')
    await own.waitForRequest(1)
    expect((await run(['agent', 'list', '--json'])).values).toMatchObject([{ id: 'a', status: 'busy' }])
    expect(failureOf(await run(['log', 'compact', '--keep', '1', '--json']))).toMatchObject({
      code: 'StoreInUse',
      message: expect.stringContaining(String(asking.pid)),
    })
    own.release()
    expect((await asking).exitCode).toBe(0)
  })
})

describe('claude', () => {
  test('that is missing is an error with the command that installs it', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    const ran = await run(['agent', 'ask', 'a', 'x', '--claude', '/nowhere/claude', '--json'])
    expect(ran.exitCode).toBe(1)
    expect(failureOf(ran)).toMatchObject({
      code: 'BinaryNotFoundError',
      hint: expect.stringContaining('npm install -g @anthropic-ai/claude-code'),
    })
  })

  test('that is too old is an error with the command that installs a newer one', async () => {
    const { run, folder } = await quickCommandLine(model.environment)
    const old = join(folder, 'claude')
    await writeFile(old, '#!/bin/sh\necho "1.0.3 (Claude Code)"\n')
    await chmod(old, 0o755)
    await run(['agent', 'create', 'a', 'x'])
    const ran = await run(['agent', 'ask', 'a', 'x', '--claude', old, '--json'])
    expect(failureOf(ran)).toMatchObject({
      code: 'CliIncompatibleError',
      hint: expect.stringContaining('npm install -g @anthropic-ai/claude-code'),
    })
  })

  test('that is not logged in is an error that says how to log in', async () => {
    const { run } = await commandLine()
    await run(['agent', 'create', 'a', 'x'])
    const ran = await run(['agent', 'ask', 'a', 'x', '--json'])
    expect(ran.exitCode).toBe(1)
    expect(failureOf(ran)).toMatchObject({
      code: 'AuthenticationError',
      hint: expect.stringContaining('/login'),
    })
  })

  test('that does not know the model is an error that names the option', async () => {
    const own = await simulatedModel({ reply: () => answer.failure(404) })
    await using _ = own
    const { run } = await quickCommandLine(own.environment)
    await run(['agent', 'create', 'a', 'x', '--model', 'claude-nonesuch'])
    const ran = await run(['agent', 'ask', 'a', 'x', '--json'])
    expect(failureOf(ran)).toMatchObject({
      code: 'ModelNotFoundError',
      hint: expect.stringContaining('--model'),
    })
  })

  test('that finds the prompt too long is an error, and the agent stays idle', async () => {
    const own = await simulatedModel({ reply: () => answer.failure(413) })
    await using _ = own
    const { run } = await quickCommandLine(own.environment)
    await run(['agent', 'create', 'a', 'x'])
    const ran = await run(['agent', 'ask', 'a', 'x', '--json'])
    expect(failureOf(ran)).toMatchObject({ code: 'PromptTooLargeError' })
    expect((await run(['agent', 'show', 'a', '--json'])).values[0]).toMatchObject({ status: 'idle' })
  })
})

describe('a prompt', () => {
  test.each([
    '--version',
    '-p',
    '/clear',
    '@/etc/passwd',
    '--dangerously-skip-permissions',
    'x "y" $(z) `w` \\',
  ])('of %j reaches the model as it is', async (prompt) => {
    const own = await simulatedModel()
    await using _ = own
    const { run } = await quickCommandLine(own.environment)
    await run(['agent', 'create', 'a', 'x'])
    const { exitCode } = await run(['agent', 'ask', 'a', '-', '--json'], prompt)
    expect(exitCode).toBe(0)
    expect(own.requests.map(({ prompt }) => prompt)).toEqual([prompt])
    const dashed = await run(['agent', 'ask', '--json', 'a', '--', prompt])
    expect(dashed.exitCode).toBe(0)
    expect(own.requests.at(-1)?.prompt).toBe(prompt)
  })

  test('of 1 MB reaches the model intact, and the log stays small', async () => {
    const own = await simulatedModel()
    await using _ = own
    const { run } = await quickCommandLine(own.environment)
    await run(['agent', 'create', 'a', 'x'])
    const prompt = `${'0123456789abcde '.repeat(65_536)}end`
    const { exitCode } = await run(['agent', 'ask', 'a', '-'], prompt)
    expect(exitCode).toBe(0)
    expect(own.requests[0]?.prompt).toBe(prompt)
    expect((await run(['log', '--json'])).stdout.length).toBeLessThan(10_000)
  })

  test('with --text is followed by the text of the file', async () => {
    const own = await simulatedModel()
    await using _ = own
    const { run, folder } = await quickCommandLine(own.environment)
    await writeFile(join(folder, 'notes.txt'), 'three notes')
    await run(['agent', 'create', 'a', 'x'])
    await run(['agent', 'ask', 'a', 'Sum up:', '--text', 'notes.txt'])
    expect(own.requests[0]?.prompt).toBe('Sum up:\n\nthree notes')
  })
})

describe('an answer', () => {
  test('cannot take over the terminal: control sequences are removed, in text and in JSON', async () => {
    const hostile = 'safe\u001b[2J\u001b]0;owned\u0007 \u009b31mred\u0008\r\nnext'
    const own = await simulatedModel({ reply: () => hostile })
    await using _ = own
    const { run } = await quickCommandLine(own.environment)
    await run(['agent', 'create', 'a', 'x'])
    const plain = await run(['agent', 'ask', 'a', 'x'])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(plain.stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
    expect(plain.stdout).toContain('next')
    const json = await run(['agent', 'ask', 'a', 'x', '--json'])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(json.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
    expect(json.values[0]?.text).toBe(hostile)
  })
})

describe('a command that only reads', () => {
  test('creates no store', async () => {
    const { run, folder } = await quickCommandLine(model.environment)
    for (const words of [['agent', 'list'], ['log'], ['recover'], ['replay', 'agent/a']]) await run(words)
    expect(existsSync(join(folder, '.claude-agents'))).toBe(false)
  })

  test('changes nothing in the log', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    const before = (await run(['log', '--json'])).stdout
    for (const words of [
      ['agent', 'list'],
      ['agent', 'show', 'a'],
      ['agent', 'sessions', 'a'],
      ['replay', 'agent/a'],
    ]) {
      expect((await run(words)).exitCode).toBe(0)
    }
    expect((await run(['log', '--json'])).stdout).toBe(before)
  })
})

describe('agents', () => {
  test('tell what became of a task that is not cancelled, and how many tasks they drop', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    await run(['agent', 'ask', 'a', 'x', '--task-id', 'done'])
    expect(await run(['agent', 'cancel', 'a', 'done'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('has been answered'),
    })
    expect(await run(['agent', 'cancel', 'a', 'never'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('never given a task'),
    })
    for (const task of ['t1', 't2']) await run(['agent', 'ask', 'a', 'x', '--task-id', task, '--approval'])
    expect(failureOf(await run(['agent', 'remove', 'a', '--json']))).toMatchObject({ code: 'HeldTasksError' })
    expect((await run(['agent', 'remove', 'a', '--force', '--json'])).values).toEqual([
      { id: 'a', removed: true, droppedTasks: 2 },
    ])
  })

  test('have it in the log who cancelled, changed or reset something of theirs, or set their budget', async () => {
    const { run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    await run(['agent', 'ask', 'a', 'x', '--task-id', 't1', '--approval'])
    await run(['agent', 'cancel', 'a', 't1'])
    await run(['agent', 'edit', 'a', 'y'])
    await run(['agent', 'reset', 'a'])
    await run(['budget', 'set', '--agent', 'a', '--usd', '3'])
    const facts = (await run(['log', '--json'])).values
    for (const type of ['TaskCancelled', 'AgentConfigured', 'AgentReset', 'BudgetSet'])
      expect(facts.findLast((fact) => fact.type === type)).toMatchObject({ data: { by: userName() } })
  })

  test('can be reset and removed, and their history stays', async () => {
    const { run, folder } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    await run(['agent', 'ask', 'a', 'x'])
    expect((await run(['agent', 'reset', 'a', '--json'])).values[0]).toMatchObject({ currentSession: null })
    const [reply] = (await run(['agent', 'ask', 'a', 'x', '--json'])).values
    expect(reply?.parentSessionId).toBe(null)
    expect((await run(['agent', 'remove', 'a'])).exitCode).toBe(0)
    expect((await run(['agent', 'list', '--json'])).values).toEqual([])
    expect((await run(['log', '--stream', 'agent/a', '--json'])).values.at(-1)).toMatchObject({
      type: 'AgentRemoved',
    })
    expect(existsSync(join(folder, '.claude-agents/agents/a'))).toBe(false)
  })

  test('have a workspace of their own, and a home outside it', async () => {
    const { run, folder } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'a', 'x'])
    await run(['agent', 'create', 'b', 'x'])
    for (const id of ['a', 'b']) {
      for (const part of ['workspace', 'home']) {
        expect(existsSync(join(folder, '.claude-agents/agents', id, part)), `${id}/${part}`).toBe(true)
      }
    }
  })
})

describe('the command line', () => {
  test('has help for every command, and a version', async () => {
    const { run } = await commandLine()
    for (const words of [['--help'], ['agent', '--help'], ['agent', 'ask', '--help'], ['help', 'log']]) {
      const { stdout, exitCode } = await run(words)
      expect({ words, exitCode }).toEqual({ words, exitCode: 0 })
      expect(stdout).toContain('Usage: claude-agents')
    }
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+$/)
  })
})
