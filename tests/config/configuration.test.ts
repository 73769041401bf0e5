import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type ConfigSources, loadConfig } from '../../src/config/configuration.ts'
import { SETTING_KEYS, variableOf } from '../../src/config/layers.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true }))
})

const write = (text: string, name = 'claude-agents.yaml') =>
  writeFile(join(folder, name), text, { mode: 0o644 })
/** Whatever only a trusted file may do: see trust.test.ts. */
const load = (sources: ConfigSources = {}) =>
  loadConfig({ directory: folder, environment: {}, untrusted: 'load', ...sources })
const problem = (sources?: ConfigSources) =>
  load(sources).then(
    () => 'none',
    (error) => error.message.replaceAll(`${folder}/`, ''),
  )

describe('the configuration file', () => {
  test('is found upwards, and its paths are relative to it', async () => {
    await write(`
orchestrator: { base_dir: ./agents, max_agents: 7, session_persistence: false }
limits: { calls_in_flight: 4, process_starts: 2, mailbox: 50 }
budget: { usd: 12.5, tokens: 100000, minimum_usd: 0.05 }
agent_defaults: { max_turns: 2, timeout: 300, retry_attempts: 1, model: opus, allowed_tools: [Read] }
logging: { level: DEBUG, file: agents.log }
claude: { path: bin/claude }
agents:
  - { id: researcher, system_prompt: You are a research specialist, max_turns: 3, budget: { usd: 3 } }
`)
    const below = join(folder, 'a/b')
    await mkdir(below, { recursive: true })
    expect(await load({ directory: below })).toMatchObject({
      file: join(folder, 'claude-agents.yaml'),
      baseDir: join(folder, 'agents'),
      maxAgents: 7,
      sessionPersistence: false,
      agentDefaults: {
        maxTurns: 2,
        timeoutMs: 300_000,
        retry: { attempts: 1 },
        model: 'opus',
        allowedTools: ['Read'],
      },
      limits: { callsInFlight: 4, processStarts: 2, mailbox: 50 },
      budget: { usd: 12.5, tokens: 100_000 },
      callMinimum: { usd: 0.05 },
      logLevel: 'debug',
      logFile: join(folder, 'agents.log'),
      claudePath: join(folder, 'bin/claude'),
      agents: [
        { id: 'researcher', systemPrompt: 'You are a research specialist', maxTurns: 3, budget: { usd: 3 } },
      ],
    })
  })

  test('gives servers to all agents, or to one that then has no others; their paths are relative to it', async () => {
    await write(
      'agent_defaults: { mcp_servers: { own_Docs: { command: ./docs, env: { K: { file: key } } } } }\nagents: [{ id: a, system_prompt: x, mcp_servers: { s: { command: sh } } }, { id: b, system_prompt: x }]',
    )
    const { agentDefaults, agents } = await load()
    expect(agentDefaults?.mcpServers).toEqual({
      own_Docs: { command: join(folder, 'docs'), env: { K: { file: join(folder, 'key') } } },
    })
    expect(agents?.map(({ mcpServers }) => mcpServers)).toEqual([{ s: { command: 'sh' } }, undefined])
  })

  test('may be JSON, may be empty, may have empty sections, and is optional', async () => {
    await write('{ "orchestrator": { "max_agents": 3 } }', 'claude-agents.json')
    expect(await load()).toMatchObject({ maxAgents: 3 })
    for (const nothing of ['', '# nothing', 'orchestrator:\nagents:\n']) {
      await write(nothing, 'claude-agents.json')
      const { settings, ...rest } = await load()
      expect(rest).toEqual({ file: join(folder, 'claude-agents.json') })
      expect(settings.every(({ from }) => from === 'default')).toBe(true)
    }
    await rm(join(folder, 'claude-agents.json'))
    expect(await load()).toMatchObject({ file: null })
  })

  test('that names a program which an option replaces may be written by others', async () => {
    await write('claude: { path: ./claude }')
    await chmod(join(folder, 'claude-agents.yaml'), 0o666)
    expect(await problem({ options: { 'claude.path': '/usr/bin/claude' } })).toBe('none')
  })

  test.each(['claude: { path: ./claude }', 'notify: [{ command: [./tell] }]'])(
    'that names a program is rejected if other users can write to it: %j',
    async (text) => {
      await write(text)
      await chmod(join(folder, 'claude-agents.yaml'), 0o666)
      expect(await problem()).toContain('other users can write to it')
    },
  )

  test('names receivers of notifications, whose paths are relative to it', async () => {
    await write(`
notify:
  - { command: [./tell.sh, ./as-it-is], on: [held] }
  - { command: [notify-send, claude-agents] }
  - { webhook: { url: "https://example.com/hook", secret: { file: secrets/hook } } }
  - { id: other, webhook: { url: "https://example.com/hook", secret: { env: HOOK_SECRET } } }
  - { bell: true }
`)
    expect((await load()).notify).toEqual([
      { command: [join(folder, 'tell.sh'), './as-it-is'], on: ['held'] },
      { command: ['notify-send', 'claude-agents'] },
      { webhook: { url: 'https://example.com/hook', secret: { file: join(folder, 'secrets/hook') } } },
      { id: 'other', webhook: { url: 'https://example.com/hook', secret: { env: 'HOOK_SECRET' } } },
      { bell: true },
    ])
  })

  test.each([
    ['notify: [{ bell: true, on: [hold] }]', '1:29'],
    ['notify: [{ command: notify-send }]', '1:21'],
    ['notify: [{ webhook: { url: "https://me:SECRET@example.com" } }]', '1:28'],
    ['notify: [{ webhook: { url: "https://example.com", secret: SECRET } }]', '1:59'],
    ['notify: [{ webhook: { url: "https://example.com", secret: { env: "$SECRET" } } }]', '1:66'],
    ['notify: [{ bell: true }, { bell: true }]', '1:9'],
  ])('is told where a receiver is wrong, and never its secret: %j', async (text, place) => {
    await write(text)
    const said = await problem()
    expect(said).toContain(`claude-agents.yaml:${place}: `)
    expect(said).not.toContain('SECRET')
  })

  test('must exist if it is requested by name', async () => {
    await expect(load({ file: join(folder, 'none.yaml') })).rejects.toMatchObject({ _tag: 'ConfigError' })
  })
})

/** A value for each layer, of the type that the key takes. */
const VALUES: Readonly<Record<string, readonly [file: string, variable: string, option: string]>> = {
  'orchestrator.base_dir': ['/of-file', '/of-variable', '/of-option'],
  'orchestrator.max_agents': ['1', '2', '3'],
  'orchestrator.session_persistence': ['false', 'true', 'FALSE'],
  'orchestrator.replace_inputs': ['true', 'false', 'true'],
  'agent_defaults.max_turns': ['1', '2', '3'],
  'agent_defaults.timeout': ['1', '2', '3'],
  'agent_defaults.retry_attempts': ['0', '1', '2'],
  'agent_defaults.model': ['of-file', '7', 'of-option'],
  'agent_defaults.allowed_tools': ['[Read]', 'Grep, Glob', 'Bash'],
  'agent_defaults.approve_tools': ['[Read]', 'Grep, Glob', 'Bash'],
  'agent_defaults.questions': ['false', 'true', 'false'],
  'agent_defaults.on_message': ['queue', 'wake', 'hold'],
  'agent_defaults.disallowed_tools': ['[Read]', 'Grep, Glob', 'Bash'],
  'agent_defaults.effort': ['low', 'medium', 'high'],
  'agent_defaults.fallback_model': ['of-file', '7', 'of-option'],
  'agent_defaults.requires': ['[gpu]', 'eu', 'big, gpu'],
  'agent_defaults.add_dirs': ['[/dir-1]', '/dir-2', '/dir-3, /dir-1'],
  'agent_defaults.append_claude_md': ['of-file', 'of-variable', 'of-option'],
  'agent_defaults.env': ['[OF_FILE]', 'OF_VARIABLE', 'OF_OPTION'],
  'agent_defaults.plugins': ['[/dir-1]', '/dir-2', '/dir-3, /dir-1'],
  'limits.calls_in_flight': ['1', '2', '3'],
  'limits.process_starts': ['1', '2', '3'],
  'limits.mailbox': ['1', '2', '3'],
  'limits.agents_in_memory': ['1', '2', '3'],
  'limits.quiet_ms': ['1', '2', '3'],
  'limits.input_bytes': ['1', '2', '3'],
  'limits.input_files': ['1', '2', '3'],
  'limits.clone_seconds': ['1', '2', '3'],
  'budget.usd': ['1.5', '2.5', '3.5'],
  'budget.tokens': ['1', '2', '3'],
  'budget.minimum_usd': ['0.1', '0.2', '0.3'],
  'budget.minimum_tokens': ['1', '2', '3'],
  'budget.cache_read_weight': ['0', '0.5', '1'],
  'logging.level': ['ERROR', 'Debug', 'info'],
  'logging.file': ['/of-file', '/of-variable', '/of-option'],
  'cluster.database': ['postgresql://h/file', 'postgresql://h/variable', 'postgresql://h/option'],
  'cluster.listen': ['h:1', 'h:2', 'h:3'],
  'cluster.advertise': ['h:1', 'h:2', 'h:3'],
  'cluster.health': ['h:1', 'h:2', 'h:3'],
  'cluster.drain': ['1', '2', '3'],
  'cluster.labels': ['[gpu]', 'eu', 'big, gpu'],
  'claude.path': ['/of-file', '/of-variable', '/of-option'],
}
/** What a text is parsed as, where that is not a string. */
const MEANT: Readonly<Record<string, unknown>> = {
  '[Read]': ['Read'],
  'Grep, Glob': ['Grep', 'Glob'],
  Bash: ['Bash'],
  '[/dir-1]': ['/dir-1'],
  '/dir-2': ['/dir-2'],
  '/dir-3, /dir-1': ['/dir-3', '/dir-1'],
  '[OF_FILE]': ['OF_FILE'],
  OF_VARIABLE: ['OF_VARIABLE'],
  OF_OPTION: ['OF_OPTION'],
  '[gpu]': ['gpu'],
  eu: ['eu'],
  'big, gpu': ['big', 'gpu'],
  ERROR: 'error',
  Debug: 'debug',
  true: true,
  false: false,
  FALSE: false,
}

describe('the command line overrides the environment, which overrides the file, which overrides the default:', () => {
  test('every key is in the table below', () => {
    expect(Object.keys(VALUES).sort()).toEqual([...SETTING_KEYS].sort())
  })

  test.each(Object.entries(VALUES))('%s', async (key, [file, variable, option]) => {
    const [section, name] = key.split('.')
    const resolved = async (sources: ConfigSources) => {
      const { settings } = await load(sources)
      const { value, from, place } = settings.find((setting) => setting.key === key) ?? {}
      return { value, from, place }
    }
    const meant = (text: string) => {
      if (text in MEANT) return MEANT[text]
      return key.endsWith('model') || Number.isNaN(Number(text)) ? text : Number(text)
    }
    const variables = { [variableOf(key) ?? '']: variable }
    expect((await resolved({})).from).toBe('default')
    await write(`${section}:\n  ${name}: ${file}\n`)
    const place = `${join(folder, 'claude-agents.yaml')}:2:${(name?.length ?? 0) + 5}`
    expect(await resolved({})).toEqual({ value: meant(file), from: 'file', place })
    expect(await resolved({ environment: variables })).toEqual({
      value: meant(variable),
      from: 'environment',
      place: variableOf(key),
    })
    expect(await resolved({ environment: { [variableOf(key) ?? '']: '' } })).toMatchObject({ from: 'file' })
    const all = { environment: variables, options: { [key]: option } }
    expect(await resolved(all)).toEqual({ value: meant(option), from: 'command line', place: null })
  })
})

describe('a mistake is reported with its place, and with what to write instead:', () => {
  test.each([
    // Names.
    [
      'orchestrater:\n  max_agents: 1',
      'claude-agents.yaml:1:1: there is no section "orchestrater". Did you mean "orchestrator"?',
    ],
    [
      'orchestrator:\n  max_agent: 1',
      'claude-agents.yaml:2:3: there is no key "max_agent" in orchestrator. Did you mean "max_agents"?',
    ],
    [
      'agents:\n  - id: a\n    system_promt: x\n    system_prompt: x',
      'claude-agents.yaml:3:5: there is no key "system_promt" in agents[0]. Did you mean "system_prompt"?',
    ],
    [
      'surprise: 1',
      'claude-agents.yaml:1:1: there is no section "surprise". Choose one of: orchestrator, agent_defaults, ',
    ],
    ['__proto__: { x: 1 }', 'claude-agents.yaml:1:1: there is no section "__proto__".'],
    [
      'orchestrator: { __proto__: 3 }',
      'claude-agents.yaml:1:17: there is no key "__proto__" in orchestrator.',
    ],
    ['constructor: 1', 'claude-agents.yaml:1:1: there is no section "constructor".'],
    // Values.
    [
      'agents:\n  - id: a\n    system_prompt: x\n    workspace: { repo: ., branch: a..b }',
      'claude-agents.yaml:4:35: agents[0].workspace.branch: "a..b" is not a name that git allows for a branch. Use letters, ',
    ],
    [
      'orchestrator:\n  max_agents: many',
      'claude-agents.yaml:2:15: orchestrator.max_agents: must be a number, not "many". Meaning: how many agents may exist at once (default: 100).',
    ],
    [
      'orchestrator:\n  max_agents: 0',
      'claude-agents.yaml:2:15: orchestrator.max_agents: must be greater than or equal to 1, not 0. Meaning: ',
    ],
    [
      'orchestrator:\n  max_agents: 1.5',
      'claude-agents.yaml:2:15: orchestrator.max_agents: must be a whole number, not 1.5. Meaning: ',
    ],
    [
      'orchestrator: { session_persistence: maybe }',
      'claude-agents.yaml:1:38: orchestrator.session_persistence: must be true or false, not "maybe". Meaning: ',
    ],
    [
      'logging:\n  level: loud',
      'claude-agents.yaml:2:10: logging.level: must be debug or info or warn or error or silent, not "loud". Meaning: the lowest level that is logged (default: warn).',
    ],
    [
      'claude:\n  path: ""',
      'claude-agents.yaml:2:9: claude.path: must not be empty. Meaning: the claude command',
    ],
    ['orchestrator: [1]', 'claude-agents.yaml:1:15: orchestrator: must be a mapping of keys to values.'],
    ['[1]', 'claude-agents.yaml:1:1: the file: must be a mapping of keys to values.'],
    ['agents: a', 'claude-agents.yaml:1:9: agents: must be a list, not "a".'],
    [
      'agents:\n  writer: { system_prompt: You write. }',
      'claude-agents.yaml:2:3: agents: must be a list. Begin each of its entries with "- ".',
    ],
    [
      'agent_defaults:\n  allowed_tools: Read',
      'claude-agents.yaml:2:18: agent_defaults.allowed_tools: must be a list, not "Read". Meaning: tools that need no permission.',
    ],
    // Missing or duplicate values.
    ['agents:\n  - id: a', 'claude-agents.yaml:2:5: agents[0] has no system_prompt. Add system_prompt: ...'],
    [
      'agents:\n  - { id: a, system_prompt: x }\n  - { id: a, system_prompt: y }',
      'claude-agents.yaml:3:11: there is already an agent "a". Choose another id for this one.',
    ],
    // Syntax.
    ['orchestrator: {', 'claude-agents.yaml:1:16: this is not valid YAML: '],
    ['a: 1\na: 2', 'claude-agents.yaml:2:1: this is not valid YAML: Map keys must be unique.'],
    // Malicious files.
    [
      'a: &a [x]\nb: &b [*a,*a]\norchestrator: *b',
      'claude-agents.yaml: it contains aliases (*name), which are not supported. Write the value out.',
    ],
    ['['.repeat(500_000), 'claude-agents.yaml: it is nested more than 64 levels deep.'],
    ['- '.repeat(300_000), 'claude-agents.yaml: it is nested more than 64 levels deep.'],
    ['#'.repeat(2 ** 24 + 1), 'claude-agents.yaml: it is larger than 16777216 bytes.'],
  ])('%.60j', async (text, message) => {
    await write(text)
    expect(await problem()).toContain(message)
  })

  test('a file of more than 1 MiB is read, as the prompts of many agents are long', async () => {
    const prompts = Array.from({ length: 30 }, (_, at) => `${at} ${'x'.repeat(40_000)}`)
    await write(
      JSON.stringify({ agents: prompts.map((text, at) => ({ id: `a${at}`, system_prompt: text })) }),
    )
    const { agents = [] } = await load()
    expect(agents.map(({ systemPrompt }) => systemPrompt)).toEqual(prompts)
  })

  test('all mistakes are reported at once', async () => {
    await write('orchestrator: { max_agents: 0 }\nlogging: { level: loud, fil: x }')
    expect((await problem()).split('\n')).toHaveLength(3)
  })

  test('a mistake in a variable or an option is reported under its name', async () => {
    expect(await problem({ environment: { CLAUDE_AGENTS_MAX_AGENTS: 'x' } })).toContain(
      'CLAUDE_AGENTS_MAX_AGENTS: orchestrator.max_agents: must be a number, not "x".',
    )
    expect(await problem({ options: { 'orchestrator.max_agents': '-1' } })).toContain(
      '--set: orchestrator.max_agents: must be greater than or equal to 1, not -1.',
    )
    expect(await problem({ options: { 'orchestrator.max_agent': '1' } })).toContain(
      '--set: there is no key "orchestrator.max_agent". Did you mean "orchestrator.max_agents"?',
    )
  })
})

describe('the workflows in the configuration file', () => {
  test('are a pattern, agents and options, by name', async () => {
    await write(`
workflows:
  - name: report
    pattern: pipeline
    agents: [researcher, { workflow: review }]
    prompts: ['Research: {{input}}', null]
  - { name: review, pattern: parallel, agents: [a, { pool: b, size: 2 }], concurrency: 2, on_error: fail }
`)
    expect((await load()).workflows).toEqual([
      {
        name: 'report',
        pattern: 'pipeline',
        agents: ['researcher', { workflow: 'review' }],
        options: { prompts: ['Research: {{input}}', null] },
      },
      {
        name: 'review',
        pattern: 'parallel',
        agents: ['a', { pool: 'b', size: 2 }],
        options: { concurrency: 2, onError: 'fail' },
      },
    ])
  })

  test.each([
    ['- { nam: x }', '2:5: there is no key "nam" in workflows[0]. Did you mean "name"?'],
    // Which resembles "votes" a little.
    ['- { steps: [a] }', '2:5: there is no key "steps" in workflows[0]. Choose one of: name, '],
    [
      '- name: x\n  patern: parallel\n  agents: [a]',
      '3:3: there is no key "patern" in workflows[0]. Did you mean "pattern"?',
    ],
    ['- { name: x, agents: [a] }', '2:3: workflows[0] has no pattern. Add pattern: ...'],
    [
      '- { name: x, pattern: paralel, agents: [a] }',
      '2:23: there is no pattern "paralel". Did you mean "parallel"?',
    ],
    ['- { name: x, pattern: parallel, agents: [] }', '2:41: there are no agents'],
    ['- { name: x, pattern: parallel, agents: a }', '2:41: workflows[0].agents: must be a list'],
    ['- { name: x, pattern: parallel, agents: [a, a] }', '2:41: parallel cannot have "a" twice'],
    ['- { name: x, pattern: debate, agents: [a] }', '2:39: debate takes at least 2 agents, not 1'],
    ['- { name: x, pattern: race, agents: [a], votes: 2 }', '2:49: the pattern race has no such option'],
    ['- { name: x, pattern: vote, agents: [a], votes: 0 }', '2:49: workflows[0].votes: must be'],
    [
      '- { name: x, pattern: pipeline, agents: [a], prompts: [b, c] }',
      '2:55: there are 2 prompts for 1 agents',
    ],
    ['- { name: x, pattern: race, agents: [{ pool: a }] }', '2:38: a step is an agent, { pool'],
    ['- { name: x, pattern: race, agents: [{ workflow: y }] }', '2:37: there is no workflow "y"'],
    [
      '- { name: x, pattern: race, agents: [a] }\n- { name: x, pattern: race, agents: [a] }',
      '3:11: there is already a workflow "x"',
    ],
    [
      '- { name: x, pattern: race, agents: [{ workflow: y }] }\n- { name: y, pattern: race, agents: [{ workflow: x }] }',
      '2:37: the workflow contains itself: x -> y -> x',
    ],
  ])('%j is rejected with its place', async (list, message) => {
    await write(`workflows:\n${list}\n`)
    expect(await problem()).toContain(`claude-agents.yaml:${message}`)
  })
})

test('Whatever does not fit together is reported at once, wherever it is', async () => {
  await write(`agents:
  - { id: a, system_prompt: x }
  - { id: a, system_prompt: y }
workflows:
  - { name: one, pattern: sequencial, agents: [a] }
  - { name: two, pattern: paralel, agents: [a] }
cluster: { database: h }
`)
  const said = await problem()
  for (const place of [
    '3:11: there is already',
    '5:27: there is no',
    '6:27: there is no',
    '7:22: it is not a',
  ])
    expect(said).toContain(`claude-agents.yaml:${place}`)
})

test('The database of a log may be in the file, its password only in the environment, and none of it is shown', async () => {
  const loaded = (text: string, environment = {}) => write(text).then(() => load({ environment }))
  const config = await loaded('cluster: { database: postgresql://me@h/d, drain: 60 }')
  expect(config.cluster).toEqual({ database: 'postgresql://me@h/d', drain: 60 })
  await expect(loaded('cluster: { databse: x }')).rejects.toThrow('database')
  await expect(loaded('cluster: { database: "postgresql://me:s3cret@h/d" }')).rejects.toThrow(
    '1:22: it has a password',
  )
  await expect(loaded('cluster: { database: h }')).rejects.toThrow('not a URL of a PostgreSQL database')
  const url = 'postgresql://me:s3cret@h/d'
  const secret = await loaded('', { CLAUDE_AGENTS_DATABASE: url })
  expect(secret.cluster?.database).toBe(url)
  expect(JSON.stringify(secret.settings)).not.toContain('s3cret')
})
