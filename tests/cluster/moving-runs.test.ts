/** Runs that workers execute: they move, their clients come and go, and no step is asked twice. Nothing here needs several processes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { assign, setup } from 'xstate'
import { defineActor } from '../../src/actors/own/definition.ts'
import { ToldSteps } from '../../src/cluster/told-steps.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'
import type { Orchestrator } from '../../src/orchestrator.ts'
import type { StepEvent } from '../../src/patterns/runs/step-event.ts'
import { repetitions } from '../repetitions.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { inOneProcess } from './in-one-process.ts'

const counted = { Counted: Schema.Struct({ by: Schema.Int }) }
const counter = defineActor({
  kind: 'counter',
  facts: counted,
  machine: setup({
    types: {} as { context: { count: number }; events: FactsOf<typeof counted> },
  }).createMachine({
    context: { count: 0 },
    on: { Counted: { actions: assign({ count: ({ context, event }) => context.count + event.data.by }) } },
  }),
  decide: ({ by }: { by: number }) => [{ type: 'Counted', data: { by } }],
})

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const AGENTS = ['a', 'b', 'c']
const STEPS = 20
const workflow = {
  kind: 'agents',
  pattern: 'sequential',
  agents: Array.from({ length: STEPS }, (_, index) => AGENTS[index % 3] as string),
  options: {},
} as const

const create = async (team: Orchestrator) => {
  for (const id of AGENTS) await team.createAgent({ id, systemPrompt: 'x' })
}

const factsOf = async ({ store }: Orchestrator, stream: string) => {
  const types: string[] = []
  for await (const { type } of store.read(stream)) types.push(type)
  return types
}

test('a run of 20 steps that moves at any moment, drained or lost, asks each step once, and its client hears each once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(
        fc.integer({ min: 1, max: STEPS }).map(String),
        fc.constantFrom('drain', 'lose', 'lose and wake'),
        { maxKeys: 5 },
      ),
      async (moves) => {
        let calls = 0
        const cluster = await inOneProcess(3, {
          async reply() {
            const move = moves[String(++calls)]
            if (move === 'drain') await cluster.drain('r')
            else if (move) {
              const wake = await cluster.lose('r')
              if (move === 'lose and wake') await wake()
            }
            return `answer ${calls}`
          },
        })
        const team = await cluster.client()
        await create(team)
        const run = team.run(workflow, 'x', { id: 'r' })
        const told: string[] = []
        run.subscribe(({ state, stepKey }) => told.push(`${state} ${stepKey}`))
        const { success, metadata } = await run
        expect([success, metadata.finalOutput]).toEqual([true, `answer ${STEPS}`])
        expect(cluster.runner.calls.length).toBe(STEPS)
        expect(told.length).toBe(new Set(told).size)
        expect(told.filter((line) => line.startsWith('succeeded')).length).toBe(STEPS)
        const types = await factsOf(team, 'run/r')
        expect(types.filter((type) => type === 'StepSucceeded').length).toBe(STEPS)
        expect(types.filter((type) => type === 'StepFailed')).toEqual([])
      },
    ),
    { numRuns: repetitions('MOVING_RUNS', { short: 6, long: 300 }) },
  )
})

test('a run goes on when its client has ended, and another one that asks for the same has its result', async () => {
  let isOver = () => {}
  const over = new Promise<void>((resolve) => {
    isOver = resolve
  })
  let calls = 0
  const cluster = await inOneProcess(2, {
    async reply() {
      if (++calls === 2) await over
      return 'fine'
    },
  })
  const first = await cluster.client()
  await create(first)
  const left = first.run(workflow, 'x', { id: 'r' })
  await left.begun
  await first.close()
  const other = await cluster.client()
  await expect(other.runs.resume('r')).rejects.toMatchObject({ _tag: 'RunActiveError' })
  const joined = other.run(workflow, 'x', { id: 'r' })
  isOver()
  expect((await joined).success).toBe(true)
  expect(cluster.runner.calls.length).toBe(STEPS)
})

test('an interrupted run is paused where it is executed, unless others have asked for it as well', async () => {
  let isOver = () => {}
  const over = new Promise<void>((resolve) => {
    isOver = resolve
  })
  const cluster = await inOneProcess(2, {
    async reply() {
      await over
      return 'fine'
    },
  })
  const team = await cluster.client()
  await create(team)
  const [one, two] = [new AbortController(), new AbortController()]
  const first = team.run(workflow, 'x', { id: 'r', signal: one.signal })
  await first.begun
  const second = team.run(workflow, 'x', { id: 'r', signal: two.signal })
  await second.begun
  one.abort('Ctrl-C')
  await expect(first).rejects.toMatchObject({ _tag: 'StillWantedError' })
  two.abort('Ctrl-C')
  await expect(second).rejects.toMatchObject({ _tag: 'RunInterruptedError' })
  expect((await team.runs.show('r')).status).toBe('paused')
  isOver()
  expect((await team.runs.resume('r')).success).toBe(true)
  await expect(team.runs.cancel('r')).rejects.toMatchObject({ _tag: 'RunFinishedError' })
})

test('a run that is cancelled by another client ends where it is executed', async () => {
  const cluster = await inOneProcess(2, { reply: () => new Promise(() => {}) })
  const team = await cluster.client()
  await create(team)
  const run = team.run(workflow, 'x', { id: 'r' })
  run.catch(() => {})
  await run.begun
  await (await cluster.client()).runs.cancel('r', 'not needed', { by: 'ada' })
  await expect(run).rejects.toMatchObject({
    _tag: 'RunInterruptedError',
    message: 'Run "r" was cancelled: not needed.',
  })
  expect((await factsOf(team, 'run/r')).at(-1)).toBe('RunCancelled')
})

test('a run of code is executed by its client alone; resumed by another one, it is fenced, and cancels nothing', async () => {
  const waiting: (() => void)[] = []
  const cluster = await inOneProcess(2, {
    reply: () => new Promise((resolve) => waiting.push(() => resolve('fine'))),
  })
  const team = await cluster.client()
  await create(team)
  const { race } = await import('../../src/patterns/race.ts')
  const code = race(['a', 'b'], { accept: ({ agent }) => agent === 'b' })
  const run = team.run(code, 'x', { id: 'r' })
  run.catch(() => {})
  while (waiting.length < 2) await turn()
  const other = await cluster.client()
  const again = other.runs.resume('r', code)
  await again.begun
  for (const answer of waiting) answer()
  expect((await again).success).toBe(true)
  await expect(run).rejects.toMatchObject({ _tag: 'ClosedError' })
  expect(cluster.runner.calls.length).toBe(2)
  for (const { run: residents } of cluster.workers) expect(residents.size).toBe(0)
  for (const id of ['a', 'b']) expect(await factsOf(team, `agent/${id}`)).not.toContain('TaskCancelled')
})

test('a run that waits says why all the time, also while a client tries to resume it', async () => {
  const file = join(await temporaryDirectory(), 'claude-agents.yaml')
  const define = (agents: string) =>
    writeFile(file, `workflows:\n  - { name: report, pattern: sequential, agents: [${agents}] }\n`)
  await define('a, b')
  const cluster = await inOneProcess(2, { reply: () => ({ text: '', delayMs: 1e9 }) })
  const team = await cluster.client()
  await create(team)
  const left = team.run({ kind: 'config', name: 'report', file }, 'x', { id: 'r' })
  left.catch(() => {})
  await left.begun
  await define('b')
  await cluster.drain('r')
  const said = () => cluster.workers.flatMap(({ run }) => Object.values(run.waiting))
  const why = 'its workflow changed'
  await vi.waitFor(() => expect(said()).toEqual([why]))
  let isOver = false
  const resumed = expect(team.runs.resume('r')).rejects.toMatchObject({ _tag: 'WorkflowChangedError' })
  void resumed.then(() => {
    isOver = true
  })
  const seen = new Set<string>()
  for (; !isOver; await turn()) seen.add(said().join())
  await resumed
  expect([...seen]).toEqual([why])
})

test('what is told again after a move is told once', () => {
  const step = (state: StepEvent['state'], stepKey: string, ask: number) => ({
    step: { stepKey, ask, agent: 'a', state, costUsd: 0, tokens: 0, text: null, problem: null },
  })
  const told = new ToldSteps()
  const lines = [
    { begun: ['a'] },
    ...[step('scheduled', 'one', 1), step('succeeded', 'one', 1), step('scheduled', 'two', 2)],
    { begun: ['a'] },
    ...[
      step('reused', 'one', 1),
      step('reused', 'two', 2),
      step('reused', 'three', 3),
      step('scheduled', 'four', 2),
    ],
  ]
  const heard = lines.flatMap((line) => told.next(line))
  expect(
    heard.map((line) =>
      'step' in line ? `${line.step.state} ${line.step.stepKey} ${line.step.ask}` : 'begun',
    ),
  ).toEqual([
    'begun',
    'scheduled one 1',
    'succeeded one 1',
    'scheduled two 2',
    'succeeded two 2',
    'scheduled three 3',
    'succeeded three 3',
    'scheduled four 4',
  ])
})

test('runs of several processes have copies of a pool of their own, and remove no other ones', async () => {
  const waiting: (() => void)[] = []
  const cluster = await inOneProcess(2, {
    reply: () => new Promise((resolve) => waiting.push(() => resolve('fine'))),
  })
  const agents = [{ pool: 'a', size: 2 }]
  const pooled = { kind: 'agents', pattern: 'map-reduce', agents, options: {} } as const
  const pieces = 'one\n\ntwo'
  const team = await cluster.client()
  await create(team)
  const runs = [
    team.run(pooled, pieces, { id: 'r0' }),
    (await cluster.client()).run(pooled, pieces, { id: 'r1' }),
  ]
  while (waiting.length < 4) await turn()
  const copiesOf = async (run: string) => (await team.runs.show(run)).taken.map(({ worker }) => worker).sort()
  const [first = [], second = []] = [await copiesOf('r0'), await copiesOf('r1')]
  expect([...new Set([...first, ...second])].sort()).toEqual(['a.1', 'a.2', 'a.3', 'a.4'])
  const answer = (copies: readonly string[]) =>
    cluster.runner.calls.forEach(({ agent }, index) => {
      if (copies.includes(agent)) waiting[index]?.()
    })
  answer(first)
  expect((await runs[0])?.success).toBe(true)
  const left = (await team.agents()).map(({ id }) => id).filter((id) => id.startsWith('a.'))
  expect(left.sort()).toEqual(second)
  answer(second)
  expect((await runs[1])?.success).toBe(true)
  expect((await team.agents()).map(({ id }) => id)).toEqual(AGENTS)
})

test('what works in one process only is refused, and an actor of a user has one process', async () => {
  const cluster = await inOneProcess(1)
  const [team, other] = [await cluster.client(), await cluster.client()]
  await create(team)
  const alone = {
    _tag: 'InvalidInputError',
    message: expect.stringContaining('it works in one process only'),
  }
  await expect(team.supervise({ id: 'tree', children: [{ agent: 'a' }] })).rejects.toMatchObject(alone)
  await expect(team.landings.land(['a'])).rejects.toMatchObject(alone)
  const here = await team.spawn(counter, 'c')
  await here.ask({ by: 1 })
  const there = await other.spawn(counter, 'c')
  await there.ask({ by: 2 })
  await expect(here.ask({ by: 4 })).rejects.toThrow()
  expect(there.snapshot.context.count).toBe(3)
})
