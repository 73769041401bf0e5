/** Agents as Claude Code defines them: what a file gives, what it cannot, and files that were made to do harm. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { definitionOf, readAgentDefinition, redefined } from '../../src/config/agent-definition.ts'
import { InvalidInputError } from '../../src/events/errors/usage.ts'
import { type AgentOptions, agentConfig } from '../../src/events/options/agent.ts'

let file: string

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  file = join(folder, 'a.md')
})

async function read(text: string | Buffer) {
  await writeFile(file, text)
  return readAgentDefinition(file)
}

describe('A definition', () => {
  test.each([
    ['a list', 'tools:\n  - Read\n  - Bash(git log, git diff)\n', ['Read', 'Bash(git log, git diff)'], []],
    ['names between commas', 'tools: Read, Grep,Bash(git *)\n', ['Read', 'Grep', 'Bash(git *)'], []],
    ['a list in brackets', 'tools: [Read, "Grep"]\n', ['Read', 'Grep'], []],
    ['none', '', undefined, []],
    ['an empty list', 'tools: []\n', [], []],
    ['all tools of a server', 'tools: Read, mcp__github__*\n', ['Read', 'mcp__github'], []],
    [
      'names that no tool has',
      'tools: Read, Search Files, "*"\n',
      ['Read'],
      ['tools: Search Files', 'tools: *'],
    ],
    [
      'what is not allowed as well',
      'tools: Read, Bash(git *), Write\ndisallowedTools: Bash, Write(secret)\n',
      ['Read'],
      ['tools: Bash(git *)', 'tools: Write'],
    ],
  ])('names its tools as %s', async (_, front, tools, dropped) => {
    const { options, dropped: without } = await read(`---\nname: helper\n${front}---\nYou help.\n`)
    expect([options.allowedTools, without]).toEqual([tools, dropped])
  })

  test('gives an id, a prompt, a model and turns; what an agent cannot have is told', async () => {
    const front = [
      'name: Code Reviewer (Senior)',
      'description: Reviews code',
      'model: opus',
      'maxTurns: 5',
      'color: blue',
      'permissionMode: bypassPermissions',
    ].join('\n')
    expect(await read(`\ufeff---\r\n${front}\r\n---\r\n\r\nYou review.\n\n---\nBe kind.\n`)).toEqual({
      options: {
        id: 'code-reviewer-senior',
        systemPrompt: 'You review.\n\n---\nBe kind.',
        model: 'opus',
        maxTurns: 5,
      },
      dropped: ['description', 'color', 'permissionMode', 'name: Code Reviewer (Senior)'],
    })
    const odd = await read('---\nname: a\nmodel: -x\nmaxTurns: many\n---\nYou help.')
    expect(odd).toEqual({
      options: { id: 'a', systemPrompt: 'You help.' },
      dropped: ['model: -x', 'maxTurns: many'],
    })
    expect((await read('---\nname: a\nmodel: inherit\n---\nYou help.')).dropped).toEqual([])
  })

  test('may be no valid YAML: a description with colons, examples and quotes', async () => {
    const description =
      'description: Use this agent when: code is done. Examples:\n<example>\nuser: "x: y"\n</example>\n'
    const { options, dropped } = await read(
      `---\nname: helper\n${description}tools: Read, Edit\n---\nYou help.`,
    )
    expect([options.id, options.allowedTools, dropped]).toEqual(['helper', ['Read', 'Edit'], ['description']])
  })

  test('of no valid YAML may have keys that we do not know, and comments: what comes before them ends there', async () => {
    const { options, dropped } = await read(
      [
        ...['---', 'name: helper', 'description: When: always.', '# Not a comment: a text.', 'model: opus'],
        ...['# Why: it is the best.', 'tools: ["Read", "Bash(git *)"]', 'category: quality', 'related:'],
        ...[
          '  agents: [tester, checker]',
          '  see: [/review]',
          'allowed-paths: src, docs',
          '---',
          'You help.',
        ],
      ].join('\n'),
    )
    expect(options).toEqual({
      ...{ id: 'helper', systemPrompt: 'You help.', model: 'opus', allowedTools: ['Read', 'Bash(git *)'] },
    })
    expect(dropped).toEqual(['description', 'category', 'related', 'allowed-paths'])
  })

  test('with a long prompt is whole', async () => {
    const prompt = `You help. ${'é'.repeat(30_000)}`
    expect((await read(`---\nname: helper\n---\n${prompt}\n`)).options.systemPrompt).toBe(prompt)
  })

  test.each([
    ['no front matter', 'You help.', 'it has no front matter'],
    ['front matter without an end', '---\nname: a\n', 'it has no front matter'],
    ['no name', '---\ndescription: x\n---\nYou help.', 'its front matter has no name'],
    ['a name that is no text', '---\nname: "!!!"\n---\nYou help.', 'makes no id'],
    ['no prompt', '---\nname: a\n---\n  \n', 'The system prompt'],
    ['a prompt that is too long', `---\nname: a\n---\n${'x'.repeat(70_000)}`, 'is longer than 65536 bytes'],
    ['other bytes than UTF-8', Buffer.from([0x2d, 0x2d, 0x2d, 0xff, 0xfe]), 'it is not text in UTF-8'],
    ['a zero byte', '---\nname: a\n---\nYou\0help.', 'it has a zero byte'],
    ['more than 1 MiB', `---\nname: a\n---\n${'x'.repeat(2 ** 20)}`, 'it is larger than 1048576 bytes'],
    ['aliases that grow', `---\na: &a [x]\nb: &b [*a, *a]\nname: ${'['.repeat(2000)}\n---\nx`, 'makes no id'],
  ])('of a file with %s is refused by the name of the file', async (_, text, said) => {
    const refused = await read(text).catch((error) => error)
    expect(refused).toBeInstanceOf(InvalidInputError)
    expect(refused.message).toContain(said)
    expect(refused.message).toContain(file)
  })

  test.each([
    ['quotes', "'", 'x'],
    ['commas', 'a,', ''],
    ['blank lines', '\n', 'x'],
    ['parentheses', '(,', ''],
  ])('whose tools are %s without end is read no slower than it is long', async (_, part, end) => {
    // A search that began anew at each of them would take minutes.
    const many = part.repeat(200_000 / part.length)
    const { options } = await read(`---\nname: a\ndescription: a: b\ntools: x${many}${end}\n---\nYou help.`)
    expect(options.id).toBe('a')
  })

  test('of a directory or nothing is refused', async () => {
    await expect(readAgentDefinition(tmpdir())).rejects.toThrow('not a file')
    await expect(readAgentDefinition(`${file}.gone`)).rejects.toThrow('cannot be read')
  })
})

test('an agent that is exported names what the file does not say of it', () => {
  const dropped = (options: Partial<AgentOptions> = {}) =>
    definitionOf('a', agentConfig({ id: 'a', systemPrompt: 'You help.', ...options })).dropped
  expect(dropped()).toEqual(['timeoutMs', 'retry'])
  const asking = dropped({ approveTools: ['Bash'], questions: true, permissions: 'bypass' })
  expect([...asking].sort()).toEqual(['approveTools', 'permissions', 'questions', 'retry', 'timeoutMs'])
})

test('what a file says of effort, disallowed tools and servers is carried over, and no secret in it is repeated', async () => {
  const front = (servers: string) =>
    `---\nname: a\neffort: high\ndisallowedTools: Bash, WebFetch\nmcpServers:${servers}\n---\nYou help.`
  const { options, servers, dropped } = await read(
    front(
      '\n  - slack\n  - docs: { command: ./docs }\n  - web: { url: "https://e.com", headers: { Authorization: hunter22 } }',
    ),
  )
  expect(options).toMatchObject({ effort: 'high', disallowedTools: ['Bash', 'WebFetch'] })
  expect(servers).toEqual({ docs: { command: join(file, '../docs') } })
  expect(dropped).toEqual(['mcpServers: slack', 'mcpServers: web'])
  expect((await read('---\nname: a\neffort: huge\n---\nYou help.')).dropped).toEqual(['effort: huge'])
  for (const text of [' token=hunter22, x', ' { "hunter22 is it": 1 }', '\n - : hunter22: x'])
    expect((await read(front(text))).dropped).toEqual(['mcpServers'])
})

test('an agent that is exported and imported again is the same agent, and its other settings stay', async () => {
  const text = fc
    .string({ minLength: 1, unit: 'grapheme' })
    .filter((each) => !/\0/.test(each) && each.trim() === each && each !== '')
  const tools = fc.option(
    fc.subarray(['Read', 'Bash(git *)', 'Edit', 'mcp__github', 'WebFetch(domain:a.b)']),
    { nil: undefined },
  )
  await fc.assert(
    fc.asyncProperty(
      text,
      tools,
      fc.constantFrom(undefined, 'opus', 'claude-x'),
      fc.constantFrom(
        {},
        { effort: 'max' as const, disallowedTools: ['WebSearch', 'Write(a, b)'] },
        { mcpServers: { docs: { command: '/docs', env: { KEY: '$' + '{KEY}' }, required: true } } },
      ),
      async (systemPrompt, allowedTools, model, equipment) => {
        const options = {
          id: 'a',
          systemPrompt,
          timeoutMs: 7,
          ...equipment,
          ...(allowedTools && { allowedTools }),
          ...(model && { model }),
        }
        const config = agentConfig(options)
        const definition = await read(definitionOf('a', config).text)
        expect(agentConfig(redefined(config, definition))).toEqual(config)
        expect(definition.servers).toEqual(config.mcpServers)
      },
    ),
    { numRuns: 50 },
  )
})

test('an export says that the file asks no person: what is imported from it elsewhere uses its tools unasked', () => {
  const asking = { allowedTools: ['Bash'], approveTools: ['Bash'], questions: true }
  const { dropped } = definitionOf('a', agentConfig({ id: 'a', systemPrompt: 'You help.', ...asking }))
  expect(dropped).toEqual(['timeoutMs', 'approveTools', 'questions', 'retry'])
})
