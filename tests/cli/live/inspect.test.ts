/** `claude-agents inspect`, as a program runs it. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync, type Subprocess } from 'execa'
import { expect, test } from 'vitest'
import { levelStore } from '../../../src/store/level/store.ts'
import { counted } from '../../store/store-kit.ts'
import { quickCommandLine } from '../command.ts'

/** The first line of what it prints. */
async function firstLine({ stdout }: Subprocess): Promise<string> {
  let text = ''
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    text += chunk
    if (text.includes('\n')) break
  }
  return text.split('\n')[0] ?? ''
}

async function facts(address: string): Promise<{ total: number; lines: { type: string }[] }> {
  const url = new URL(address)
  const headers = { authorization: `Bearer ${url.searchParams.get('token')}` }
  return (await fetch(new URL('/api/facts', url.origin), { headers })).json() as never
}

test('prints its address, serves the store to any client that knows it, and ends with Ctrl-C', async () => {
  const { folder, start, run } = await quickCommandLine()
  {
    await using store = await levelStore(join(folder, '.claude-agents'))
    await store.append('agent/a', [counted(1), counted(2)])
  }
  const first = start('--json', 'inspect')
  const { url } = JSON.parse(await firstLine(first))
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/)
  expect(await facts(url)).toMatchObject({ total: 2 })

  // A second one reads the same log, and wants a port of its own.
  const { port } = new URL(url)
  const taken = await run(['--json', 'inspect', '--port', port])
  expect(taken).toMatchObject({ exitCode: 1, stdout: '' })
  expect(JSON.parse(taken.stderr)).toMatchObject({
    error: { code: 'PortUnavailableError', message: expect.stringContaining(`port ${port}`) },
  })
  first.kill('SIGINT')
  expect(await first).toMatchObject({ exitCode: 130 })

  const renewed = start('--json', 'inspect', '--new-key')
  const other = new URL(JSON.parse(await firstLine(renewed)).url)
  expect(other.port).toBe(port)
  const headers = { authorization: `Bearer ${new URL(url).searchParams.get('token')}` }
  expect(await fetch(new URL('/api/facts', other.origin), { headers })).toMatchObject({ ok: false })
  renewed.kill('SIGINT')
  await renewed
})

test('a service starts, works and ends while the inspector is open, and both go on', async () => {
  const { folder, start, run } = await quickCommandLine()
  expect(await run(['agent', 'create', 'a', 'You are a'])).toMatchObject({ exitCode: 0 })
  const inspecting = start('--json', 'inspect')
  const { url } = JSON.parse(await firstLine(inspecting))
  for (const id of ['b', 'c']) {
    const { total } = await facts(url)
    const service = start('--json', 'serve')
    expect(JSON.parse(await firstLine(service))).toMatchObject({ baseDir: join(folder, '.claude-agents') })
    expect(await run(['agent', 'create', id, 'You are'])).toMatchObject({ exitCode: 0 })
    while ((await facts(url)).total !== total + 1);
    service.kill('SIGTERM')
    expect(await service).toMatchObject({ exitCode: 0 })
  }
  inspecting.kill('SIGINT')
  await inspecting
})

test('an invalid port is a usage error', async () => {
  const { run } = await quickCommandLine()
  expect(await run(['inspect', '--port', '70000'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('It must be a port'),
  })
})

test('a store that cannot be opened is shown as far as its files are readable', async () => {
  const { folder, start } = await quickCommandLine()
  const directory = join(folder, '.claude-agents')
  {
    await using store = await levelStore(directory)
    for (let n = 1; n <= 5; n++) await store.append('agent/a', [counted(n)])
  }
  const name = (await readdir(join(directory, 'log'))).find((file) => file.endsWith('.log')) ?? ''
  const file = join(directory, 'log', name)
  const content = await readFile(file)
  content[content.indexOf('"n":3') + 4] = '4'.charCodeAt(0)
  await writeFile(file, content)
  const showing = start('--json', 'inspect', '--no-open')
  const { url } = JSON.parse(await firstLine(showing))
  const { lines } = await facts(url)
  expect(lines.map(({ type }) => type)).toEqual(['Counted', 'Counted', '(unreadable)', 'Counted', 'Counted'])
  showing.kill('SIGINT')
  const { exitCode, stderr } = await showing
  expect(exitCode).toBe(130)
  expect(stderr).toContain('Showing what its files still contain')
})

test('shows the files of an agent on a repository, without a service', async () => {
  const { folder, start, run } = await quickCommandLine()
  const git = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], {
      cwd: folder,
    })
  git('init', '-q')
  await writeFile(join(folder, 'a.txt'), 'one\n')
  git('add', 'a.txt')
  git('commit', '-qm', 'first')
  expect(await run(['agent', 'create', 'dev', 'You work.', '--repo', '.'])).toMatchObject({ exitCode: 0 })
  const inspecting = start('--json', 'inspect')
  const url = new URL(JSON.parse(await firstLine(inspecting)).url)
  const headers = { authorization: `Bearer ${url.searchParams.get('token')}` }
  const files = () => fetch(new URL('/api/files?actor=agent/dev', url.origin), { headers })
  // Until the index has read the log, there is no such agent.
  let response = await files()
  while (!response.ok) response = await files()
  expect(await response.json()).toMatchObject({
    total: 1,
    files: [{ path: 'a.txt', bytes: 4 }],
    problem: null,
  })
  inspecting.kill('SIGINT')
  await inspecting
})
