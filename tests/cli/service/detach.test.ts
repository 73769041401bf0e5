/** Work that a command leaves to an owner in the background: known to it when the command ends, and done once. */
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { answer } from '../../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../../src/testing/model/messages-api.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from '../command.ts'

/** A command line with an agent, whose owner in the background does not outlive the test. */
async function detaching(model: SimulatedModelOptions = {}) {
  const simulated = await simulatedModel(model)
  const line = await quickCommandLine(simulated.environment)
  onTestFinished(async () => {
    await line.run(['serve', 'stop', '--now'])
    await simulated[Symbol.asyncDispose]()
  })
  expect((await line.run(['agent', 'create', 'a', 'You are a'])).exitCode).toBe(0)
  const isServed = async () => (await line.run(['serve', 'status'])).exitCode === 0
  return { ...line, model: simulated, isServed }
}

/** Other processes need their time. */
const PATIENTLY = { timeout: 60_000, interval: 50 }

test('a task that is left is durable when the command ends, and an owner in the background answers it once', async () => {
  const { run, model, isServed } = await detaching({ reply: [answer.held('done')] })
  const left = await run(['agent', 'ask', 'a', 'x', '--detach', '--task-id', 't1', '--json'])
  expect(left).toMatchObject({ exitCode: 0, values: [{ taskId: 't1', agent: 'a' }] })
  expect(Object.keys(left.values[0] ?? {})).toEqual(['taskId', 'agent'])
  expect((await run(['log', '--json'])).values).toContainEqual(
    expect.objectContaining({ type: 'TaskAccepted', data: expect.objectContaining({ taskId: 't1' }) }),
  )
  expect(await isServed()).toBe(true)
  await model.waitForRequest(1)
  // Left again, it is the same task.
  expect((await run(['agent', 'ask', 'a', 'x', '--detach', '--task-id', 't1'])).stdout).toBe('t1')
  model.release()
  expect(await run(['agent', 'ask', 'a', 'x', '--task-id', 't1'])).toMatchObject({ stdout: 'done' })
  expect(model.requests).toHaveLength(1)
})

/** Two agents, of which one is asked by a command that owns the store, and the other by one that leaves its task to it. */
async function leftToCommand(...words: string[]) {
  const replies = { reply: [answer.held('mine'), answer.held('theirs'), answer.held('again')] }
  const { run, start, model, isServed } = await detaching(replies)
  await run(['agent', 'create', 'b', 'You are b'])
  const mine = start('agent', 'ask', 'a', 'x')
  const told = new Promise<void>((resolve) => {
    mine.stderr.on('data', (data) => String(data).includes('Another command') && resolve())
  })
  await model.waitForRequest(1)
  const { stdout: taskId } = await run(['agent', 'ask', 'b', 'x', '--detach', ...words])
  return { run, model, mine, told, taskId, isServed }
}

test('a command to which a task is left ends when that is answered, and it is asked once', async () => {
  const { run, model, mine, told, taskId, isServed } = await leftToCommand()
  await model.waitForRequest(2)
  mine.kill('SIGINT')
  await told
  model.release()
  expect((await mine).exitCode).toBe(130)
  expect(await isServed()).toBe(false)
  expect((await run(['agent', 'ask', 'b', 'x', '--task-id', taskId])).stdout).toBe('theirs')
  expect(model.requests).toHaveLength(2)
})

test('a task that was left to a command goes on in the background when that command is told to end', async () => {
  const { run, model, mine, told, taskId, isServed } = await leftToCommand()
  await model.waitForRequest(2)
  mine.kill('SIGINT')
  await told
  mine.kill('SIGINT')
  expect((await mine).exitCode).toBe(130)
  expect(await isServed()).toBe(true)
  await model.waitForRequest(3)
  model.release()
  expect((await run(['agent', 'ask', 'b', 'x', '--task-id', taskId])).stdout).toBe('again')
})

test('a held task that was left to a command is kept in the background, and holds up nothing', async () => {
  const { run, model, mine, taskId, isServed } = await leftToCommand('--approval')
  model.release()
  expect(await mine).toMatchObject({ exitCode: 0, stdout: 'mine' })
  expect(await isServed()).toBe(true)
  expect((await run(['agent', 'approve', taskId])).exitCode).toBe(0)
  await model.waitForRequest(2)
  model.release()
  expect((await run(['agent', 'ask', 'b', 'x', '--task-id', taskId, '--approval'])).stdout).toBe('theirs')
})

test('what is wrong with a task that is to be left is told by the command, and starts no owner', async () => {
  const { run, isServed } = await detaching()
  const unknown = await run(['agent', 'ask', 'b', 'x', '--detach'])
  expect(unknown).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('No agent "b"') })
  for (const words of [
    ['agent', 'ask', 'a', ' ', '--detach'],
    ['agent', 'ask', 'a', 'x', '--detach', '--task-id', 'not an id'],
  ])
    expect(await run(words)).toMatchObject({ exitCode: 2, stdout: '' })
  expect(await isServed()).toBe(false)
})

test('several commands that leave work at once start one owner, and all of it is done', async () => {
  const { run, model, isServed } = await detaching()
  const ids = ['t1', 't2', 't3', 't4', 't5']
  const left = await Promise.all(
    ids.map((id) => run(['agent', 'ask', 'a', `do ${id}`, '--detach', '--task-id', id])),
  )
  expect(left.map(({ exitCode, stderr, stdout }) => [exitCode, stdout, exitCode ? stderr : ''])).toEqual(
    ids.map((id) => [0, id, '']),
  )
  expect(await isServed()).toBe(true)
  await vi.waitFor(() => expect(model.requests).toHaveLength(ids.length), PATIENTLY)
})

test('a task is left to no owner of another runner', async () => {
  const { run } = await detaching()
  expect((await run(['--simulate', 'serve', '--detach'])).exitCode).toBe(0)
  const left = await run(['agent', 'ask', 'a', 'x', '--detach'])
  expect(left).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('simulated model') })
})

test('a run that is left is in the log when the command ends, and its owner executes it once', async () => {
  const { run, model } = await detaching({ reply: [answer.held('first'), 'second'] })
  await run(['agent', 'create', 'b', 'You are b'])
  const words = ['workflow', 'run', 'a', 'b', 'x', '--id', 'r1']
  const left = await run([...words, '--detach', '--json'])
  expect(left).toMatchObject({ exitCode: 0, values: [{ runId: 'r1' }] })
  expect(Object.keys(left.values[0] ?? {})).toEqual(['runId'])
  expect((await run(['workflow', 'show', 'r1', '--json'])).values).toMatchObject([{ status: 'running' }])
  await model.waitForRequest(1)
  expect(await run([...words, '--detach'])).toMatchObject({ exitCode: 0, stdout: 'run r1' })
  model.release()
  expect(await run(words)).toMatchObject({ exitCode: 0, stdout: 'second' })
  expect(model.requests).toHaveLength(2)
})

test('a template that is left creates its team in the owner, and is executed', async () => {
  const { run, model } = await detaching()
  const { stdout, exitCode } = await run(['workflow', 'template', 'research', 'x', '--detach'])
  expect(exitCode).toBe(0)
  const [, runId = ''] = /^run (\S+)$/.exec(stdout) ?? []
  await model.waitForRequest(3)
  await vi.waitFor(
    async () =>
      expect((await run(['workflow', 'show', runId, '--json'])).values).toMatchObject([
        { status: 'succeeded', steps: 3 },
      ]),
    PATIENTLY,
  )
})

test('Ctrl-C of a command ends its own run in the owner, and no run that others left or asked for', async () => {
  const held = Array.from({ length: 4 }, () => answer.held('done'))
  const { run, start, model } = await detaching({ reply: held })
  await run(['agent', 'create', 'b', 'You are b'])
  expect((await run(['serve', '--detach'])).exitCode).toBe(0)
  expect((await run(['workflow', 'run', 'a', 'x', '--id', 'left', '--detach'])).exitCode).toBe(0)
  await model.waitForRequest(1)
  const mine = start('workflow', 'run', 'b', 'x', '--id', 'mine')
  await model.waitForRequest(2)
  mine.kill('SIGINT')
  expect((await mine).exitCode).toBe(130)
  const joined = start('workflow', 'run', 'a', 'x', '--id', 'left', '--json')
  await vi.waitFor(async () => {
    const top = await run(['workflow', 'list', '--json'])
    expect(top.values.map(({ runId, status }) => `${runId} ${status}`)).toEqual([
      'mine paused',
      'left running',
    ])
  }, PATIENTLY)
  const killed = start('workflow', 'run', 'b', 'y', '--id', 'killed')
  await model.waitForRequest(3)
  killed.kill('SIGKILL')
  await killed
  joined.kill('SIGINT')
  const leaving = await joined
  expect(leaving.exitCode).toBe(130)
  model.release()
  for (const [id, agent, task] of [
    ['left', 'a', 'x'],
    ['killed', 'b', 'y'],
  ] as const)
    expect(await run(['workflow', 'run', agent, task, '--id', id])).toMatchObject({ stdout: 'done' })
  expect(model.requests).toHaveLength(3)
})

test('what is wrong with a run that is to be left is told by the command, with its usual exit code', async () => {
  const { run, isServed } = await detaching()
  const detached = (...words: string[]) => run(['workflow', ...words, '--detach', '--json'])
  const codeOf = ({ stderr }: { stderr: string }) => JSON.parse(stderr).error.code
  const unknown = await detached('run', 'a', 'b', 'x')
  expect([unknown.exitCode, codeOf(unknown)]).toEqual([1, 'AgentNotFoundError'])
  const agentAsTask = await detached('run', 'a', 'a')
  expect([agentAsTask.exitCode, codeOf(agentAsTask)]).toEqual([2, 'InvalidInputError'])
  const noTask = await detached('run')
  expect([noTask.exitCode, codeOf(noTask)]).toEqual([2, 'InvalidInputError'])
  const noTemplate = await detached('template', 'reserch', 'x')
  expect([noTemplate.exitCode, codeOf(noTemplate)]).toEqual([2, 'InvalidInputError'])
  expect(await isServed()).toBe(false)
  expect((await detached('run', 'a', 'x', '--id', 'r1')).values).toEqual([{ runId: 'r1' }])
  const conflict = await detached('run', 'a', 'y', '--id', 'r1')
  expect([conflict.exitCode, codeOf(conflict)]).toEqual([1, 'RunConflictError'])
})

test('ten clients of different kinds at once beside a service: nobody is refused, and each thing is done once', async () => {
  const isKilled = ({ prompt }: ModelRequest) => prompt.includes('killed')
  const { run, start, model } = await detaching({
    reply: (request) => (isKilled(request) ? answer.held('done') : undefined),
  })
  for (const id of ['b', 'c', 'd']) await run(['agent', 'create', id, 'x'])
  expect((await run(['serve', '--detach'])).exitCode).toBe(0)
  const words = [
    ['agent', 'ask', 'a', 'asked', '--task-id', 't1'],
    ['agent', 'ask', 'a', 'left', '--task-id', 't2', '--detach'],
    ['workflow', 'run', 'b', 'c', 'run', '--id', 'r1'],
    ['workflow', 'run', 'c', 'b', 'left', '--id', 'r2', '--detach'],
    ['workflow', 'template', 'research', 'left', '--id', 'r3', '--detach'],
    ['agent', 'create', 'e', 'x'],
    ['budget', 'set', '--usd', '100'],
    ['log', '--json'],
    ['workflow', 'list', '--json'],
    ['recover'],
    ['tail', '--no-follow', '--json'],
  ]
  const killed = start('workflow', 'run', 'd', 'killed', '--id', 'r4')
  const ended = Promise.all(words.map((each) => run(each)))
  await vi.waitFor(() => expect(model.requests.some(isKilled)).toBe(true), PATIENTLY)
  killed.kill('SIGKILL')
  await killed
  // Its answer waits until the service has seen that its client is gone.
  expect((await run(['workflow', 'show', 'r4', '--json'])).values).toMatchObject([{ status: 'running' }])
  model.release()
  const failed = (await ended).flatMap(({ exitCode, stderr }, each) =>
    exitCode === 0 ? [] : [[words[each], stderr]],
  )
  expect(failed).toEqual([])
  // Asked again, all that was left or whose client was killed has its one outcome.
  for (const [id, ...workflow] of [
    ['r2', 'run', 'c', 'b', 'left'],
    ['r3', 'template', 'research', 'left'],
    ['r4', 'run', 'd', 'killed'],
  ])
    expect(await run(['workflow', ...workflow, '--id', String(id)])).toMatchObject({ exitCode: 0 })
  expect(await run(['agent', 'ask', 'a', 'left', '--task-id', 't2'])).toMatchObject({ exitCode: 0 })
  expect(model.requests).toHaveLength(2 + 2 + 2 + 3 + 1)
})

test('an owner that does not answer is named, with its age, how to look at it, and how to end it', async () => {
  const { run } = await detaching()
  const [owner] = (await run(['serve', '--detach', '--json'])).values
  const { pid } = owner as unknown as { pid: number }
  process.kill(pid, 'SIGSTOP')
  onTestFinished(() => void process.kill(pid, 'SIGCONT'))
  const [status, left, doctor] = await Promise.all([
    run(['serve', 'status', '--json']),
    run(['agent', 'ask', 'a', 'x', '--detach', '--json']),
    run(['doctor', '--json']),
  ])
  expect(doctor.exitCode).toBe(1)
  expect(doctor.values.find(({ name }) => name === 'lock')).toMatchObject({
    status: 'failed',
    message: expect.stringMatching(new RegExp(`${pid}.*not answered`)),
    fix: expect.stringContaining(`kill -CONT ${pid}`),
  })
  for (const { exitCode, stdout, stderr } of [status, left]) {
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(JSON.parse(stderr)).toMatchObject({
      error: {
        code: 'OwnerUnavailable',
        message: expect.stringMatching(new RegExp(`${pid}.*not answered.*has had the store open for \\d`)),
        hint: expect.stringMatching(new RegExp(`ps .*${pid}.*kill -CONT ${pid}.*kill ${pid}`)),
      },
    })
  }
})

test('an owner whose directory is moved is found there, and its place is taken by another when it stops', async () => {
  const { folder, run } = await detaching()
  const [owner] = (await run(['serve', '--detach', '--json'])).values
  await rename(join(folder, '.claude-agents'), join(folder, 'moved'))
  const there = (...words: string[]) => run(['--base-dir', 'moved', ...words])
  onTestFinished(async () => void (await there('serve', 'stop', '--now')))
  // It ends once it notices, by itself or because it is asked; then no owner is there.
  for (const words of [
    ['serve', 'status'],
    ['agent', 'ask', 'a', 'x'],
  ])
    expect(await there(...words)).toSatisfy(
      ({ exitCode, stderr }) =>
        exitCode !== 1 || /directory was .*moved|the owner of the store .* has ended/.test(stderr),
    )
  await vi.waitFor(async () => expect((await there('serve', 'status')).exitCode).toBe(3), PATIENTLY)
  expect((await there('agent', 'ask', 'a', 'x', '--detach')).exitCode).toBe(0)
  expect((await there('serve', 'status', '--json')).values).not.toMatchObject([{ pid: owner?.pid }])
})
