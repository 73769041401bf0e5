import { expect, test } from 'vitest'
import { budgetLine } from '../../../src/cli/budget/commands.ts'
import { quickCommandLine } from '../command.ts'

test('A budget without room holds a task with exit code 75, and raising it resumes the task', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  expect(await run(['budget', 'set', '--agent', 'writer', '--usd', '0.001', '--json'])).toMatchObject({
    exitCode: 0,
    values: [{ scope: { agent: 'writer' }, limit: { usd: 0.001, tokens: null } }],
  })
  const ask = ['agent', 'ask', 'writer', 'hello', '--task-id', 't1', '--simulate']
  const held = await run(ask)
  expect(held).toMatchObject({ exitCode: 75, stdout: '' })
  expect(held.stderr).toContain('Task t1 of agent "writer" is held')
  expect(held.stderr).toContain('The task is kept.')
  expect(held.stderr).toContain('claude-agents --simulate budget set --agent writer --usd N')
  expect((await run(['agent', 'show', 'writer'])).stdout).toContain('does not fit into the budget')
  const raised = await run(['budget', 'set', '--agent', 'writer', '--usd', '50', '--simulate'])
  expect(raised).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('task t1 of writer was resumed'),
  })
  const answered = await run([...ask, '--json'])
  expect(answered).toMatchObject({ exitCode: 0, values: [{ taskId: 't1' }] })
  const [shown] = (await run(['budget', 'show', '--agent', 'writer', '--json'])).values
  expect(shown).toMatchObject({ limit: { usd: 50 }, reserved: { usd: 0 } })
  expect(await run(['budget', 'set', '--agent', 'writre', '--usd', '1'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Did you mean "writer"?'),
  })
  expect(await run(['budget', 'set', '--usd', '-1'])).toMatchObject({ exitCode: 2 })
})

test('`none` removes a limit, of dollars and of tokens, of everything and of an agent', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You write.'])
  for (const scope of [[], ['--agent', 'a']]) {
    await run(['budget', 'set', '--usd', '3', '--tokens', '9', ...scope])
    expect(await run(['budget', 'set', '--usd', 'none', '--json', ...scope])).toMatchObject({
      exitCode: 0,
      values: [{ limit: { usd: null, tokens: 9 } }],
    })
    expect(await run(['budget', 'set', '--tokens', 'none', '--json', ...scope])).toMatchObject({
      exitCode: 0,
      values: [{ limit: { usd: null, tokens: null } }],
    })
  }
})

test('A line about a budget says what is left, by how much it was overspent, or that all of it is reserved', () => {
  const none = { usd: 0, tokens: 0 }
  const line = (limit: number, spent: number, remaining: number) =>
    budgetLine({
      scope: { agent: 'writer' },
      limit: { usd: limit, tokens: limit * 1e4 },
      spent: { usd: spent, tokens: spent * 1e4 },
      reserved: none,
      remaining: { usd: remaining, tokens: remaining * 1e4 },
    })
  expect(line(0.005, 0.004, 0.001)).toBe(
    'agent writer: $0.004 of $0.005 spent, $0.001 left; 40 of 50 tokens used, 10 tokens left',
  )
  expect(line(0.001, 0.0073, -0.0063)).toBe(
    'agent writer: $0.0073 of $0.001 spent, overspent by $0.0063; 73 of 10 tokens used, overspent by 63 tokens',
  )
  expect(line(0.005, 0.004, -0.002)).toBe(
    'agent writer: $0.004 of $0.005 spent, nothing left; 40 of 50 tokens used, nothing left',
  )
})
