/** What a public function says to an argument that is missing or wrong: an error of this package, never one of the language. */
import { firstValueFrom, type Observable } from 'rxjs'
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

test('an option that does not exist is refused wherever there are options, and so is one of another kind', async () => {
  const { orchestrator, agent } = await opened()
  const { runs, budgets, held, accounts, messages, schedules, notes } = orchestrator
  const pattern = main.sequential(['a'])
  // Each with an option that it has, and a value that this one cannot have.
  const calls: Record<string, [call: (options: never) => unknown, option: string, value: unknown]> = {
    open: [(options) => main.Orchestrator.open(options), 'runner', {}],
    ask: [(options) => agent.ask('x', options), 'signal', {}],
    accept: [(options) => agent.accept('x', options), 'session', 'other'],
    sendTask: [(options) => orchestrator.sendTask('a', 'x', options), 'approval', 5],
    send: [(options) => agent.send('a', 'x', options), 'messageId', 5],
    run: [(options) => orchestrator.run(pattern, 'x', options), 'signal', 5],
    resume: [(options) => runs.resume('r', pattern, options), 'acceptChanges', 'yes'],
    list: [(options) => runs.list(options), 'open', 'yes'],
    forkRun: [(options) => runs.fork('r', options), 'by', 5],
    fork: [(options) => orchestrator.fork('a', options), 'by', 5],
    setBudget: [(scope) => budgets.set({ usd: 1 }, scope), 'agent', 5],
    showBudget: [(scope) => budgets.show(scope), 'run', 5],
    held: [(options) => held.list(options), 'agent', 5],
    approve: [(options) => held.approve('t', options), 'by', 5],
    reject: [(options) => held.reject('t', options), 'reason', 5],
    lateAnswers: [(options) => orchestrator.lateAnswers(options), 'agent', 5],
    resumeAccounts: [(options) => accounts.resume(options), 'account', 5],
    drain: [(options) => orchestrator.drain(options), 'withinMs', Number.NaN],
    events: [(options) => firstValueFrom(orchestrator.events(options)), 'after', 'x'],
    published: [(options) => firstValueFrom(messages.published('t', options)), 'after', 'x'],
    publish: [(options) => messages.publish('t', 'x', options), 'messageId', 5],
    schedule: [(options) => schedules.add('s', options), 'cron', 5],
    write: [(options) => notes.write('n', 'x', options), 'expectedVersion', 'x'],
    telemetry: [(options) => main.telemetry(orchestrator, options), 'tracerProvider', {}],
    inspector: [(options) => inspect.inspector(orchestrator, options), 'readOnly', 'yes'],
    closeOnSignal: [async (options) => main.closeOnSignal(orchestrator, options), 'before', 5],
  }
  for (const [name, [call, option, value]] of Object.entries(calls))
    for (const options of [{ nonsense: 1 }, { [option]: value }]) {
      const error = await thrownBy(() => call(options as never))
      expect(error, `${name}(${JSON.stringify(options)})`).toBeInstanceOf(main.ClaudeAgentError)
      expect((error as Error).message, name).toMatch(/"nonsense"|must be|is no|is not|none of|neither/)
    }
  expect((await budgets.show()).limit).toEqual({ usd: null, tokens: null })
  expect(await held.list()).toEqual([])
})

test('what Orchestrator.open cannot use is refused before anything is opened', async () => {
  const agents = ['a', 'b', 'a'].map((id) => ({ id, systemPrompt: 'You help.' }))
  for (const options of [
    { agents },
    { agents: { id: 'a' } },
    { resume: 'later' },
    { declare: 'never' },
    { serve: 'yes' },
    { sessionPersistence: 0 },
    { store: {} },
    { clock: {} },
    { logger: {} },
    { actors: {} },
    { newId: 3 },
    { random: 7 },
    { onFailure: 'x' },
    { notify: {} },
  ])
    await expect(main.Orchestrator.open(options as never), Object.keys(options)[0]).rejects.toBeInstanceOf(
      main.InvalidInputError,
    )
})

test('what is no position of the log is refused, and keeps no orchestrator from closing', async () => {
  const { orchestrator } = await opened()
  for (const after of [Number.NaN, -1, 0.5, '1', null] as number[]) {
    const streams: (Observable<unknown> & AsyncIterable<unknown>)[] = [
      orchestrator.events({ after }),
      orchestrator.messages.published('t', { after }),
    ]
    for (const stream of streams) {
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
