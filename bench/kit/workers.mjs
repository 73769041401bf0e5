// Tasks that workers of a cluster do, as processes, and how soon one replaces another that was killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dist, isQuick, median, rounded, row, sized, withDirectory } from './measuring.mjs'

const CALLS_IN_FLIGHT = 8
/** Of each cluster: so many that each worker has more of them than it makes calls at once. */
const AGENTS = 96
const WARM_UP_MS = sized(4000, 500)
const MEASURED_MS = sized(15_000, 1000)
const KILLS = sized(7, 1)
const MOVED = Array.from({ length: 16 }, (_, index) => `agent-${index}`)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

/** @param database Makes a new one, and returns its URL. */
export async function workerRows(database) {
  if (major < 22 || (major === 22 && minor < 19)) {
    console.error(`Node ${process.versions.node} cannot run workers, so none are measured: they need 22.19.`)
    return []
  }
  const rows = []
  let alone
  for (const workers of isQuick ? [1] : [1, 2, 4]) {
    const perSecond = await tasksPerSecond(await database(), workers)
    alone ??= perSecond
    rows.push({
      what: `tasks with calls of 500 ms, ${workers} of ${CALLS_IN_FLIGHT} at once, compared with one worker times ${workers}`,
      ...{ value: rounded(perSecond, 1), unit: 'tasks/s', baseline: rounded(alone * workers, 1) },
      ...{ ratio: rounded(perSecond / (alone * workers), 2), goal: 0.85 },
    })
  }
  const takeOvers = await takeOverTimes(await database())
  const value = median(takeOvers)
  return [
    ...rows,
    row({
      what: `agents of a worker that was killed have answered elsewhere, median of ${takeOvers.length}`,
      ...{ value, unit: 's', baseline: 6, goal: 1, digits: 1 },
    }),
  ]
}

/** In the steady state: each agent is asked again as soon as it has answered. */
async function tasksPerSecond(url, workers) {
  return withCluster(url, async ({ start, client }) => {
    await Promise.all(Array.from({ length: workers }, (_, index) => start(`w${index}`)))
    const team = await client()
    const agents = await Promise.all(
      Array.from({ length: AGENTS }, (_, index) =>
        team.createAgent({ id: `agent-${index}`, systemPrompt: 'You work.' }),
      ),
    )
    let done = 0
    let isOver = false
    const asking = Promise.all(
      agents.map(async (agent) => {
        while (!isOver) {
          await agent.ask('work')
          done++
        }
      }),
    )
    await pause(WARM_UP_MS)
    const before = done
    const begin = performance.now()
    await pause(MEASURED_MS)
    const perSecond = ((done - before) * 1000) / (performance.now() - begin)
    isOver = true
    await asking
    return perSecond
  })
}

/** In seconds, from the kill until all agents have answered, without the half second that an answer takes. */
async function takeOverTimes(url) {
  return withCluster(url, async ({ start, client }) => {
    let [one, other] = [await start('w0'), await start('w1')]
    const team = await client()
    for (const id of MOVED) await team.createAgent({ id, systemPrompt: 'You work.' })
    const askAll = () => Promise.all(MOVED.map(async (id) => (await team.agent(id)).ask('work')))
    const times = []
    for (let kill = 0; kill < KILLS; kill++) {
      await askAll()
      const begin = performance.now()
      one.kill('SIGKILL')
      await askAll()
      times.push((performance.now() - begin) / 1000 - 0.5)
      ;[one, other] = [other, await start(`w${kill + 2}`)]
    }
    return times
  })
}

async function withCluster(database, work) {
  const { Orchestrator } = await import(`${dist}/index.js`)
  return withDirectory(async (folder) => {
    const processes = []
    const start = async (name) => {
      const program = fileURLToPath(new URL('worker.mjs', import.meta.url))
      const names = {
        BENCH_DIST: dist,
        DATABASE: database,
        BASE_DIR: join(folder, name),
        WORKER: name,
        CALLS_IN_FLIGHT,
      }
      const worker = spawn(process.execPath, [program], {
        env: { ...process.env, ...names },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      processes.push(worker)
      await Promise.race([
        once(worker.stdout, 'data'),
        once(worker, 'exit').then(() => Promise.reject(new Error(`the worker ${name} has ended`))),
      ])
      return worker
    }
    let team
    const client = async () => {
      team = await Orchestrator.open({
        cluster: { database },
        baseDir: join(folder, 'client'),
        maxAgents: 1000,
      })
      return team
    }
    try {
      return await work({ start, client })
    } finally {
      await team?.close()
      await Promise.all(
        processes.map(async (worker) => {
          if (worker.exitCode !== null || worker.signalCode !== null) return
          const ended = once(worker, 'exit')
          worker.kill('SIGKILL')
          await ended
        }),
      )
    }
  })
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
