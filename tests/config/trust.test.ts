/** A configuration file that was found, not named, leaves its folder and grants tools only if the user trusts it. */
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type ConfigSources, loadConfig, readConfigFile } from '../../src/config/configuration.ts'
import { trust as trustContent, untrust } from '../../src/config/trust.ts'

let root: string
let folder: string
let file: string
let environment: Record<string, string>

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'claude-agents-')))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  folder = join(root, 'repo')
  file = join(folder, 'claude-agents.yaml')
  environment = { XDG_STATE_HOME: join(root, 'state') }
  await mkdir(join(folder, 'deep'), { recursive: true })
  await mkdir(join(root, 'mine'))
})

const load = (sources: ConfigSources = {}) => loadConfig({ directory: folder, environment, ...sources })
const trust = async (path = file) =>
  trustContent({ path, text: await readConfigFile(path) }, environment, { alone: true })
const refusal = async (sources?: ConfigSources): Promise<string> => {
  const error = await load(sources).then(
    () => expect.unreachable('it was loaded'),
    (reason) => reason,
  )
  expect(error).toMatchObject({ _tag: 'ConfigNotTrustedError' })
  expect(error.hint).toContain('claude-agents config trust')
  return error.summary
}

describe('a file that the user has not trusted', () => {
  test.each([
    'orchestrator: { max_agents: 3, base_dir: ./here/deep }',
    'agents: [{ id: a, system_prompt: x, model: opus }]',
    'agents: [{ id: a, system_prompt: x, allowed_tools: [] }]',
    'agents: [{ id: a, system_prompt: x, append_claude_md: x, team: false }]',
    'notify: [{ bell: true, on: [held] }]',
    'workflows: [{ name: x, pattern: race, agents: [a] }]\nlimits: { mailbox: 3 }\nbudget: { usd: 1 }',
  ])('may do what stays in its folder: %j', async (text) => {
    await writeFile(file, text)
    expect(await load({ directory: join(folder, 'deep') })).toMatchObject({ file })
    expect(await readdir(root)).not.toContain('state')
  })

  test.each([
    ['orchestrator: { base_dir: ../mine }', 'the base directory'],
    ['orchestrator: { base_dir: / }', 'the base directory'],
    ['orchestrator: { base_dir: ./link/store }', 'the base directory'],
    ['orchestrator: { base_dir: ./link }', 'the base directory'],
    ['orchestrator: { base_dir: ./dangling }', 'the base directory'],
    ['orchestrator: { base_dir: ./deep/../../mine }', 'the base directory'],
    ['agent_defaults: { allowed_tools: [Read] }', '1:34: it grants tools to all agents'],
    ['agents: [{ id: a, system_prompt: x, allowed_tools: [Bash] }]', '1:52: it grants tools to a'],
    ['agent_defaults: { approve_tools: [Bash] }', '1:34: it grants tools, on approval, to all agents'],
    [
      'agents: [{ id: a, system_prompt: x, approve_tools: [Bash] }]',
      '1:52: it grants tools, on approval, to a',
    ],
    ['agent_defaults: { env: [KEY] }', '1:24: it passes variables of your environment to all agents'],
    ['agent_defaults: { add_dirs: [..] }', '1:29: it opens other directories to all agents'],
    ['agent_defaults: { plugins: [./p] }', '1:28: it gives plugins, which run as you, to all agents'],
    [
      'agents: [{ id: a, system_prompt: x, mcp_servers: { s: { command: sh } } }]',
      '1:50: it gives MCP servers to a',
    ],
    ['agent_defaults: { mcp_servers: { s: { command: sh } } }', '1:32: it gives MCP servers to all agents'],
    ['agents: [{ id: a, system_prompt: x, team: true }]', '1:43: it grants the tools of a team to a'],
    ['agents: [{ id: a, system_prompt: x, team: [ask_agent] }]', 'it grants the tools of a team to a'],
    ['agent_defaults: { append_claude_md: x }', '1:37: it gives instructions to all agents'],
    ['claude: { path: ./claude }', '1:17: it names a program to run'],
    ['claude: { path: sh }', '1:17: it names a program to run'],
    ['notify: [{ command: [sh] }]', '1:21: it names a program to run'],
    [
      'cluster: { database: "postgresql://me@h/d" }',
      '1:22: it names the database that your prompts and answers go to',
    ],
    ['cluster: { listen: "0.0.0.0:1" }', '1:20: it lets a worker listen at an address'],
    ['cluster: { advertise: "h:1" }', '1:23: it sends the other workers to an address'],
    ['cluster: { health: "0.0.0.0:1" }', '1:20: it lets a worker answer at an address'],
    ['cluster: { labels: [gpu] }', '1:20: it lets a worker have agents that require them'],
    [
      'notify: [{ webhook: { url: "https://example.com/hook/SECRET" } }]',
      '1:21: it tells https://example.com what happens.',
    ],
  ])('may not: %j', async (text, reason) => {
    await symlink(join(root, 'mine'), join(folder, 'link'))
    await symlink(join(root, 'nothing'), join(folder, 'dangling'))
    await writeFile(file, text)
    expect(await refusal()).toContain(reason)
    // Named, it is trusted; and without it, nothing is asked.
    if (!text.includes('claude')) expect(await load({ file })).toMatchObject({ file })
    await trust()
    expect((await load()).untrusted).toBeUndefined()
    expect(await untrust(file, environment)).toBe(true)
    await refusal()
  })

  test.each([
    ['agents: [{ id: a, system_prompt: x }]', 'it declares agents for the base directory'],
    ['agent_defaults: { model: x }', 'it has agent_defaults for the base directory'],
    ['budget: { usd: 1000 }', 'it has budget for the base directory'],
    ['supervision: [{ id: team, children: [{ agent: a }] }]', 'it supervises agents for the base directory'],
  ])(
    'may not change a store that is not in its folder, even if the user names the store: %j',
    async (text, reason) => {
      await writeFile(file, text)
      expect(await load()).toMatchObject({ file })
      const baseDir = join(root, 'mine')
      expect(await refusal({ options: { 'orchestrator.base_dir': baseDir } })).toContain(reason)
      expect(await refusal({ environment: { ...environment, CLAUDE_AGENTS_BASE_DIR: baseDir } })).toContain(
        reason,
      )
      const database = 'postgresql://127.0.0.1/agents'
      expect(await refusal({ environment: { ...environment, CLAUDE_AGENTS_DATABASE: database } })).toContain(
        reason.replace('the base directory', 'a database'),
      )
      // The default directory may be a link that came with the repository.
      await symlink(baseDir, join(folder, '.claude-agents'))
      expect(await refusal()).toContain(reason)
    },
  )

  test('is overridden by what the user says', async () => {
    await writeFile(file, 'orchestrator: { base_dir: ../mine }\nagent_defaults: { allowed_tools: [Bash] }\n')
    const options = { 'orchestrator.base_dir': './here', 'agent_defaults.allowed_tools': 'Read' }
    expect(
      await load({ options: { ...options, 'orchestrator.base_dir': join(folder, 'here') } }),
    ).toMatchObject({
      agentDefaults: { allowedTools: ['Read'] },
    })
  })

  test('can be looked at, with what it would do', async () => {
    await writeFile(file, 'claude: { path: ./claude }\n')
    expect((await load({ untrusted: 'load' })).untrusted).toMatchObject([
      { problem: 'it names a program to run' },
    ])
  })
})

describe('trust', () => {
  beforeEach(() => writeFile(file, 'agent_defaults: { allowed_tools: [Read] }\n'))

  test('is for the content that the user has seen, and the last one only', async () => {
    const text = await readConfigFile(file)
    await trust()
    await load()
    await writeFile(file, text.replace('Read', 'Bash'))
    expect(await refusal()).toContain('has changed since you trusted it')
    await trust()
    await load()
    await writeFile(file, text)
    await refusal()
  })

  test('is for the file in this folder: a copy or a link elsewhere is another file', async () => {
    await trust()
    const other = join(root, 'other')
    await mkdir(other)
    await symlink(file, join(other, 'claude-agents.yaml'))
    await refusal({ directory: other })
    await rename(folder, join(root, 'moved'))
    await refusal({ directory: join(root, 'moved') })
    // The same folder under another name is the same folder.
    await symlink(join(root, 'moved'), folder)
    await refusal()
    await rm(folder)
    await rename(join(root, 'moved'), folder)
    await symlink(folder, join(root, 'alias'))
    await load({ directory: join(root, 'alias') })
  })

  test('is kept for the user alone', async () => {
    await trust()
    const kept = join(root, 'state/claude-agents/trusted')
    const [name = ''] = await readdir(kept)
    const modeOf = async (path: string) => (await stat(path)).mode & 0o777
    expect([await modeOf(join(kept, name)), await modeOf(kept)]).toEqual([0o600, 0o700])
    // What others could have written, or a link to it, is none.
    await chmod(join(kept, name), 0o666)
    await refusal()
    await chmod(join(kept, name), 0o600)
    await load()
    await rename(join(kept, name), join(root, 'kept'))
    await symlink(join(root, 'kept'), join(kept, name))
    await refusal()
    expect(dirname(kept)).toContain('claude-agents')
  })

  test('that was never given cannot be taken back', async () => {
    expect(await untrust(file, environment)).toBe(false)
  })
})
