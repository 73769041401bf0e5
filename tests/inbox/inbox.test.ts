/** What waits for a person is in one list, from the log alone, and a decision names what it decides. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AuthenticationError, BillingError } from '../../src/events/errors/call.ts'
import {
  InboxDecisionError,
  InboxEntryGoneError,
  InboxEntryNotFoundError,
} from '../../src/events/errors/hold.ts'
import type { InboxEntry } from '../../src/inbox/entry.ts'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { approved } from '../../src/patterns/approved.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { until, world } from '../actors/world.ts'

const ignored = <T>(reply: PromiseLike<T>): PromiseLike<T> => {
  reply.then(
    () => {},
    () => {},
  )
  return reply
}

/** Asks for something that waits, and resolves once it is held. */
const askHeld = (orchestrator: Orchestrator, agent: string, taskId: string, approval: string | true = true) =>
  new Promise<unknown>((onHeld, reject) => {
    orchestrator
      .agent(agent)
      .then((found) => ignored(found.ask(`do ${taskId}`, { taskId, approval, onHeld })))
      .catch(reject)
  })

const writer = { id: 'writer', systemPrompt: 'You write.' }
const KEYS = [
  ...['id', 'kind', 'agent', 'run', 'since', 'prompt', 'tool', 'input', 'question', 'choices', 'costUsd'],
  'command',
]

describe('The inbox', () => {
  test('has each held task with what is asked in full, and the command that approves it', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    await orchestrator.createAgent(writer)
    await askHeld(orchestrator, 'writer', 't1', 'it goes out')
    const at = new Date(here.clock.now()).toISOString()
    await here.clock.advance(1000)
    const entries = await orchestrator.inbox()
    expect(entries).toEqual([
      {
        ...{ id: 'task:writer:t1', kind: 'task', agent: 'writer', run: null, since: at, prompt: 'do t1' },
        ...{ tool: null, input: null, choices: null, costUsd: 0 },
        question: 'Task t1 of agent "writer" is held: it needs approval (it goes out).',
        command: 'claude-agents inbox approve task:writer:t1',
      },
    ])
    expect(Object.keys(entries[0] ?? {}).sort()).toEqual(KEYS.toSorted())
    await orchestrator.inbox.approve('task:writer:t1', { by: 'Ada' })
    expect(await orchestrator.inbox()).toEqual([])
    await orchestrator.close()
  })

  test('has a task without room in its budget with the command that lets it continue, which does', async () => {
    const here = await world()
    const { orchestrator } = await here.open({ reply: () => ({ text: 'x', costUsd: 0.4 }) })
    const agent = await orchestrator.createAgent({ ...writer, budget: { usd: 0.5 } })
    await agent.ask('first')
    const reply = ignored(agent.ask('second', { taskId: 't2' }))
    await until(() => agent.snapshot.context.queue[0]?.hold !== undefined)
    const [entry] = await orchestrator.inbox()
    expect(entry).toMatchObject({ id: 'budget:writer:t2', kind: 'budget', agent: 'writer', prompt: 'second' })
    expect(entry?.question).toContain('does not fit into the budget of agent "writer"')
    await expect(orchestrator.inbox.approve('budget:writer:t2')).rejects.toBeInstanceOf(InboxDecisionError)
    const usd = Number(
      /^claude-agents budget set --agent writer --usd ([\d.]+)$/.exec(entry?.command ?? '')?.[1],
    )
    await orchestrator.budgets.set({ usd }, { agent: 'writer' })
    expect((await reply).text).toBe('x')
    expect(await orchestrator.inbox()).toEqual([])
    await expect(orchestrator.inbox.deny('budget:writer:t2')).rejects.toThrow(/its task continued at/)
    await orchestrator.close()
  })

  test('has a task whose account cannot pay; approving it lets calls begin again', async () => {
    const here = await world()
    let isPaid = false
    const { orchestrator } = await here.open({
      reply: () => (isPaid ? 'paid' : new BillingError({ said: 'no credit' })),
    })
    const agent = await orchestrator.createAgent(writer)
    const reply = ignored(agent.ask('x', { taskId: 't1' }))
    await until(() => agent.snapshot.context.queue[0]?.hold !== undefined)
    expect(await orchestrator.inbox()).toMatchObject([
      { id: 'account:writer:t1', kind: 'account', command: 'claude-agents account resume' },
    ])
    isPaid = true
    await orchestrator.inbox.approve('account:writer:t1', { by: 'Ada' })
    expect((await reply).text).toBe('paid')
    await orchestrator.close()
  })

  test('has a run that waits for its program; denying it cancels the run', async () => {
    const here = await world()
    const first = await here.open({ reply: () => ({ text: '', delayMs: 9e12 }) })
    await first.orchestrator.createAgent(writer)
    const run = first.orchestrator.run(sequential(['writer']), 'go and write', { id: 'r1' })
    ignored(run)
    await run.begun
    expect(await first.orchestrator.inbox()).toEqual([])
    await first.orchestrator.close()
    const { orchestrator } = await here.open()
    expect(await orchestrator.inbox()).toMatchObject([
      {
        ...{ id: 'run:r1', kind: 'run', agent: null, run: 'r1', prompt: 'go and write' },
        command: 'claude-agents workflow resume r1 --module FILE',
      },
    ])
    await orchestrator.inbox.deny('run:r1', { by: 'Ada', reason: 'too late' })
    expect((await orchestrator.runs.show('r1')).status).toBe('cancelled')
    await expect(orchestrator.inbox.deny('run:r1')).rejects.toThrow(/the run is cancelled/)
    await orchestrator.close()
  })

  test('has a supervision tree that gave up until it is started again', async () => {
    const here = await world()
    const { orchestrator } = await here.open({ reply: () => new AuthenticationError() })
    const agent = await orchestrator.createAgent(writer)
    const intensity = { maxRestarts: 0, withinMs: 1000 }
    await orchestrator.supervise({ id: 'top', intensity, children: [{ agent: 'writer' }] })
    ignored(agent.ask('x'))
    await orchestrator.failed
    const [entry] = await orchestrator.inbox()
    expect(entry).toMatchObject({
      ...{ id: 'supervision:top', kind: 'supervision', agent: null },
      command: 'claude-agents log --stream supervisor/top',
    })
    expect(entry?.question).toContain('The supervision tree "top" gave up')
    await orchestrator.close()
    const next = await here.open()
    expect(await next.orchestrator.inbox()).toEqual([entry])
    const tree = await next.orchestrator.supervise({ id: 'top', children: [] })
    expect(await next.orchestrator.inbox()).toEqual([])
    await tree.stop()
    expect(await next.orchestrator.inbox()).toEqual([])
    await expect(next.orchestrator.inbox.deny('supervision:top')).rejects.toThrow(/it was started again/)
    await next.orchestrator.close()
  })

  test('has the step of a run with the run that waits for it', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    await orchestrator.createAgent(writer)
    const run = orchestrator.run(sequential([approved('writer')]), 'go', { id: 'r1' })
    await run.rested()
    const [entry] = await orchestrator.inbox()
    expect(entry).toMatchObject({ kind: 'task', agent: 'writer', run: 'r1' })
    await orchestrator.inbox.approve(entry?.id ?? '')
    expect((await run).success).toBe(true)
    await orchestrator.close()
  })
})

describe('A decision on what is no longer in the inbox', () => {
  test('says who decided it, and how', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    await orchestrator.createAgent(writer)
    for (const id of ['t1', 't2', 't3']) await askHeld(orchestrator, 'writer', id)
    await orchestrator.inbox.approve('task:writer:t1', { by: 'Ada' })
    await orchestrator.inbox.deny('task:writer:t2', { by: 'Bob', reason: 'not now' })
    await (await orchestrator.agent('writer')).cancel('t3', 'nobody needs it')
    const gone = (id: string) => orchestrator.inbox.approve(id).catch((error: unknown) => error)
    expect(await gone('task:writer:t1')).toBeInstanceOf(InboxEntryGoneError)
    expect(String(await gone('task:writer:t1'))).toMatch(/was approved by Ada at 20/)
    expect(String(await gone('task:writer:t2'))).toMatch(/was denied by Bob at 20.*: not now/)
    expect(String(await gone('task:writer:t3'))).toContain('its task was cancelled: nobody needs it')
    for (const id of ['task:writer:t9', 'task:nobody:t1', 'task:../x:t1', 'constructor:t1', 'nonsense', ''])
      expect(await gone(id)).toBeInstanceOf(InboxEntryNotFoundError)
    await askHeld(orchestrator, 'writer', 't4')
    expect(String(await gone('t4'))).toContain('Did you mean "task:writer:t4"?')
    await orchestrator.close()
  })

  test('is refused to the slower of two, who hears of the quicker', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    await orchestrator.createAgent(writer)
    await askHeld(orchestrator, 'writer', 't1')
    const both = await Promise.allSettled([
      orchestrator.inbox.approve('task:writer:t1', { by: 'Ada' }),
      orchestrator.inbox.deny('task:writer:t1', { by: 'Bob' }),
    ])
    const slower = both.filter(({ status }) => status === 'rejected')
    expect(slower).toMatchObject([{ reason: { _tag: 'InboxEntryGoneError' } }])
    await orchestrator.close()
  })
})

test('whatever is asked, decided and restarted: the inbox has what waits, under the same ids', async () => {
  const step = fc.oneof(
    fc.record({ does: fc.constant('ask' as const), agent: fc.constantFrom('a', 'b') }),
    fc.record({
      does: fc.constantFrom('approve' as const, 'deny' as const, 'cancel' as const),
      at: fc.nat(3),
    }),
    fc.record({ does: fc.constant('restart' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const here = await world()
      let { orchestrator } = await here.open()
      for (const id of ['a', 'b']) await orchestrator.createAgent({ ...writer, id })
      const waiting: string[] = []
      let asked = 0
      for (const one of steps) {
        await here.clock.advance(1)
        if (one.does === 'ask') {
          asked += 1
          await askHeld(orchestrator, one.agent, `t${asked}`)
          waiting.push(`task:${one.agent}:t${asked}`)
        } else if (one.does === 'restart') {
          const before = await orchestrator.inbox()
          await orchestrator.close()
          orchestrator = (await here.open()).orchestrator
          expect(await orchestrator.inbox()).toEqual(before)
        } else {
          const [id] = waiting.splice(one.at % Math.max(1, waiting.length), 1)
          if (id === undefined) continue
          const [, agent = '', taskId = ''] = id.split(':')
          if (one.does === 'cancel') await (await orchestrator.agent(agent)).cancel(taskId, 'no')
          else await orchestrator.inbox[one.does](id)
          await expect(orchestrator.inbox.approve(id)).rejects.toBeInstanceOf(InboxEntryGoneError)
        }
        expect((await orchestrator.inbox()).map(({ id }) => id)).toEqual(waiting)
      }
      await orchestrator.close()
    }),
    { numRuns: 15 },
  )
})

describe('The stream of the inbox', () => {
  test('is the list at once, then whenever it changes, and ends with the log', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    await orchestrator.createAgent(writer)
    const seen: string[][] = []
    const ids = (entries: readonly InboxEntry[]) => entries.map(({ id }) => id)
    const read = (async () => {
      for await (const entries of orchestrator.inbox()) seen.push(ids(entries))
    })()
    const subscribed: string[][] = []
    const subscription = orchestrator.inbox().subscribe((entries) => subscribed.push(ids(entries)))
    // Each is told what the inbox is now, and nothing of what it was meanwhile.
    const haveSeen = (lists: number) => until(() => seen.length === lists && subscribed.length === lists)
    await haveSeen(1)
    await askHeld(orchestrator, 'writer', 't1')
    await haveSeen(2)
    await orchestrator.inbox.approve('task:writer:t1')
    await haveSeen(3)
    subscription.unsubscribe()
    expect(seen).toEqual([[], ['task:writer:t1'], []])
    expect(subscribed).toEqual(seen)
    await orchestrator.close()
    await here.store[Symbol.asyncDispose]()
    await read
  })

  test('leaves nothing behind when its reader leaves', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    await orchestrator.createAgent(writer)
    for await (const entries of orchestrator.inbox()) {
      expect(entries).toEqual([])
      break
    }
    await orchestrator.close()
  })
})
