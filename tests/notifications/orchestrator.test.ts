/** Notifications of an orchestrator: what it keeps beside the log, and who is told what across openings. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { AuthenticationError } from '../../src/events/errors/call.ts'
import type { Notification, NotificationReceiver } from '../../src/events/options/notify.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import { archiveFile } from '../../src/store/care/archive/source.ts'
import { backupDirectory } from '../../src/store/care/backup.ts'
import { restoreStore } from '../../src/store/care/restore.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'

let baseDir: string
let heard: Notification[]
let receiver: NotificationReceiver & { readonly id: string }

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  baseDir = join(folder, 'base')
  heard = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    heard.push(JSON.parse(body))
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  receiver = {
    id: 'hook',
    webhook: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` },
  }
})

const open = (options: OrchestratorOptions = {}, at = baseDir) =>
  Orchestrator.open({ baseDir: at, runner: scriptedRunner(), ...options })

async function ask(orchestrator: Orchestrator, taskId: string): Promise<void> {
  const agents = await orchestrator.agents()
  const agent =
    agents.length > 0
      ? await orchestrator.agent('a')
      : await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  await agent.ask('x', { taskId })
}

test('An orchestrator notifies of what happens while it is open, and of what has happened since it was', async () => {
  const first = await open()
  await ask(first, 'before')
  await first.close()
  const second = await open({ notify: [receiver] })
  await ask(second, 't1')
  await second.close()
  expect(heard.map(({ taskId }) => taskId)).toEqual(['t1'])
  const short = await open()
  await ask(short, 't2')
  await short.close()
  const third = await open({ notify: [receiver] })
  await ask(third, 't3')
  await third.close()
  expect(heard.map(({ taskId, type }) => `${type} ${taskId}`)).toEqual(['done t1', 'done t2', 'done t3'])
})

test('The places of receivers are a private file beside the log, and a copy of the log has none', async () => {
  const orchestrator = await open({ notify: [receiver] })
  await ask(orchestrator, 't1')
  await orchestrator.close()
  const file = join(baseDir, 'notified')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const kept = JSON.parse(await readFile(file, 'utf8'))
  expect(Object.keys(kept.receivers)).toEqual(['hook'])
  const copy = `${baseDir}-copy`
  await backupDirectory(baseDir, `${baseDir}.backup`)
  await restoreStore(await archiveFile(`${baseDir}.backup`), copy)
  expect(await readdir(copy)).not.toContain('notified')
  const restored = await open({ notify: [receiver] }, copy)
  await restored.close()
  expect(heard).toHaveLength(1)
})

test.each(['', 'not JSON', '{"storeId":"another","receivers":{"hook":1}}', '{"receivers":3}'])(
  'A file of places that is %j begins at the end of the log',
  async (text) => {
    const orchestrator = await open()
    await ask(orchestrator, 't1')
    await orchestrator.close()
    await writeFile(join(baseDir, 'notified'), text)
    const next = await open({ notify: [receiver] })
    await ask(next, 't2')
    await next.close()
    expect(heard.map(({ taskId }) => taskId)).toEqual(['t2'])
  },
)

test('A file of places that cannot be read is a warning, and keeps nothing from working', async () => {
  await mkdir(join(baseDir, 'notified'), { recursive: true })
  const warnings: string[] = []
  const ignore = () => {}
  const logger = {
    debug: ignore,
    info: ignore,
    error: ignore,
    warn: (_: object, said: string) => warnings.push(said),
  }
  const orchestrator = await open({ notify: [receiver], logger })
  await ask(orchestrator, 't1')
  await orchestrator.close()
  expect(warnings).toEqual(['receivers are not notified until the log is opened again'])
})

test('A supervision tree that gave up is told before the orchestrator is closed', async () => {
  const runner = scriptedRunner({ reply: () => new AuthenticationError() })
  const orchestrator = await open({ runner, notify: [{ ...receiver, on: ['supervision'] }] })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  const intensity = { maxRestarts: 0, withinMs: 1000 }
  await orchestrator.supervise({ id: 'team', intensity, children: [{ agent: 'a' }] })
  agent.ask('x').then(
    () => {},
    () => {},
  )
  await orchestrator.failed
  await orchestrator.close()
  expect(heard).toMatchObject([{ type: 'supervision', supervisor: 'team' }])
})

test('Receivers with a mistake are refused before the log is opened', async () => {
  await expect(open({ notify: [{ webhook: { url: 'ftp://x' } }] })).rejects.toThrow('notify[0].webhook.url')
  expect(await readdir(join(baseDir, '..'))).not.toContain('base')
})
