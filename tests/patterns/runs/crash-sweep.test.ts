import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { NewFact } from '../../../src/events/envelope.ts'
import { OverloadedError, RefusedError } from '../../../src/events/errors/call.ts'
import { hierarchical } from '../../../src/patterns/hierarchical.ts'
import { debate } from '../../../src/patterns/loop-until.ts'
import { mapReduce } from '../../../src/patterns/map-reduce.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { pipeline } from '../../../src/patterns/pipeline.ts'
import { pool } from '../../../src/patterns/pool.ts'
import { race } from '../../../src/patterns/race.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { vote } from '../../../src/patterns/vote.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { crashSweep, type PatternSweep } from '../../../src/testing/crash-sweep.ts'

/** A short answer that differs for each agent and prompt. */
const distinct: PatternSweep['reply'] = ({ agent, prompt }) => `${agent}(${prompt.length})`

describe('stopped at any append and run again, the result is the same for', () => {
  test('a pipeline of parallel of agents', async () => {
    const stages = [
      ['a', 'b', 'c'],
      ['d', 'e'],
    ].map((agents) => ({ agent: parallel(agents) }))
    const { recovered, appends } = await crashSweep({
      agents: ['a', 'b', 'c', 'd', 'e', 'f'],
      pattern: pipeline([...stages, { agent: 'f', prompt: 'Sum up: {{input}}' }]),
      input: 'go',
      reply: distinct,
    })
    expect(appends).toBeGreaterThan(20)
    for (const outcome of ['answered', 'unanswered', 'unsent'] as const)
      expect(recovered[outcome], outcome).toBeGreaterThan(0)
  })

  test('a race', async () => {
    const { result } = await crashSweep({
      agents: ['slow', 'quick', 'last'],
      pattern: sequential([race(['slow', 'quick']), 'last']),
      input: 'go',
      reply: ({ agent }) => ({ text: `by ${agent}`, delayMs: agent === 'slow' ? 1000 : 10 }),
    })
    expect(result).toMatchObject({ success: true, results: { quick: 'by quick', last: 'by last' } })
  })

  test('a race whose agents resume on demand', async () => {
    const { recovered } = await crashSweep({
      agents: ['slow', 'quick'],
      pattern: race(['slow', 'quick']),
      input: 'go',
      resume: 'on-demand',
      reply: ({ agent }) => ({ text: `by ${agent}`, delayMs: agent === 'slow' ? 1000 : 10 }),
    })
    expect(recovered.unanswered).toBeGreaterThan(0)
  })

  test('a vote whose ballots all differ', async () => {
    const { result } = await crashSweep({
      agents: ['voter', 'judge'],
      pattern: vote(['voter'], { votes: 3, judge: 'judge' }),
      input: 'go',
      reply: ({ agent, prompt, taskId }) =>
        agent === 'judge' ? prompt.slice(-60) : `ballot ${taskId.split('.').at(-2)}`,
    })
    expect(result).toMatchObject({ finalOutput: expect.stringMatching(/ballot 1.*ballot 2.*ballot 3/s) })
  })

  test('a debate', async () => {
    await crashSweep({
      agents: ['writer', 'critic'],
      pattern: debate({ writer: 'writer', critic: 'critic' }),
      input: 'go',
      reply: ({ agent, prompt }) =>
        agent === 'critic' && prompt.length > 300 ? 'Approved.' : `${agent} ${prompt.length}`,
    })
  })

  test('a map over a pool, whose copies are gone afterwards', async () => {
    const { result } = await crashSweep({
      agents: ['worker', 'editor'],
      pattern: mapReduce({
        split: () => ['one', 'two', 'three', 'four', 'five'],
        map: pool('worker', { size: 2 }),
        reduce: 'editor',
      }),
      input: 'go',
      reply: ({ agent, prompt }) => ({
        text: agent === 'editor' ? prompt : prompt.toUpperCase(),
        delayMs: 10 - prompt.length,
      }),
    })
    expect(result).toMatchObject({
      finalOutput: expect.stringMatching(/ONE.*TWO.*THREE.*FOUR.*FIVE/s),
      left: [
        { id: 'editor', queue: 0 },
        { id: 'worker', queue: 0 },
      ],
    })
  })

  test('a hierarchy', async () => {
    await crashSweep({
      agents: ['lead', 'one', 'two', 'three'],
      pattern: hierarchical({ manager: 'lead', workers: ['one', 'two', 'three'], concurrency: 2 }),
      input: 'go',
      reply: distinct,
    })
  })

  test('a parallel in which an agent fails', async () => {
    const { result, recovered } = await crashSweep({
      agents: ['a', 'b', 'c'],
      pattern: parallel(['a', 'b', 'c'], { onError: 'collect' }),
      input: 'go',
      reply: ({ agent }) => (agent === 'b' ? new RefusedError() : `by ${agent}`),
    })
    expect(result).toMatchObject({
      success: false,
      results: { a: 'by a', c: 'by c' },
      errors: [{ agent: 'b', code: 'RefusedError' }],
    })
    expect(recovered.failed).toBeGreaterThan(0)
  })

  test('a parallel that fails with the first of its agents', async () => {
    await crashSweep({
      agents: ['a', 'b', 'c'],
      pattern: parallel(['a', 'b', 'c'], { onError: 'fail' }),
      input: 'go',
      reply: ({ agent }) =>
        agent === 'b' ? new RefusedError() : { text: `by ${agent}`, delayMs: agent === 'c' ? 1000 : 1 },
    })
  })

  test('overloaded agents that retry', async () => {
    await crashSweep({
      agents: ['a', 'b'],
      pattern: sequential(['a', 'b']),
      input: 'go',
      reply: ({ agent, attempt }) => (attempt === 1 ? new OverloadedError() : `by ${agent}`),
    })
  })

  test('a short workflow on LevelDB', async () => {
    await crashSweep({
      agents: ['a'],
      pattern: sequential(['a']),
      input: 'go',
      async store() {
        const directory = await mkdtemp(join(tmpdir(), 'crash-sweep-'))
        onTestFinished(() => rm(directory, { recursive: true }))
        return levelStore(directory)
      },
    })
  })

  test('a scenario that is not a workflow', async () => {
    const { result } = await crashSweep({
      async scenario(orchestrator) {
        const known = (await orchestrator.agents()).some(({ id }) => id === 'a')
        if (!known) await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
        const first = await orchestrator.sendTask('a', 'one', { taskId: 'first' })
        return [first, await orchestrator.sendTask('a', 'two', { taskId: 'second' })]
      },
    })
    expect(result).toEqual(['one', 'two'])
  })

  test('a scenario that appends to several streams at once, which is one append', async () => {
    const note = (n: number): NewFact => ({ type: 'Noted', v: 1, data: { n } })
    const { appends, result } = await crashSweep({
      async scenario({ store }) {
        for (const n of [1, 2])
          await store.appendAll([
            { stream: 'note/a', facts: [note(n)], commitId: `a${n}` },
            { stream: 'note/b', facts: [note(n), note(-n)], commitId: `b${n}` },
          ])
        const facts: unknown[] = []
        for await (const { stream, version, data } of store.readAll()) facts.push([stream, version, data.n])
        return facts
      },
    })
    expect(appends).toBe(2)
    expect(result).toHaveLength(6)
  })
})
