/** Work that a command leaves to an owner in the background: known to it when the command ends, and done once. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { answer } from '../../../src/testing/model/answer.ts'
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
  await vi.waitFor(() => expect(model.requests).toHaveLength(ids.length), { timeout: 20_000 })
})

test('a task is left to no owner of another runner', async () => {
  const { run } = await detaching()
  expect((await run(['--simulate', 'serve', '--detach'])).exitCode).toBe(0)
  const left = await run(['agent', 'ask', 'a', 'x', '--detach'])
  expect(left).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('simulated model') })
})
