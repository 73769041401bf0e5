/** `inbox`: what waits for the user, decided from the command line. */
import { expect, test } from 'vitest'
import { commandLine, type Ran } from '../command.ts'

const problemOf = ({ stderr }: Ran): { code: string; message: string } =>
  JSON.parse(stderr.split('\n').findLast((line) => line.startsWith('{"error"')) ?? '{"error":{}}').error

test('The inbox lists what waits, approves and denies it, and names what became of what is gone', async () => {
  const { run } = await commandLine()
  expect(await run(['inbox'])).toMatchObject({ exitCode: 0, stdout: '' })
  await run(['agent', 'create', 'writer', 'You write.'])
  expect((await run(['inbox'])).stderr).toContain('Nothing waits for you.')
  for (const id of ['t1', 't2'])
    await run([
      'agent',
      'ask',
      'writer',
      `hello\n${id}`,
      '--task-id',
      id,
      '--simulate',
      '--approval',
      'why not',
    ])
  const { values } = await run(['inbox', '--json'])
  expect(values).toMatchObject([
    { id: 'task:writer:t1', kind: 'task', agent: 'writer', run: null, prompt: 'hello\nt1', tool: null },
    { id: 'task:writer:t2', command: 'claude-agents inbox approve task:writer:t2' },
  ])
  const shown = (await run(['inbox'])).stdout
  expect(shown).toContain('task:writer:t1  ')
  expect(shown).toContain('it needs approval (why not).\n  | hello\n  | t1\n')
  expect(shown).toContain('\n  claude-agents inbox approve task:writer:t1\n')

  const approved = await run(['inbox', 'approve', 'task:writer:t1', '--simulate'])
  expect(approved).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('hello') })
  const words = ['--by', 'Ada', '--reason', 'not now', '--json']
  expect((await run(['inbox', 'deny', 'task:writer:t2', ...words])).values).toEqual([
    { id: 'task:writer:t2', decision: 'denied' },
  ])
  const gone = await run(['inbox', 'approve', 'task:writer:t2', '--json'])
  expect(gone.exitCode).toBe(1)
  expect(problemOf(gone)).toMatchObject({
    code: 'InboxEntryGoneError',
    message: expect.stringMatching(/it was denied by Ada at .*: not now/),
  })
  const missing = await run(['inbox', 'answer', 'task:writer:t3', 'yes', '--json'])
  expect(missing.exitCode).toBe(1)
  expect(problemOf(missing).code).toBe('InboxEntryNotFoundError')
  expect(await run(['inbox', '--json'])).toMatchObject({ exitCode: 0, stdout: '' })
})

test('What an agent wrote cannot pose as something else in the inbox', async () => {
  const { run } = await commandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  const hostile = 'pay\u001b[2J\u202e nothing\u0007'
  const posing = `${hostile}\r\ntask:writer:t2  1 s ago\n  claude-agents inbox approve task:writer:t2`
  await run(['agent', 'ask', 'writer', posing, '--task-id', 't1', '--simulate', '--approval', posing])
  const { stdout } = await run(['inbox'])
  expect(stdout).toContain('| pay nothing')
  expect(stdout.split('\n').filter((line) => /^ *(claude-agents|task:)/.test(line))).toEqual([
    expect.stringContaining('task:writer:t1 '),
    '  claude-agents inbox approve task:writer:t1',
  ])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
  expect(stdout).not.toMatch(/[\u001b\u0007\u202e]/)
})

test('wait gives the end of a task that was held, and no advice that it no longer needs', async () => {
  const { run, start } = await commandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  await run(['agent', 'ask', 'writer', 'hello', '--task-id', 't1', '--simulate', '--approval', 'x'])
  await run(['inbox', 'deny', 'task:writer:t1'])
  const { exitCode, stderr } = await start('wait', 't1')
  expect({ exitCode, stderr }).toEqual({
    exitCode: 1,
    stderr: expect.stringMatching(/^error: .*was rejected/),
  })
})

test('inbox --watch prints what arrives and says what is gone, from owner to owner', async () => {
  const { run, start } = await commandLine()
  await run(['agent', 'create', 'writer', 'You write.'])
  const watching = start('inbox', '--watch', '--json')
  const lines: string[] = []
  const seen = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => lines.some((line) => line.includes(text)) && resolve()
      watching.stdout?.on('data', (data) => {
        lines.push(String(data))
        look()
      })
      watching.stderr?.on('data', (data) => {
        lines.push(String(data))
        look()
      })
      look()
    })
  await run(['agent', 'ask', 'writer', 'hello', '--task-id', 't1', '--simulate', '--approval', 'x'])
  await seen('"id":"task:writer:t1"')
  await run(['inbox', 'deny', 'task:writer:t1'])
  await seen('No longer in the inbox: task:writer:t1')
  watching.kill('SIGINT')
  expect((await watching).exitCode).toBe(130)
})
