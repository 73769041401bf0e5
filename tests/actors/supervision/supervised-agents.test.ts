/** Agents under a supervisor: what counts as a crash, and what a restart preserves. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SupervisorSpecification } from '../../../src/actors/supervision/specification.ts'
import type { Supervisor } from '../../../src/actors/supervision/supervisor.ts'
import { AuthenticationError, CliCrashedError, RefusedError } from '../../../src/events/errors/call.ts'
import { UnknownFactError } from '../../../src/events/errors/fact.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { crew, quiet, statuses } from '../crew.ts'

const AGENTS = ['writer', 'critic']
const MANY = { maxRestarts: 100, withinMs: 1000 }

async function team(reply: ScriptedRunnerOptions['reply'], intensity = MANY) {
  const clock = virtualClock()
  const store = memoryStore()
  const runner = scriptedRunner({ clock, ...(reply ? { reply } : {}) })
  const failures: Error[] = []
  const poison = { isThere: false }
  const orchestrator = await Orchestrator.open({
    store: {
      ...store,
      read(stream, options) {
        if (poison.isThere)
          throw new UnknownFactError({ type: 'FromTheFuture', v: 9, known: null, position: 7 })
        return store.read(stream, options)
      },
      [Symbol.asyncDispose]: async () => {},
    },
    runner,
    clock,
    random: () => 0,
    onFailure: (error) => failures.push(error),
  })
  const [writer, critic] = await Promise.all(
    AGENTS.map((id) => orchestrator.createAgent({ id, systemPrompt: 'You work.', retry: { attempts: 0 } })),
  )
  if (!writer || !critic) throw new Error('no agents')
  const supervisor = await orchestrator.supervise({
    id: 'team',
    intensity,
    children: AGENTS.map((agent) => ({ agent })),
  })
  const types = async (stream: string) => {
    const found: string[] = []
    for await (const { type } of store.read(stream)) found.push(type)
    return found
  }
  return { orchestrator, supervisor, writer, critic, runner, failures, types, store, clock, poison }
}

const restarts = (supervisor: Supervisor) => supervisor.children().map((child) => child.restarts)

/** Answers, and crashes at certain prompts. */
const crashesAt = (prompt: string) => (call: { prompt: string }) =>
  call.prompt === prompt ? new CliCrashedError() : `echo: ${call.prompt}`

describe('A supervised agent', () => {
  test('whose last retry fails is reloaded: its queue continues, its session chain stays, its sibling is untouched', async () => {
    const { supervisor, writer, critic, runner, types } = await team(crashesAt('two'))
    const machine = critic.machine
    const first = await writer.ask('one')
    const two = writer.ask('two')
    const three = writer.ask('three')
    await expect(two).rejects.toMatchObject({ _tag: 'CliCrashedError' })
    expect((await three).text).toBe('echo: three')
    expect((await three).parentSessionId).toBe(first.sessionId)
    expect(restarts(supervisor)).toEqual([1, 0])
    expect(writer.status).toBe('idle')
    expect(critic.machine).toBe(machine)
    expect(supervisor.children()[0]?.ref).toBe(writer)
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['one', 'two', 'three'])
    expect(await types('agent/writer')).toContain('AgentRestarted')
  })

  test('is not restarted for a task that fails through its own fault', async () => {
    const { supervisor, writer } = await team((call) => (call.prompt === 'x' ? new RefusedError() : 'ok'))
    await expect(writer.ask('x')).rejects.toMatchObject({ _tag: 'RefusedError' })
    expect((await writer.ask('y')).text).toBe('ok')
    expect(restarts(supervisor)).toEqual([0, 0])
  })

  test('accepts tasks while it waits for its restart, and does them afterwards', async () => {
    const { orchestrator, supervisor, critic, clock } = await team(crashesAt('bang'))
    await supervisor.stop()
    const patient = await orchestrator.supervise({
      id: 'patient',
      backoff: { minMs: 60_000, maxMs: 60_000, jitter: 0 },
      children: [{ agent: 'critic' }],
    })
    await expect(critic.ask('bang')).rejects.toThrow()
    const later = critic.ask('later')
    await quiet()
    expect(patient.children()).toMatchObject([{ status: 'restarting', dueAt: '2026-01-01T00:01:00.000Z' }])
    expect(critic.snapshot.context.queue.length).toBe(1)
    await clock.advance(60_000)
    expect((await later).text).toBe('echo: later')
  })

  test('that cannot log in makes one request, and the orchestrator fails with a hint', async () => {
    const { orchestrator, writer, critic, runner, failures, types } = await team(
      () => new AuthenticationError(),
    )
    const asked = [
      writer.ask('one'),
      writer.ask('two'),
      critic.ask('three', { signal: AbortSignal.timeout(60_000) }),
    ]
    const outcomes = await Promise.allSettled(asked.slice(0, 2))
    await quiet()
    expect(runner.calls.filter(({ agent }) => agent === 'writer').length).toBe(1)
    expect(outcomes[0]).toMatchObject({ reason: { _tag: 'AuthenticationError' } })
    expect(outcomes[1]).toMatchObject({ reason: { _tag: 'SupervisionFailedError' } })
    expect(failures[0]).toMatchObject({ details: { supervisor: 'team', code: 'AuthenticationError' } })
    expect(failures[0]?.message).toContain('/login')
    expect(await types('supervisor/team')).toContain('Escalated')
    await expect(writer.ask('more')).rejects.toBe(failures[0])
    await orchestrator.close()
    await Promise.allSettled(asked)
  })

  test('that a user stops or removes ends normally', async () => {
    const { orchestrator, supervisor, writer } = await team(undefined)
    await writer.stop()
    await quiet()
    expect(restarts(supervisor)).toEqual([1, 0])
    expect(writer.status).toBe('idle')
    await orchestrator.removeAgent('critic')
    await quiet()
    expect(supervisor.children().map(({ id }) => id)).toEqual(['writer'])
  })

  test('that its supervisor stopped refuses tasks and keeps its queue until it is restarted', async () => {
    const { supervisor, writer } = await team(({ prompt }) => ({ text: prompt, delayMs: 1000 }))
    const asked = writer.ask('one', { taskId: 'one' })
    const refused = expect(asked).rejects.toMatchObject({ _tag: 'AgentDownError' })
    await quiet()
    await supervisor.terminateChild('writer')
    await refused
    await expect(writer.ask('two')).rejects.toThrow('its supervisor "team" stopped it')
    const { ref } = await supervisor.restartChild('writer')
    expect(ref).toBe(writer)
    const again = writer.ask('one', { taskId: 'one' })
    await quiet()
    expect(writer.status).toBe('busy')
    await supervisor.stop()
    await expect(again).rejects.toThrow()
  })

  test('has one supervisor', async () => {
    const { orchestrator } = await team(undefined)
    await expect(
      orchestrator.supervise({ id: 'other', children: [{ agent: 'writer' }] }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('Agent "writer" is already supervised by "team"'),
      cause: { _tag: 'AlreadySupervisedError' },
    })
  })

  test('that does not exist is not started, and the error names it', async () => {
    const { orchestrator } = await team(undefined)
    await expect(orchestrator.supervise({ id: 'other', children: [{ agent: 'writr' }] })).rejects.toThrow(
      'Did you mean "writer"?',
    )
  })

  test('whose log cannot be read on reload counts as a failed start, and asks get that error', async () => {
    const { writer, poison, failures } = await team(crashesAt('bang'), { maxRestarts: 2, withinMs: 1000 })
    await writer.ask('one')
    poison.isThere = true
    await expect(writer.ask('bang')).rejects.toThrow()
    const waiting = expect(writer.ask('and now?')).rejects.toThrow('FromTheFuture')
    await quiet()
    await waiting
    expect(failures[0]?.message).toContain('FromTheFuture')
  })
})

describe('Removing an agent never brings down its tree', () => {
  const patience = { minMs: 60_000, maxMs: 60_000, jitter: 0 }

  async function pair(options: Partial<SupervisorSpecification> = {}) {
    const world = await team(crashesAt('bang'))
    await world.supervisor.stop()
    const children = AGENTS.map((agent) => ({ agent }))
    const supervisor = await world.orchestrator.supervise({
      id: 'pair',
      intensity: MANY,
      children,
      ...options,
    })
    const crash = async (agent: string) => {
      await (await world.orchestrator.agent(agent)).ask('bang').catch(() => {})
      await quiet()
    }
    return { ...world, supervisor, crash }
  }

  test('while it waits for its restart', async () => {
    const { orchestrator, supervisor, crash, clock, failures } = await pair({ backoff: patience })
    await crash('critic')
    await orchestrator.removeAgent('critic')
    await quiet()
    expect(statuses(supervisor)).toBe('writer running')
    await clock.advance(120_000)
    expect([statuses(supervisor), failures]).toEqual(['writer running', []])
  })

  test.each(['one-for-all', 'rest-for-one'] as const)(
    'while its siblings wait with it, %s: they are restarted',
    async (strategy) => {
      const { orchestrator, supervisor, crash, failures } = await pair({ strategy, backoff: patience })
      await crash('writer')
      expect(statuses(supervisor)).toBe('writer restarting, critic restarting')
      await orchestrator.removeAgent('writer')
      await quiet()
      expect([statuses(supervisor), failures]).toEqual(['critic running', []])
    },
  )

  test('while it is stopped', async () => {
    const { orchestrator, supervisor, crash, failures } = await pair({ strategy: 'one-for-all' })
    await supervisor.terminateChild('critic')
    await orchestrator.removeAgent('critic')
    await crash('writer')
    await quiet()
    expect([statuses(supervisor), failures]).toEqual(['writer running', []])
  })

  test('while the supervisor above it waits for its restart', async () => {
    const { orchestrator, supervisor, crash, clock, failures } = await pair({
      backoff: patience,
      children: [
        {
          id: 'under',
          supervisor: {
            intensity: { maxRestarts: 0, withinMs: 1000 },
            children: AGENTS.map((agent) => ({ agent })),
          },
        },
      ],
    })
    await crash('writer')
    expect(statuses(supervisor)).toBe('under restarting')
    await orchestrator.removeAgent('critic')
    await clock.advance(60_000)
    await quiet()
    const under = supervisor.children()[0]?.ref as Supervisor
    expect([statuses(under), failures]).toEqual(['writer running', []])
  })

  test('as the last significant child ends its supervisor, as any end of it does', async () => {
    const { orchestrator, supervisor, crash, failures } = await pair({
      backoff: patience,
      autoShutdown: 'all-significant',
      children: [{ agent: 'writer' }, { agent: 'critic', restart: 'transient', significant: true }],
    })
    await crash('critic')
    await orchestrator.removeAgent('critic')
    await quiet()
    expect([supervisor.status, failures]).toEqual(['stopped', []])
  })

  test('before the program supervises again, if it was added at run time', async () => {
    const { orchestrator, store, clock } = await team(undefined)
    await orchestrator.createAgent({ id: 'guest', systemPrompt: 'You visit.' })
    await orchestrator.supervisor('team').startChild({ agent: 'guest' })
    await orchestrator.close()
    const again = await crew({ store, clock }).open()
    await again.removeAgent('guest')
    const children = AGENTS.map((agent) => ({ agent }))
    expect(statuses(await again.supervise({ id: 'team', children }))).toBe('writer running, critic running')
  })

  test('for any moment of a removal', async () => {
    const move = fc.oneof(
      fc.record({ crash: fc.constantFrom(...AGENTS) }),
      fc.record({ terminate: fc.constantFrom(...AGENTS) }),
      fc.record({ remove: fc.constantFrom(...AGENTS) }),
      fc.record({ waits: fc.constantFrom(1, 60_000) }),
    )
    const strategies = fc.constantFrom('one-for-one', 'one-for-all', 'rest-for-one')
    await fc.assert(
      fc.asyncProperty(
        strategies,
        fc.boolean(),
        fc.array(move, { maxLength: 6 }),
        async (strategy, waits, moves) => {
          const world = await pair({ strategy, ...(waits ? { backoff: patience } : {}) })
          const removed = new Set<string>()
          for (const one of moves) {
            if ('waits' in one) await world.clock.advance(one.waits)
            if ('crash' in one && !removed.has(one.crash)) void world.crash(one.crash)
            if ('terminate' in one) void world.supervisor.terminateChild(one.terminate).catch(() => {})
            if ('remove' in one && !removed.has(one.remove)) {
              removed.add(one.remove)
              await world.orchestrator.removeAgent(one.remove)
            }
            await quiet()
          }
          await world.clock.advance(120_000)
          await quiet()
          expect(world.failures).toEqual([])
          for (const { id, status } of world.supervisor.children()) {
            expect(removed.has(id), id).toBe(false)
            expect(status).not.toBe('restarting')
          }
          await world.orchestrator.close()
        },
      ),
      { seed: 20_261_129, numRuns: 60 },
    )
  })
})

test('A tree of agents resumes after a restart of the program', async () => {
  const { store, clock, orchestrator } = await team(undefined)
  await orchestrator.close()
  const again = await crew({ store, clock }).open()
  const supervisor = await again.supervise({ id: 'team', children: AGENTS.map((agent) => ({ agent })) })
  expect(await again.sendTask('writer', 'x')).toBe('echo: x')
  expect(supervisor.counts()).toEqual({ specs: 2, running: 2 })
})
