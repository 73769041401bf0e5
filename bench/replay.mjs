// The cost of folding a whole log, compared with iterating LevelDB and parsing the same records as JSON.
import { join } from 'node:path'
import { textOf } from './kit/answers.mjs'
import { cpuOf, dist, least, row, sized, withDirectory } from './kit/measuring.mjs'

const { openLevel } = await import(`${dist}/store/level/database.js`)
const { levelStore } = await import(`${dist}/store/level/store.js`)
const { foldLog } = await import(`${dist}/history/fold-log.js`)
const { KINDS } = await import(`${dist}/history/kinds.js`)
const { replaySteps } = await import(`${dist}/actors/engine/history.js`)

export const name = 'replay'

const FACTS = Number(process.env.BENCH_FACTS ?? sized(300_000, 12_000))
const AGENTS = 100
const FACTS_PER_TASK = 4
const ROUNDS = sized(5, 2)

export const run = () =>
  withDirectory(async (directory) => {
    await fill(directory)
    const log = join(directory, 'log')
    const times = { parse: [], pages: [], fold: [] }
    for (let round = 0; round < ROUNDS; round++) {
      times.parse.push(await iterated(log, oneByOne))
      times.pages.push(await iterated(log, inPages))
      times.fold.push(await withStore(directory, (store) => cpuOf(() => foldLog(store, KINDS))))
    }
    const what = `verify and fold every stream of ${FACTS} facts, compared with LevelDB and JSON.parse`
    const measured = { value: least(times.fold), unit: 'ms CPU' }
    return [
      row({ what: `${what}, for await`, ...measured, baseline: least(times.parse), floor: 0.5 }),
      row({ what: `${what}, a thousand at a time`, ...measured, baseline: least(times.pages), goal: 0.75 }),
      await withStore(directory, interpreted),
    ]
  })

/** One stream folded by the compiled fold, compared with XState, as `replay` uses it. */
async function interpreted(store) {
  const [agent] = KINDS
  const times = { xstate: [], compiled: [] }
  const facts = []
  for await (const recorded of store.read('agent/a0')) facts.push(recorded)
  const iterate = async function* () {
    yield* facts
  }
  const one = { read: iterate, readAll: iterate }
  for (let round = 0; round < ROUNDS; round++) {
    times.xstate.push(
      await cpuOf(async () => {
        for await (const _ of replaySteps(agent, one, 'agent/a0'));
      }),
    )
    times.compiled.push(await cpuOf(() => foldLog(one, KINDS)))
  }
  return row({
    what: `fold of ${facts.length} facts in memory, compiled, compared with XState`,
    value: least(times.compiled),
    unit: 'ms CPU',
    baseline: least(times.xstate),
  })
}

async function iterated(log, read) {
  const level = await openLevel(log, { createIfMissing: false })
  try {
    return await cpuOf(() => read(level))
  } finally {
    await level.close()
  }
}

const RECORDS = { gte: 'e!', lt: 'e!~' }
/** A record is a letter, two hashes, the fact, and on a separate line the data of its commit. */
const parse = (value) =>
  value
    .slice(87)
    .split('\n')
    .map((line) => JSON.parse(line))

async function oneByOne(level) {
  for await (const value of level.values(RECORDS)) parse(value)
}

async function inPages(level) {
  const records = level.iterator({ ...RECORDS, highWaterMarkBytes: 256 * 1024 })
  for (;;) {
    const entries = await records.nextv(1000)
    if (entries.length === 0) break
    for (const [, value] of entries) parse(value)
  }
  await records.close()
}

async function fill(directory) {
  await withStore(directory, async (store) => {
    const config = {
      systemPrompt: 'You are a research specialist. Find out what is known, and say how it is known.',
      allowedTools: null,
      maxTurns: null,
      model: null,
      timeoutMs: 300_000,
      retry: { attempts: 3, minDelayMs: 1000, maxDelayMs: 60_000 },
      permissions: 'workspace',
    }
    const agents = Array.from({ length: AGENTS }, (_, number) => `agent/a${number}`)
    const info = { currentSession: null, queue: 1, totalInteractions: 4, totalCostUsd: 0.04 }
    const append = (stream, facts) =>
      store.append(stream, facts, { summary: { status: 'busy', open: true, info } })
    await Promise.all(agents.map((agent) => append(agent, [fact('AgentCreated', { config }, 2)])))
    const tasks = (FACTS - AGENTS) / FACTS_PER_TASK / AGENTS
    for (let task = 0; task < tasks; task++) {
      const commits = agents.map((_, number) => taskFacts(task * AGENTS + number))
      for (let index = 0; index < FACTS_PER_TASK; index++)
        await Promise.all(agents.map((agent, number) => append(agent, commits[number][index])))
    }
  })
  // Opened once more, so that LevelDB has compacted its write-ahead log into tables, which happens only once.
  await withStore(directory, async () => {})
}

/** The four commits of one task, as an agent writes them. */
function taskFacts(number) {
  const taskId = `6f1c2d7e-0000-4000-8000-${String(number).padStart(12, '0')}`
  const callId = taskId.replace('6f1c', '7a2d')
  const session = { sessionId: taskId.replace('6f1c', '8b3e'), parentSessionId: null }
  const at = '2026-11-23T06:00:00.000Z'
  const usage = { inputTokens: 900, outputTokens: 120, cacheReadTokens: 0, cacheCreationTokens: 0 }
  return [
    [
      fact('TaskAccepted', {
        taskId,
        prompt: textOf(`prompt ${number}`, 150),
        textInput: null,
        session: 'chain',
        material: {},
      }),
    ],
    [fact('CallStarted', { taskId, callId, attempt: 1, ...session, deadlineAt: at })],
    [fact('ProcessStarted', { taskId, callId, pid: 4242, startTime: '123456' })],
    [
      fact('CallSucceeded', {
        ...{ taskId, callId, attempt: 1, ...session, text: textOf(number, 600) },
        ...{
          costUsd: 0.0123,
          usage,
          durationMs: 2345,
          turns: 1,
          model: null,
          permissionDenials: [],
          harvested: false,
        },
      }),
    ],
  ]
}

const fact = (type, data, v = 1) => ({ type, v, data, correlationId: data.taskId ?? null })

async function withStore(directory, use) {
  const store = await levelStore(directory)
  try {
    return await use(store)
  } finally {
    await store[Symbol.asyncDispose]()
  }
}
