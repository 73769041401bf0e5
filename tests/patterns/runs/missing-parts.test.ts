/** What fails within a part of a workflow is told by the run, however deep it is, and asked for again when it is resumed. */
import { concatMap, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../../src/events/errors/call.ts'
import { joinAnswers } from '../../../src/patterns/answers.ts'
import { approved } from '../../../src/patterns/approved.ts'
import { hierarchical } from '../../../src/patterns/hierarchical.ts'
import { debate, loopUntil } from '../../../src/patterns/loop-until.ts'
import { mapReduce } from '../../../src/patterns/map-reduce.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { type Pattern, runStep } from '../../../src/patterns/pattern.ts'
import { pipeline } from '../../../src/patterns/pipeline.ts'
import { race } from '../../../src/patterns/race.ts'
import { route } from '../../../src/patterns/route.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { vote } from '../../../src/patterns/vote.ts'
import { TEMPLATES } from '../../../src/workflows/pattern.ts'
import { world } from '../../actors/world.ts'

const pair = parallel(['a', 'b'])
const own: Pattern = (ask) =>
  concatMap((task) =>
    runStep(ask, pair, task).pipe(
      toArray(),
      concatMap((answers) => ask('c', { prompt: joinAnswers(answers) }, { from: answers })),
    ),
  )

const NESTED: Readonly<Record<string, Pattern>> = {
  sequential: sequential([pair, 'c']),
  parallel: parallel([pair, 'c']),
  'parallel over a chain': parallel([sequential(['c', 'a']), 'b']),
  pipeline: pipeline([{ agent: pair }, { agent: 'c' }]),
  'pipeline with a form': pipeline([
    { agent: pair },
    { agent: 'c', output: { jsonSchema: {}, decode: (value) => value } },
  ]),
  'loopUntil, in its first round': loopUntil(pair, { until: () => true }),
  'loopUntil, in an earlier round': loopUntil(sequential([pair, 'c']), { until: () => false, rounds: 2 }),
  'debate, the writer': debate({ writer: pair, critic: 'c', rounds: 2, approved: () => true }),
  'debate, the critic': debate({ writer: 'c', critic: pair, rounds: 2, approved: () => true }),
  'mapReduce without a reducer': mapReduce({ split: () => ['one', 'two'], map: pair }),
  mapReduce: mapReduce({ split: () => ['one', 'two'], map: pair, reduce: 'c' }),
  vote: vote([pair, 'c']),
  'vote with a judge': vote([pair], { judge: 'c' }),
  race: race([pair]),
  route: route({ classifier: pair, routes: { left: 'c' }, fallback: 'c' }),
  'hierarchical, the manager': hierarchical({ manager: pair, workers: ['c'] }),
  'hierarchical, a worker': hierarchical({ manager: 'c', workers: [pair, 'd'] }),
  approved: approved(sequential([pair, 'c'])),
  'a pattern of your own': own,
  'four levels': sequential([loopUntil(race([vote([pair])]), { until: () => true }), 'c']),
  'every part': sequential([parallel(['a']), 'c']),
}

/** A run of the pattern in which `a` refuses, or not; `c` answers with JSON. */
async function team(pattern: Pattern, isWilling: () => boolean) {
  const here = await world()
  const { orchestrator, runner } = await here.open({
    reply: ({ agent }) => (agent === 'a' && !isWilling() ? new RefusedError() : `"by ${agent}"`),
  })
  for (const id of ['a', 'b', 'c', 'd'])
    await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const settled = async <T>(run: PromiseLike<T> & { subscribe: (next: () => void) => unknown }) => {
    run.subscribe(async () => {
      // Of several events that find a task held, one approves it.
      for (const { taskId } of await orchestrator.held.list())
        await orchestrator.held.approve(taskId).catch(() => {})
    })
    return run
  }
  return {
    runner,
    run: () => settled(orchestrator.run(pattern, 'go', { id: 'r1' })),
    resume: () => settled(orchestrator.runs.resume('r1', pattern)),
  }
}

describe('a run in which one agent refuses, deep within', () => {
  test.each(Object.entries(NESTED))(
    '%s: is no success, names the agent, and resumes with what is missing',
    async (_, pattern) => {
      let isWilling = false
      const { run, resume, runner } = await team(pattern, () => isWilling)
      const result = await run()
      expect(result).toMatchObject({ success: false })
      expect(new Set(result.errors.map(({ agent, code }) => `${agent} ${code}`))).toEqual(
        new Set(['a RefusedError']),
      )
      const asked = runner.calls.length
      expect(await run()).toMatchObject({ success: false })
      expect(new Set(runner.calls.slice(asked).map(({ agent }) => agent))).toEqual(new Set(['a']))
      isWilling = true
      expect(await resume()).toMatchObject({ success: true, errors: [] })
    },
  )

  test('a step that gets no answer at all ends the chain, and asks no further agent', async () => {
    const { run, runner } = await team(sequential([parallel(['a']), 'c']), () => false)
    await run()
    expect(runner.calls.map(({ agent }) => agent)).toEqual(['a'])
  })

  test('a race is won by a whole answer, even if one with a missing part is earlier', async () => {
    const { run } = await team(race([pair, sequential(['c', 'd'])]), () => false)
    expect(await run()).toMatchObject({ success: true, metadata: { finalOutput: '"by d"' } })
  })

  test.each(Object.entries(TEMPLATES))(
    'as a part of a workflow, template %s tells it too',
    async (_, { pattern, roles }) => {
      const { orchestrator } = await (await world()).open({
        reply: ({ agent }) => (agent === roles[1]?.id ? new RefusedError() : `by ${agent}`),
      })
      for (const role of roles) await orchestrator.createAgent(role)
      await orchestrator.createAgent({ id: 'last', systemPrompt: 'You are last.' })
      const result = await orchestrator.run(sequential([parallel([pattern, 'last']), 'last']), 'go')
      expect(result).toMatchObject({
        success: false,
        errors: [{ agent: roles[1]?.id, code: 'RefusedError' }],
      })
    },
  )
})

test('A race of which no answer is accepted fails with that as its reason', async () => {
  const { open } = await world()
  const { orchestrator } = await open()
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  const { success, errors } = await orchestrator.run(race(['a', 'b'], { accept: () => false }), 'go')
  expect({ success, errors }).toMatchObject({ success: false, errors: [{ code: 'NoAnswerAcceptedError' }] })
})
