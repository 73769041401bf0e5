/** The spans form a tree of runs, tasks and calls, named by the semantic conventions. */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { expect, onTestFinished, test } from 'vitest'
import { OverloadedError } from '../../src/events/errors/call.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type TelemetryOptions, telemetry } from '../../src/telemetry/telemetry.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { until } from '../actors/world.ts'

const USAGE = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 2, cacheCreationTokens: 1 }

async function observed(script: ScriptedRunnerOptions, options: TelemetryOptions = {}) {
  const clock = virtualClock()
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const runner = scriptedRunner({ clock, ...script })
  const orchestrator = await Orchestrator.open({
    store: memoryStore({ clock }),
    runner,
    clock,
    random: () => 1,
  })
  onTestFinished(() => orchestrator.close())
  const telling = await telemetry(orchestrator, { tracerProvider, ...options })
  return { clock, orchestrator, runner, telling, spans: () => exporter.getFinishedSpans() }
}

/** `parent > child` for each span that has a parent. */
function links(spans: readonly ReadableSpan[]): string[] {
  const nameOf = new Map(spans.map((span) => [span.spanContext().spanId, span.name]))
  return spans
    .flatMap(({ name, parentSpanContext: parent }) =>
      parent ? [`${nameOf.get(parent.spanId)} > ${name}`] : [],
    )
    .sort()
}

const milliseconds = ([seconds, nanoseconds]: readonly [number, number]) => seconds * 1000 + nanoseconds / 1e6

test('a workflow is one tree: the run, its tasks, and their calls', async () => {
  const { clock, orchestrator, telling, spans } = await observed({
    reply: ({ agent, attempt }) =>
      agent === 'b' && attempt === 1
        ? new OverloadedError()
        : { text: 'x', usage: USAGE, costUsd: 0.5, model: 'claude-test-1', delayMs: 2000 },
  })
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', model: 'claude-test' })
  await orchestrator.createAgent({ id: 'b', systemPrompt: 'x' })
  const run = orchestrator.run(parallel(['a', 'b']), 'secret words', { id: 'r', name: 'review' })
  let result: unknown
  run.then((done) => {
    result = done
  })
  while (!result) {
    await until(() => clock.pending > 0 || result !== undefined)
    await clock.advance(1000)
  }
  await telling.stop()

  const all = spans()
  expect(new Set(all.map((span) => span.spanContext().traceId)).size).toBe(1)
  expect(links(all)).toEqual([
    'invoke_agent a > chat claude-test',
    'invoke_agent b > chat',
    'invoke_agent b > chat',
    'invoke_workflow review > invoke_agent a',
    'invoke_workflow review > invoke_agent b',
  ])
  const [root] = all.filter(({ parentSpanContext }) => !parentSpanContext)
  expect(root).toMatchObject({
    name: 'invoke_workflow review',
    kind: SpanKind.INTERNAL,
    attributes: { 'gen_ai.operation.name': 'invoke_workflow', 'gen_ai.workflow.name': 'review' },
  })
  const call = all.find(({ name }) => name === 'chat claude-test')
  expect(call).toMatchObject({
    kind: SpanKind.CLIENT,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.agent.name': 'a',
      'gen_ai.request.model': 'claude-test',
      'gen_ai.response.model': 'claude-test-1',
      'gen_ai.conversation.id': expect.any(String),
      'gen_ai.usage.input_tokens': 13,
      'gen_ai.usage.output_tokens': 5,
      'gen_ai.usage.cache_read.input_tokens': 2,
      'claude_agents.cost_usd': 0.5,
    },
  })
  expect(call && milliseconds(call.duration)).toBe(2000)
  const [failed] = all.filter(({ status }) => status.code === SpanStatusCode.ERROR)
  expect(failed).toMatchObject({ name: 'chat', attributes: { 'error.type': 'OverloadedError' } })
  const retried = all.find(({ name }) => name === 'invoke_agent b')
  expect(retried?.events.map(({ name }) => name)).toEqual(['retry scheduled'])
  expect(JSON.stringify(all.map(({ attributes }) => attributes))).not.toContain('secret words')
})

test('failed and cancelled tasks are marked; open spans end when telemetry stops', async () => {
  const { orchestrator, telling, runner, spans } = await observed({
    reply: ({ prompt }) => (prompt === 'fail' ? new Error('no') : { text: 'x', delayMs: 1e9 }),
  })
  for (const id of ['a', 'b', 'c'])
    await orchestrator.createAgent({ id, systemPrompt: 'x', retry: { attempts: 0 } })
  await (await orchestrator.agent('a')).ask('fail').catch(() => {})
  const cancelled = (await orchestrator.agent('b')).ask('wait')
  void cancelled.catch(() => {})
  void (await orchestrator.agent('c')).ask('wait').catch(() => {})
  await until(() => runner.calls.length === 3)
  await cancelled.cancel('enough')
  await orchestrator.close()
  await telling.stop()
  expect(
    spans().map(({ name, status, attributes }) => [
      name,
      status.code,
      attributes['claude_agents.outcome'],
      attributes['claude_agents.unfinished'],
    ]),
  ).toEqual([
    ['chat', SpanStatusCode.ERROR, undefined, undefined],
    ['invoke_agent a', SpanStatusCode.ERROR, undefined, undefined],
    ['chat', SpanStatusCode.UNSET, 'cancelled', undefined],
    ['invoke_agent b', SpanStatusCode.UNSET, 'cancelled', undefined],
    ['chat', SpanStatusCode.UNSET, undefined, true],
    ['invoke_agent c', SpanStatusCode.UNSET, undefined, true],
  ])
})

test('spans contain prompts and answers on request, long ones included', async () => {
  const long = 'long '.repeat(20_000)
  const { orchestrator, telling, spans } = await observed({ reply: () => 'the answer' }, { messages: true })
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  await orchestrator.sendTask('a', long)
  await telling.stop()
  const task = spans().find(({ name }) => name === 'invoke_agent a')
  const message = (name: string) => JSON.parse(String(task?.attributes[name]))
  expect(message('gen_ai.input.messages')).toEqual([
    { role: 'user', parts: [{ type: 'text', content: long }] },
  ])
  expect(message('gen_ai.output.messages')[0].parts[0].content).toBe('the answer')
})

test('past facts can be reported too', async () => {
  const { orchestrator, telling, spans } = await observed({ reply: () => 'x' })
  await telling.stop()
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  await orchestrator.sendTask('a', 'x')
  expect(spans()).toEqual([])
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const later = await telemetry(orchestrator, { after: 0, tracerProvider })
  await later.stop()
  expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['chat', 'invoke_agent a'])
  expect(later.active).toBe(true)
})
