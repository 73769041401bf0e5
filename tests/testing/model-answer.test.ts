import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { answer, type ModelAnswer } from '../../src/testing/model/answer.ts'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { postMessage } from './messages-client.ts'

let model: SimulatedModel
const clock = virtualClock()
beforeEach(async () => {
  model = await simulatedModel({ clock })
})
afterEach(() => model.close())

const post = (content: string, fields: Record<string, unknown> = {}) => postMessage(model, content, fields)

/** The data of each server-sent event. */
const eventsIn = (body: string) =>
  [...body.matchAll(/^event: (.+)\ndata: (.+)\n\n/gm)].map(([, name, data]) => {
    const parsed = JSON.parse(data ?? '') as { type: string; delta?: Record<string, unknown> }
    expect(parsed.type).toBe(name)
    return parsed
  })

describe('an answer', () => {
  it('is one JSON message when it is not streamed', async () => {
    model.enqueue(answer.text('Hello.', { usage: { inputTokens: 7, outputTokens: 3, cacheReadTokens: 2 } }))
    const response = await post('Hi')
    expect(await response.json()).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [{ type: 'text', text: 'Hello.' }],
      stop_reason: 'end_turn',
      usage: {
        input_tokens: 7,
        output_tokens: 3,
        cache_read_input_tokens: 2,
        cache_creation_input_tokens: 0,
      },
    })
  })

  it('is a series of server-sent events when streamed, never split inside a character', async () => {
    model.enqueue(answer.text('🦊🦊🦊', { chunkSize: 2 }))
    const response = await post('Hi', { stream: true })
    expect(response.headers.get('content-type')).toMatch('text/event-stream')
    const events = eventsIn(await response.text())
    expect(events.map(({ type }) => type)).toEqual([
      ...['message_start', 'ping', 'content_block_start', 'content_block_delta', 'content_block_delta'],
      ...['content_block_stop', 'message_delta', 'message_stop'],
    ])
    expect(events.flatMap(({ delta }) => delta?.text ?? [])).toEqual(['🦊🦊', '🦊'])
  })

  it('uses a tool, with the input as pieces of JSON when streamed', async () => {
    const use = answer.toolUse('Write', { file_path: '/a', content: 'x'.repeat(90) })
    model.enqueue(use, use)
    const whole = (await (await post('Hi')).json()) as { content: unknown[]; stop_reason: string }
    expect(whole.stop_reason).toBe('tool_use')
    expect(whole.content).toMatchObject([{ type: 'tool_use', name: 'Write', input: { file_path: '/a' } }])
    const events = eventsIn(await (await post('Hi', { stream: true })).text())
    const pieces = events.flatMap(({ delta }) => delta?.partial_json ?? [])
    expect(pieces.length).toBeGreaterThan(2)
    expect(JSON.parse(pieces.join(''))).toEqual({ file_path: '/a', content: 'x'.repeat(90) })
  })

  it.each([
    [400, 'invalid_request_error'],
    [401, 'authentication_error'],
    [402, 'billing_error'],
    [404, 'not_found_error'],
    [413, 'request_too_large'],
    [500, 'api_error'],
    [529, 'overloaded_error'],
  ])('fails with status %i as %s', async (status, type) => {
    model.enqueue(answer.failure(status))
    const response = await post('Hi', { stream: true })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ type: 'error', error: { type } })
  })

  it('can be a 429 with a retry-after header', async () => {
    model.enqueue(answer.rateLimited(600))
    const response = await post('Hi')
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '600'])
  })

  it('can be a refusal or be truncated, with the matching stop reason', async () => {
    model.enqueue(answer.refusal(), answer.maxTokens('Once upon'))
    expect(await (await post('Hi')).json()).toMatchObject({ stop_reason: 'refusal' })
    expect(await (await post('Hi')).json()).toMatchObject({ stop_reason: 'max_tokens' })
  })

  it.each([
    ['<html>Bad gateway</html>', 502],
    ['{"half":', 200],
    ['', 200],
  ])('can be any body: %j', async (body, status) => {
    model.enqueue(answer.raw(body, { status, contentType: 'text/html' }))
    const response = await post('Hi', { stream: true })
    expect([await response.text(), response.status]).toEqual([body, status])
  })
})

describe('a delayed answer', () => {
  it('sends its first byte after the delay on the injected clock', async () => {
    model.enqueue(answer.slow(60_000, 'Late.'))
    const response = post('Hi')
    await model.waitForRequest(1)
    await clock.advance(59_999)
    expect(clock.pending).toBe(1)
    await clock.advance(1)
    expect(await (await response).text()).toMatch('Late.')
  })

  it('waits before each piece of a stream', async () => {
    model.enqueue(answer.text('abcdef', { chunkSize: 2, chunkDelayMs: 100 }))
    const started = clock.now()
    let received: string | undefined
    const reading = post('Hi', { stream: true }).then(async (response) => {
      received = await response.text()
    })
    while (received === undefined) {
      await setImmediate()
      if (clock.pending > 0) await clock.advance(100)
    }
    await reading
    expect(clock.now() - started).toBe(300)
  })

  it('is held until it is released, at the start or between two pieces', async () => {
    model.enqueue(
      answer.held('First.'),
      answer.held(answer.text('NorthSouth', { chunkSize: 5 }), { afterChunks: 1 }),
    )
    const first = post('Hi')
    await model.waitForRequest(1)
    model.release()
    expect(await (await first).text()).toMatch('First.')

    const reader = (await post('Hi', { stream: true })).body?.pipeThrough(new TextDecoderStream()).getReader()
    let received = ''
    while (!received.includes('North')) received += (await reader?.read())?.value
    expect(received).not.toMatch('South')
    model.release()
    while (!received.includes('message_stop')) received += (await reader?.read())?.value
    expect(received).toMatch('South')
  })

  it('can be released before its request arrives', async () => {
    model.enqueue(answer.held('At once.'))
    model.release(1)
    expect(await (await post('Hi')).text()).toMatch('At once.')
  })
})

describe('an interrupted answer', () => {
  const kinds: [string, ModelAnswer][] = [
    ['dropped before the headers', answer.dropped()],
    ['dropped after one piece', answer.dropped('x'.repeat(200), { afterChunks: 1 })],
    ['dropped after its last piece', answer.dropped('x', { afterChunks: 5 })],
  ]
  it.each(kinds)('is %s, streamed or not', async (_title, broken) => {
    model.enqueue(broken, broken)
    const read = async (stream: boolean) => (await post('Hi', { stream })).text()
    await expect(read(true)).rejects.toThrow()
    await expect(read(false)).rejects.toThrow()
  })

  it('is dropped only after the pieces before the interruption were sent', async () => {
    model.enqueue(answer.dropped(answer.text('NorthSouth', { chunkSize: 5 }), { afterChunks: 1 }))
    const reader = (await post('Hi', { stream: true })).body?.pipeThrough(new TextDecoderStream()).getReader()
    let received = ''
    const readAll = async () => {
      for (;;) received += (await reader?.read())?.value ?? ''
    }
    await expect(readAll()).rejects.toThrow()
    expect(received).toMatch('North')
    expect(received).not.toMatch('South')
  })

  it('hangs until the model is closed, which ends it at once', async () => {
    model.enqueue(answer.hanging(), answer.hanging('x'.repeat(200), { afterChunks: 2 }), answer.hanging())
    const silent = post('Hi')
    await model.waitForRequest(1)
    const begun = await post('Hi', { stream: true })
    const waiting = expect(model.waitForRequest(4)).rejects.toThrow(/closed before/)
    const cut = [expect(silent).rejects.toThrow(), expect(begun.text()).rejects.toThrow()]
    await model.close()
    await Promise.all([...cut, waiting])
    await expect(post('Hi')).rejects.toThrow()
  })

  it('hangs until the client disconnects, and the next request is answered', async () => {
    model.enqueue(answer.hanging())
    const leaving = new AbortController()
    const left = fetch(`${model.url}/v1/messages`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', messages: [] }),
      signal: leaving.signal,
    })
    await model.waitForRequest(1)
    leaving.abort()
    await expect(left).rejects.toThrow()
    expect((await post('Hi')).status).toBe(200)
  })
})
