import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { readInput, splitWords } from '../../../src/cli/interactive/input.ts'
import { answer } from '../../../src/testing/model/answer.ts'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { CLAUDE, MAIN, QUICK_CLAUDE, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

describe('what is typed', () => {
  test.each([
    ['list', { type: 'command', words: ['agent', 'list'] }],
    ['/list', { type: 'command', words: ['agent', 'list'] }],
    ['show', { type: 'command', words: ['agent', 'show', 'a'] }],
    ['show b', { type: 'command', words: ['agent', 'show', 'b'] }],
    ['replay', { type: 'command', words: ['replay', 'agent/a'] }],
    ['replay --step', { type: 'command', words: ['replay', 'agent/a', '--step'] }],
    ['state run/r1 --at 3', { type: 'command', words: ['state', 'run/r1', '--at', '3'] }],
    ['create b "You \\"help\\"."', { type: 'command', words: ['agent', 'create', 'b', 'You "help".'] }],
    ["workflow run a b 'a task'", { type: 'command', words: ['workflow', 'run', 'a', 'b', 'a task'] }],
    ['cancel t1', { type: 'command', words: ['agent', 'cancel', 'a', 't1'] }],
    ['use b', { type: 'use', agent: 'b' }],
    ['use', { type: 'wrong', usage: 'use ID' }],
    ['create b', { type: 'wrong', usage: 'create ID "PROMPT"' }],
    ['create b "open', { type: 'wrong', usage: 'create ID "PROMPT"' }],
    ['What is new?', { type: 'ask', prompt: 'What is new?' }],
    ['ask list the causes', { type: 'ask', prompt: 'list the causes' }],
    ['list\nof many lines', { type: 'ask', prompt: 'list\nof many lines' }],
    ['inbox', { type: 'command', words: ['inbox'] }],
    ['inbox deny task:b:t1', { type: 'command', words: ['inbox', 'deny', 'task:b:t1'] }],
    ['approve task:b:t1', { type: 'command', words: ['inbox', 'approve', 'task:b:t1'] }],
    ['approve t1 --agent b', { type: 'command', words: ['agent', 'approve', 't1', '--agent', 'b'] }],
    ['approve', { type: 'wrong', usage: 'approve ID' }],
    [
      "deny task:b:t1 it isn't done",
      { type: 'command', words: ['inbox', 'deny', 'task:b:t1', '--reason', "it isn't done"] },
    ],
    ['deny t1 --reason no', { type: 'command', words: ['agent', 'reject', 't1', '--reason', 'no'] }],
    ['answer question:b:t1 both', { type: 'command', words: ['inbox', 'answer', 'question:b:t1', 'both'] }],
    [
      "answer question:b:t1 It's\nboth.",
      { type: 'command', words: ['inbox', 'answer', 'question:b:t1', "It's\nboth."] },
    ],
    ['answer me', { type: 'wrong', usage: 'answer ID TEXT' }],
    ['stats --by run', { type: 'command', words: ['stats', '--by', 'run'] }],
    ['top', { type: 'command', words: ['top'] }],
    ['ps', { type: 'command', words: ['ps'] }],
    ['held', { type: 'command', words: ['agent', 'held'] }],
    ['attach', { type: 'command', words: ['attach', 'a'] }],
    ['attach run/r1', { type: 'command', words: ['attach', 'run/r1'] }],
    ['ask b What is new?', { type: 'ask', agent: 'b', prompt: 'What is new?' }],
    ['ask b list\nof many lines', { type: 'ask', agent: 'b', prompt: 'list\nof many lines' }],
    ['ask b', { type: 'wrong', usage: 'ask [ID] TEXT' }],
    ['ask crtic What is new?', { type: 'unsure', meant: 'ask critic', typed: 'ask crtic What is new?' }],
    [
      'claude-agents --simulate inbox approve x:y',
      { type: 'command', words: ['--simulate', 'inbox', 'approve', 'x:y'] },
    ],
    ['toString', { type: 'ask', prompt: 'toString' }],
    ['quit', { type: 'exit' }],
    ['  ', { type: 'nothing' }],
  ])('%j', (text, input) => {
    expect(readInput(text, 'a', ['a', 'b', 'critic'])).toEqual(input)
  })

  test('is split into words as in a shell', () => {
    expect(splitWords(`a "b c" 'd "e"' "" f`)).toEqual(['a', 'b c', 'd "e"', '', 'f'])
    expect(splitWords(`a"b c"`)).toBeNull()
  })
})

// Without tmux there is no keyboard; the functions above cover how input is read.
test.runIf(hasTmux)(
  'A person (tmux) creates, asks, stops an answer, pastes, completes, and leaves',
  async () => {
    await using model = await simulatedModel({
      reply: ['A **first** answer.', answer.held('never'), 'A second answer.', 'A third answer.'],
    })
    const { folder, run } = await quickCommandLine(model.environment)
    const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: CLAUDE })
    await terminal.type(`${process.execPath} ${MAIN} interactive; echo "exit $?"`)
    await terminal.shows(/claude-agents>$/m)
    await terminal.enter('hello?')
    await terminal.shows(/No current agent: use ID selects one/)
    await terminal.enter('create helper "You help."')
    await terminal.shows(/Created helper(.|\n)*helper>\n*$/)
    await terminal.enter('What is first?')
    await terminal.shows(/A first answer\.(.|\n)*tokens, \$[\d.]+\nhelper>\n*$/)

    await terminal.enter('What takes for ever?')
    await vi.waitFor(() => expect(model.requests.length).toBe(2), { timeout: 30_000 })
    await terminal.press('C-c')
    await terminal.shows(/stopped\nhelper>\n*$/)

    const lines = Array.from({ length: 50 }, (_, index) => `line ${index + 1} of what was pasted`)
    await terminal.paste(lines.join('\n'))
    await terminal.shows(/line 50 of what was pasted/)
    await terminal.press('Enter')
    await terminal.shows(/A second answer\.(.|\n)*helper>\n*$/)

    await terminal.press('s', 'e', 's', 'Tab')
    await terminal.shows(/helper> sessions/)
    await terminal.press('C-c')
    await terminal.press('u', 's', 'e', ' ', 'h', 'Tab')
    await terminal.shows(/helper> use helper/)
    await terminal.press('Enter')
    // The arrow goes back through what was typed, also before this session.
    await terminal.press('Up', 'Up', 'Up', 'Up')
    await terminal.shows(/helper> What is first\?/)
    await terminal.press('C-c')
    await terminal.enter('exit')
    await terminal.shows(/exit 0\n/)

    await terminal.type(`${process.execPath} ${MAIN} interactive; echo "exit $?"`)
    await terminal.shows(/helper>\n*$/)
    const owner = await readFile(join(folder, '.claude-agents/owner.json'), 'utf8')
    process.kill(JSON.parse(owner).pid, 'SIGTERM')
    await terminal.shows(/exit 143\n/)

    const { values } = await run(['log', '--json', '--stream', 'agent/helper'])
    const tasks = values.filter(({ type }) => type === 'TaskAccepted').map(({ data }) => data)
    expect(tasks.map((data) => (data as unknown as { prompt: string }).prompt)).toEqual([
      'What is first?',
      'What takes for ever?',
      lines.join('\n'),
    ])
    expect(values.map(({ type }) => type)).toContain('TaskCancelled')
  },
)

test.runIf(hasTmux)('A session (tmux) asks first what a slip means, and decides what waits', async () => {
  await using model = await simulatedModel({ reply: ({ prompt }) => `an answer to: ${prompt}` })
  const { folder, run } = await quickCommandLine(model.environment)
  for (const id of ['helper', 'critic']) await run(['agent', 'create', id, 'You help.'])
  for (const id of ['t1', 't2'])
    await run(['agent', 'ask', 'helper', `hello ${id}`, '--task-id', id, '--approval', 'why not'])
  const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
  await terminal.type(`${process.execPath} ${MAIN} interactive; echo "exit $?"`)
  await terminal.shows(/claude-agents>\n*$/)
  await terminal.enter('ask critic What is first?')
  await terminal.shows(/an answer to: What is first\?(.|\n)*claude-agents>\n*$/)
  await terminal.enter('use helper')
  await terminal.shows(/helper>\n*$/)
  await terminal.enter('lsit')
  await terminal.shows(/Did you mean list\?.*\n.*>\n*$/)
  await terminal.enter('y')
  await terminal.shows(/AGENT(.|\n)*helper>\n*$/)
  await terminal.enter('denny task:helper:t2 not today')
  await terminal.shows(/Did you mean deny\?.*\n.*>\n*$/)
  // What is typed instead of an answer is the next line.
  await terminal.enter('approve task:helper:t1')
  await terminal.shows(/an answer to: hello t1(.|\n)*helper>\n*$/)
  await terminal.enter('inbox')
  await terminal.shows(/task:helper:t2 (.|\n)*helper>\n*$/)
  await terminal.enter("deny task:helper:t2 it isn't needed")
  await terminal.shows(/denied task:helper:t2\nhelper>\n*$/)
  await terminal.enter('top')
  await terminal.shows(/q quits/)
  await terminal.press('q')
  await terminal.shows(/helper>\n*$/)
  await terminal.enter('attach')
  await terminal.shows(/Ctrl-C stops watching/)
  await terminal.press('C-c')
  await terminal.shows(/helper>\n*$/)
  // After a screen of a command, what is pasted is one text still.
  await terminal.paste('one\nlist\nthree')
  await terminal.shows(/helper> one⏎list⏎three\n*$/)
  await terminal.press('C-c')
  await terminal.enter('sessons are what I ask about')
  await terminal.shows(/Did you mean sessions\?/)
  await terminal.enter('a')
  await terminal.shows(/an answer to: sessons are what I ask about(.|\n)*helper>\n*$/)
  await terminal.press('C-d')
  await terminal.shows(/exit 0\n/)
  const { values } = await run(['log', '--json', '--type', 'TaskFailed'])
  expect(JSON.stringify(values)).toContain("it isn't needed")
  expect(model.requests.map(({ prompt }) => prompt)).toEqual([
    'What is first?',
    'hello t1',
    'sessons are what I ask about',
  ])
})

// All that follows arrives while the first answer is on its way.
test.runIf(hasTmux)('What a person (tmux) types ahead is kept: lines, a paste, and half a line', async () => {
  await using model = await simulatedModel({
    reply: [answer.held('A first answer.'), 'A second answer.', 'A third answer.'],
  })
  const { folder, run } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'helper', 'You help.'])
  const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
  await terminal.type(`${process.execPath} ${MAIN} interactive; echo "exit $?"`)
  await terminal.shows(/helper>\n*$/)
  await terminal.enter('What is first?')
  await vi.waitFor(() => expect(model.requests.length).toBe(1), { timeout: 30_000 })
  await terminal.press('What is second?', 'Enter', 'use helper', 'Enter')
  const lines = Array.from({ length: 200 }, (_, index) => `line ${index + 1} of what was pasted`)
  await terminal.paste(lines.join('\n'))
  await terminal.press('Enter', 'ex')
  model.release()
  await terminal.shows(/A third answer\.(.|\n)*helper> ex\n*$/)
  await terminal.press('it', 'Enter')
  await terminal.shows(/exit 0\n/)
  const { values } = await run(['log', '--json', '--type', 'TaskAccepted'])
  expect(values.map(({ data }) => (data as unknown as { prompt: string }).prompt)).toEqual([
    'What is first?',
    'What is second?',
    lines.join('\n'),
  ])
})

test.runIf(hasTmux)('A session (tmux) works through one owner of the store after another', async () => {
  await using model = await simulatedModel({ reply: ['A first answer.', 'A second answer.'] })
  const { folder, run } = await quickCommandLine(model.environment)
  onTestFinished(async () => void (await run(['serve', 'stop', '--now'])))
  await run(['agent', 'create', 'helper', 'You help.'])
  expect((await run(['serve', '--detach'])).exitCode).toBe(0)
  const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
  await terminal.type(`${process.execPath} ${MAIN} interactive; echo "exit $?"`)
  await terminal.shows(/helper>\n*$/)
  await terminal.enter('What is first?')
  await terminal.shows(/A first answer\.(.|\n)*helper>\n*$/)
  await run(['serve', 'stop'])
  expect((await run(['serve', '--detach'])).exitCode).toBe(0)
  await terminal.enter('What is second?')
  await terminal.shows(/A second answer\.(.|\n)*helper>\n*$/)
  await run(['serve', 'stop'])
  await terminal.enter('list')
  await terminal.shows(/helper +idle(.|\n)*helper>\n*$/)
  await terminal.enter('exit')
  await terminal.shows(/exit 0\n/)
})
