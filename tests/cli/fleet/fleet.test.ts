/** `fleet` and `workflow diff`, as a user types them: alone, beside a service, and left to one. */
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { answer } from '../../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../../src/testing/model/messages-api.ts'
import { commandsInRepository, repositoryIn } from '../repository.ts'

interface TaskLine {
  readonly agent: string
  readonly task: string
  readonly outcome: string
  readonly branch: string | null
}

/** A model that fails where the task says so. */
async function world() {
  const reply = ({ prompt }: ModelRequest) => (prompt.includes('fail') ? answer.failure(400) : undefined)
  const {
    cli,
    git: user,
    model,
  } = await commandsInRepository({ '.gitignore': '.claude-agents\n' }, { reply })
  return {
    cli,
    user,
    model,
    tasksOf: (ran: { values: readonly unknown[] }) => (ran.values[0] as { tasks: TaskLine[] }).tasks,
  }
}

test.each(['alone', 'beside a service'])('each task is done on a branch of its own, %s', async (how) => {
  const { cli, user, tasksOf } = await world()
  if (how !== 'alone') {
    await cli.run(['serve', '--detach'])
    onTestFinished(async () => void (await cli.run(['serve', 'stop', '--now'])))
  }
  const tasks = ['Add apples\nWrite apples.txt: red', 'fail, please', 'Say hello']
  const given = [...tasks, '--id', 'r1', '--budget', 'usd=5', '--concurrency', '2']
  const ran = await cli.run(['fleet', ...given, '--json'])
  expect(ran).toMatchObject({ exitCode: 1 })
  const lines = tasksOf(ran)
  const same = { costUsd: expect.any(Number), landed: false }
  const nothing = { files: 0, added: 0, removed: 0 }
  expect(ran.values).toEqual([
    {
      runId: 'r1',
      tasks: [
        { ...same, task: tasks[0], outcome: 'succeeded', files: 1, added: 1, removed: 0 },
        { ...same, ...nothing, task: tasks[1], outcome: 'failed' },
        { ...same, ...nothing, task: tasks[2], outcome: 'succeeded' },
      ].map((line, index) => ({ ...line, agent: lines[index]?.agent, branch: lines[index]?.branch })),
    },
  ])
  const [apples] = lines
  expect(apples?.agent).toMatch(/^add-apples-write-apples-txt-red-[0-9a-f]{6}$/)
  expect(user('show', '--stat', '--format=', apples?.branch ?? '')).toContain('apples.txt | 1 +')
  expect(user('status', '--porcelain')).toBe('')

  const diff = await cli.run(['workflow', 'diff', 'r1', '--json'])
  expect(diff.values).toMatchObject([
    {
      runId: 'r1',
      agents: [
        { agent: apples?.agent, files: [{ path: 'apples.txt', status: 'added', added: 1, removed: 0 }] },
        { agent: lines[2]?.agent, files: [] },
      ],
    },
  ])
  expect(Object.keys((diff.values[0] as never as { agents: object[] }).agents[0] as object).sort()).toEqual([
    'agent',
    'base',
    'files',
    'head',
  ])
  expect((await cli.run(['workflow', 'diff', 'r1'])).stdout).toContain('+red')
  const stat = await cli.run(['workflow', 'diff', 'r1', '--stat'])
  expect(stat.stdout).toContain('apples.txt')
  expect(stat.stdout).toContain('Nothing has changed.')

  // The same run once more: what it answered is not asked again.
  const again = await cli.run(['fleet', ...given])
  expect(again).toMatchObject({ exitCode: 1 })
  expect(again.stdout).toContain('2 of 3 tasks succeeded')
  expect(again.stderr).toContain('claude-agents workflow resume r1')
  const list = await cli.run(['agent', 'list', '--json'])
  expect(list.values).toHaveLength(3)
  expect(await cli.run(['wait', 'r1'])).toMatchObject({ exitCode: 1, stdout: again.stdout })
})

test('a fleet that is left is finished by the owner, and waited for', async () => {
  const { cli, tasksOf } = await world()
  onTestFinished(async () => void (await cli.run(['serve', 'stop', '--now'])))
  const left = await cli.run([
    'fleet',
    'Write a.txt: a',
    'Write b.txt: b',
    '--detach',
    '--id',
    'r1',
    '--json',
  ])
  expect(left).toMatchObject({ exitCode: 0, values: [{ runId: 'r1' }] })
  const ended = await cli.run(['wait', 'r1', '--json'])
  expect(ended.exitCode).toBe(0)
  expect(tasksOf(ended)).toMatchObject([
    { outcome: 'succeeded', files: 1 },
    { outcome: 'succeeded', files: 1 },
  ])
  expect((await cli.run(['attach', 'r1'])).stdout).toContain('2 of 2 tasks succeeded')
})

test('a fleet reports what it did through a command whose own work had ended before', async () => {
  const reply = ({ prompt }: ModelRequest) => (prompt.includes('slow') ? answer.held('done') : undefined)
  const { cli, model } = await commandsInRepository({ '.gitignore': '.claude-agents\n' }, { reply })
  await cli.run(['agent', 'create', 'a', 'x'])
  const owner = cli.start('agent', 'ask', 'a', 'slow')
  await model.waitForRequest(1)
  const fleet = cli.start('fleet', 'slow', '--id', 'r1', '--report', 'report.md')
  await model.waitForRequest(2)
  const isWaiting = new Promise<void>((resolve) => {
    let said = ''
    owner.stderr.on('data', (piece) => {
      said += piece
      if (said.includes('Another command is working through this one')) resolve()
    })
  })
  owner.kill('SIGINT')
  await isWaiting
  model.release()
  const { exitCode, stdout } = await fleet
  expect({ exitCode, stdout }).toEqual({
    exitCode: 0,
    stdout: expect.stringContaining('1 of 1 task succeeded'),
  })
  expect(await readFile(join(cli.folder, 'report.md'), 'utf8')).toContain('1 of 1 task succeeded')
  expect((await owner).exitCode).toBe(130)
})

test('what passes the gate lands, and the report says so', async () => {
  const { cli, user, tasksOf } = await world()
  const words = [
    'fleet',
    'Write a.txt: a',
    'Write bad.txt: b',
    '--land',
    '--gate',
    'test ! -e bad.txt',
    '--id',
    'r1',
  ]
  const ran = await cli.run([...words, '--json'])
  expect(ran.exitCode).toBe(1)
  expect(tasksOf(ran)).toMatchObject([
    { outcome: 'succeeded', landed: true },
    { outcome: 'succeeded', landed: false },
  ])
  expect(user('ls-tree', '--name-only', 'main').split('\n')).toEqual(['.gitignore', 'a.txt'])
  expect(user('status', '--porcelain')).toBe('')
  const again = await cli.run(words)
  expect(again.stdout).toContain('2 of 2 tasks succeeded, 1 landed')
  expect(again.stdout).toContain('has not landed')
  // Nothing failed that a run can retry: what is left is to land.
  const left = tasksOf(ran)[1]?.agent
  expect(again.stderr).toContain(`claude-agents land ${left} --gate 'test ! -e bad.txt'`)
  expect(again.stderr).not.toContain('workflow resume')
  const shown = await cli.run(['workflow', 'show', 'r1'])
  expect(shown.stdout).toContain(`claude-agents land ${left} --into main --gate 'test ! -e bad.txt'`)
  expect(shown.stderr).toContain('there is nothing to resume')
  expect(shown.stderr).not.toContain('workflow resume')
  const report = await cli.run(['workflow', 'report', 'r1'])
  expect(report.stdout).toContain('2 of 2 tasks succeeded, 1 landed')
  expect(report.stdout).not.toContain('workflow resume')
  await writeFile(join(cli.folder, 'c.txt'), 'by the user\n')
  const beside = await cli.run(['fleet', 'Write c.txt: c', '--land', '--id', 'r2'])
  expect(beside.exitCode).toBe(0)
  expect(beside.stdout).toContain('claude-agents/landed/')
  // It can be copied, whatever is in the path.
  const folder = join(cli.folder, "two  Läden's")
  await repositoryIn(folder, { 'a.txt': 'one\n', '.gitignore': '.claude-agents\n' })
  await writeFile(join(folder, 'a.txt'), 'by the user\n')
  const quotes = await cli.run(['fleet', 'Write f.txt: f', '--land', '--repo', folder, '--id', 'r4'])
  const whole = await cli.run(['workflow', 'report', 'r4'])
  for (const { stdout } of [quotes, whole]) {
    const [, command = ''] = /`(git -C .*)`/.exec(stdout) ?? []
    expect(execFileSync('sh', ['-c', command.replace(/ merge .*/, ' log --format=%s')]).toString()).toBe(
      'first\n',
    )
  }
  // However long the names are, the command that takes it over is there in full, and once.
  const branch = 'd'.repeat(60)
  user('switch', '--quiet', '--create', branch)
  const long = await cli.run(['fleet', 'Write d.txt: d', 'Write e.txt: e', '--land', '--id', 'r3'])
  expect(long.stdout.match(/ merge claude-agents\/landed\/d{60}`$/gm)).toHaveLength(1)
})

test('a fleet that was killed resumes with its agents, and asks nothing twice', async () => {
  const { cli, model, tasksOf } = await world()
  const words = ['fleet', 'Write a.txt: a', 'Write b.txt: b', '--id', 'r1', '--concurrency', '1', '--json']
  let isKilled = false
  model.enqueue('The first is done.', answer.held('The second is not.'))
  const killed = cli.start(...words)
  await model.waitForRequest(2)
  isKilled = killed.kill('SIGKILL')
  await killed
  model.release()
  const ran = await cli.run(words)
  expect({ isKilled, exitCode: ran.exitCode }).toEqual({ isKilled: true, exitCode: 0 })
  expect(tasksOf(ran)).toMatchObject([
    { outcome: 'succeeded', files: 1 },
    { outcome: 'succeeded', files: 1 },
  ])
  expect(model.requests.filter(({ prompt }) => prompt.includes('a.txt'))).toHaveLength(1)
  expect((await cli.run(['agent', 'list', '--json'])).values).toHaveLength(2)
})

test('tasks come from a file, from stdin, and from a list with more', async () => {
  const { cli, tasksOf } = await world()
  await writeFile(join(cli.folder, 'tasks.txt'), '# to do\nfirst\n\n  second  \n')
  const tasks = async (words: string[], input = '') => {
    const ran = await cli.run(['fleet', ...words, '--json'], input)
    return ran.exitCode === 0 ? tasksOf(ran).map(({ task }) => task) : ran.stderr
  }
  expect(await tasks(['zeroth', '--from', 'tasks.txt'])).toEqual(['zeroth', 'first', 'second'])
  expect(await tasks(['-'], 'one\ntwo\n')).toEqual(['one', 'two'])
  expect(await tasks(['--from', '-'], '- one\n- two\n')).toEqual(['one', 'two'])
  expect(await tasks([], '["one: 1"]')).toEqual(['one: 1'])
  await writeFile(join(cli.folder, 'tasks.yaml'), '- one\n- { task: two, id: second, model: opus }\n')
  const asked = ['--approve', 'Bash', 'Write(src/**)', '--questions']
  const ran = await cli.run(['fleet', '--from', 'tasks.yaml', '--json', ...asked])
  expect(tasksOf(ran)[1]).toMatchObject({ task: 'two', agent: 'second', branch: 'claude-agents/second' })
  const shown = await cli.run(['agent', 'show', 'second', '--json'])
  expect(shown.values[0]).toMatchObject({
    ...{ workspace: { base: 'HEAD' }, approveTools: ['Bash', 'Write(src/**)'], questions: true },
  })
  // Its agents are its own.
  expect(await tasks(['--from', 'tasks.yaml'])).toContain('second')
})

test('what is wrong is refused before a store is made, and before anything is asked', async () => {
  const { cli, user, model } = await world()
  execFileSync('mkfifo', [join(cli.folder, 'pipe')])
  await writeFile(join(cli.folder, 'binary'), Buffer.from([0, 1, 2, 255]))
  await writeFile(join(cli.folder, 'map.yaml'), 'tasks: [one]\n')
  await writeFile(join(cli.folder, 'empty'), '# nothing\n')
  await writeFile(join(cli.folder, 'huge'), 'x'.repeat(10_000_001))
  await writeFile(join(cli.folder, 'there.md'), 'mine\n')
  for (const [words, said] of [
    [[], 'it has no tasks'],
    [['one', '--base', 'nowhere'], 'nowhere'],
    [['one', '--base=-x'], 'is not a name for a branch or a commit'],
    [['one', '--land', '--into', 'a..b'], 'Name a branch: --into BRANCH.'],
    [['one', '--repo', 'nowhere'], 'there is no such directory'],
    [['one', '--repo', '/'], 'it is not in a git repository'],
    [['one', '--gate', 'true'], 'it needs --land'],
    [['one', '--land', '--into', 'nowhere'], 'nowhere'],
    [['one', '--budget', '5'], 'Write it as usd=5'],
    [['one', '--report', 'there.md'], 'it already exists'],
    [['one', '--html', 'no/where.html'], 'there is no folder'],
    [['one', '--html', 'x.html', '--detach'], 'claude-agents wait'],
    [['one', '--id', 'A b'], 'A b'],
    [['--from', 'nothing'], 'it cannot be read'],
    [['--from', '.'], 'it is a directory, not a file'],
    [['--from', 'pipe'], 'it is a pipe, not a file'],
    [['--from', 'binary'], 'it is not a text in UTF-8'],
    [['--from', 'map.yaml'], 'it is not a list of tasks'],
    [['--from', 'empty'], 'it has no tasks'],
    [['--from', 'huge'], 'it is larger than the 10 MB'],
  ] as const) {
    const ran = await cli.run(['fleet', ...words])
    expect(ran.stderr, words.join(' ')).toContain(said)
    expect(ran, words.join(' ')).toMatchObject({ exitCode: 2, stdout: '' })
  }
  expect(user('status', '--porcelain', '--ignored')).not.toContain('.claude-agents')
  expect(model.requestCount).toBe(0)
})

test('the report is a file and a page, in which nothing of what agents said means anything', async () => {
  const { cli } = await world()
  const evil = '<script>alert(1)</script> | [x](http://evil) `code` \u001b[31m\u202Eleft'
  const words = [`${evil}\nWrite evil.txt: <b>`, '--report', 'r.md', '--html', 'r.html', '--id', 'r1']
  const ran = await cli.run(['fleet', ...words])
  expect(ran.exitCode).toBe(0)
  const markdown = await readFile(join(cli.folder, 'r.md'), 'utf8')
  expect(ran.stdout.trimEnd()).toBe(markdown.trimEnd())
  const [row = ''] = markdown.split('\n').filter((line) => line.includes('script'))
  expect(row.replace(/\\./g, '').split('|')).toHaveLength(7)
  expect(row).toContain('\\<script\\>')
  const page = await readFile(join(cli.folder, 'r.html'), 'utf8')
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(page).not.toMatch(/<script|<b>|href="http/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
  for (const text of [markdown, page, ran.stdout]) expect(text).not.toMatch(/[\u001b\u202e]/)
  expect(await cli.run(['fleet', ...words, '--force'])).toMatchObject({ exitCode: 0 })
})
