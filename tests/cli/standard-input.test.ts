/** The streams of a command: text piped in is part of its task, and what nobody reads ends no work. */
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { pipedText } from '../../src/cli/standard-input.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { quickCommandLine } from './command.ts'

describe('stdin', () => {
  const reading = () => {
    const [stream, clock, notes] = [new PassThrough(), virtualClock(), [] as string[]]
    return { stream, clock, notes, text: pipedText((note) => notes.push(note), { stream, clock }) }
  }

  test('is read to its end once its first byte has arrived', async () => {
    const { stream, clock, notes, text } = reading()
    stream.write('a')
    await clock.advance(60_000)
    stream.end('b')
    expect([await text, notes]).toEqual(['ab', [expect.stringMatching(/^Read 2 bytes .*<\/dev\/null$/)]])
  })

  test('has no text when it ends at once', async () => {
    const { stream, text } = reading()
    stream.end()
    expect(await text).toBeUndefined()
  })

  test('is left alone, with a note, when nothing arrives', async () => {
    const { stream, clock, notes, text } = reading()
    await clock.advance(3000)
    expect(await text).toBeUndefined()
    expect(stream.destroyed).toBe(true)
    expect(notes).toEqual([
      expect.stringMatching(/^stdin is not part of the task: nothing arrived .* 3 s\. To wait .*: --text -$/),
    ])
  })
})

test('Text piped into ask, a workflow and a template is part of what the model reads', async () => {
  await using model = await simulatedModel()
  const { run } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'a', 'You review.'])
  const last = () => model.requests.at(-1)?.prompt
  for (const words of [
    ['agent', 'ask', 'a', 'Review this'],
    ['agent', 'ask', 'a', 'Review this', '--text', '-'],
    ['workflow', 'run', 'a', 'Review this'],
  ]) {
    expect((await run(words, '+ a line of a diff\n')).exitCode).toBe(0)
    expect(last()).toMatch(/^Review this\n[\s\S]*\+ a line of a diff/)
  }
  expect((await run(['agent', 'ask', 'a', '-'], 'Only this')).exitCode).toBe(0)
  expect(last()).toBe('Only this')
  expect(await run(['agent', 'ask', 'a', '-', '--text', '-'], 'x')).toMatchObject({ exitCode: 2 })
})

test('An agent in place of the task of a workflow is refused: the task was forgotten', async () => {
  const { run } = await quickCommandLine()
  for (const id of ['researcher', 'writer']) await run(['agent', 'create', id, 'You work.'])
  const { exitCode, stderr } = await run(['workflow', 'run', 'researcher', 'writer', '--simulate'])
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('The task: it is missing'),
  })
})

test('Work goes on when nobody reads its notes', async () => {
  const { run, start } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You work.'])
  const asking = start('agent', 'ask', 'a', 'hello', '--simulate', '--log-level', 'debug', '--task-id', 't')
  asking.stderr.destroy()
  expect(await asking).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('hello') })
})
