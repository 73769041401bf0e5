/** A team that has worked on a shop for some days: a log with everything that the pages of the inspector can show. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { onTestFinished } from 'vitest'
import type { Call } from '../../src/claude/runner.ts'
import type { Clock } from '../../src/clock.ts'
import { OverloadedError, RefusedError } from '../../src/events/errors/call.ts'
import { ASK_HUMAN } from '../../src/events/options/tools.ts'
import { inspector } from '../../src/inspector/inspector.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { mapReduce } from '../../src/patterns/map-reduce.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { pool } from '../../src/patterns/pool.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { type ScriptedAnswer, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../src/workspaces/operations.ts'
import { untilTrue } from './acts/kit.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** How many of the clock's milliseconds pass in one, until it is slowed down. */
const PACE = 200
const START = Date.UTC(2026, 2, 9, 8, 12)

/** Time that passes quickly, can be moved on, and slowed down to that of the machine. */
function quickClock() {
  let began = performance.now()
  let from = START
  let pace = PACE
  const now = () => Math.round(from + (performance.now() - began) * pace)
  const after: Clock['after'] = (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs / pace)
    return () => clearTimeout(timer)
  }
  const set = (time: number) => {
    from = time
    began = performance.now()
  }
  return {
    now,
    after,
    move: (ms: number) => set(now() + ms),
    slowDown() {
      set(now())
      pace = 1
    },
  }
}

const FINDINGS = `## Findings

The cart computes its sum in \`total\`, and **never resets it**: the second order of a session pays for the first one as well.

| place | severity | problem |
|---|---|---|
| \`src/cart.ts:4\` | high | \`total\` is shared by all carts |
| \`src/cart.ts:9\` | medium | prices are added as floating-point numbers |
| \`src/checkout.ts:21\` | low | an empty cart can be ordered |

1. Keep the sum in the cart, and compute it from its lines.
2. Count in cents:

\`\`\`ts
export const sumOf = (lines: readonly Line[]): number =>
  lines.reduce((sum, { cents, count }) => sum + cents * count, 0)
\`\`\`

> The tests pass because each of them starts a new process.
`

const CART = `let total = 0

export function add(price: number): number {
  total += price
  return total
}
`

const FIXED_CART = `export interface Line {
  readonly cents: number
  readonly count: number
}

export const sumOf = (lines: readonly Line[]): number =>
  lines.reduce((sum, { cents, count }) => sum + cents * count, 0)
`

const ANSWERS: Readonly<Record<string, string>> = {
  security:
    'No input reaches a query or the file system. The session id is compared in **constant time**. One remark: `total` is shared between users, so one user learns the sum of another.',
  performance: 'Each call is `O(1)`, and nothing is allocated. Nothing to do before 10,000 orders an hour.',
  lead: FINDINGS,
  critic: 'The title promises more than the text keeps. Say what changed for the customer first, then why.',
  writer: 'Your cart now forgets what you have paid for. We are sorry for the two days in which it did not.',
}

/** What an agent answers, and how long it takes. */
async function reply(call: Call, isBroken: () => boolean): Promise<ScriptedAnswer> {
  const { agent, prompt, attempt, resumes, directories } = call
  const usage = {
    inputTokens: 5200 + prompt.length,
    outputTokens: 640,
    cacheReadTokens: 0,
    cacheCreationTokens: 0,
  }
  const seconds = 4 + ((prompt.length * 7 + agent.length * 13 + attempt * 5) % 29)
  const answered = (text: string, costUsd = 0.031): ScriptedAnswer => ({
    ...{ text, costUsd, usage, delayMs: seconds * 1000, model: 'claude-sonnet-4-5', turns: 3 },
  })
  const waitsFor = (tool: string, input: Record<string, string | readonly string[]>): ScriptedAnswer => ({
    ...{ deferred: { tool, toolUseId: 'u1', input }, delayMs: 9000, spent: { costUsd: 0.012, usage } },
  })
  if (agent === 'performance' && attempt === 1) return { error: new OverloadedError(), delayMs: 2000 }
  if (agent === 'lead' && isBroken())
    return {
      error: new RefusedError({ said: 'I cannot review code that I have not been given.' }),
      delayMs: 3000,
    }
  if (prompt.includes('for ever')) return { text: '', delayMs: DAY_MS }
  if (agent.startsWith('reader'))
    return {
      ...(answered(
        `Chapter ${/\d+/.exec(prompt)?.[0] ?? ''} says that the cart is emptied at checkout.`,
        0.002,
      ) as object),
      delayMs: 1500,
    }
  if (agent === 'builder' && resumes === undefined) {
    if (prompt.startsWith('Fix')) {
      await writeFile(join(directories.workspace, 'src/cart.ts'), FIXED_CART)
      await writeFile(join(directories.workspace, 'src/cart.test.ts'), "import { sumOf } from './cart.ts'\n")
    }
    if (prompt.startsWith('Empty')) {
      const file_path = join(directories.workspace, 'src/cart.ts')
      return waitsFor('Edit', {
        file_path,
        ...{ old_string: 'export const sumOf', new_string: '/** In cents. */\nexport const sumOf' },
      })
    }
  }
  if (agent === 'releaser')
    return waitsFor('Bash', {
      command: 'npm publish --tag next && git push origin v2.1.0',
      description: 'Publish the release',
    })
  if (agent === 'analyst')
    return waitsFor(ASK_HUMAN, {
      question: 'Which database shall hold the orders?',
      choices: ['PostgreSQL', 'SQLite', 'the log'],
    })
  return answered(
    ANSWERS[agent.split('.')[0] ?? ''] ?? `Done: ${prompt.slice(0, 80)}`,
    agent === 'translator' ? 0.9 : 0.031,
  )
}

/** The orchestrator of that team, with an inspector. `now` is the time that the log ends at. */
export async function shop(steps: number) {
  const folder = await mkdtemp(join(tmpdir(), 'shop-'))
  const repo = join(folder, 'shop')
  await mkdir(join(repo, 'src'), { recursive: true })
  const git = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...command], { cwd: repo })
  git('init', '-q', '-b', 'main')
  await writeFile(join(repo, 'README.md'), '# Shop\n\nSells things.\n')
  await writeFile(join(repo, 'src/cart.ts'), CART)
  git('add', '-A')
  git('commit', '-qm', 'Sell things')
  const clock = quickClock()
  let isBroken = false
  const scripted = scriptedRunner({ clock, reply: (call) => reply(call, () => isBroken) })
  const baseDir = join(folder, 'base')
  const orchestrator = await Orchestrator.open({
    ...{ baseDir, clock, serve: false, random: () => 0 },
    runner: { ...scripted, ...directoryOperations({}) },
  })
  const serving = await inspector(orchestrator)
  onTestFinished(async () => {
    await serving.close()
    await orchestrator.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  const ROLES: Readonly<Record<string, string>> = {
    security: 'You look for what an attacker could use.',
    performance: 'You look for what is slow.',
    lead: 'You sum up what the reviewers found, in order of severity.',
    reader: 'You read one chapter.',
    writer: 'You write to customers.',
    critic: 'You review texts.',
    analyst: 'You analyse. Ask a person what you cannot decide.',
    translator: 'You translate into French.',
  }
  for (const [id, systemPrompt] of Object.entries(ROLES))
    await orchestrator.createAgent({
      ...{ id, systemPrompt, retry: { minDelayMs: 4000, maxDelayMs: 4000 }, questions: id === 'analyst' },
      ...(id === 'critic' && { onMessage: 'hold' as const }),
    })
  const builder = await orchestrator.createAgent({
    ...{ id: 'builder', systemPrompt: 'You build what is asked.', workspace: { repo } },
    approveTools: ['Edit', 'Bash'],
  })
  await orchestrator.createAgent({ id: 'releaser', systemPrompt: 'You release.', approveTools: ['Bash'] })
  const held = async (id: string, prompt: string, taskId: string, approval?: string) => {
    const agent = await orchestrator.agent(id)
    await new Promise<unknown>((onHeld) => {
      agent.ask(prompt, { taskId, onHeld, ...(approval && { approval }) }).catch(() => {})
    })
  }
  const review = sequential([parallel(['security', 'performance']), 'lead'])

  // Some days of reviews.
  for (let day = 0; day < 4; day++) {
    const prompt =
      ['Review `src/cart.ts`', 'Review the checkout', 'Review `src/cart.ts` again', 'Review the search'][
        day
      ] ?? ''
    await orchestrator.run(review, prompt, { id: `review-${day + 1}`, name: 'code review' })
    clock.move(DAY_MS)
  }
  isBroken = true
  await orchestrator.run(review, 'Review what was not given', { id: 'review-5', name: 'code review' })
  isBroken = false

  // What became of the findings: files, an undone turn, a fork, and work that did not land.
  await builder.ask('Fix the sum of the cart')
  await builder.ask('Write down what you did')
  await orchestrator.fork('builder', { as: 'builder-2' })
  const [landing] = await orchestrator.landings.land(['builder'], { gate: 'false' })
  await orchestrator.landings.settled(landing?.entry ?? '')

  // Many steps by the copies of a pool.
  const chapters = Array.from({ length: steps - 1 }, (_, at) => `Chapter ${at + 1} of the manual`)
  await orchestrator.run(
    mapReduce({ split: () => chapters, map: pool('reader', { size: 24 }), reduce: 'lead' }),
    'Summarise the manual',
    {
      ...{ id: 'manual', name: 'summarise' },
    },
  )

  // Messages, and all that waits for a person.
  const writer = await orchestrator.agent('writer')
  await writer.send(
    'critic',
    'The draft of the mail to customers is ready: please say what is wrong with it.',
  )
  await orchestrator.messages.send({
    to: 'writer',
    from: 'critic',
    text: 'Say what changed for the customer first.',
  })
  await writer.ask('Write to the customers')
  const translator = await orchestrator.agent('translator')
  await orchestrator.budgets.set({ usd: 1 }, { agent: 'translator' })
  await translator.ask('Translate the mail')
  await held('translator', 'Translate the manual', 'translate-manual')
  await held('writer', 'Send the mail to 12,480 customers', 'send-mail', 'it goes out to customers')
  await held('builder', 'Empty the cart after checkout', 'empty-cart')
  await held('releaser', 'Release version 2.1.0', 'release')
  await held('analyst', 'Find a home for the orders', 'orders')

  // And what runs now.
  clock.slowDown()
  const running = orchestrator.run(
    sequential([parallel(['security', 'lead']), 'reader']),
    'Watch the shop for ever',
    {
      ...{ id: 'watch', name: 'watch' },
    },
  )
  running.catch(() => {})
  await running.begun
  await untilTrue(async () => (await orchestrator.runs.show('watch')).steps >= 2)
  const { store } = orchestrator
  const positionOf = async (type: string, stream: string) => {
    for await (const recorded of store.read(stream)) if (recorded.type === type) return recorded.position
    throw new Error(`there is no ${type}`)
  }
  return { orchestrator, url: serving.url, positionOf, now: clock.now() + 95_000 }
}
