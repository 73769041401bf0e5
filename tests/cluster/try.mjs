import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { postgresPrograms, startPostgres } from '../../bench/kit/postgres.mjs'
import { Orchestrator } from '../../dist/index.js'

const server = await startPostgres(postgresPrograms(), { settings: { fsync: 'off' }, onSocket: true })
const folder = mkdtempSync(join(tmpdir(), 'cluster-try-'))
const database = `postgresql://owner@/postgres?host=${encodeURIComponent(server.folder)}`
const calls = join(folder, 'calls')
const t0 = Date.now()
const say = (...words) => console.log(`${((Date.now() - t0) / 1000).toFixed(1)}`, ...words)
const children = []
const worker = async (name) => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'fixtures/worker.mjs'), database, join(folder, name), `${calls}-${name}`, process.env.SECONDS ?? '2'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  say(name, line)
  return child
}
const startsOf = (name) => { try { return readFileSync(`${calls}-${name}`, 'utf8').split('\n').filter(Boolean).length } catch { return 0 } }
const NAMES = ['one', 'two', 'three']
const starts = () => NAMES.reduce((sum, name) => sum + startsOf(name), 0)
try {
  const one = await worker('one')
  const two = await worker('two')
  const team = await Orchestrator.open({ cluster: { database }, baseDir: join(folder, 'client') })
  const ids = Array.from({ length: 12 }, (_, i) => `a${i}`)
  for (const id of ids) await team.createAgent({ id, systemPrompt: 'x' })
  say('created', (await team.agents()).length)
  const round = async (label, during = async () => {}) => {
    const before = starts()
    const tasks = (await Promise.all(ids.map((id) => team.agent(id)))).map((agent) => agent.ask(label))
    while (starts() < before + ids.length) await new Promise((r) => setTimeout(r, 20))
    say(label, 'in flight')
    const doing = during()
    const texts = await Promise.all(tasks.map((t) => t.then(({ text }) => text, (e) => String(e))))
    say(label, JSON.stringify(texts), 'starts', starts() - before, JSON.stringify(NAMES.map(startsOf)))
    await doing
  }
  await round('plain')
  await round('kill', async () => { const t = Date.now(); one.kill('SIGKILL') })
  // Accepted, and no caller waits: the worker that takes over wakes it.
  for (const id of ids) await (await team.agent(id)).accept('left', { taskId: 'left' })
  await worker('three')
  two.kill('SIGKILL')
  const begun = Date.now()
  const replies = await Promise.all(ids.map(async (id) => (await team.agent(id)).reply('left').then(({ text }) => text, String)))
  say('left', JSON.stringify(replies), Date.now() - begun, JSON.stringify(NAMES.map(startsOf)))
  const counts = {}
  const places = new Set()
  for await (const { type, data, stream, epoch, at } of team.history.log()) { if (data.taskId === 'left' && stream < 'agent/a3') console.log(stream, at.slice(14), epoch, type, JSON.stringify(data.error ?? data.process ?? '').slice(0, 200)); counts[type] = (counts[type] ?? 0) + 1 }
  say(JSON.stringify(counts), 'starts', starts())
  await team.close()
} finally {
  for (const child of children) child.kill('SIGKILL')
  await server.stop()
}
process.exit(0)
