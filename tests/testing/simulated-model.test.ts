import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { postMessage } from './messages-client.ts'

let model: SimulatedModel
beforeEach(async () => {
  model = await simulatedModel()
})
afterEach(() => model.close())

const post = (content: string, fields: Record<string, unknown> = {}) => postMessage(model, content, fields)

describe('a script', () => {
  it('can be a list, used in order and followed by the default reply', async () => {
    await model.close()
    model = await simulatedModel({ reply: ['One.', answer.overloaded()] })
    expect(await (await post('Hi')).text()).toMatch('One.')
    expect((await post('Hi')).status).toBe(529)
    expect(await (await post('Hi')).text()).toMatch('You said: “Hi”')
  })

  it('can be a function of the request, which may leave the answer to the default', async () => {
    await model.close()
    model = await simulatedModel({ reply: async ({ prompt }) => (prompt === 'a' ? 'A!' : undefined) })
    expect(await (await post('a')).text()).toMatch('A!')
    expect(await (await post('b')).text()).toMatch('You said: “b”')
  })

  it('that throws becomes an error that is not retried', async () => {
    await model.close()
    model = await simulatedModel({
      reply: () => {
        throw new Error('typing mistake')
      },
    })
    const response = await post('Hi')
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([500, 'false'])
    expect(await response.text()).toMatch('typing mistake')
  })
})

describe('the record of requests', () => {
  it('holds the conversation without what the CLI adds itself', async () => {
    const reminder = '<system-reminder>\nToday is Monday.\n</system-reminder>'
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: reminder },
          { type: 'text', text: '\nHi' },
        ],
      },
      { role: 'system', content: 'Available agent types' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'Bash', input: { command: 'ls' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'a.txt' }] },
    ]
    const system = [
      { type: 'text', text: 'Be' },
      { type: 'text', text: 'brief.' },
    ]
    await post('', { messages, system, tools: [{ name: 'Bash' }] })
    expect(model.requests).toMatchObject([
      {
        ordinal: 1,
        model: 'm',
        system: 'Be\n\nbrief.',
        tools: ['Bash'],
        stream: false,
        maxTokens: 99,
        sessionId: null,
        prompt: '[result a.txt]',
        conversation: [
          ['user', 'Hi'],
          ['assistant', '[Bash {"command":"ls"}]'],
          ['user', '[result a.txt]'],
        ],
      },
    ])
    expect(model.requests[0]?.messages).toEqual(messages)
  })

  it("separates the CLI's side requests, which take no answer from the script", async () => {
    model.enqueue('For the conversation.')
    await post('x', { system: 'Generate a concise, sentence-case title (3-7 words) that captures the topic' })
    await post('quota', { max_tokens: 1 })
    expect(await (await post('Hi')).text()).toMatch('For the conversation.')
    expect([model.requestCount, model.sideRequests.length]).toEqual([1, 2])
  })

  it('answers other requests without counting them', async () => {
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x'.repeat(400) }] })
    const counted = await fetch(`${model.url}/v1/messages/count_tokens`, { method: 'POST', body })
    expect(await counted.json()).toEqual({ input_tokens: Math.ceil(body.length / 4) })
    expect((await fetch(`${model.url}/api/hello`, { method: 'HEAD' })).status).toBe(200)
    expect(await (await fetch(`${model.url}/v1/models`)).json()).toMatchObject({ data: [] })
    expect(model.otherRequests).toEqual(['HEAD /api/hello', 'GET /v1/models'])
    expect(model.requestCount).toBe(0)
  })

  it('refuses an invalid body', async () => {
    for (const body of ['', '{', '[]', 'null', '{"model":"m"}', '{"model":"m","messages":[{}]}']) {
      const response = await fetch(`${model.url}/v1/messages`, { method: 'POST', body })
      expect([body, response.status]).toEqual([body, 400])
    }
    expect(model.requestCount).toBe(0)
  })

  it('gives each turn of a conversation its own id, the same on every server', async () => {
    const idOf = async (text: string) => ((await (await post(text)).json()) as { id: string }).id
    const first = await idOf('a')
    await model.close()
    model = await simulatedModel()
    const again = await idOf('a')
    await model.close()
    model = await simulatedModel()
    expect(again).toBe(first)
    expect(await idOf('b')).not.toBe(first)
  })

  it('provides the environment of a process that talks to this model', () => {
    expect(model.environment).toMatchObject({ ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: 'simulated' })
    expect(model.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  })
})
