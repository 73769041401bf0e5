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
