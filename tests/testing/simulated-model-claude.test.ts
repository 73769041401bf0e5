import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { agentConfig } from '../../src/events/options/agent.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { claudeHome, runClaude } from './claude-process.ts'

describe('the real claude with the simulated model', () => {
  it('gets a text answer for exactly one request', async () => {
    await using model = await simulatedModel({ reply: ['Foxes are red.'] })
    await using home = await claudeHome()
    const sessionId = randomUUID()
    const turn = await runClaude(home, model.environment, 'What colour are foxes?', [
      '--session-id',
      sessionId,
    ])
    expect(turn).toMatchObject({ exitCode: 0, result: { result: 'Foxes are red.', is_error: false } })
    expect(model.requestCount).toBe(1)
    expect(model.sideRequests).toEqual([])
    expect(model.requests[0]).toMatchObject({
      conversation: [['user', 'What colour are foxes?']],
      prompt: 'What colour are foxes?',
      sessionId,
      stream: true,
      headers: { 'x-api-key': 'simulated' },
    })
    expect(model.requests[0]?.tools).toContain('Write')
  })

  it('has no tool that an agent could not be given', async () => {
    await using model = await simulatedModel({ reply: ['Foxes are red.'] })
    await using home = await claudeHome()
    const { lines } = await runClaude(home, model.environment, 'What colour are foxes?')
    const listed = lines.find(({ subtype }) => subtype === 'init')?.tools as readonly string[]
    const offered = (model.requests[0]?.tools ?? []) as readonly string[]
    expect(listed.length).toBeGreaterThan(5)
    const allowedTools = [...listed, ...offered]
    expect(agentConfig({ id: 'a', systemPrompt: 'x', allowedTools })).toMatchObject({ allowedTools })
  })

  it('writes the file that a line of the task names', async () => {
    await using model = await simulatedModel()
    await using home = await claudeHome()
    const turn = await runClaude(home, model.environment, 'Say hello.\nWrite hello.md: Hello')
    expect(turn.result).toMatchObject({
      result: expect.stringMatching(/^Done\. The tool said: File created/),
    })
    expect(await readFile(join(home.workspace, 'hello.md'), 'utf8')).toBe('Hello\n')
  })

  it('passes on an answer in the pieces in which it was streamed', async () => {
    await using model = await simulatedModel({ reply: [answer.text('one two three', { chunkSize: 4 })] })
    await using home = await claudeHome()
    const turn = await runClaude(home, model.environment, 'Count.', ['--include-partial-messages'])
    const pieces = turn.lines.flatMap(({ type, event }) => {
      const { delta } = (type === 'stream_event' ? event : {}) as { delta?: { text?: string } }
      return delta?.text === undefined ? [] : [delta.text]
    })
    expect(pieces).toEqual(['one ', 'two ', 'thre', 'e'])
  })

  it('retries after a 429 and succeeds', async () => {
    await using model = await simulatedModel({ reply: [answer.rateLimited(0), 'At last.'] })
    await using home = await claudeHome()
    const turn = await runClaude(home, model.environment, 'Hurry.')
    expect(turn.result).toMatchObject({ result: 'At last.' })
    expect(turn.lines.filter(({ subtype }) => subtype === 'api_retry')).toMatchObject([{ error_status: 429 }])
    expect(model.requestCount).toBe(2)
  })

  it('uses a tool and sends its result', async () => {
    await using home = await claudeHome()
    const file_path = join(home.workspace, 'note.txt')
    await using model = await simulatedModel({
      reply: [answer.toolUse('Write', { file_path, content: 'from the model' }), 'Written.'],
    })
    const turn = await runClaude(home, model.environment, 'Write a note.')
    expect(turn.result).toMatchObject({ result: 'Written.', num_turns: 2, permission_denials: [] })
    expect(await readFile(file_path, 'utf8')).toBe('from the model')
    expect(model.requests[1]?.conversation.map(([role]) => role)).toEqual(['user', 'assistant', 'user'])
    expect(model.requests[1]?.prompt).toMatch(/^\[result .*note\.txt/)
  })

  it('makes side requests unless told not to; they are separate and take no answer from the script', async () => {
    await using model = await simulatedModel({ reply: ['Fine.'] })
    await using home = await claudeHome()
    const everything = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '', DISABLE_TELEMETRY: '' }
    const session = ['--session-id', randomUUID()]
    const turn = await runClaude(
      home,
      { ...model.environment, ...everything },
      'What is it about foxes?',
      session,
    )
    expect(turn.result).toMatchObject({ result: 'Fine.' })
    expect(model.requests).toHaveLength(1)
    for (const { prompt } of model.sideRequests) expect(prompt).toMatch(/^<session>/)
  })
})
