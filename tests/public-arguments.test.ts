/** What a public function says to an argument that is missing or wrong: an error of this package, never one of the language. */
import { firstValueFrom } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import * as config from '../src/entry-points/config.ts'
import * as inspect from '../src/entry-points/inspect.ts'
import * as log from '../src/entry-points/log.ts'
import * as postgres from '../src/entry-points/postgres.ts'
import * as testing from '../src/entry-points/testing.ts'
import * as main from '../src/index.ts'

const WRONG: readonly unknown[] = [undefined, 42, {}]

/** They take long, or read what the log holds. */
const LEFT_OUT = new Set(['crashSweep', 'simulate', 'eventStoreContract'])

type Callable = (argument: unknown) => unknown

/** What a call threw, or rejected with; undefined if it went well. What it opened is closed. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    const made = call() as { next?: () => unknown } & Partial<AsyncDisposable> & AsyncIterable<unknown>
    const isIterable = typeof made?.[Symbol.asyncIterator] === 'function' && !('then' in made)
    const result = (await (isIterable ? made[Symbol.asyncIterator]().next() : made)) as typeof made
    await result?.[Symbol.asyncDispose]?.()
    return undefined
  } catch (error) {
    return error
  }
}

/** The calls that failed with an error that is none of ours. */
async function untyped(callables: readonly (readonly [name: string, run: Callable])[]): Promise<string[]> {
  const found: string[] = []
  for (const [name, run] of callables)
    for (const argument of WRONG) {
      const error = await thrownBy(() => run(argument))
      if (error !== undefined && !(error instanceof main.ClaudeAgentError))
        found.push(`${name}(${JSON.stringify(argument)}): ${error}`)
    }
  return found
}

test('every exported function has a clear error for an argument that is missing or wrong', async () => {
  const functions = Object.entries({
    ...main,
    ...config,
    ...inspect,
    ...log,
    ...postgres,
    ...testing,
  }).filter(
    (entry): entry is [string, Callable] =>
      typeof entry[1] === 'function' && !String(entry[1]).startsWith('class') && !LEFT_OUT.has(entry[0]),
  )
  expect(functions.length).toBeGreaterThan(45)
  expect(await untyped(functions)).toEqual([])
})

test('every method of an orchestrator and of its parts has one too', async () => {
  await using orchestrator = await main.Orchestrator.open({
    store: main.memoryStore(),
    runner: testing.scriptedRunner(),
  })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You help.' })
  const { runs, budgets, held, history, accounts, landings, inbox, schedules, messages } = orchestrator
  const calls: (readonly [string, Callable])[] = []
  for (const [owner, part] of Object.entries({
    ...{ runs, budgets, held, history, accounts, landings, inbox, schedules, messages },
  }))
    for (const [name, method] of Object.entries(part as object))
      if (typeof method === 'function') calls.push([`${owner}.${name}`, method as Callable])
  const methods = {
    orchestrator: [
      ...[
        'createAgent',
        'declareAgent',
        'agent',
        'removeAgent',
        'adopt',
        'fork',
        'run',
        'sendTask',
        'sequential',
      ],
      ...['parallel', 'pipeline', 'hierarchical', 'supervise', 'supervisor', 'spawn', 'registerActors'],
    ],
    agent: ['ask', 'send', 'cancel', 'reply', 'approve', 'reject', 'setBudget'],
  } as const
  for (const [owner, object] of Object.entries({ orchestrator, agent }))
    for (const name of methods[owner as keyof typeof methods])
      calls.push([
        `${owner}.${name}`,
        (argument) => (object as never as Record<string, Callable>)[name]?.(argument),
      ])
  expect(calls.length).toBeGreaterThan(30)
  expect(await untyped(calls)).toEqual([])
})

test('options that are null are refused with an error of ours, where a promise would be', async () => {
  const { orchestrator, agent } = await opened()
  const none = null as never
  const calls = {
    ask: () => agent.ask('x', none),
    accept: () => agent.accept('x', none),
    cancel: () => agent.cancel('t', 'no', none),
    send: () => agent.send('a', 'x', none),
    publish: () => orchestrator.messages.publish('t', 'x', none),
    release: () => agent.mailbox.release('m', none),
    reject: () => agent.mailbox.reject('m', none),
    receive: () => agent.mailbox.receive(none),
    write: () => orchestrator.notes.write('n', 'x', none),
    read: () => orchestrator.notes.read('n', none),
    approve: () => orchestrator.inbox.approve('x', none),
    deny: () => orchestrator.inbox.deny('x', none),
    remove: () => orchestrator.removeAgent('a', none),
  }
  for (const [name, call] of Object.entries(calls))
    expect([name, await Promise.resolve(call()).catch((error) => error)]).toEqual([
      name,
      expect.any(main.InvalidInputError),
    ])
})

test('what is no position of the log is refused, and keeps no orchestrator from closing', async () => {
  const { orchestrator } = await opened()
  for (const after of [Number.NaN, -1, 0.5, '1', null] as number[]) {
    for (const stream of [orchestrator.events({ after }), orchestrator.messages.published('t', { after })]) {
      await expect(firstValueFrom(stream), String(after)).rejects.toBeInstanceOf(main.InvalidInputError)
      await expect(stream[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(main.InvalidInputError)
    }
    const followed = orchestrator.store.follow({ after })[Symbol.asyncIterator]()
    await expect(followed.next(), String(after)).rejects.toBeInstanceOf(main.InvalidInputError)
    await expect(main.telemetry(orchestrator, { after })).rejects.toBeInstanceOf(main.InvalidInputError)
  }
  await orchestrator.close()
})

async function opened() {
  const runner = testing.scriptedRunner()
  const orchestrator = await main.Orchestrator.open({ store: main.memoryStore(), runner })
  onTestFinished(() => orchestrator.close())
  return { orchestrator, agent: await orchestrator.createAgent({ id: 'a', systemPrompt: 'You help.' }) }
}

test('findConfigFile looks from the working directory, as loadConfig does', async () => {
  expect(await config.findConfigFile()).toBe((await config.loadConfig()).file)
})
