// How fast the inspector shows a log of 100,000 facts, follows its slider and scrolls, and how fast it shows a run of 500
// steps, measured in headless Chromium or, without one, at its server.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { textOf } from './kit/answers.mjs'
import { dist, median, rounded, sized, withDirectory } from './kit/measuring.mjs'

const { levelStore } = await import(`${dist}/store/level/store.js`)
const { inspector } = await import(`${dist}/inspector/inspector.js`)
const { Orchestrator } = await import(`${dist}/orchestrator.js`)
const { parallel } = await import(`${dist}/patterns/parallel.js`)
const { sequential } = await import(`${dist}/patterns/sequential.js`)
const { scriptedRunner } = await import(`${dist}/testing/scripted-runner.js`)

export const name = 'inspector'

const FACTS = sized(100_000, 3000)
const AGENTS = 20
const MOVES = sized(40, 5)
const STEPS = sized(500, 50)
const FRAMES = sized(300, 30)
/** The targets, in milliseconds. */
const FIRST_PAINT_MS = 1000
const MOVE_MS = 100
const RUN_MS = 1000
const FRAME_MS = 1000 / 60

export const run = () =>
  withDirectory(async (directory) => {
    await fill(directory)
    const chromium = findChromium()
    return chromium ? await inBrowser(directory, chromium) : await atServer(directory)
  })

/** Measures the first paint, and for each move of the slider the time until the whole page shows the new moment. */
async function inBrowser(directory, executablePath) {
  const { chromium } = await import('playwright-core')
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']
  const browser = await chromium.launch({ executablePath, args })
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  try {
    // The server starts to read the log when it starts to serve, so nothing is cached when the page opens.
    const shown = await serving(directory, async (url) => {
      await page.goto(url.replace('/?', '/log?'), { waitUntil: 'commit' })
      await page.waitForFunction(
        () => document.querySelector('.lane') && document.querySelector('.fact .type'),
      )
      const painted = await page.evaluate(
        () =>
          new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))),
      )
      await page.waitForFunction(() => document.querySelector('.reading') === null, null, {
        timeout: 120_000,
      })
      const read = await page.evaluate(() => performance.now())
      const times = await page.evaluate(moveSlider, { facts: FACTS, moves: MOVES })
      const frame = median(await page.evaluate(scroll, FRAMES))
      return [
        ...rows('in Chromium', painted, times, read),
        {
          what: `a frame while the facts scroll, median of ${FRAMES}, in Chromium`,
          value: rounded(frame, 1),
          unit: 'ms',
          baseline: rounded(FRAME_MS, 1),
          ratio: rounded(FRAME_MS / frame, 2),
        },
      ]
    })
    // A page that has just been opened, of a log that has not been read.
    const opened = (id, steps) =>
      serving(directory, async (url) => {
        await page.goto(url.replace('/?', `/run/${id}?`), { waitUntil: 'commit' })
        await page.waitForFunction(
          (count) =>
            document.querySelectorAll('.step').length === count &&
            document.querySelector('.brief')?.textContent !== '',
          steps,
        )
        return page.evaluate(() => performance.now())
      })
    const short = await opened('short', 2)
    const long = await opened('bench', STEPS)
    return [
      ...shown,
      limited(`the page of a run of ${STEPS} steps, in Chromium`, long, RUN_MS),
      {
        what: `the page of a run of ${STEPS} steps, against one of 2`,
        value: Math.round(long),
        unit: 'ms',
        baseline: Math.round(short),
        ratio: rounded(short / long, 2),
      },
    ]
  } finally {
    await browser.close()
  }
}

async function serving(directory, work) {
  const store = await levelStore(directory)
  try {
    const served = await inspector(store)
    try {
      return await work(served.url)
    } finally {
      await served.close()
    }
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

/** Runs in the page: moves the slider and waits until the position, the fact and the list show the new moment. */
async function moveSlider({ facts, moves }) {
  const slider = document.querySelector('input[type=range]')
  const shown = (position) => {
    const text = position.toLocaleString('en')
    return (
      document.querySelector('.where strong')?.textContent === text &&
      document.querySelector('.facts-about dd')?.textContent === text &&
      document.getElementById(`fact-${position}`) !== null
    )
  }
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
  const times = []
  for (let move = 0; move < moves; move++) {
    const position = 1 + ((move * 61_803) % facts)
    const begin = performance.now()
    slider.value = String(position)
    slider.dispatchEvent(new Event('input', { bubbles: true }))
    while (!shown(position)) await frame()
    times.push(performance.now() - begin)
  }
  return times
}

/** Runs in the page: scrolls the facts by some rows in each frame, and returns how long each took. */
async function scroll(count) {
  const list = document.querySelector('[role=listbox]')
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
  list.scrollTop = 0
  const times = []
  let last = await frame()
  for (let number = 0; number < count; number++) {
    list.scrollTop += 200
    const now = await frame()
    times.push(now - last)
    last = now
  }
  return times
}

const atServer = (directory) =>
  serving(directory, async (url) => {
    const begin = performance.now()
    const { origin, searchParams } = new URL(url)
    const headers = { authorization: `Bearer ${searchParams.get('token')}` }
    const ask = async (path) => (await fetch(`${origin}${path}`, { headers })).json()
    await Promise.all([ask('/api/moment'), ask('/api/facts?limit=100'), ask('/api/timeline?columns=800')])
    const painted = performance.now() - begin
    for (;;) {
      const { log } = await ask('/api/moment')
      if (log.indexed === log.head) break
    }
    const read = performance.now() - begin
    const times = []
    for (let move = 0; move < MOVES; move++) {
      const position = 1 + ((move * 61_803) % FACTS)
      const start = performance.now()
      await ask(`/api/moment?at=${position}`)
      await ask(`/api/facts?offset=${Math.floor(position / 100) * 100}&limit=100`)
      times.push(performance.now() - start)
    }
    return rows('at the server (no Chromium)', painted, times, read)
  })

const rows = (where, painted, times, read) => [
  limited(`first paint of ${FACTS} facts, ${where}`, painted, FIRST_PAINT_MS),
  limited(`one move of the slider, median, ${where}`, median(times), MOVE_MS),
  {
    what: `one move of the slider, slowest of ${MOVES}, ${where}`,
    value: Math.round(Math.max(...times)),
    unit: 'ms',
  },
  { what: `indexing the whole log, ${where}`, value: Math.round(read), unit: 'ms' },
]

/** The ratio is how much faster it is than the target. */
const limited = (what, value, limit) => ({
  what,
  value: Math.round(value),
  unit: 'ms',
  baseline: limit,
  ratio: rounded(limit / value, 2),
  floor: 1,
})

function findChromium() {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((file) => join(folder, file)))
  return [process.env.CHROMIUM_PATH ?? '', ...onPath].find((path) => path !== '' && existsSync(path))
}

/** Fills a store with agents that answer one task after another; every seventh call fails and is retried. */
async function fill(directory) {
  await runOnce(directory)
  const store = await levelStore(directory)
  const agents = Array.from({ length: AGENTS }, (_, number) => agent(`agent/worker-${number + 1}`))
  let written = 0
  for (const { stream, created } of agents) written += (await store.append(stream, [created])).length
  while (written < FACTS) {
    const commits = agents.map(({ stream, task }) => store.append(stream, task()))
    for (const recorded of await Promise.all(commits)) written += recorded.length
  }
  await store[Symbol.asyncDispose]()
}

/** A run of two agents that answer in turns. */
async function runOnce(directory) {
  const runner = scriptedRunner({ reply: ({ agent: id, prompt }) => textOf(`${id} ${prompt.length}`, 1000) })
  const orchestrator = await Orchestrator.open({ store: await levelStore(directory), runner })
  for (const id of ['one', 'two']) await orchestrator.createAgent({ id, systemPrompt: 'You answer.' })
  const round = parallel(['one', 'two'])
  await orchestrator.run(round, 'go', { id: 'short' })
  await orchestrator.run(sequential(Array.from({ length: STEPS / 2 }, () => round)), 'go', { id: 'bench' })
  await orchestrator.close()
}

function agent(stream) {
  const fact = (type, data, v = 1) => ({ type, v, data })
  const retry = { attempts: 2, minDelayMs: 1, maxDelayMs: 2 }
  const config = {
    ...{
      systemPrompt: 'You answer.',
      allowedTools: null,
      maxTurns: null,
      model: null,
      timeoutMs: 1000,
      retry,
    },
    ...{ permissions: 'workspace' },
  }
  const usage = { inputTokens: 100, outputTokens: 50, cacheReadTokens: 0, cacheCreationTokens: 0 }
  const error = { tag: 'OverloadedError', message: 'Overloaded.', hint: '', retryable: true, details: {} }
  const at = '2026-01-01T00:00:00.000Z'
  const material = { files: [], folders: [], repos: [] }
  let number = 0
  let parentSessionId = null
  return {
    stream,
    created: fact('AgentCreated', { config }, 2),
    task() {
      const taskId = `t${++number}`
      const facts = [
        fact('TaskAccepted', {
          taskId,
          prompt: `Task ${number}`,
          textInput: null,
          session: 'chain',
          material,
        }),
      ]
      for (let attempt = 1; ; attempt++) {
        const [callId, sessionId] = [`c${number}-${attempt}`, `s${number}-${attempt}`]
        facts.push(
          fact('CallStarted', { taskId, callId, attempt, sessionId, parentSessionId, deadlineAt: at }),
        )
        facts.push(fact('ProcessStarted', { taskId, callId, pid: 1, startTime: null }))
        if (number % 7 > 0 || attempt > 1) {
          const session = {
            sessionId,
            parentSessionId,
            text: textOf(`${stream} ${number}`, 200),
            costUsd: 0.01,
            usage,
          }
          const rest = { durationMs: 9, turns: 1, model: null, permissionDenials: [], harvested: false }
          facts.push(fact('CallSucceeded', { taskId, callId, attempt, ...session, ...rest }))
          parentSessionId = sessionId
          return facts
        }
        facts.push(fact('CallFailed', { taskId, callId, error }))
        facts.push(fact('RetryScheduled', { taskId, attempt: attempt + 1, dueAt: at }))
      }
    },
  }
}
