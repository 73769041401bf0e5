/** `schedule` as a user types it: the words, the JSON contract, and the owner that fires. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from '../command.ts'

const BERLIN = ['--cron', '30 8 * * mon-fri', '--timezone', 'Europe/Berlin']

test('schedule add, list, pause, resume and remove print the schedule, and say what is wrong', async () => {
  const { run, folder } = await quickCommandLine()
  const nobody = await run(['schedule', 'add', 'news', ...BERLIN, '--agent', 'reporter', 'x'])
  expect([nobody.exitCode, nobody.stderr]).toEqual([1, expect.stringContaining('reporter')])
  await run(['agent', 'create', 'reporter', 'You report.'])
  const added = await run([
    'schedule',
    'add',
    'news',
    ...BERLIN,
    '--agent',
    'reporter',
    'What is new?',
    '--json',
  ])
  const news = {
    name: 'news',
    cron: '30 8 * * mon-fri',
    timezone: 'Europe/Berlin',
    lastAt: null,
    paused: false,
  }
  const nextAt = expect.stringMatching(/T0[67]:30:00\.000Z$/)
  expect(added.values).toEqual([{ ...news, nextAt }])
  expect(added.stderr).toContain('claude-agents serve')
  await writeFile(
    join(folder, 'claude-agents.yaml'),
    'workflows: [{ name: review, pattern: sequential, agents: [reporter] }]\n',
  )
  for (const workflow of ['review', 'research'])
    expect(
      (
        await run([
          'schedule',
          'add',
          workflow,
          '--cron',
          '@daily',
          '--missed',
          'skip',
          '--workflow',
          workflow,
          'x',
        ])
      ).exitCode,
    ).toBe(0)
  const listed = await run(['schedule', 'list', '--json'])
  expect(listed.values.map(({ name }) => name)).toEqual(['news', 'research', 'review'])
  expect(listed.values[0]).toEqual({ ...news, nextAt })
  expect((await run(['schedule', 'list'])).stdout).toMatch(
    /^SCHEDULE +CRON +TIME ZONE +ASKS +NEXT +LAST\nnews .* reporter /,
  )

  expect((await run(['schedule', 'pause', 'news', '--json'])).values).toEqual([
    { ...news, nextAt: null, paused: true },
  ])
  expect((await run(['schedule', 'resume', 'news'])).stdout).toMatch(
    /^Resumed news\. It fires next at \d{4}-\S+ \(\w{3},? \d.* 08:30 in Europe\/Berlin\)\.$/,
  )
  expect((await run(['schedule', 'remove', 'news'])).stdout).toBe('Removed news.')
  for (const [words, said] of [
    [['schedule', 'pause', 'reviev'], 'Did you mean "review"'],
    [
      ['schedule', 'add', 'review', '--cron', '@daily', '--agent', 'reporter', 'x'],
      'already a schedule "review"',
    ],
    [['schedule', 'add', 's', '--cron', '61 * * * *', '--agent', 'reporter', 'x'], 'cannot be used'],
    [
      ['schedule', 'add', 's', '--cron', '@daily', '--timezone', 'Mars/X', '--agent', 'reporter', 'x'],
      'Mars/X',
    ],
    [['schedule', 'add', 's', '--cron', '@daily', '--workflow', 'gone', 'x'], 'gone'],
    [['schedule', 'add', 's', '--cron', '@daily', 'x'], 'neither --agent nor --workflow'],
  ] as const) {
    const { exitCode, stderr } = await run(words)
    expect([exitCode === 0, stderr], words.join(' ')).toEqual([false, expect.stringContaining(said)])
  }
})

test('schedule run fires through the owner, whose schedules fire by themselves as well', async () => {
  const model = await simulatedModel()
  onTestFinished(() => model.close())
  const { run, start } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'reporter', 'You report.'])
  const serving = start('serve')
  onTestFinished(() => void serving.kill())
  await expect.poll(async () => (await run(['serve', 'status'])).exitCode).toBe(0)
  await run([
    'schedule',
    'add',
    'often',
    '--cron',
    '* * * * * *',
    '--timezone',
    'UTC',
    '--agent',
    'reporter',
    'Tick',
  ])
  await expect
    .poll(async () => (await run(['schedule', 'list', '--json'])).values[0]?.lastAt)
    .toMatch(/:\d\d\.000Z$/)
  await run(['schedule', 'pause', 'often'])
  const fired = await run(['schedule', 'run', 'often', '--json'])
  expect(fired.values).toEqual([{ name: 'often', agent: 'reporter', taskId: 'often-run-1' }])
  expect((await run(['wait', 'often-run-1'])).exitCode).toBe(0)
  await run(['schedule', 'remove', 'often'])
  await run(['serve', 'stop'])
  expect((await serving).exitCode).toBe(0)
})

test('schedule add asks for a zone where TZ is none that has a name', async () => {
  const { run } = await quickCommandLine({ TZ: ':/etc/localtime' })
  await run(['agent', 'create', 'reporter', 'You report.'])
  const add = (...more: string[]) =>
    run(['schedule', 'add', 'news', '--cron', '@daily', '--agent', 'reporter', ...more, 'What is new?'])
  const { exitCode, stderr } = await add()
  expect([exitCode, stderr]).toEqual([
    2,
    expect.stringMatching(
      /that of this machine is not known \(TZ is ":\/etc\/localtime"\)\.\n.*Europe\/Berlin/,
    ),
  ])
  expect((await add('--timezone', 'UTC')).exitCode).toBe(0)
})
