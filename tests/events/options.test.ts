/** One schema per concept: code, configuration file and log agree on the meaning and the valid values of every option. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import {
  type ChildSpecification,
  checkSpecification,
  type SupervisorSpecification,
} from '../../src/actors/supervision/specification.ts'
import { loadConfig } from '../../src/config/configuration.ts'
import { SETTINGS } from '../../src/config/schema.ts'
import { agentFacts } from '../../src/events/agent-facts.ts'
import { budgetFacts } from '../../src/events/budget-facts.ts'
import { ConfigError } from '../../src/events/errors/config.ts'
import { InvalidSpecificationError } from '../../src/events/errors/supervision.ts'
import { InvalidInputError } from '../../src/events/errors/usage.ts'
import { type AgentOptions, agentConfig } from '../../src/events/options/agent.ts'
import { CALL_MINIMUM } from '../../src/events/options/budget.ts'
import { LIMITS } from '../../src/events/options/limits.ts'
import { checkBounds, ORCHESTRATOR } from '../../src/events/options/orchestrator.ts'
import { completed, explainedBy } from '../../src/events/options/setting.ts'
import type { ChildTree, SupervisorTree } from '../../src/events/options/supervision.ts'
import { supervisorFacts } from '../../src/events/supervisor-facts.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { ECHO, world } from '../actors/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  return () => rm(folder, { recursive: true })
})

/** The configuration that a file with this content gives. */
async function inFile(content: object) {
  const file = join(folder, 'claude-agents.json')
  await writeFile(file, JSON.stringify(content))
  return loadConfig({ file, environment: {} })
}

const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined })
const count = fc.nat({ max: 1_000_000 })
const positive = fc.integer({ min: 1, max: 1_000_000 })
const dollars = fc.double({ min: 0, max: 1e6, noNaN: true, noDefaultInfinity: true }).map(Math.abs)
const name = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/)
const budget = fc.record({ usd: dollars, tokens: count }, { requiredKeys: [] })
const RUNS = { numRuns: 40 }

describe('an option has the same meaning in a file and in a program:', () => {
  test('agent', async () => {
    const entry = fc.record(
      {
        id: name,
        system_prompt: fc.stringMatching(/^\S.{0,40}$/),
        max_turns: positive,
        timeout: positive,
        retry_attempts: count,
        model: fc.stringMatching(/^[A-Za-z0-9][a-z0-9.-]{0,10}$/),
        allowed_tools: fc.array(fc.constantFrom('Read', 'Bash(git *)', 'web_search', 'mcp__a__b')),
        budget: budget.filter((one) => Object.keys(one).length > 0),
      },
      { requiredKeys: ['id', 'system_prompt'] },
    )
    await fc.assert(
      fc.asyncProperty(entry, async (said) => {
        const options: AgentOptions = {
          id: said.id,
          systemPrompt: said.system_prompt,
          ...(said.max_turns !== undefined && { maxTurns: said.max_turns }),
          ...(said.timeout !== undefined && { timeoutMs: said.timeout * 1000 }),
          ...(said.retry_attempts !== undefined && { retry: { attempts: said.retry_attempts } }),
          ...(said.model !== undefined && { model: said.model }),
          ...(said.allowed_tools !== undefined && { allowedTools: said.allowed_tools }),
          ...(said.budget !== undefined && { budget: said.budget }),
        }
        const [declared] = (await inFile({ agents: [said] })).agents ?? []
        expect(declared).toEqual(JSON.parse(JSON.stringify(options)))
        const config = agentConfig(options)
        expect(declared && agentConfig(declared)).toEqual(config)
        expect(agentFacts.write({ type: 'AgentCreated', data: { config } }).data).toEqual({ config })
      }),
      RUNS,
    )
  })

  test('supervision tree', async () => {
    const policy = {
      restart: fc.constantFrom('permanent', 'transient', 'temporary'),
      shutdown: fc.oneof(count, fc.constantFrom('brutal', 'infinity')),
      significant: fc.constant(false),
    } as const
    const { supervisor: tree } = fc.letrec<{ supervisor: object }>((tie) => ({
      supervisor: fc.record(
        {
          strategy: fc.constantFrom('one-for-one', 'one-for-all', 'rest-for-one'),
          intensity: fc.record({ maxRestarts: count, withinMs: positive }),
          backoff: fc.record(
            {
              minMs: fc.integer({ min: 1, max: 99 }),
              jitter: fc.constantFrom(0, 0.5, 1),
              resetAfterMs: positive,
            },
            { requiredKeys: [] },
          ),
          autoShutdown: fc.constantFrom('never', 'any-significant', 'all-significant'),
          children: fc.array(
            fc.oneof(
              { maxDepth: 3 },
              fc.record({ agent: fc.constant('writer'), ...policy }, { requiredKeys: ['agent'] }),
              fc.record(
                { supervisor: tie('supervisor'), restart: policy.restart },
                { requiredKeys: ['supervisor'] },
              ),
            ),
            { maxLength: 3 },
          ),
        },
        { requiredKeys: ['children'] },
      ),
    }))
    await fc.assert(
      fc.asyncProperty(tree, async (drawn) => {
        const given = named(drawn as Drawn, 'top', { at: 0 }) as SupervisorSpecification
        const [declared] = (await inFile({ supervision: [entryOf(given)] })).supervision ?? []
        const checked = checkSpecification(given)
        expect(declared && checkSpecification(declared)).toEqual(checked)
        const { rules, children } = checked
        const data = { rules, parent: null, children: children.map(({ data }) => data) }
        expect(supervisorFacts.write({ type: 'SupervisorStarted', data }).data).toEqual(data)
      }),
      RUNS,
    )
  })

  test('budget and call minimum', async () => {
    const bounds = fc.record({ usd: maybe(dollars), tokens: maybe(count), minimum_usd: maybe(dollars) })
    await fc.assert(
      fc.asyncProperty(bounds, async ({ usd, tokens, minimum_usd }) => {
        const config = await inFile({ budget: { usd, tokens, minimum_usd } })
        const ofFile = checkBounds({ budget: config.budget, callMinimum: config.callMinimum })
        const ofCode = checkBounds({
          budget: { usd, tokens } as object,
          callMinimum: { usd: minimum_usd } as object,
        })
        const limit = (given = {}) => ({ usd: null, tokens: null, ...given })
        expect(limit(ofFile.budget)).toEqual(limit(ofCode.budget))
        expect(completed(CALL_MINIMUM, ofFile.callMinimum ?? {})).toEqual(
          completed(CALL_MINIMUM, ofCode.callMinimum ?? {}),
        )
        const data = { limit: limit(ofFile.budget) }
        expect(budgetFacts.write({ type: 'BudgetSet', data }).data).toEqual(data)
      }),
      RUNS,
    )
  })

  test('limits', async () => {
    const limits = fc.record(
      {
        callsInFlight: positive,
        processStarts: positive,
        mailbox: positive,
        inputBytes: positive,
        inputFiles: positive,
        cloneSeconds: positive,
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(limits, async (given) => {
        const { callsInFlight: calls_in_flight, processStarts: process_starts, mailbox } = given
        const { inputBytes: input_bytes, inputFiles: input_files, cloneSeconds: clone_seconds } = given
        const config = await inFile({
          limits: { calls_in_flight, process_starts, mailbox, input_bytes, input_files, clone_seconds },
        })
        expect(checkBounds({ limits: config.limits })).toEqual(checkBounds({ limits: given }))
      }),
      RUNS,
    )
  })
})

interface Drawn {
  readonly children: readonly { readonly supervisor?: Drawn }[]
}

/** The tree, with an id for each supervisor and child. */
function named({ children, ...rules }: Drawn, id: string, counter: { at: number }): object {
  return {
    id,
    ...rules,
    children: children.map(({ supervisor, ...child }) => {
      const own = `n${counter.at++}`
      if (!supervisor) return { ...child, agent: own }
      const { id: _, ...tree } = named(supervisor, own, counter) as { id: string }
      return { ...child, id: own, supervisor: tree }
    }),
  }
}

/** A tree from code, as it is written in a file. */
function entryOf({
  intensity,
  backoff,
  autoShutdown,
  children = [],
  ...rest
}: SupervisorSpecification): object {
  return {
    ...rest,
    max_restarts: intensity?.maxRestarts,
    within_ms: intensity?.withinMs,
    backoff: backoff && {
      min_ms: backoff.minMs,
      max_ms: backoff.maxMs,
      jitter: backoff.jitter,
      reset_after_ms: backoff.resetAfterMs,
    },
    auto_shutdown: autoShutdown,
    children: children.map(({ id, supervisor, ...child }) =>
      supervisor ? { ...child, supervisor: entryOf({ ...supervisor, id: id ?? '' }) } : child,
    ),
  }
}

/** Options in code, and their keys in a file. */
const KEYS = [
  ['agent', 'maxTurns', 'max_turns'],
  ['agent', 'model', 'model'],
  ['agent', 'allowedTools', 'allowed_tools'],
  ['agent', 'systemPrompt', 'system_prompt'],
  ['limits', 'callsInFlight', 'calls_in_flight'],
  ['limits', 'mailbox', 'mailbox'],
  ['budget', 'usd', 'usd'],
  ['budget', 'tokens', 'tokens'],
  ['supervision', 'strategy', 'strategy'],
  ['supervision', 'backoff.minMs', 'backoff.min_ms'],
  ['supervision', 'backoff.jitter', 'backoff.jitter'],
  ['supervision', 'autoShutdown', 'auto_shutdown'],
  ['child', 'restart', 'restart'],
  ['child', 'shutdown', 'shutdown'],
  ['child', 'significant', 'significant'],
] as const

/** Each value is valid for some keys and invalid for others. */
const VALUES: readonly unknown[] = [
  ...[0, 1, -1, 0.5, 1.5, 1e300, true, false],
  ...['', ' ', 'x', '-x', 'brutal', 'permanent', 'one-for-all', 'never'],
  ...[[], ['Read'], ['-'], [''], [1], {}, { usd: 1 }],
]

test.each(KEYS)('%s: %s in code and %s in a file accept the same values', async (concept, inCode, key) => {
  for (const value of VALUES) {
    const ofFile = await refusalOf(() => inFile(fileWith(concept, key, value)))
    const ofCode = await refusalOf(() => codeWith(concept, inCode, value))
    expect([value, ofFile]).toEqual([value, ofCode])
  }
})

async function refusalOf(work: () => unknown): Promise<'refused' | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    const isOurs = [ConfigError, InvalidInputError, InvalidSpecificationError].some(
      (known) => error instanceof known,
    )
    if (!isOurs) throw error
    return 'refused'
  }
}

const nested = (path: string, value: unknown): object =>
  path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object

const CHILD = { agent: 'a' }

function fileWith(concept: (typeof KEYS)[number][0], key: string, value: unknown): object {
  const part = nested(key, value)
  if (concept === 'agent') return { agents: [{ id: 'a', system_prompt: 'x', ...part }] }
  if (concept === 'supervision') return { supervision: [{ id: 't', children: [], ...part }] }
  if (concept === 'child') {
    const children = [{ ...CHILD, restart: 'transient', ...part }]
    return { supervision: [{ id: 't', auto_shutdown: 'any-significant', children }] }
  }
  return { [concept]: part }
}

function codeWith(concept: (typeof KEYS)[number][0], key: string, value: unknown): unknown {
  const part = nested(key, value)
  if (concept === 'agent') return agentConfig({ id: 'a', systemPrompt: 'x', ...part })
  if (concept === 'supervision') return checkSpecification({ id: 't', ...part } as SupervisorSpecification)
  if (concept === 'child') {
    const autoShutdown = 'any-significant'
    const child = { ...CHILD, restart: 'transient' as const, ...part }
    return checkSpecification({ id: 't', autoShutdown, children: [child] })
  }
  return checkBounds({ [concept]: part })
}

describe('a default is defined once:', () => {
  const defaults = agentConfig({ id: 'a', systemPrompt: 'x' })

  test.each<[string, string, unknown]>([
    ['agent_defaults', 'timeout', defaults.timeoutMs / 1000],
    ['agent_defaults', 'retry_attempts', defaults.retry.attempts],
    ['agent_defaults', 'max_turns', defaults.maxTurns ?? undefined],
    ['agent_defaults', 'model', defaults.model ?? undefined],
    ['agent_defaults', 'allowed_tools', defaults.allowedTools ?? undefined],
    ['budget', 'minimum_usd', completed(CALL_MINIMUM, {}).usd],
    ['budget', 'minimum_tokens', completed(CALL_MINIMUM, {}).tokens],
    ['limits', 'mailbox', LIMITS.mailbox.fallback],
    ['orchestrator', 'base_dir', ORCHESTRATOR.baseDir.fallback],
    ['orchestrator', 'max_agents', ORCHESTRATOR.maxAgents.fallback],
    ['orchestrator', 'session_persistence', ORCHESTRATOR.sessionPersistence.fallback],
    ['orchestrator', 'replace_inputs', ORCHESTRATOR.replaceInputs.fallback],
  ])('the documented default of %s.%s is the one that a program gets', (section, key, value) => {
    expect(SETTINGS[section]?.[key]?.fallback).toEqual(value)
  })

  test('the configuration of an agent without options has all defaults', () => {
    expect(defaults).toEqual({
      systemPrompt: 'x',
      allowedTools: null,
      maxTurns: null,
      model: null,
      timeoutMs: 1_800_000,
      retry: { attempts: 3, minDelayMs: 1000, maxDelayMs: 60_000 },
      permissions: 'workspace',
    })
  })

  test('the facts of a supervisor and a child without options have all defaults', () => {
    const { rules, children } = checkSpecification({ id: 't', backoff: {}, children: [{ agent: 'a' }] })
    expect(rules).toEqual({
      strategy: 'one-for-one',
      intensity: { maxRestarts: 1, withinMs: 5000 },
      backoff: { minMs: 200, maxMs: 10_000, jitter: 0.2, resetAfterMs: 200 },
      autoShutdown: 'never',
    })
    expect(children[0]?.data).toMatchObject({ restart: 'permanent', shutdown: 5000, type: 'worker' })
  })
})

describe('a mistake in code is reported with its place:', () => {
  const agent = (rest: object) => () => agentConfig({ id: 'a', systemPrompt: 'x', ...rest })
  const tree = (rest: object) => () => checkSpecification({ id: 'team', ...rest } as SupervisorSpecification)
  const bounds = (rest: object) => () => checkBounds(rest)

  test.each<[string, () => unknown]>([
    [
      'agent "a": there is no option "alowedTools". Nothing was written. Did you mean "allowedTools"?',
      agent({ alowedTools: [] }),
    ],
    [
      'retry: there is no option "atempts". Nothing was written. Did you mean "attempts"?',
      agent({ retry: { atempts: 1 } }),
    ],
    ['The system prompt: it is empty. Say what the agent is.', agent({ systemPrompt: ' ' })],
    ['The system prompt: it is empty. Say what the agent is.', agent({ systemPrompt: '' })],
    [
      'The system prompt: it is longer than 65536 bytes. Put the rest into a file of the workspace.',
      agent({ systemPrompt: 'x'.repeat(65_537) }),
    ],
    ['The system prompt: 7 is not a text. Say what the agent is.', agent({ systemPrompt: 7 })],
    ['agent "a": it has no systemPrompt. Say what the agent is.', agent({ systemPrompt: undefined })],
    ['timeoutMs: 0 is not a whole number of at least 1.', agent({ timeoutMs: 0 })],
    ['timeoutMs: "5m" is not a whole number of at least 1.', agent({ timeoutMs: '5m' })],
    ['retry.attempts: -1 is not a whole number of at least 0.', agent({ retry: { attempts: -1 } })],
    ['allowedTools: it is not a list.', agent({ allowedTools: { Read: true } })],
    [
      'allowedTools[1]: "Raed" is not a tool of Claude Code. Did you mean "Read"?',
      agent({ allowedTools: ['Read', 'Raed'] }),
    ],
    ['allowedTools[0]: "*" is not the name of a tool. Name each tool.', agent({ allowedTools: ['*'] })],
    [
      'allowedTools[0]: "mcp__github__*" is not the name of a tool. Write mcp__github for all tools of a server.',
      agent({ allowedTools: ['mcp__github__*'] }),
    ],
    [
      'allowedTools[0]: "Read Write" is not the name of a tool. Write each name on its own.',
      agent({ allowedTools: ['Read Write'] }),
    ],
    [
      'allowedTools[0]: " Bash" is not the name of a tool. Did you mean "Bash"?',
      agent({ allowedTools: [' Bash'] }),
    ],
    [
      'allowedTools[0]: "frobnicate_all" is not a tool of Claude Code. Write the name as Claude Code has it, such as Read, Edit, Bash(git *), WebSearch or mcp__server__tool.',
      agent({ allowedTools: ['frobnicate_all'] }),
    ],
    ['model: "-x" is not the name of a model.', agent({ model: '-x' })],
    ['permissions: "all" is neither "workspace" nor "bypass".', agent({ permissions: 'all' })],
    ['agent "a": there is no option "loadProjectSettings".', agent({ loadProjectSettings: true })],
    [
      'workspace.project: "yes" is neither true nor false.',
      agent({ workspace: { repo: '.', project: 'yes' } }),
    ],
    ['budget.usd: -1 is not an amount of dollars. As in { usd: 3 }', agent({ budget: { usd: -1 } })],
    [
      'agentDefaults: there is no option "timeout". Did you mean "timeoutMs"?',
      bounds({ agentDefaults: { timeout: 3 } }),
    ],
    ['maxAgents: 0 is not a whole number of at least 1.', bounds({ maxAgents: 0 })],
    ['limits: there is no limit "mailboxes". Did you mean "mailbox"?', bounds({ limits: { mailboxes: 1 } })],
    ['limits.mailbox: -1 is not a whole number of at least 1.', bounds({ limits: { mailbox: -1 } })],
    ['budget: 3 is not { usd, tokens }. As in { usd: 3 }', bounds({ budget: 3 })],
    ['budget: there is no "dollars". Choose one of: usd, tokens.', bounds({ budget: { dollars: 3 } })],
    ['budget.tokens: 1.5 is not a whole number of tokens. As in', bounds({ budget: { tokens: 1.5 } })],
    ['budget.usd: "3" is not an amount of dollars. As in { usd: 3 }', bounds({ budget: { usd: '3' } })],
    ['callMinimum.usd: NaN is not an amount of dollars.', bounds({ callMinimum: { usd: Number.NaN } })],
    [
      'supervisor "team", child 2 ("writer"): restart: "x" is not one of permanent, transient, temporary. Nothing was started.',
      tree({ children: [{ agent: 'a' }, { agent: 'writer', restart: 'x' }] }),
    ],
    [
      'supervisor "under": there is no "chldren". Nothing was started. Did you mean "children"?',
      tree({ children: [{ id: 'under', supervisor: { chldren: [] } }] }),
    ],
    [
      'supervisor "team", child 1 ("a"): argument: it is not JSON.',
      tree({ children: [{ agent: 'a', argument: { at: new Date() } }] }),
    ],
    [
      'supervisor "under", child 1 ("a"): there is no "restrat". Nothing was started. Did you mean "restart"?',
      tree({ children: [{ id: 'under', supervisor: { children: [{ agent: 'a', restrat: 1 }] } }] }),
    ],
    [
      'supervisor "team": intensity: it has no period. Nothing was started. Say withinMs, in ms.',
      tree({ intensity: { maxRestarts: 1 } }),
    ],
    [
      'supervisor "team": intensity.maxRestarts: -1 is not a whole number of at least 0.',
      tree({ intensity: { maxRestarts: -1, withinMs: 1 } }),
    ],
    ['supervisor "team": backoff.jitter: 2 is not a number from 0 to 1.', tree({ backoff: { jitter: 2 } })],
    [
      'supervisor "team", child 1: "../etc" is not a valid agent id.',
      tree({ children: [{ agent: '../etc' }] }),
    ],
    [
      'supervisor "team", child 1 ("a"): shutdown: "soon" is neither a number of ms from 0 on, nor',
      tree({ children: [{ agent: 'a', shutdown: 'soon' }] }),
    ],
    ['the specification: it has no id. Nothing was started.', tree({ id: undefined })],
    [
      'supervisor "team", child ("a"): significant: "x" is neither true nor false.',
      tree({ strategy: 'dynamic', child: { agent: 'a', significant: 'x' } }),
    ],
  ])('%s', (message, refused) => {
    expect(refused).toThrow(message)
  })

  test('createAgent and declareAgent refuse a misspelt option and write nothing', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    const options = { ...ECHO, alowedTools: ['Read'] }
    for (const attempt of [orchestrator.createAgent(options), orchestrator.declareAgent(options)])
      await expect(attempt).rejects.toMatchObject({
        _tag: 'InvalidInputError',
        hint: 'Did you mean "allowedTools"?',
      })
    expect(await here.store.head()).toBe(0)
  })
})

test('the documented interfaces have the types of the schemas', () => {
  type Explained<T> = Omit<T, 'start' | 'supervisor' | 'children' | 'child'>
  expectTypeOf<Explained<ChildSpecification>>().toEqualTypeOf<Explained<ChildTree>>()
  expectTypeOf<Explained<SupervisorSpecification>>().toEqualTypeOf<Explained<SupervisorTree>>()
  expectTypeOf<keyof ChildSpecification>().toEqualTypeOf<keyof ChildTree>()
  expectTypeOf<keyof SupervisorSpecification>().toEqualTypeOf<keyof SupervisorTree>()
  const schema = Schema.Struct({ one: Schema.optionalKey(Schema.String) })
  explainedBy<{ readonly one?: string }>()(schema)
  // @ts-expect-error: the interface has an extra key
  explainedBy<{ readonly one?: string; readonly two?: string }>()(schema)
  // @ts-expect-error: the schema has an extra key
  explainedBy<object>()(schema)
  // @ts-expect-error: the interface allows more
  explainedBy<{ readonly one?: string | number }>()(schema)
})

test('the tool names of other frameworks are understood as Claude Code’s, with their scopes', () => {
  const allowedTools = [
    'read_file',
    'write_file',
    'execute_command(git *)',
    'web_search',
    'mcp__github__search',
  ]
  expect(agentConfig({ id: 'a', systemPrompt: 'x', allowedTools }).allowedTools).toEqual([
    'Read',
    'Write',
    'Bash(git *)',
    'WebSearch',
    'mcp__github__search',
  ])
})

test.each<[string, (orchestrator: Orchestrator) => unknown]>([
  [
    'The task: there is no part "text_input". Did you mean "textInput"?',
    (orchestrator) => orchestrator.sendTask('a', { prompt: 'x', text_input: 'y' } as never),
  ],
  [
    'The task: there is no part "outputSchema". Choose one of: prompt, textInput, files, folders, repos, replace.',
    (orchestrator) => orchestrator.sendTask('a', { prompt: 'x', outputSchema: {} } as never),
  ],
  [
    'The task: there is no part "folder". Did you mean "folders"?',
    (orchestrator) => orchestrator.run(sequential(['a']), { prompt: 'x', folder: [] } as never),
  ],
  [
    'The options of ask: there is no option "sesion". Did you mean "session"?',
    (orchestrator) => orchestrator.sendTask('a', 'x', { sesion: 'fresh' } as never),
  ],
  [
    'The options of Orchestrator.open: there is no option "basedir". Did you mean "baseDir"?',
    () => Orchestrator.open({ basedir: '/nowhere' } as never),
  ],
])('a misspelt key is refused before anything is written: %s', async (message, act) => {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  const written = await orchestrator.store.head()
  await expect((async () => act(orchestrator))()).rejects.toThrow(message)
  expect(await orchestrator.store.head()).toBe(written)
})
