/** Agents that live in several workers, as real processes with a real PostgreSQL. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { newDatabase } from '../postgres/database.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const NODE = process.env.CLUSTER_NODE ?? process.execPath

async function cluster() {
  const database = await newDatabase()
  const folder = await temporaryDirectory()
  const calls = join(folder, 'calls')
  const worker = async (name: string, seconds = '1') => {
    const program = join(import.meta.dirname, 'fixtures/worker.mjs')
    const child = spawn(NODE, [program, database, join(folder, name), calls, seconds], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [line] = await once(createInterface({ input: child.stdout }), 'line')
    expect(JSON.parse(line)).toMatchObject({ ready: true })
    return child
  }
  const client = async () => {
    const orchestrator = await Orchestrator.open({ cluster: { database }, baseDir: join(folder, 'client') })
    onTestFinished(() => orchestrator.close())
    return orchestrator
  }
  const starts = async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  return { worker, client, starts }
}
const ended = (child: ChildProcess) => once(child, 'exit')
const IDS = Array.from({ length: 8 }, (_, index) => `a${index}`)

test('kill -9 of a worker: the other one takes over its agents; a call in flight is started once more, and the log says so', async () => {
  const { worker, client, starts } = await cluster()
  const one = await worker('one')
  await worker('two')
  const team = await client()
  for (const id of IDS) await team.createAgent({ id, systemPrompt: 'x' })
  const tasks = (await Promise.all(IDS.map((id) => team.agent(id)))).map((agent) => agent.ask('x', { taskId: 't' }))
  await vi.waitFor(async () => expect(await starts()).toHaveLength(IDS.length), { timeout: 30_000 })
  one.kill('SIGKILL')
  const replies = await Promise.all(tasks)
  expect(replies.map(({ text }) => text)).toEqual(IDS.map(() => 'fine'))
  const types: string[] = []
  for await (const { type } of team.history.log()) types.push(type)
  const count = (type: string) => types.filter((one) => one === type).length
  expect(count('TaskAccepted')).toBe(IDS.length)
  expect(count('CallSucceeded')).toBe(IDS.length)
  expect((await starts()).length).toBe(IDS.length + count('CallOutcomeUnknown'))
})

test('a worker that is drained hands its agents over once their calls have ended, and no call is started twice', async () => {
  const { worker, client, starts } = await cluster()
  const one = await worker('one')
  await worker('two')
  const team = await client()
  for (const id of IDS) await team.createAgent({ id, systemPrompt: 'x' })
  const first = (await Promise.all(IDS.map((id) => team.agent(id)))).map((agent) => agent.ask('x'))
  await vi.waitFor(async () => expect(await starts()).toHaveLength(IDS.length), { timeout: 30_000 })
  one.kill('SIGTERM')
  await Promise.all(first)
  const second = (await Promise.all(IDS.map((id) => team.agent(id)))).map((agent) => agent.ask('y'))
  await Promise.all(second)
  await ended(one)
  expect((await starts()).length).toBe(2 * IDS.length)
})
