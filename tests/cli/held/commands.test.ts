/** `agent held | approve | reject`: tasks that wait for the user. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { quickCommandLine, type Ran } from '../command.ts'

/** The code of the error that a command with --json ended with. */
const codeOf = ({ stderr }: Ran): string =>
  JSON.parse(stderr.split('\n').findLast((line) => line.startsWith('{"error"')) ?? '{"error":{}}').error.code

test('A task that needs approval waits for agent approve, or agent reject with a reason', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  const ask = (id: string) =>
    run(['agent', 'ask', 'writer', 'hello', '--task-id', id, '--simulate', '--approval', 'it goes out'])
  expect(await ask('t1')).toMatchObject({ exitCode: 75, stderr: expect.stringContaining('(it goes out)') })
  const again = await run(['agent', 'ask', 'writer', 'hello', '--task-id', 't1', '--simulate', '--json'])
  expect(codeOf(again)).toBe('TaskHeldError')
  expect((await run(['agent', 'held', '--json'])).values).toMatchObject([
    { taskId: 't1', reason: 'approval' },
  ])
  // As the list says it, where nothing else is to do.
  expect((await run(['agent', 'list'])).stdout).toMatch(/^writer +held /m)
  expect((await run(['agent', 'show', 'writer'])).stdout).toMatch(/^status +held\n(.*\n)*^held +Task t1 /m)
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
  expect(await run(['late-answers', '--json'])).toMatchObject({ exitCode: 0, stdout: '' })
})

test('A run that waits for approval ends with exit code 75, and can be resumed', async () => {
  const { run, folder } = await quickCommandLine()
  const library = resolve(import.meta.dirname, '../../../dist/index.js')
  const code = `import { approved, sequential } from '${library}'\nexport default sequential(['a', approved('b')])\n`
  await writeFile(`${folder}/flow.mjs`, code)
  for (const id of ['a', 'b']) await run(['agent', 'create', id, 'You write.'])
  const left = await run(['workflow', 'run', '--module', './flow.mjs', 'go', '--id', 'r1', '--simulate'])
  expect(left).toMatchObject({ exitCode: 75, stderr: expect.stringContaining('workflow resume r1') })
  const shown = await run(['workflow', 'show', 'r1'])
  expect(shown.stdout).toMatch(/task:b:\S+ {2}.*\n.* is held: it needs approval(.|\n)*inbox approve task:b:/)
  expect(shown.stderr).toContain('It continues when this is decided.')
  const report = await run(['workflow', 'report', 'r1'])
  expect(report.stdout).toMatch(/held(.|\n)*- .* needs approval\. `claude-agents inbox approve task:b:/)
  const again = await run(['workflow', 'resume', 'r1', '--simulate', '--json'])
  expect(codeOf(again)).toBe('RunHeldError')
  const [held] = (await run(['agent', 'held', '--json'])).values
  await run(['agent', 'approve', String(held?.taskId), '--no-wait'])
  const done = await run(['workflow', 'resume', 'r1', '--simulate', '--json'])
  expect(done).toMatchObject({ exitCode: 0, values: [{ success: true, metadata: { reused: 1 } }] })
})
