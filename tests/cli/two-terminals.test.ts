/** Two commands at once: the first has the store open, and the second works through it. */
import { expect, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from './command.ts'

async function twoAsking() {
  const model = await simulatedModel({ reply: [answer.held('mine'), answer.held('theirs')] })
  const { run, start } = await quickCommandLine(model.environment)
  for (const id of ['a', 'b']) await run(['agent', 'create', id, 'x'])
  const mine = start('agent', 'ask', 'a', 'x', '--task-id', 'mine')
  await model.waitForRequest(1)
  const theirs = start('agent', 'ask', 'b', 'x', '--task-id', 'theirs')
  await model.waitForRequest(2)
  const said = (text: string) =>
    new Promise<void>((resolve) => {
      let all = ''
      mine.stderr.on('data', (piece) => {
        all += piece
        if (all.includes(text)) resolve()
      })
    })
  return { model, run, mine, theirs, said }
}

test('Ctrl-C ends the own task, and what another terminal asked for is finished first', async () => {
  const { model, run, mine, theirs, said } = await twoAsking()
  await using _ = model
  const told = said('Ctrl-C again ends both')
  mine.kill('SIGINT')
  await told
  model.release()
  expect(await theirs).toMatchObject({ exitCode: 0, stdout: 'theirs' })
  expect((await mine).exitCode).toBe(130)
  expect((await run(['agent', 'ask', 'a', 'x', '--task-id', 'mine'])).stderr).toContain(
    'interrupted by SIGINT',
  )
})

test('A second Ctrl-C ends both, and the task of the other stays in the log', async () => {
  const { model, run, mine, theirs, said } = await twoAsking()
  await using _ = model
  const told = said('Ctrl-C again ends both')
  mine.kill('SIGINT')
  await told
  mine.kill('SIGINT')
  expect((await mine).exitCode).toBe(130)
  expect(await theirs).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--task-id theirs') })
  model.release()
  expect((await run(['agent', 'show', 'b', '--json'])).values).toMatchObject([
    { current: { taskId: 'theirs' } },
  ])
})
