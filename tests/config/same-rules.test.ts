/** A configuration file is refused for what the commands refuse, and for nothing else: both follow the same rules. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { checkSpecification } from '../../src/actors/supervision/specification.ts'
import { loadConfig } from '../../src/config/configuration.ts'
import type { WorkflowDefinition } from '../../src/config/workflow-definition.ts'
import { agentConfig } from '../../src/events/options/agent.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { workflowPattern } from '../../src/workflows/pattern.ts'
import { repetitions } from '../repetitions.ts'

const RUNS = repetitions('CONFIGURATIONS', { short: 150, long: 1000 })

let file: string
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  file = join(folder, 'claude-agents.json')
  return () => rm(folder, { recursive: true })
})

const isAccepted = (work: () => unknown): Promise<boolean> =>
  Promise.resolve()
    .then(work)
    .then(
      () => true,
      () => false,
    )

const acceptedInFile = (content: object) =>
  isAccepted(async () => {
    await writeFile(file, JSON.stringify(content))
    await loadConfig({ file, environment: {} })
  })

const optional = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined })

const agents = fc.record({
  id: fc.constantFrom('a', 'a-1', 'A', '', 'a b', 'a.1', 'x'.repeat(65), '../a', 7, null),
  prompt: fc.constantFrom('You are a.', '', '  ', '\n', 7, 'x'.repeat(65 * 1024)),
  tools: optional([
    [],
    ['Read'],
    ['Bash(git *)'],
    ['read_file'],
    ['Raed'],
    [''],
    ['Read,Edit'],
    ['--x'],
    ['*'],
    'Read',
  ]),
  model: optional(['opus', 'claude-opus-4-1', '', '-x', '--model', ' opus', 7]),
  turns: optional([1, 0, -1, 1.5, '3', Number.MAX_SAFE_INTEGER]),
  seconds: optional([
    1,
    0,
    -1,
    1.5,
    '60',
    Math.floor(Number.MAX_SAFE_INTEGER / 1000),
    Number.MAX_SAFE_INTEGER,
  ]),
  retries: optional([0, 1, -1, 1.5, '3']),
})

test('The file has an agent if and only if createAgent takes it', async () => {
  await fc.assert(
    fc.asyncProperty(agents, async ({ id, prompt, tools, model, turns, seconds, retries }) => {
      const inFile = await acceptedInFile({
        agents: [
          {
            id,
            system_prompt: prompt,
            allowed_tools: tools,
            model,
            max_turns: turns,
            timeout: seconds,
            retry_attempts: retries,
          },
        ],
      })
      const inCode = await isAccepted(() =>
        agentConfig({
          id,
          systemPrompt: prompt,
          allowedTools: tools,
          model,
          maxTurns: turns,
          timeoutMs: typeof seconds === 'number' ? seconds * 1000 : seconds,
          retry: retries === undefined ? undefined : { attempts: retries },
        } as never),
      )
      // A file gives whole seconds.
      if (seconds !== 1.5) expect(inFile).toBe(inCode)
    }),
    { numRuns: RUNS },
  )
})

const step = fc.constantFrom<unknown>(
  ...['a', 'b', 'A b', '', '../a'],
  ...[
    { pool: 'a', size: 2 },
    { pool: 'a', size: 0 },
    { pool: 'a', size: 10_000 },
    { pool: 'A b', size: 1 },
  ],
)
const count = fc.constantFrom(1, 0, -1, 1.5)
const agent = fc.constantFrom('a', 'b', 'A b', '')
/** Per pattern its options, so that most definitions have one mistake at most. */
const OPTIONS: Readonly<Record<string, Readonly<Record<string, fc.Arbitrary<unknown>>>>> = {
  sequential: {},
  parallel: { concurrency: count },
  pipeline: {},
  vote: { votes: count, judge: agent },
  debate: { rounds: count },
  route: { fallback: agent },
  none: {},
}
const PROMPTED = ['sequential', 'parallel', 'pipeline', 'vote']
const participants = fc.uniqueArray(fc.tuple(step, fc.constantFrom('Do: {{input}}', null, '', '  ')), {
  maxLength: 3,
  selector: ([one]) => JSON.stringify(one),
})
const definitions = fc.constantFrom(...Object.entries(OPTIONS)).chain(([pattern, options]) =>
  fc
    .tuple(participants, fc.record(options, { requiredKeys: [] }), fc.boolean())
    .map(([given, more, isPrompted]) => {
      const prompts = isPrompted && PROMPTED.includes(pattern) ? { prompts: given.map(([, one]) => one) } : {}
      return { pattern, agents: given.map(([one]) => one), options: { ...more, ...prompts } }
    }),
)

test('The file has a workflow if and only if it can be run', async () => {
  await using orchestrator = await Orchestrator.open({
    store: memoryStore(),
    runner: scriptedRunner({ reply: () => 'a' }),
  })
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  await fc.assert(
    fc.asyncProperty(definitions, async ({ pattern, agents, options }) => {
      const inFile = await acceptedInFile({ workflows: [{ name: 'w', pattern, agents, ...options }] })
      const reference = { kind: 'agents', pattern, agents, options } as {
        kind: 'agents'
      } & WorkflowDefinition
      const runs = await isAccepted(() => orchestrator.run(workflowPattern(reference), 'task'))
      expect({ inFile }).toEqual({ inFile: runs })
    }),
    { numRuns: RUNS },
  )
})

test('A blank prompt of a workflow is refused in the file and in code', async () => {
  for (const prompt of ['', '  ', '\n']) {
    const workflow = { pattern: 'pipeline', agents: ['a'], options: { prompts: [prompt] } }
    const { options, ...rest } = workflow
    expect(await acceptedInFile({ workflows: [{ name: 'w', ...rest, ...options }] })).toBe(false)
    expect(() => workflowPattern({ kind: 'agents', ...workflow })).toThrow(/prompts/)
  }
})

const child = fc.record(
  {
    agent: fc.constantFrom('a', 'b', 'A b'),
    restart: fc.constantFrom('permanent', 'transient', 'temporary', 'never'),
    significant: fc.boolean(),
    supervisor: fc.constantFrom({ id: 'c', children: [] }, { id: 'team', children: [] }),
  },
  { requiredKeys: [] },
)
const trees = fc.record(
  {
    id: fc.constantFrom('team', 'Team'),
    strategy: fc.constantFrom('one-for-one', 'rest-for-one', 'dynamic'),
    auto_shutdown: fc.constantFrom('never', 'any-significant'),
    backoff: fc.constantFrom({ min_ms: 10, max_ms: 5 }, { min_ms: 10 }, { jitter: 2 }),
    children: fc.array(child, { maxLength: 3 }),
  },
  { requiredKeys: ['id', 'children'] },
)

test('The file has a supervision tree if and only if it can be started', async () => {
  await fc.assert(
    fc.asyncProperty(trees, async ({ auto_shutdown: autoShutdown, backoff, children, ...rest }) => {
      const inFile = await acceptedInFile({
        supervision: [{ ...rest, auto_shutdown: autoShutdown, backoff, children }],
      })
      const inCode = await isAccepted(() =>
        checkSpecification({
          ...rest,
          autoShutdown,
          backoff: backoff && {
            ...('min_ms' in backoff && { minMs: backoff.min_ms }),
            ...('max_ms' in backoff && { maxMs: backoff.max_ms }),
            ...('jitter' in backoff && { jitter: backoff.jitter }),
          },
          children: children.map(({ supervisor, ...own }) => ({
            ...own,
            ...(supervisor && { id: supervisor.id, supervisor: { children: [] } }),
          })),
        } as never),
      )
      // Dynamic children are added at run time, by code.
      if (rest.strategy !== 'dynamic') expect(inFile).toBe(inCode)
      else expect(inFile).toBe(false)
    }),
    { numRuns: RUNS },
  )
})

test('More agents than may exist are refused before any of them is created', async () => {
  const declared = ['a', 'b'].map((id) => ({ id, system_prompt: `You are ${id}.` }))
  const content = (most: number) => ({ orchestrator: { max_agents: most }, agents: declared })
  expect(await acceptedInFile(content(2))).toBe(true)
  await writeFile(file, JSON.stringify(content(1)))
  await expect(loadConfig({ file, environment: {} })).rejects.toThrow(
    'there are 2 agents, and orchestrator.max_agents allows 1',
  )
})
