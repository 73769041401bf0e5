/** What listeners of a task receive adds up to the answer, and the reply says whether that is whole. */
import { expect, test } from 'vitest'
import type { AgentRunner } from '../../../src/claude/runner.ts'
import { ApiUnavailableError } from '../../../src/events/errors/call.ts'
import { memoryStore, Orchestrator } from '../../../src/index.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'

test('what a failed call has said is taken back before the next one says it again', async () => {
  const runner: AgentRunner = {
    ...scriptedRunner(),
    async *start(call, options) {
      yield { type: 'text', text: 'First half' }
      yield { type: 'retract', characters: 5 }
      if (call.attempt === 1) throw new ApiUnavailableError()
      yield { type: 'retract', characters: 5 }
      yield* scriptedRunner({ reply: () => 'The answer.' }).start(call, options)
    },
  }
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner })
  const agent = await orchestrator.createAgent({
    id: 'a',
    systemPrompt: 's',
    retry: { attempts: 1, minDelayMs: 0 },
  })
  const task = agent.ask('x')
  let said = ''
  const taken: number[] = []
  for await (const message of task) {
    if (message.type === 'text') said += message.text
    if (message.type !== 'retract') continue
    said = said.slice(0, said.length - message.characters)
    taken.push(message.characters)
  }
  expect(said).toBe((await task).text)
  expect(taken).toEqual([5, 5, 5, 5])
})

test.each([
  ['end_turn', 'end_turn'],
  ['max_tokens', 'max_tokens'],
  [undefined, null],
])(
  'a reply says why the model stopped, also when it is asked for again: %s',
  async (stopReason, expected) => {
    const runner = scriptedRunner({ reply: () => ({ text: 'half an ans', stopReason }) })
    await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
    expect((await agent.ask('x', { taskId: 't' })).stopReason).toBe(expected)
    expect((await agent.ask('x', { taskId: 't' })).stopReason).toBe(expected)
    expect(runner.calls).toHaveLength(1)
  },
)
