/** Transcripts that are no longer needed are removed, and every turn can still be resumed: with the real `claude`. */
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeCli } from '../../../src/claude/claude-cli.ts'
import type { AgentRunner, Call } from '../../../src/claude/runner.ts'
import { listTranscripts } from '../../../src/claude/session/transcripts.ts'
import { answer } from '../../../src/testing/model/answer.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { everyCase, repetitions } from '../../repetitions.ts'
import { collect, findTranscript, REAL_CLAUDE, type TestAgent, testAgent } from '../calls.ts'

/** 200 KB of text in all: 100 turns of 2 KB take two minutes. */
const TURNS = repetitions('CLAUDE_AGENTS_TEST_TURNS', { short: 4, long: 10 })
const TEXT = 100_000 / TURNS

const answering: SimulatedModelOptions['reply'] & {} = (request) =>
  answer.text(`Re: ${request.conversation.at(-1)?.[1].trim()}`.padEnd(TEXT, ' lorem'), {
    usage: { inputTokens: 1_000, outputTokens: 100 },
  })

async function conversation(options: SimulatedModelOptions = { reply: answering }) {
  const model = await simulatedModel(options)
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const say = async (prompt: string, parentSessionId: string | null, by = runner) => {
    const call = agent.call(prompt.padEnd(TEXT, ' ipsum'), { parentSessionId })
    return { call, ...(await collect(by, call)) }
  }
  /** What the model received in its last request, without the padding. */
  const heard = () =>
    model.requests.at(-1)?.conversation.map(([, text]) => text.trim().replace(/( ipsum| lorem).*/s, ''))
  return { model, agent, runner, say, heard, [Symbol.asyncDispose]: () => model[Symbol.asyncDispose]() }
}

async function talk(
  turns: number,
  say: (prompt: string, parent: string | null) => Promise<{ call: Call; error: unknown }>,
) {
  const sessions: string[] = []
  for (let turn = 1; turn <= turns; turn += 1) {
    const { call, error } = await say(`turn ${turn}`, sessions.at(-1) ?? null)
    expect(error).toBeNull()
    sessions.push(call.sessionId)
  }
  return sessions
}

const kept = async ({ directories }: TestAgent) =>
  (await listTranscripts(directories.home)).map(({ sessionId }) => sessionId).sort()

async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

test(`over ${TURNS} turns the home holds less than 5 times the text, and a branch at turn 3 still works`, async () => {
  await using chat = await conversation()
  const { agent, say, heard } = chat
  const sessions = await talk(TURNS, say)
  expect(await sizeOf(agent.directories.home)).toBeLessThan(5 * 2 * TEXT * TURNS)
  // Whether the parent is kept depends on its size.
  expect(await kept(agent)).toContain(sessions.at(-1))
  expect(sessions.slice(-2)).toEqual(expect.arrayContaining(await kept(agent)))

  const branch = await say('another way', sessions[2] ?? null)
  expect(branch.error).toBeNull()
  expect(branch.result?.text).toContain('Re: another way')
  expect(heard()).toEqual([
    'turn 1',
    'Re: turn 1',
    'turn 2',
    'Re: turn 2',
    'turn 3',
    'Re: turn 3',
    'another way',
  ])
  expect(branch.result?.costUsd).toBeCloseTo(0.0045, 6)

  // Both tips of the tree are there, and both can be resumed.
  expect(await kept(agent)).toEqual(expect.arrayContaining([sessions.at(-1), branch.call.sessionId]))
  const on = await say('and on', branch.call.sessionId)
  // Again, its parent may be gone; the tip of the other branch may not.
  expect(await kept(agent)).toEqual(expect.arrayContaining([sessions.at(-1), on.call.sessionId]))
  expect([sessions.at(-1), branch.call.sessionId, on.call.sessionId]).toEqual(
    expect.arrayContaining(await kept(agent)),
  )
  expect(heard()?.slice(-3)).toEqual(['another way', 'Re: another way', 'and on'])
  await say('straight on', sessions.at(-1) ?? null)
  expect(heard()).toHaveLength(2 * TURNS + 1)
  await say('again at two', sessions[1] ?? null)
  expect(heard()).toEqual(['turn 1', 'Re: turn 1', 'turn 2', 'Re: turn 2', 'again at two'])
})

test.runIf(everyCase)(
  'what a failed call left behind is removed by the next call that is answered',
  async () => {
    await using chat = await conversation({ reply: ['One.', answer.failure(402), 'Three.'] })
    const { agent, say } = chat
    const first = await say('one', null)
    const second = await say('two', first.call.sessionId)
    expect(second.error).toMatchObject({ _tag: 'BillingError' })
    expect(await kept(agent)).toContain(first.call.sessionId)
    const third = await say('three', first.call.sessionId)
    expect(third.error).toBeNull()
    expect(await kept(agent)).toEqual([first.call.sessionId, third.call.sessionId].sort())
  },
)

test('an unrecorded answer is found again with its own cost, even though its parent is gone', async () => {
  await using chat = await conversation()
  const { agent, runner, say } = chat
  const sessions = await talk(2, say)
  const { call, result } = await say('three', sessions[1] ?? null)
  await rm((await findTranscript(agent.directories.home, sessions[1] ?? '')) ?? '')
  expect(await kept(agent)).toEqual([call.sessionId])
  const recover = (by: AgentRunner) =>
    by.recover(call, { process: null, signal: new AbortController().signal })
  expect(await recover(runner)).toEqual({ outcome: 'answered', result })
  // Even without its output.
  await rm(join(agent.directories.home, 'calls'), { recursive: true })
  const found = await recover(runner)
  expect(found).toMatchObject({ outcome: 'answered', result: { text: result?.text } })
  const cost = found.outcome === 'answered' ? found.result.costUsd : null
  // 2.1.197 records no cost in its transcripts.
  expect([0, result?.costUsd]).toContainEqual(cost === 0 ? 0 : expect.closeTo(cost ?? -1, 8))
})

test.runIf(everyCase)('a session of which nothing is left cannot be resumed', async () => {
  await using chat = await conversation()
  const { agent, say } = chat
  const [first = ''] = await talk(3, say)
  expect(await kept(agent)).not.toContain(first)
  for (const session of await kept(agent)) {
    await rm((await findTranscript(agent.directories.home, session)) ?? '')
  }
  expect((await say('from the first', first)).error).toMatchObject({ _tag: 'SessionNotFoundError' })
})

test('only ids are recorded of an answer', async () => {
  await using chat = await conversation()
  const { agent, say } = chat
  const [first] = await talk(1, say)
  const noted = await readFile(join(agent.directories.home, 'answers.ndjson'), 'utf8')
  expect(JSON.parse(noted)).toEqual({
    session: first,
    line: expect.stringMatching(/^[0-9a-f-]{36}$/),
    chainCostUsd: expect.toSatisfy((cost) => cost === null || typeof cost === 'number'),
  })
})
