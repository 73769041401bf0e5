import { expect, test } from 'vitest'
import { inLine } from '../../src/cli/budget-commands.ts'
import { quickCommandLine } from './command.ts'

test('A budget that has no room holds a task, says so with exit code 75, and raised it goes on', async () => {
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
  expect(held.stderr).toContain('claude-agents budget set --agent writer --usd N')
  expect((await run(['agent', 'show', 'writer'])).stdout).toContain('does not fit into the budget')
  const raised = await run(['budget', 'set', '--agent', 'writer', '--usd', '50', '--simulate'])
  expect(raised).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('task t1 of writer went on') })
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

test('A task that needs approval waits for agent approve, and agent reject says why', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  const ask = (id: string) =>
    run(['agent', 'ask', 'writer', 'hello', '--task-id', id, '--simulate', '--approval', 'it goes out'])
  expect(await ask('t1')).toMatchObject({ exitCode: 75, stderr: expect.stringContaining('(it goes out)') })
  expect((await run(['agent', 'held', '--json'])).values).toMatchObject([
    { taskId: 't1', reason: 'approval' },
  ])
  const approved = await run(['agent', 'approve', 't1', '--simulate'])
  expect(approved).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('hello') })
  await ask('t2')
  expect(await run(['agent', 'reject', 't2', '--by', 'Ada', '--reason', 'not now'])).toMatchObject({
    exitCode: 0,
  })
  expect(await ask('t2')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('was rejected by Ada: not now.'),
  })
  expect(await run(['agent', 'approve', 't2'])).toMatchObject({ exitCode: 1 })
  expect(await run(['dead-letters', '--json'])).toMatchObject({ exitCode: 0, stdout: '' })
})

test('A run that waits for approval is left, and goes on when it is resumed', async () => {
  const { run, folder } = await quickCommandLine()
  const { writeFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  const library = resolve(import.meta.dirname, '../../dist/index.js')
  const code = `import { approved, sequential } from '${library}'\nexport default sequential(['a', approved('b')])\n`
  await writeFile(`${folder}/flow.mjs`, code)
  for (const id of ['a', 'b']) await run(['agent', 'create', id, 'You write.'])
  const left = await run(['workflow', 'run', '--module', './flow.mjs', 'go', '--id', 'r1', '--simulate'])
  expect(left).toMatchObject({ exitCode: 75, stderr: expect.stringContaining('workflow resume r1') })
  const [held] = (await run(['agent', 'held', '--json'])).values
  await run(['agent', 'approve', String(held?.taskId), '--no-wait'])
  const done = await run(['workflow', 'resume', 'r1', '--simulate', '--json'])
  expect(done).toMatchObject({ exitCode: 0, values: [{ success: true, metadata: { reused: 1 } }] })
})

test('What was spent beyond a budget is said as people write it', () => {
  const tokens = { usd: null, tokens: null }
  const line = inLine({
    scope: { agent: 'writer' },
    limit: { ...tokens, usd: 0.001 },
    spent: { usd: 0.0043, tokens: 9 },
    reserved: { usd: 0, tokens: 0 },
    remaining: { ...tokens, usd: -0.0033 },
  })
  expect(line).toBe('agent writer: $0.0043 of $0.0010 spent, -$0.0033 left')
})
