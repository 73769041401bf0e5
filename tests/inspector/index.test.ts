/** The inspector's index agrees with the actors' own folds at every moment, and marks what cannot be read. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { OverloadedError, RefusedError } from '../../src/events/errors/call.ts'
import { CorruptRecord } from '../../src/events/errors/store.ts'
import type { JsonObject } from '../../src/events/json.ts'
import { KINDS } from '../../src/history/kinds.ts'
import { damagedStore } from '../../src/inspector/damaged-store.ts'
import { InspectedFiles } from '../../src/inspector/files.ts'
import { LogIndex } from '../../src/inspector/index/index.ts'
import { Searches } from '../../src/inspector/index/search.ts'
import { HANDLERS, RequestParameters } from '../../src/inspector/requests.ts'
import type { Answers } from '../../src/inspector/view.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { recordKey } from '../../src/store/level/entries.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { until } from '../actors/world.ts'
import { counted, tamper } from '../store/store-kit.ts'
import { temporaryDirectory } from '../store/temporary.ts'

/** Sends the page's requests, without HTTP. */
async function inspected(store: EventStore) {
  const index = new LogIndex(KINDS)
  const ending = new AbortController()
  const following = index.follow(store, ending.signal)
  onTestFinished(async () => {
    ending.abort()
    await following
  })
  const head = await store.head()
  await until(() => index.position >= head || index.ended !== null)
  const files = new InspectedFiles(store, index, undefined)
  const target = { store, index, searches: new Searches(index, store), files }
  return {
    index,
    async ask<What extends keyof Answers>(what: What, query: Record<string, string | number> = {}) {
      const entries = Object.entries(query).map(([name, value]) => [name, String(value)] as [string, string])
      const parameters = new RequestParameters(new URLSearchParams(entries))
      return (await HANDLERS[`/api/${what}`]?.(target, parameters, ending.signal)) as Answers[What]
    },
  }
}

/** A workflow with one call that fails and is retried. */
async function recordedWorkflow(store: EventStore): Promise<Orchestrator> {
  const runner = scriptedRunner({
    reply: ({ agent, attempt }) =>
      agent === 'b' && attempt === 1 ? new OverloadedError() : { text: `by ${agent}`, costUsd: 0.5 },
  })
  const orchestrator = await Orchestrator.open({ store, runner, random: () => 0 })
  for (const id of ['a', 'b', 'c']) {
    await orchestrator.createAgent({ id, systemPrompt: 'You are.', retry: { minDelayMs: 1, maxDelayMs: 1 } })
  }
  await orchestrator.run(sequential([parallel(['a', 'b']), 'c']), 'go', { id: 'r', name: 'review' })
  return orchestrator
}

describe('a moment', () => {
  test('has each actor in the state that its replay has at that version', async () => {
    const store = memoryStore()
    const orchestrator = await recordedWorkflow(store)
    const { ask, index } = await inspected(store)
    for (const stream of ['agent/a', 'agent/b', 'run/r']) {
      for await (const { recorded, after } of orchestrator.history.replay(stream)) {
        const { actors, actor } = await ask('moment', { at: recorded.position, actor: stream })
        expect(actors.find((row) => row.stream === stream)).toMatchObject({
          status: after.value,
          version: recorded.version,
        })
        expect(actor).toMatchObject({ status: after.value, version: recorded.version, problem: null })
      }
    }
    const { totals } = await ask('moment', { at: index.position })
    expect(totals).toMatchObject({ agents: 3, calls: 4, retries: 1, failures: 1, costUsd: 1.5, runs: 1 })
    expect((await ask('moment', { at: 0 })).totals).toMatchObject({ agents: 0, calls: 0, costUsd: 0 })
  })

  test('shows nothing that came later: no actors, sessions or steps', async () => {
    const store = memoryStore()
    await recordedWorkflow(store)
    const { ask } = await inspected(store)
    expect((await ask('moment', { at: 1 })).actors.map(({ stream }) => stream)).toEqual(['agent/a'])
    const failed = (await ask('facts', { type: 'CallFailed' })).lines[0]?.position ?? 0
    const { actor } = await ask('moment', { at: failed, history: 1 })
    expect(actor?.sessions.map(({ outcome }) => outcome)).toEqual(['failed'])
    const { actor: run } = await ask('moment', { at: failed, history: 1, actor: 'run/r' })
    expect(run?.run?.steps.map(({ agent, state }) => `${agent} ${state}`)).toEqual([
      'a scheduled',
      'b scheduled',
    ])
    const { actor: ended } = await ask('moment', { actor: 'run/r', history: 1 })
    expect(ended?.run?.steps.map(({ agent, state, calls }) => [agent, state, calls.length])).toEqual([
      ['a', 'succeeded', 1],
      ['b', 'succeeded', 2],
      ['c', 'succeeded', 1],
    ])
  })

  test('of a long stream is folded from a checkpoint, with the same result', async () => {
    const store = memoryStore()
    const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are.' })
    for (let task = 0; task < 200; task++) await agent.ask(`task ${task}`)
    const { ask } = await inspected(store)
    for await (const { recorded, after } of orchestrator.history.replay('agent/a')) {
      if (recorded.version < 505 || recorded.version > 520) continue
      const { actor } = await ask('moment', { at: recorded.position, actor: 'agent/a' })
      expect(actor?.context).toEqual(JSON.parse(JSON.stringify(after.context)))
    }
  })
})

describe('search', () => {
  test('steps to the next match, the next fact of a stream, and the next problem', async () => {
    const store = memoryStore()
    await recordedWorkflow(store)
    const { ask, index } = await inspected(store)
    const problems = await ask('facts', { type: 'problems' })
    expect(problems.lines.map(({ type }) => type)).toEqual(['CallFailed'])
    const at = problems.lines[0]?.position ?? 0
    expect(await ask('moment', { at: 1, step: 1, within: 'problems' })).toMatchObject({ position: at })
    expect(await ask('moment', { at: index.position, step: -1, within: 'problems' })).toMatchObject({
      position: at,
    })
    // There is none after the last one.
    expect(await ask('moment', { at, step: 1, within: 'problems' })).toMatchObject({ position: at })
    const { fact } = await ask('moment', { at, step: 1, within: 'agent/b' })
    expect(fact).toMatchObject({ stream: 'agent/b', type: 'RetryScheduled' })
    expect((await ask('facts', { text: 'BY A', stream: 'agent/a' })).lines).toMatchObject([
      { type: 'CallSucceeded', brief: 'by a' },
    ])
  })

  test('for a text reads the log piece by piece, and finds every match', async () => {
    const store = memoryStore()
    for (let round = 0; round < 100; round++) {
      await store.append(
        'agent/x',
        Array.from({ length: 100 }, (_, n) => counted(round * 100 + n)),
      )
    }
    const { ask } = await inspected(store)
    const first = await ask('facts', { text: '"n":99' })
    expect(first).toMatchObject({ searchedTo: 4000 })
    await ask('facts', { text: '"n":99' })
    const last = await ask('facts', { text: '"n":99', limit: 300 })
    // 99, 990 to 999, 9900 to 9999.
    expect(last).toMatchObject({ searchedTo: 10_000, total: 111 })
    expect((await ask('facts', { offset: 9_990 })).lines).toHaveLength(10)
  })
})

describe('lanes', () => {
  test('show each state for as long as it lasted, with marks for what happened', async () => {
    const store = memoryStore()
    await recordedWorkflow(store)
    const { ask, index } = await inspected(store)
    const { lanes, statuses } = await ask('timeline', { columns: index.position * 10 })
    const lane = lanes.find(({ stream }) => stream === 'agent/b')
    expect(lane?.counts).toEqual({ call: 2, answer: 1, failure: 1, retry: 1 })
    const named = lane?.spans.map(([, , status]) => statuses[status]?.name)
    expect(named).toEqual(['idle', 'busy', 'retry', 'busy', 'idle'])
    // A span begins at the fact that led to the state.
    const retry = (await ask('facts', { type: 'RetryScheduled' })).lines[0]?.position ?? 0
    expect(lane?.spans[2]?.[0]).toBe((retry - 1) * 10)
    expect(lanes[0]?.stream).toBe('run/r')
  })

  test('show an agent with nothing but held tasks as held, as `agent list` does', async () => {
    const store = memoryStore()
    const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are.' })
    const asked = agent.ask('May I?', { taskId: 't', approval: 'a person decides' })
    await until(() => agent.snapshot.context.queue.length === 1)
    const { ask, index } = await inspected(store)
    expect((await ask('moment', { at: index.position })).actors[0]).toMatchObject({
      status: 'held',
      tone: 'warn',
    })
    await orchestrator.inbox.approve('task:a:t')
    await asked
    await until(() => index.position === agent.version)
    expect((await ask('moment', { at: index.position })).actors[0]).toMatchObject({ status: 'idle' })
  })

  test('stay small, however many facts there are', async () => {
    const store = memoryStore()
    const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are.' })
    for (let task = 0; task < 300; task++) await agent.ask(`task ${task}`)
    const { ask } = await inspected(store)
    for (const axis of ['order', 'time']) {
      const answer = await ask('timeline', { columns: 200, axis })
      expect(JSON.stringify(answer).length).toBeLessThan(5000)
      expect(answer.lanes[0]).toMatchObject({ crowded: true, counts: { call: 300, answer: 300 } })
    }
  })
})

describe('a damaged log', () => {
  test('shows a broken record, and everything before and after it', async () => {
    const directory = await temporaryDirectory()
    {
      await using store = await levelStore(directory)
      await recordedWorkflow(store)
    }
    await tamper(directory, async (database) => {
      const value = (await database.get(recordKey(6))) as string
      await database.put(recordKey(6), `${value.slice(0, -3)}xx}`)
    })
    await using store = await levelStore(directory)
    const { ask, index } = await inspected(store)
    expect(index.position).toBe(await store.head())
    expect(index.broken).toMatchObject([{ position: 6, problem: expect.stringContaining('is damaged') }])
    const { lines } = await ask('facts')
    expect(lines.map(({ position }) => position)).toEqual(
      Array.from({ length: lines.length }, (_, n) => n + 1),
    )
    expect(lines[5]).toMatchObject({ type: '(unreadable)', tone: 'bad', problem: expect.any(String) })
    expect(lines[4]?.problem).toBeNull()
    expect(lines[6]?.problem).toBeNull()
    const { fact, log } = await ask('moment', { at: 6 })
    expect(fact).toMatchObject({ type: '(unreadable)', data: null })
    expect(log.broken).toHaveLength(1)
    // The stream that lost the fact: its state is unknown.
    const { actor } = await ask('moment', { actor: 'run/r' })
    expect(actor).toMatchObject({ status: 'unknown', problem: expect.stringContaining('cannot be read') })
    // All others are unaffected.
    expect((await ask('moment', { actor: 'agent/a' })).actor).toMatchObject({ status: 'idle', problem: null })
  })

  test('that cannot be opened is read from its files', async () => {
    const directory = await temporaryDirectory()
    {
      await using store = await levelStore(directory)
      await recordedWorkflow(store)
    }
    const log = (await readdir(join(directory, 'log'))).find((name) => name.endsWith('.log')) ?? ''
    const file = join(directory, 'log', log)
    const content = await readFile(file)
    content[content.indexOf('StepScheduled')] = 0x58
    await writeFile(file, content)
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'StoreDamaged' })
    await using store = await damagedStore(directory)
    const { ask, index } = await inspected(store)
    expect(index.broken.length).toBeGreaterThan(0)
    const { lines } = await ask('facts', { limit: 300 })
    const broken = new Set(index.broken.map(({ position }) => position))
    expect(lines.filter(({ problem }) => problem === null).length).toBe(lines.length - broken.size)
    expect(lines.map(({ position, problem }) => broken.has(position) === (problem !== null))).not.toContain(
      false,
    )
    expect(lines.at(-1)).toMatchObject({ type: 'RunSucceeded', problem: null })
    await expect(store.append('agent/a', [counted(1)])).rejects.toMatchObject({ _tag: 'StoreDamaged' })
  })

  test('of which nothing can be read does not hang', async () => {
    const store = memoryStore()
    await store.append('agent/x', [counted(1), counted(2)])
    const broken: EventStore = {
      ...store,
      async *follow() {
        yield* []
        throw new Error('the disk is gone')
      },
    }
    const { index } = await inspected(broken)
    expect(index.ended).toBe('the disk is gone')
    const lost: EventStore = {
      ...store,
      async *readAll({ after = 0 } = {}) {
        yield* []
        throw new CorruptRecord({ position: after + 1, key: '', file: 'x', problem: 'it is gone' })
      },
    }
    const { ask } = await inspected(lost)
    expect((await ask('facts')).lines).toHaveLength(2)
  })
})

describe('the pages', () => {
  test('of an ended run end with it, whatever was written later', async () => {
    const clock = virtualClock()
    const store = memoryStore({ clock })
    const step = (stepKey: string) => ({ stepKey, agent: 'a', worker: 'a', taskId: `r.${stepKey}.1` })
    const material = { files: [], folders: [], repos: [] }
    const append = (type: string, data: JsonObject) => store.append('run/r', [{ type, v: 1, data }])
    await append('RunStarted', { name: 'review', workflow: null, prompt: 'go', textInput: null, material })
    await append('StepScheduled', step('one'))
    await append('StepScheduled', step('two'))
    await clock.advance(2000)
    const [ended] = await append('RunCancelled', { reason: 'enough' })
    await clock.advance(60_000)
    const [late] = await append('StepCostRecorded', { taskId: 'r.one.1', costUsd: 0.5, tokens: 10 })
    expect(late?.at).not.toBe(ended?.at)
    await store.append(
      'agent/b',
      Array.from({ length: 50 }, () => ({ type: 'Greeted', v: 1, data: {} })),
    )
    const { ask } = await inspected(store)
    const run = await ask('run', { id: 'r' })
    const took = Date.parse(ended?.at ?? '') - Date.parse(run?.startedAt ?? '')
    expect(run).toMatchObject({ status: 'cancelled', endedAt: ended?.at, reason: 'enough', costUsd: 0.5 })
    for (const { startMs, durationMs } of run?.steps ?? [])
      expect(startMs + (durationMs ?? Infinity)).toBe(took)
    const { actor } = await ask('moment', { actor: 'run/r', history: 1 })
    expect(actor?.run?.durationMs).toBe(took)
    // Nor does its lane go on in the timeline.
    const { lanes, columns } = await ask('timeline', { columns: 100 })
    const end = Math.max(...(lanes.find(({ stream }) => stream === 'run/r')?.spans ?? []).map(([, to]) => to))
    expect(end).toBeLessThan(columns / 2)
  })

  test('of a run with 500 steps do not read its texts, which are asked for a few at a time', async () => {
    const store = memoryStore()
    const orchestrator = await Orchestrator.open({
      store,
      runner: scriptedRunner({ reply: () => 'x'.repeat(5000) }),
    })
    onTestFinished(() => orchestrator.close())
    for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'You are.' })
    const round = parallel(['a', 'b'])
    await orchestrator.run(sequential(Array.from({ length: 250 }, () => round)), 'go', {
      id: 'r',
      name: 'long',
    })
    const { ask } = await inspected(store)
    const run = await ask('run', { id: 'r' })
    expect(run?.steps.length).toBe(500)
    expect(JSON.stringify(run).length).toBeLessThan(300_000)
    const { steps } = await ask('steps', { run: 'r', from: 300 })
    expect(steps.map(({ index }) => index)).toEqual(Array.from({ length: 60 }, (_, at) => 300 + at))
    expect(steps[0]?.answered).toMatch(/^x+…$/)
    const position = run?.steps[499]?.position ?? 0
    const step = await ask('step', { run: 'r', position })
    expect(step?.answer).toMatchObject({ text: 'x'.repeat(5000), length: 5000 })
    expect(step?.prompt?.text).toContain('go')
    // The tree is made of the answers that were quoted.
    expect(run?.steps[2]?.uses).toEqual([0, 1])
  })

  test('of an agent list its turns backwards, each once, with how it ended', async () => {
    const store = memoryStore()
    const reply = ({ prompt }: { prompt: string }) =>
      prompt === 'task 7' ? new RefusedError() : `answer to ${prompt}`
    const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner({ reply }) })
    onTestFinished(() => orchestrator.close())
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are.', retry: { attempts: 1 } })
    for (let count = 1; count <= 45; count++)
      await orchestrator.sendTask('a', `task ${count}`).catch(() => null)
    const { ask } = await inspected(store)
    const found: string[] = []
    let before: number | null = 0
    while (before !== null) {
      const page: Answers['conversation'] = await ask('conversation', { id: 'a', before })
      const turns = (page?.entries ?? []).flatMap((entry) => (entry.kind === 'turn' ? [entry] : []))
      found.unshift(
        ...turns.map(({ prompt, state, answer }) => `${prompt?.text}: ${state} ${answer?.text ?? ''}`),
      )
      before = page?.before ?? null
    }
    expect(found).toEqual(
      Array.from({ length: 45 }, (_, at) =>
        at === 6 ? 'task 7: failed ' : `task ${at + 1}: succeeded answer to task ${at + 1}`,
      ),
    )
  })

  test('show a turn that stopped at a tool call as held, in its conversation and in the overview', async () => {
    const store = memoryStore()
    const deferred = { tool: 'Bash', toolUseId: 'u1', input: { command: 'make' } }
    const orchestrator = await Orchestrator.open({
      store,
      runner: scriptedRunner({ reply: () => ({ deferred }) }),
    })
    onTestFinished(() => orchestrator.close())
    const agent = await orchestrator.createAgent({
      id: 'a',
      systemPrompt: 'You are.',
      approveTools: ['Bash'],
    })
    await new Promise<void>((resolve) => {
      agent.ask('build it', { taskId: 't', onHeld: () => resolve() }).catch(() => {})
    })
    const { ask } = await inspected(store)
    const conversation = await ask('conversation', { id: 'a' })
    expect(conversation?.entries.at(-1)).toMatchObject({
      state: 'held',
      note: 'A person has to decide: Bash',
    })
  })

  test('sum what was spent from day to day, and find prompts and answers only', async () => {
    const store = memoryStore()
    const orchestrator = await recordedWorkflow(store)
    onTestFinished(() => orchestrator.close())
    const { ask, index } = await inspected(store)
    const [first, last] = [index.table.time(1), index.table.time(index.position)]
    const { spentUsd, answers } = await ask('summary', { days: `${first - 86_400_000},${first},${last + 1}` })
    expect(spentUsd).toEqual([0, 1.5, 0])
    expect(answers).toEqual([0, 3, 0])
    const { hits, total } = await ask('search', { q: 'BY A' })
    expect(total).toBe(2)
    expect(hits.map(({ label, where, match }) => [label, where, match])).toEqual([
      ['c', 'asked', 'by a'],
      ['a', 'answered', 'by a'],
    ])
    // A type is no text.
    expect((await ask('search', { q: 'TaskAccepted' })).total).toBe(0)
  })
})
