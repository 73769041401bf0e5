/** A tool call and a question, decided on the command line: each command is a process of its own. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ASK_HUMAN } from '../../../src/events/options/tools.ts'
import { userName } from '../../../src/inbox/user-name.ts'
import { answer } from '../../../src/testing/model/answer.ts'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { commandLine } from '../command.ts'

test('A tool call is approved with another input, and a question is answered, by a command each', async () => {
  await using model = await simulatedModel({
    reply: [
      answer.toolUse('Bash', { command: 'echo one > one.txt' }),
      answer.toolUse(ASK_HUMAN, { question: 'Which?', choices: ['left', 'right'] }),
      'done',
    ],
  })
  const cli = await commandLine(model.environment)
  await cli.run(['agent', 'create', 'a', 'You work.', '--approve', 'Bash', '--questions'])
  const asked = await cli.run(['agent', 'ask', 'a', 'go', '--task-id', 't1'])
  expect(asked.stderr).toContain('it needs approval to use Bash: {"command":"echo one > one.txt"}')
  const [tool] = (await cli.run(['inbox', '--json'])).values
  expect(tool).toMatchObject({ kind: 'tool', tool: 'Bash', input: { command: 'echo one > one.txt' } })
  const id = String(tool?.id)

  const wrong = await cli.run(['inbox', 'approve', id, '--input', '[]'])
  expect({ code: wrong.exitCode, said: wrong.stderr }).toEqual({
    ...{ code: 2, said: expect.stringContaining('Write it as a JSON object') },
  })
  const input = JSON.stringify({ command: 'echo two > two.txt' })
  const approved = await cli.run([
    'inbox',
    'approve',
    id,
    '--input',
    input,
    '--always',
    'Bash(make)',
    '--by',
    'Ada',
  ])
  // The turn continues, and waits again.
  expect(approved.stderr).toContain('it asks: Which?')
  expect(await readdir(join(cli.folder, '.claude-agents/agents/a/workspace'))).toEqual(['two.txt'])
  const gone = await cli.run(['inbox', 'deny', id])
  expect({ code: gone.exitCode, said: gone.stderr }).toEqual({
    ...{ code: 1, said: expect.stringContaining('it was approved by Ada at ') },
  })

  const shown = await cli.run(['inbox'])
  expect(shown.stdout).toContain('  - left\n  - right\n')
  const [question] = (await cli.run(['inbox', '--json'])).values
  const answered = await cli.run(['inbox', 'answer', String(question?.id), 'right'])
  expect(answered.stdout).toBe('done')
  expect(model.requestCount).toBe(3)
  expect((await cli.run(['agent', 'show', 'a', '--json'])).values).toMatchObject([
    { status: 'idle', approveTools: ['Bash'], questions: true, rules: ['Bash(make)'] },
  ])
  // A rule is forgotten by name, and the log says by whom.
  const unknown = await cli.run(['agent', 'edit', 'a', '--forget', 'Bash(mkae)'])
  expect({ code: unknown.exitCode, said: unknown.stderr }).toEqual({
    ...{
      code: 2,
      said: expect.stringMatching(/it remembers no rule Bash\(mkae\)(.|\n)*Did you mean "Bash\(make\)"/),
    },
  })
  const forgot = await cli.run(['agent', 'edit', 'a', '--forget', 'Bash(make)'])
  expect(forgot.stdout).toBe('Changed a, from its next call on.')
  expect((await cli.run(['agent', 'show', 'a'])).stdout).not.toContain('but not')
  const facts = (await cli.run(['log', '--type', 'ToolRuleForgotten', '--json'])).values
  expect(facts).toMatchObject([{ data: { rule: 'Bash(make)', by: userName() } }])
})
