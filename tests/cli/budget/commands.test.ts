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

test('An overspent budget shows a negative amount', () => {
  const tokens = { usd: null, tokens: null }
  const line = budgetLine({
    scope: { agent: 'writer' },
    limit: { ...tokens, usd: 0.001 },
    spent: { usd: 0.0043, tokens: 9 },
    reserved: { usd: 0, tokens: 0 },
    remaining: { ...tokens, usd: -0.0033 },
  })
  expect(line).toBe('agent writer: $0.0043 of $0.001 spent, -$0.0033 left')
})
