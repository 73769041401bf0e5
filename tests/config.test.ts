import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../src/config.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true }))
})

const write = (text: string, name = 'claude-agents.yaml') =>
  writeFile(join(folder, name), text, { mode: 0o644 })
const problem = () =>
  loadConfig({ directory: folder }).then(
    () => 'none',
    (error) => error.message.replace(`${folder}/`, ''),
  )

describe('the configuration file', () => {
  test('is found upwards, and its paths are relative to where it lies', async () => {
    await write(
      'orchestrator:\n  base_dir: ./agents\n  max_agents: 7\nlogging: { level: debug }\nclaude: { path: bin/claude }\n',
    )
    const below = join(folder, 'a/b')
    await mkdir(below, { recursive: true })
    expect(await loadConfig({ directory: below })).toEqual({
      file: join(folder, 'claude-agents.yaml'),
      baseDir: join(folder, 'agents'),
      maxAgents: 7,
      logLevel: 'debug',
      claudePath: join(folder, 'bin/claude'),
    })
  })

  test('may be JSON, may be empty, and need not be there', async () => {
    await write('{ "orchestrator": { "max_agents": 3 } }', 'claude-agents.json')
    expect(await loadConfig({ directory: folder })).toMatchObject({ maxAgents: 3 })
    await write('', 'claude-agents.json')
    expect(await loadConfig({ directory: folder })).toEqual({ file: join(folder, 'claude-agents.json') })
    await rm(join(folder, 'claude-agents.json'))
    expect(await loadConfig({ directory: folder })).toEqual({ file: null })
  })

  test.each([
    [
      'orchestrater:\n  max_agents: 1',
      'claude-agents.yaml:1:1: there is no section "orchestrater". Did you mean "orchestrator"?',
    ],
    [
      'orchestrator:\n  max_agent: 1',
      'claude-agents.yaml:2:3: there is no orchestrator key "max_agent". Did you mean "max_agents"?',
    ],
    ['orchestrator:\n  max_agents: many', 'claude-agents.yaml:2:15: orchestrator.max_agents:'],
    ['orchestrator:\n  max_agents: 0', 'claude-agents.yaml:2:15: orchestrator.max_agents:'],
    ['logging:\n  level: loud', 'claude-agents.yaml:2:10: logging.level:'],
    ['orchestrator: [1]', 'claude-agents.yaml:1:15: orchestrator must be a mapping'],
    ['orchestrator: {', 'claude-agents.yaml:1:16: this is not valid YAML'],
    ['a: 1\na: 2', 'this is not valid YAML: Map keys must be unique'],
    ['__proto__: { x: 1 }', 'there is no section "__proto__"'],
    ['a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\norchestrator: *c', 'there is no section "a"'],
  ])('%j is refused with its place', async (text, message) => {
    await write(text)
    expect(await problem()).toContain(message)
  })

  test('that names a program is refused when others can write it', async () => {
    await write('claude: { path: ./claude }')
    await chmod(join(folder, 'claude-agents.yaml'), 0o666)
    expect(await problem()).toContain('others than you can write it')
  })

  test('that is asked for by name must be there', async () => {
    await expect(loadConfig({ file: join(folder, 'none.yaml') })).rejects.toMatchObject({
      _tag: 'ConfigError',
    })
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
    expect((await loadConfig({ directory: folder })).workflows).toEqual([
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
    ['- { nam: x }', '2:5: there is no workflow key "nam". Did you mean "name"?'],
    [
      '- name: x\n  patern: parallel\n  agents: [a]',
      '3:3: there is no workflow key "patern". Did you mean "pattern"?',
    ],
    ['- { name: x, agents: [a] }', '2:3: the workflow has no pattern'],
    [
      '- { name: x, pattern: paralel, agents: [a] }',
      '2:23: there is no pattern "paralel". Did you mean "parallel"?',
    ],
    ['- { name: x, pattern: parallel, agents: [] }', '2:41: there are no agents'],
    ['- { name: x, pattern: parallel, agents: a }', '2:41: agents must be a list'],
    ['- { name: x, pattern: parallel, agents: [a, a] }', '2:41: parallel cannot have "a" twice'],
    ['- { name: x, pattern: debate, agents: [a] }', '2:39: debate takes at least 2 agents, not 1'],
    ['- { name: x, pattern: race, agents: [a], votes: 2 }', '2:49: it does not go with the pattern race'],
    ['- { name: x, pattern: vote, agents: [a], votes: 0 }', '2:49: votes:'],
    ['- { name: x, pattern: pipeline, agents: [a], prompts: [b, c] }', '2:55: there are 2 for 1 agents'],
    ['- { name: x, pattern: race, agents: [{ pool: a }] }', '2:38: a step is an agent, { pool'],
    ['- { name: x, pattern: race, agents: [{ workflow: y }] }', '2:37: there is no workflow "y"'],
    ['- &a { name: x, pattern: race, agents: [a] }\n- *a', '3:3: a workflow must be a mapping'],
    [
      '- { name: x, pattern: race, agents: [a] }\n- { name: x, pattern: race, agents: [a] }',
      '3:11: there is a workflow "x" already',
    ],
    [
      '- { name: x, pattern: race, agents: [{ workflow: y }] }\n- { name: y, pattern: race, agents: [{ workflow: x }] }',
      '2:37: the workflow contains itself: x -> y -> x',
    ],
  ])('%j is refused with its place', async (list, message) => {
    await write(`workflows:\n${list}\n`)
    expect(await problem()).toContain(`claude-agents.yaml:${message}`)
  })
})
