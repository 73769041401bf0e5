/** The metrics agree with the log, in the text format of Prometheus. */
import { describe, expect, test } from 'vitest'
import { accountKind } from '../../src/actors/admission/account-machine.ts'
import { EventSourcedActor } from '../../src/actors/engine/actor.ts'
import { AuthenticationError } from '../../src/events/errors/call.ts'
import type { JsonObject } from '../../src/events/json.ts'
import { Counters, metricsText } from '../../src/history/metrics.ts'
import { silentLogger } from '../../src/logger.ts'
import { readMetrics, samplesOf } from '../../src/remote/metrics.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { served } from '../owner/kit.ts'

const USAGE = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 2, cacheCreationTokens: 1 }

async function worked() {
  const world = await served({
    reply: ({ prompt }) =>
      prompt === 'fail'
        ? new AuthenticationError()
        : { text: 'x', usage: USAGE, costUsd: 0.25, durationMs: 3000 },
  })
  for (const id of ['a', 'b']) await world.own.createAgent({ id, systemPrompt: 'x' })
  await world.own.sendTask('a', 'one')
  await world.own.sendTask('a', 'two')
  await world.own.sendTask('b', 'fail').catch(() => {})
  return world
}

/** A fact of a run. */
const FACT = {
  ...{ position: 1, stream: 'run/r', version: 1, id: 'id', type: '', v: 1, data: {} },
  ...{ at: '2026-01-01T00:00:00.000Z', correlationId: 'r', causationId: null, epoch: 1 },
}

const SAMPLE =
  /^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$/

/** Checks the format of every line, and returns the values. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>()
  let family = ''
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('# HELP ')) continue
    if (line.startsWith('# TYPE ')) family = line.split(' ')[2] ?? ''
    else {
      const [, name = '', labels = '', value] = SAMPLE.exec(line) ?? []
      expect([family, `${family}_bucket`, `${family}_sum`, `${family}_count`], line).toContain(name)
      expect(found.has(name + labels), line).toBe(false)
      found.set(name + labels, Number(value))
    }
  }
  return found
}

describe('the metrics', () => {
  test('count tasks, calls, failures, tokens, cost and time by agent', async () => {
    const { own } = await worked()
    expect(Object.fromEntries(samples(await metricsText(own.store, new Counters())))).toMatchObject({
      claude_agents_log_position: await own.store.head(),
      'claude_agents_agents{status="idle"}': 1,
      'claude_agents_agents{status="error"}': 1,
      'claude_agents_tasks_pending{agent="a"}': 0,
      'claude_agents_tasks_accepted_total{agent="a"}': 2,
      'claude_agents_tasks_total{agent="a",outcome="succeeded"}': 2,
      'claude_agents_tasks_total{agent="b",outcome="failed"}': 1,
      'claude_agents_call_failures_total{agent="b",error="AuthenticationError"}': 1,
      'claude_agents_tokens_total{agent="a",type="input"}': 20,
      'claude_agents_tokens_total{agent="a",type="cache_creation"}': 2,
      'claude_agents_cost_usd_total{agent="a"}': 0.5,
      'claude_agents_call_duration_seconds_bucket{agent="a",le="2.5"}': 0,
      'claude_agents_call_duration_seconds_bucket{agent="a",le="5"}': 2,
      'claude_agents_call_duration_seconds_bucket{agent="a",le="+Inf"}': 2,
      'claude_agents_call_duration_seconds_sum{agent="a"}': 6,
      'claude_agents_call_duration_seconds_count{agent="a"}': 2,
    })
  })

  test('tell the limits of accounts, when they reset, and whether an account is held', async () => {
    const { own } = await worked()
    const window = { status: 'rejected', utilization: 1, resetsAt: '2026-01-01T17:00:00.000Z' }
    const account = 'api.anthropic.com#3f9a'
    const facts = [
      ['WindowsReported', { account, windows: [{ name: 'five_hour', ...window }] }],
      ['AccountPaused', { account, window: 'five_hour', dueAt: '2026-01-01T17:00:30.000Z', delayMs: 1 }],
      ['AccountHeld', { account, said: 'no credit' }],
    ] as const
    const actor = await EventSourcedActor.load(accountKind, 'acme', {
      ...{ store: own.store, clock: virtualClock(), logger: silentLogger },
    })
    for (const [type, data] of facts) await actor.decide(() => [{ type, data } as never])
    const labels = `account="${account}",window="five_hour"`
    expect(Object.fromEntries(samples(await metricsText(own.store, new Counters())))).toMatchObject({
      [`claude_agents_account_window_used_ratio{${labels}}`]: 1,
      [`claude_agents_account_window_resets_at_seconds{${labels}}`]: Date.UTC(2026, 0, 1, 17) / 1000,
      [`claude_agents_account_waits_until_seconds{account="${account}"}`]:
        Date.UTC(2026, 0, 1, 17) / 1000 + 30,
      [`claude_agents_account_held{account="${account}"}`]: 1,
    })
  })

  test('count the steps of runs by outcome', () => {
    const counters = new Counters()
    const step = (type: string, data: JsonObject = {}) =>
      counters.add({ ...FACT, type, data: { stepKey: 'k', ...data } })
    step('StepSucceeded')
    step('StepFailed')
    step('StepFailed', { cancelled: true })
    step('StepFailed', { cancelled: true })
    expect([...counters.samples()]).toEqual([
      ['claude_agents_steps_total', { outcome: 'succeeded' }, 1],
      ['claude_agents_steps_total', { outcome: 'failed' }, 1],
      ['claude_agents_steps_total', { outcome: 'cancelled' }, 2],
    ])
  })

  test('are the same from the owner and from the log, however often they are read', async () => {
    const { baseDir, own } = await worked()
    await readMetrics(baseDir)
    await own.sendTask('a', 'three')
    const there = await readMetrics(baseDir)
    await own.close()
    expect(await readMetrics(baseDir)).toBe(there)
  })

  test('forget the names of removed agents, and no counter decreases', async () => {
    const { own } = await worked()
    await own.removeAgent('a')
    const found = samples(await metricsText(own.store, new Counters()))
    expect([...found.keys()].filter((name) => name.includes('agent="a"'))).toEqual([])
    expect(found.get('claude_agents_cost_usd_total{agent=""}')).toBe(0.5)
  })

  test('escape hostile labels', async () => {
    const store = memoryStore()
    const data = { taskId: 't', error: { tag: 'x"} 1\n# TYPE \\' } }
    await store.append('agent/a', [{ type: 'CallFailed', v: 1, data }])
    const found = samples(await metricsText(store, new Counters()))
    expect(found.get('claude_agents_call_failures_total{agent="a",error="x\\"} 1\\n# TYPE \\\\"}')).toBe(1)
    expect(samplesOf(await metricsText(store, new Counters()))).toContainEqual({
      name: 'claude_agents_call_failures_total',
      labels: { agent: 'a', error: data.error.tag },
      value: 1,
    })
  })
})
