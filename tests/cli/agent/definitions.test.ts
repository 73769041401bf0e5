/** `agent import` and `agent export`: the JSON contract, repetition, and folders that hold more than definitions. */
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { quickCommandLine } from '../command.ts'

const REVIEWER =
  '---\nname: Code Reviewer\ndescription: Reviews\ntools: Read, Grep\nmodel: opus\n---\n\nYou review.\n'
const WRITER = '---\nname: writer\n---\nYou write.\n'

test('agent import creates the agents of a project, tells what it drops, and the others go on if one is refused', async () => {
  const { run, folder } = await quickCommandLine()
  const agents = join(folder, '.claude/agents')
  await mkdir(join(agents, 'team'), { recursive: true })
  await writeFile(join(folder, 'secret.md'), '---\nname: secret\n---\nYou leak.\n')
  await writeFile(join(agents, 'a-twin.md'), WRITER.replace('writer', 'Writer'))
  await writeFile(join(agents, 'readme.md'), '# Our agents\n')
  await writeFile(join(agents, 'notes.txt'), WRITER)
  await writeFile(join(agents, 'team/reviewer.md'), REVIEWER)
  await writeFile(join(agents, 'writer.md'), WRITER)
  await symlink('../../secret.md', join(agents, 'out.md'))
  await symlink('nowhere.md', join(agents, 'lost.md'))
  execFileSync('mkfifo', [join(agents, 'pipe.md')])

  const imported = await run(['agent', 'import', '.', '--json'])
  const from = (name: string) => join('.claude/agents', name)
  expect(imported.values).toEqual([
    { id: 'writer', from: from('a-twin.md'), dropped: ['name: Writer'] },
    { id: 'code-reviewer', from: from('team/reviewer.md'), dropped: ['description', 'name: Code Reviewer'] },
  ])
  expect(imported.exitCode).toBe(1)
  const said = imported.stderr
  for (const [name, problem] of [
    ['lost.md', 'it is a link that leads out'],
    ['out.md', 'it is a link that leads out'],
    ['pipe.md', 'it is a pipe, not a file'],
    ['writer.md', 'a-twin.md defines the agent'],
  ])
    expect(said).toMatch(new RegExp(`${from(name ?? '')}: .*${problem}`))
  expect(said).toMatch(/Skipped .*readme.md, which defines no agent/)
  expect(said).not.toContain('notes.txt')

  const [reviewer] = (await run(['agent', 'list', '--json'])).values
  expect(reviewer).toMatchObject({ id: 'code-reviewer', version: 1 })
})

test('agent import can be repeated: it writes only what has changed, and leaves other settings as they are', async () => {
  const { run, folder } = await quickCommandLine()
  const file = join(folder, 'writer.md')
  await run(['agent', 'create', 'writer', 'You write badly.', '--timeout', '7', '--tools', 'Read'])
  await writeFile(file, WRITER)
  const version = async () => (await run(['agent', 'show', 'writer', '--json'])).values[0]?.version
  for (const change of ['first', 'none', 'second']) {
    const before = await version()
    if (change === 'second') await writeFile(file, WRITER.replace('write.', 'write well.'))
    const { values, exitCode } = await run(['agent', 'import', 'writer.md', '--json'])
    expect([values, exitCode]).toEqual([[{ id: 'writer', from: 'writer.md', dropped: [] }], 0])
    expect(await version()).toBe(Number(before) + (change === 'none' ? 0 : 1))
  }
  const facts = (await run(['log', '--agent', 'writer', '--json'])).values as readonly { data?: object }[]
  expect(facts.at(-1)?.data).toMatchObject({
    config: { systemPrompt: 'You write well.', timeoutMs: 7000, allowedTools: ['Read'] },
  })
})

test('agent import passes over a README among agents, and is refused where there are no agents', async () => {
  const { run, folder } = await quickCommandLine()
  await writeFile(join(folder, 'README.md'), '# Our agents')
  const none = await run(['agent', 'import', '.'])
  expect([none.exitCode, none.stderr]).toEqual([
    1,
    expect.stringContaining('README.md: it has no front matter'),
  ])
  const asJson = await run(['agent', 'import', '.', '--json'])
  expect(JSON.parse(asJson.stderr)).toMatchObject({
    error: { message: expect.stringContaining('no front matter'), hint: expect.stringContaining('---') },
  })
  await writeFile(join(folder, 'writer.md'), WRITER)
  const { exitCode, stdout, stderr } = await run(['agent', 'import', '.'])
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining('Imported writer')])
  expect(stderr).toContain('Skipped README.md')
})

test('agent create names the tool of --team that does not exist', async () => {
  const { run } = await quickCommandLine()
  const { exitCode, stderr } = await run(['agent', 'create', 'a', 'You help.', '--team', 'ask_agnt'])
  expect([exitCode, stderr]).toEqual([
    2,
    expect.stringMatching(/"ask_agnt".*not a tool of the team.*"ask_agent"/s),
  ])
})

test('agent import says what is wrong with a place before it makes a store', async () => {
  const { run, folder } = await quickCommandLine()
  for (const [path, said] of [
    ['gone', 'gone: it cannot be read'],
    ['.', 'it has no Markdown files'],
  ] as const) {
    const { exitCode, stderr } = await run(['agent', 'import', path])
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(said)])
  }
  await writeFile(join(folder, 'a.md'), 'You help.')
  expect((await run(['agent', 'import', 'a.md'])).exitCode).toBe(1)
  expect((await run(['agent', 'list'])).stderr).toContain('does not exist')
})

test('agent export writes a file that agent import reads', async () => {
  const { run, folder } = await quickCommandLine()
  await run([
    'agent',
    'create',
    'writer',
    'You write: "well".',
    '--tools',
    'Read',
    'Bash(git *)',
    '--model',
    'opus',
  ])
  const text = [
    ...['---', 'name: "writer"', 'description: "You write: \\"well\\"."', 'tools: "Read, Bash(git *)"'],
    ...['model: "opus"', '---', '', 'You write: "well".'],
  ].join('\n')
  expect((await run(['agent', 'export', 'writer'])).stdout).toBe(text)
  const { values } = await run(['agent', 'export', 'writer', '.', '--json'])
  expect(values).toEqual([{ id: 'writer', file: 'writer.md', dropped: ['timeoutMs', 'retry'] }])
  expect(await readFile(join(folder, 'writer.md'), 'utf8')).toBe(`${text}\n`)
  expect((await run(['agent', 'export', 'writer', 'writer.md'])).stderr).toContain('it already exists')
  expect((await run(['agent', 'import', 'writer.md', '--json'])).values).toEqual([
    { id: 'writer', from: 'writer.md', dropped: ['description'] },
  ])
  expect((await run(['agent', 'export', 'nobody'])).exitCode).toBe(1)
})

test('agent import takes the servers that a file configures only if it is told to', async () => {
  const { run, folder } = await quickCommandLine()
  const servers = 'mcpServers: { docs: { command: ./docs } }\n'
  await writeFile(join(folder, 'writer.md'), WRITER.replace('writer\n', `writer\n${servers}`))
  const dropped = ['mcpServers: docs (--mcp-servers)']
  expect((await run(['agent', 'import', 'writer.md', '--json'])).values).toMatchObject([{ dropped }])
  const shown = async () => (await run(['agent', 'show', 'writer', '--json'])).values[0]?.mcpServers
  expect(await shown()).toBeUndefined()
  const words = ['agent', 'import', 'writer.md', '--mcp-servers', '--json']
  expect((await run(words)).values).toMatchObject([{ dropped: [] }])
  expect(await shown()).toEqual({ docs: { command: join(folder, 'docs') } })
})
