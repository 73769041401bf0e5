/** Every fact of a run names its cause. */
import { concatMap, from } from 'rxjs'
import { expect, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { ModelNotFoundError } from '../../../src/events/errors/call.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import type { Pattern } from '../../../src/patterns/pattern.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { ScriptedRunnerOptions } from '../../../src/testing/scripted-runner.ts'
import { CodeReviewWorkflow } from '../../../src/workflows/code-review.ts'
import { world } from '../../actors/world.ts'

async function team(agents: readonly string[], reply: NonNullable<ScriptedRunnerOptions['reply']>) {
  const { open, store } = await world()
  const { orchestrator } = await open({ reply })
  for (const id of agents) await orchestrator.createAgent({ id, systemPrompt: 'x', retry: { attempts: 0 } })
  const facts = async () => {
    const all: Recorded[] = []
    for await (const recorded of store.readAll()) all.push(recorded)
    const byId = new Map(all.map((fact) => [fact.id, fact]))
    return { all, causeOf: (fact: Recorded | undefined) => byId.get(fact?.causationId ?? ''), byId }
  }
  return { orchestrator, facts }
}

const named = (type: string, agent: string) => (fact: Recorded) =>
  fact.type === type && fact.data.agent === agent

test('the answer of a code review leads back to the run, and names the four reviews that it quotes', async () => {
  const { orchestrator, facts } = await team([], ({ agent }) => `What ${agent} says.`)
  const workflow = new CodeReviewWorkflow(orchestrator)
  await workflow.setup()
  await workflow.execute('let x = 1')
  const { all, causeOf, byId } = await facts()
  const end = all.find(({ type }) => type === 'RunSucceeded')
  const lead = all.find(named('StepScheduled', 'lead_reviewer'))
  const used = (fact?: Recorded) =>
    [fact?.data.uses ?? []]
      .flat()
      .map((id) => byId.get(String(id))?.data.agent)
      .sort()
  expect(used(end)).toEqual(['lead_reviewer'])
  expect(used(lead)).toEqual([
    'accessibility_reviewer',
    'performance_reviewer',
    'quality_reviewer',
    'security_reviewer',
  ])
  const chain = [end]
  while (chain.at(-1)) chain.push(causeOf(chain.at(-1)))
  expect(chain.map((fact) => fact?.type)).toEqual([
    'RunSucceeded',
    ...['StepSucceeded', 'CallSucceeded', 'CallStarted', 'TaskAccepted', 'StepScheduled'],
    ...['StepSucceeded', 'CallSucceeded', 'CallStarted', 'TaskAccepted', 'StepScheduled'],
    'RunStarted',
    undefined,
  ])
})

test('a failure leads back to the call that failed', async () => {
  const { orchestrator, facts } = await team(['a'], () => new ModelNotFoundError())
  await orchestrator.run(sequential(['a']), 'go')
  const { all, causeOf } = await facts()
  const chain = [all.find(({ type }) => type === 'RunFailed')]
  while (chain.at(-1)) chain.push(causeOf(chain.at(-1)))
  expect(chain.map((fact) => fact?.type).slice(0, 4)).toEqual([
    'RunFailed',
    'StepFailed',
    'TaskFailed',
    'CallStarted',
  ])
})

test('the asks of a resumed run are caused by earlier answers, or by the resumption', async () => {
  let isBroken = true
  const { orchestrator, facts } = await team(['a', 'b'], ({ agent }) =>
    agent === 'b' && isBroken ? new ModelNotFoundError() : `done by ${agent}`,
  )
  const pattern = sequential(['a', 'b'])
  await orchestrator.run(pattern, 'go', { id: 'r' })
  isBroken = false
  await orchestrator.runs.resume('r', pattern)
  const { all, causeOf } = await facts()
  const resumed = all.find(({ type }) => type === 'RunResumed')
  expect(causeOf(resumed)?.type).toBe('RunStarted')
  const again = all.filter(named('StepScheduled', 'b')).at(-1)
  expect(causeOf(again)).toBe(all.find(named('StepSucceeded', 'a')))
})

test('a step is caused by the answer before it, even after a pause; parallel steps are caused by the run', async () => {
  const { orchestrator, facts } = await team(['a', 'b', 'c'], ({ agent }) => `done by ${agent}`)
  const thinking: Pattern = (ask) =>
    concatMap((task) =>
      ask('a', task).pipe(
        concatMap(({ text }) => from(Promise.resolve(text.length))),
        concatMap((length) => parallel(['b', 'c'])(ask)(from([{ prompt: `It has ${length} letters` }]))),
      ),
    )
  await orchestrator.run(thinking, 'go')
  const { all, causeOf } = await facts()
  expect(causeOf(all.find(named('StepScheduled', 'a')))?.type).toBe('RunStarted')
  expect(causeOf(all.find(named('StepScheduled', 'b')))).toBe(all.find(named('StepSucceeded', 'a')))
})

test('a step names the answers that it was made from, whatever their texts are', async () => {
  const { orchestrator, facts } = await team(['a', 'b', 'c', 'd'], () => 'yes')
  await orchestrator.run(sequential([parallel(['a', 'b']), 'c', 'd'], { transform: () => 'and now?' }), 'go')
  const { all } = await facts()
  const answerOf = (agent: string) => all.find(named('StepSucceeded', agent))?.id
  const uses = (agent: string) => all.find(named('StepScheduled', agent))?.data.uses
  expect(uses('a')).toBeUndefined()
  expect(uses('c')).toEqual([answerOf('a'), answerOf('b')])
  expect(uses('d')).toEqual([answerOf('c')])
  expect(all.find(({ type }) => type === 'RunSucceeded')?.data.uses).toEqual([answerOf('d')])
})

test('an ask of a pattern of your own names the answers that it says it was made from', async () => {
  const { orchestrator, facts } = await team(['a', 'b', 'c'], ({ agent }) => `by ${agent}`)
  const own: Pattern = (ask) =>
    concatMap((task) =>
      ask('a', task).pipe(
        concatMap((first) =>
          ask('b', task).pipe(
            concatMap(({ text }) => ask('c', { prompt: `${first.text}, ${text}` }, { from: [first] })),
          ),
        ),
      ),
    )
  await orchestrator.run(own, 'go')
  const { all, causeOf } = await facts()
  const answerOf = (agent: string) => all.find(named('StepSucceeded', agent))
  expect(all.find(named('StepScheduled', 'c'))?.data.uses).toEqual([answerOf('a')?.id])
  // An ask that names none was caused by the answer that came before it.
  const second = all.find(named('StepScheduled', 'b'))
  expect(second?.data.uses).toBeUndefined()
  expect(causeOf(second)).toBe(answerOf('a'))
})
