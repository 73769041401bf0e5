/** What a user sees after a wrong command line, and hints that can be copied as they stand. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { corrected, OWN_WORDS, readInput, SHORT_COMMANDS } from '../../src/cli/interactive/input.ts'
import { commandProgram, helpHint } from '../../src/cli/program.ts'
import { asTyped } from '../../src/cli/terminal/own-name.ts'
import { commandLine, quickCommandLine } from './command.ts'

test('A missing argument is reported once, with the help of the command that was meant', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['agent', 'ask', 'writer'])
  expect(exitCode).toBe(2)
  expect(stderr).toBe("error: missing required argument 'prompt'\n  See claude-agents agent ask --help")
})

test('An option that took the words of an argument is named, with where to write it', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['agent', 'create', 'a', '--approve', 'Bash', 'You build.'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain(
    '--approve takes all words that follow it: write it last. See claude-agents agent create',
  )
})

test('A question without quotes gets the hint to quote it', async () => {
  const { run } = await commandLine()
  for (const words of [
    ['agent', 'ask', 'writer'],
    ['message', 'send', 'writer'],
    ['note', 'write', 'plan'],
  ]) {
    const { stderr, exitCode } = await run([...words, 'What', 'is', 'this'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Put text of several words in quotes.')
  }
})

test('The name of an agent where a stream is meant leads to its stream', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  for (const word of ['state', 'replay']) {
    const { stderr, exitCode } = await run([word, 'writer'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Use KIND/ID, for example agent/writer.')
  }
})

test('A wrong time is answered with every way to write it', async () => {
  const { run } = await commandLine()
  const { stderr } = await run(['log', '--since', '2x'])
  expect(stderr).toContain('Write it as 30m, 2h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z.')
})

test('Where a command takes no text, nothing is said of quotes', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['agent', 'list', 'writer'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('See claude-agents agent list --help')
  expect(stderr).not.toContain('quotes')
})

test('A mistyped command, also after help, a run and a stream get the name that was probably meant', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  await run(['workflow', 'run', 'writer', 'go', '--id', 'report-2026'])
  for (const [words, meant] of [
    [['agnet'], 'agent'],
    [['ask', 'agent', 'Why?'], 'agent ask'],
    [['held'], 'agent held'],
    [['approve', 't1'], 'agent approve'],
    [['list'], 'agent list'],
    [['log', '--type', 'TaskFialed'], 'TaskFailed'],
    [['help', 'workflw'], 'workflow'],
    [['help', 'agent', 'crate'], 'create'],
    [['agent', 'show', 'writter'], 'writer'],
    [['workflow', 'show', 'report-2025'], 'report-2026'],
    [['workflow', 'cancel', 'report'], 'report-2026'],
    [['workflow', 'resume', 'report-26'], 'report-2026'],
    [['fork', '--run', 'reprot-2026', '--at', '1'], 'report-2026'],
    [['state', 'agent/writr'], 'agent/writer'],
    [['replay', 'agent/witer'], 'agent/writer'],
    [['diff', 'run/report-202', '0', '1'], 'run/report-2026'],
    [['log', 'export', '--stream', 'agents/writer'], 'agent/writer'],
    [['log', 'why', '3'], 'claude-agents why'],
    [['log', 'tail'], 'claude-agents tail'],
    [['agent', 'inbox'], 'claude-agents inbox'],
  ] as const) {
    const { stderr, exitCode } = await run(words)
    expect([words, exitCode === 0, stderr]).toEqual([
      words,
      meant === 'TaskFailed',
      expect.stringMatching(new RegExp(`Did you mean "?${meant}"?\\?`)),
    ])
  }
})

test('An empty path is refused', async () => {
  const { run } = await commandLine()
  for (const option of ['--base-dir', '--config'])
    expect(await run([option, '', 'agent', 'list'])).toMatchObject({ exitCode: 2, stdout: '' })
})

test('Without a subcommand there is help on stderr, and no cryptic error', async () => {
  const { run } = await commandLine()
  const { stdout, stderr, exitCode } = await run(['agent'])
  expect(exitCode).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/^Usage: claude-agents agent/)
  expect(stderr).not.toContain('error')
  expect(JSON.parse((await run(['agent', '--json'])).stderr.split('\n').at(-1) ?? '')).toMatchObject({
    error: { code: 'UsageError', message: 'a command is missing' },
  })
})

test('A single word for workflow run is the task, and the missing agents are reported', async () => {
  const { run } = await commandLine()
  const { stderr, exitCode } = await run(['workflow', 'run', 'writer'])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/^error: The agents: none is given, as the last word is the task\./)
})

test('The hint names the help of the innermost command', async () => {
  expect(await helpHint([])).toBe('claude-agents --help')
  expect(await helpHint(['--json', 'agnet', 'list'])).toBe('claude-agents --help')
  expect(await helpHint(['agent', '--base-dir', 'x', 'ask', 'log'])).toBe('claude-agents agent ask --help')
})

test('Hints begin with npx for users of npx, and for no others', () => {
  const npx = { npm_lifecycle_event: 'npx', npm_lifecycle_script: "'claude-agents' 'agent' 'list'" }
  const hint = 'Make one: claude-agents init, see claude-agents.yaml, or npx claude-agents init'
  expect(asTyped(hint, npx)).toBe(
    'Make one: npx claude-agents init, see claude-agents.yaml, or npx claude-agents init',
  )
  for (const environment of [{}, { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'vitest' }])
    expect(asTyped(hint, environment)).toBe(hint)
})

test('Hints carry --simulate where the command did, and nowhere else', () => {
  const hint = 'Make one: claude-agents init, or npx claude-agents log, see claude-agents.yaml'
  for (const words of [
    ['--simulate', 'agent', 'list'],
    ['agent', 'list', '--simulate'],
  ])
    expect(asTyped(hint, {}, words)).toBe(
      'Make one: claude-agents --simulate init, or npx claude-agents --simulate log, see claude-agents.yaml',
    )
  for (const words of [
    ['agent', 'list'],
    ['agent', 'ask', 'writer', '--', '--simulate'],
  ])
    expect(asTyped(hint, {}, words)).toBe(hint)
  const already = 'Ask it: claude-agents --simulate agent ask writer'
  expect(asTyped(already, {}, ['--simulate'])).toBe(already)
})

test('A hint copied into an interactive session is a command, not a question to the agent', () => {
  expect(readInput('claude-agents agent list', 'writer')).toEqual({
    type: 'command',
    words: ['agent', 'list'],
  })
  expect(readInput('npx claude-agents workflow resume "r 1"', null)).toEqual({
    type: 'command',
    words: ['workflow', 'resume', 'r 1'],
  })
  expect(readInput('claude-agents is what we work on', 'writer')).toMatchObject({ type: 'ask' })
})

const slip = fc
  .record({
    name: fc.constantFrom(...OWN_WORDS, ...Object.keys(SHORT_COMMANDS)),
    at: fc.nat(8),
    letter: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'),
    how: fc.constantFrom('left out', 'twice', 'swapped', 'wrong', 'too many'),
  })
  .map(({ name, at, letter, how }) => {
    const place = at % name.length
    const [before, here, after] = [name.slice(0, place), name.charAt(place), name.slice(place + 1)]
    if (how === 'left out') return before + after
    if (how === 'twice') return before + here + here + after
    if (how === 'swapped') return before + after.charAt(0) + here + after.slice(1)
    return how === 'wrong' ? before + letter + after : before + here + letter + after
  })

/** Slips that are words with which sentences begin as well. */
const ENGLISH =
  /^(answers?|approve|are|asked|asks|attac[hk]|create|deny|diff|exist|exit|for[ek]|hel[dp]s?|here|hold|last|late|lest|let|lists?|log|long|lo[st]e?|lost|mask|reset|rest|reply|sho[pt]|shows?|slow|stop|state|step|stats?|top|tops|tips?|too|up|used?|users?|save|see|serve|most|more|end)$/
const QUESTION = /^(as|how|is|its?|no|of|on|or|so|that|then|this|to|us|wait|was|what|when|who|why|with)$/

test('A slip in the name of a command never reaches the agent, however long the line is', () => {
  const words = fc.array(fc.constantFrom('writer', 'task:writer:t1', 'the', '"of it"', '--by', 'me'), {
    maxLength: 8,
  })
  fc.assert(
    fc.property(slip, words, fc.constantFrom('', '/'), (word, more, slash) => {
      const rest = more.join(' ')
      fc.pre(word.length > 1 && word !== 'ask' && !QUESTION.test(word))
      fc.pre(!ENGLISH.test(word) || rest.trim().split(/\s+/).length < 3)
      expect(readInput(`${slash}${word} ${rest}`, 'writer', ['writer']).type).not.toBe('ask')
    }),
  )
})

test('No command of the command line is taken for a question', () => {
  const program = commandProgram()
  const names = program.commands.map((command) => command.name())
  expect(names.length).toBeGreaterThan(30)
  const asked = names.filter((name) => readInput(name, 'writer').type === 'ask')
  // These begin questions as well: the first word of a hint that was copied says that it is a command.
  expect(asked.filter((name) => !['wait', 'why', 'complete'].includes(name))).toEqual([])
  for (const name of names.filter((each) => each !== 'complete' && each !== 'help'))
    expect(readInput(`claude-agents ${name} x`, 'writer')).toMatchObject({ type: 'command' })
})

test('What is meant by a slip is the line with its command corrected', () => {
  for (const [meant, typed, line] of [
    ['list', 'lsit', 'list'],
    ['show', '/shwo  writer', 'show writer'],
    ['deny', 'dney task:writer:t1  "not now"', 'deny task:writer:t1  "not now"'],
    ['ask writer', 'ask writr What is  new?', 'ask writer What is  new?'],
    ['claude-agents agent list', 'agent list', 'claude-agents agent list'],
    ['help', '/anything', 'help'],
  ] as const)
    expect(corrected(meant, typed)).toBe(line)
})

test('What looks like a mistyped command of a session is neither run nor asked', () => {
  for (const [typed, meant] of [
    ['lsit', 'list'],
    ['List', 'list'],
    ['hepl', 'help'],
    ['exti', 'exit'],
    ['shwo writer', 'show'],
    ['/sessons', 'sessions'],
    ['agent list', 'claude-agents agent list'],
    ['status', 'claude-agents status'],
    ['shwo the agent that is called writer', 'show'],
    [
      'agent aks writer "What is new in the world?"',
      'claude-agents agent aks writer "What is new in the world?"',
    ],
    ['claude-agents inbxo approve task:writer:t1', 'claude-agents inbox approve task:writer:t1'],
    ['/anything', 'help'],
  ] as const)
    expect(readInput(typed, 'writer')).toEqual({ type: 'unsure', meant, typed })
  for (const typed of [
    'hello',
    'lost in the list of things',
    'What is this',
    'sort them',
    'top of the morning to you',
    'Show me how the tides work',
    'how are you',
    'Why?',
  ])
    expect(readInput(typed, 'writer')).toEqual({ type: 'ask', prompt: typed })
  expect(readInput('ask lsit', 'writer')).toEqual({ type: 'ask', prompt: 'lsit' })
})
