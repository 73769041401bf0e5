/** A service and the command line work on one store at once, and the command line carries on when the service is killed. */
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { quickCommandLine } from '../command.ts'

const DIST = resolve(import.meta.dirname, '../../../dist')

/** Five agents that repeat what they hear, and never answer one word. */
const SERVICE = `
import { Orchestrator } from '${DIST}/index.js'
import { scriptedRunner } from '${DIST}/entry-points/testing.js'
const reply = ({ prompt }) => ({ text: 'heard ' + prompt, chunks: ['heard ', prompt], delayMs: prompt === 'wait' ? 1e8 : 0 })
const orchestrator = await Orchestrator.open({ runner: scriptedRunner({ reply }) })
for (let n = 1; n <= 5; n++) await orchestrator.createAgent({ id: 'a' + n, systemPrompt: 'x' }).catch(() => {})
await orchestrator.sendTask('a1', 'first')
console.log('ready')
setInterval(() => {}, 1000)
`

async function service(folder: string) {
  const file = join(folder, 'service.mjs')
  await writeFile(file, SERVICE)
  const running = execa('node', [file], { cwd: folder, reject: false })
  onTestFinished(() => void running.kill('SIGKILL'))
  expect(await linesOf(running).next()).toMatchObject({ value: 'ready' })
  return { pid: running.pid, kill: () => running.kill('SIGKILL') }
}

/** Leaving the loop of a `for await` would wait for the process. */
const linesOf = (running: AsyncIterable<unknown>) => running[Symbol.asyncIterator]()

test('top, tail, log, metrics and agent ask work beside a service of five agents, and after it is killed', async () => {
  const { folder, run, start } = await quickCommandLine()
  const serving = await service(folder)

  const following = start('tail', '--json', '-n', '1', '--type', 'CallSucceeded,TaskCancelled')
  const lines = linesOf(following)
  const next = async () => JSON.parse((await lines.next()).value as string)
  expect(await next()).toMatchObject({ stream: 'agent/a1', data: { text: 'heard first' } })

  const asked = await run(['agent', 'ask', 'a2', 'hello', '--json'])
  expect(asked.values).toMatchObject([{ agent: 'a2', text: 'heard hello' }])
  expect(await next()).toMatchObject({ stream: 'agent/a2', data: { text: 'heard hello' } })

  const refused = await run(['agent', 'ask', 'a9', 'hello', '--json'])
  expect(refused.exitCode).toBe(1)
  expect(JSON.parse(refused.stderr).error).toMatchObject({ code: 'AgentNotFoundError' })

  const waiting = start('agent', 'ask', 'a3', 'wait', '--task-id', 'long', '--json')
  const began = start('tail', '--json', '--agent', 'a3', '--type', 'CallStarted')
  await linesOf(began).next()
  began.kill('SIGINT')
  expect((await began).exitCode).toBe(130)
  const [, , busy] = (await run(['top', '--json'])).values
  expect(busy).toMatchObject({ id: 'a3', status: 'busy', callsInFlight: 1, queue: 1 })
  const cancelled = await run(['agent', 'cancel', 'a3', 'long', '--json'])
  expect(cancelled.values).toEqual([{ id: 'a3', cancelled: ['long'] }])
  expect(await next()).toMatchObject({ type: 'TaskCancelled' })
  expect((await waiting).exitCode).toBe(1)

  const there = await run(['log', '--json'])
  const measured = await run(['metrics'])
  const dying = start('agent', 'ask', 'a4', 'wait', '--task-id', 'lost', '--json')
  const late = start('tail', '--json', '--agent', 'a4', '--type', 'CallStarted')
  await linesOf(late).next()
  late.kill('SIGINT')
  serving.kill()
  const lost = await dying
  expect(lost.exitCode).toBe(1)
  expect(JSON.parse(lost.stderr).error).toMatchObject({
    code: 'OwnerUnavailable',
    message: expect.stringContaining(String(serving.pid)),
    hint: expect.stringContaining('--task-id lost'),
  })

  const here = await run(['log', '--json'])
  expect(here.values.slice(0, there.values.length)).toEqual(there.values)
  expect((await run(['top', '--once'])).stdout).toContain('no process has the store open')
  expect((await run(['metrics'])).stdout).toContain(
    'claude_agents_tasks_total{agent="a2",outcome="succeeded"} 1',
  )
  expect(measured.stdout).toContain('claude_agents_tasks_total{agent="a2",outcome="succeeded"} 1')
  const last = await run(['tail', '--no-follow', '-n', '1', '--json'])
  expect(last.values).toEqual(here.values.slice(-1))
  expect((await run(['agent', 'create', 'a6', 'x'])).exitCode).toBe(0)

  // It has waited all the time, and goes on with the next one that has the store.
  const again = await service(folder)
  expect(await next()).toMatchObject({ stream: 'agent/a1' })
  following.kill('SIGINT')
  expect((await following).exitCode).toBe(130)
  again.kill()
})
