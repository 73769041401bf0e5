/** Schedules of an orchestrator in virtual time: who drives them, what a firing begins, and what becomes of one that fails. */
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { Noteworthy } from '../../src/notifications/noteworthy.ts'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { crashSweep } from '../../src/testing/crash-sweep.ts'
import { DAY_MS, scheduled } from './kit.ts'
// Loaded before a sweep, which does not wait for files that are read.
import '../../src/config/configuration.ts'
import '../../src/schedules/schedules.ts'

const BERLIN = { cron: '30 2 * * *', timezone: 'Europe/Berlin' }
const ASKS = { agent: 'a', prompt: 'What is new?' }

const createAgent = (orchestrator: Orchestrator) =>
  orchestrator.createAgent({ id: 'a', systemPrompt: 'You help.' })

describe('A schedule', () => {
  test('asks its agent at each of its instants, through a change to summer time and back', async () => {
    for (const [from, upTo, instants] of [
      ['2026-03-28T00:00Z', '2026-03-31T00:00Z', ['28T01:30', '29T01:00', '30T00:30']],
      ['2026-10-24T00:00Z', '2026-10-27T00:00Z', ['24T00:30', '25T00:30', '26T01:30']],
    ] as const) {
      const { open, until, fired, tasks } = scheduled(from)
      const orchestrator = await open()
      await createAgent(orchestrator)
      await orchestrator.schedules.add('nightly', { ...BERLIN, ...ASKS })
      await until(upTo)
      expect((await fired('nightly')).map((at) => at.slice(8, 16))).toEqual(instants)
      const ids = instants.map((at) => `nightly-${from.slice(0, 7)}-${at}`.replace(/(\d)-(\d)/g, '$1$2'))
      expect(await tasks('a')).toEqual(ids.map((id) => `${id.toLowerCase().replace(':', '')}00z`))
      await orchestrator.close()
    }
  })

  test('is listed with when it fires next, when it last did, and whether it is paused', async () => {
    const { open, until } = scheduled('2026-01-01T00:00Z')
    const orchestrator = await open()
    await createAgent(orchestrator)
    const { schedules } = orchestrator
    const added = { name: 'nightly', ...BERLIN, agent: 'a', workflow: null, missed: 'once', failure: null }
    const first = { ...added, nextAt: '2026-01-01T01:30:00.000Z', lastAt: null, paused: false }
    expect(await schedules.add('nightly', { ...BERLIN, ...ASKS })).toEqual(first)
    await until('2026-01-01T02:00Z')
    const second = { ...first, nextAt: '2026-01-02T01:30:00.000Z', lastAt: '2026-01-01T01:30:00.000Z' }
    expect(await schedules.list()).toEqual([second])
    expect(await schedules.pause('nightly')).toEqual({ ...second, nextAt: null, paused: true })
    await until('2026-01-04T00:00Z')
    expect(await schedules.resume('nightly')).toEqual({ ...second, nextAt: '2026-01-04T01:30:00.000Z' })
    await schedules.remove('nightly')
    expect(await schedules.list()).toEqual([])
  })

  test('that is paused does not fire, and makes up for nothing; run fires it all the same, and moves no instant', async () => {
    const { open, until, fired, tasks } = scheduled('2026-01-01T00:00Z')
    const orchestrator = await open()
    await createAgent(orchestrator)
    const { schedules } = orchestrator
    await schedules.add('nightly', { ...BERLIN, ...ASKS, missed: 'all' })
    await schedules.pause('nightly')
    await until('2026-01-03T12:00Z')
    expect(await schedules.run('nightly')).toEqual({ name: 'nightly', agent: 'a', taskId: 'nightly-run-1' })
    await schedules.resume('nightly')
    await schedules.run('nightly')
    await until('2026-01-04T12:00Z')
    expect(await fired('nightly')).toEqual([
      ...['2026-01-03T12:00:00.000Z', '2026-01-03T12:00:00.000Z', '2026-01-04T01:30:00.000Z'],
    ])
    expect(await tasks('a')).toEqual(['nightly-run-1', 'nightly-run-2', 'nightly-20260104t013000z'])
  })

  test('runs a workflow, whose run is led back to it', async () => {
    const { open, until, store } = scheduled('2026-01-01T00:00Z')
    const orchestrator = await open({ workflows: { review: sequential(['a', 'a']) } })
    await createAgent(orchestrator)
    await orchestrator.schedules.add('weekly', {
      cron: '0 9 * * thu',
      timezone: 'UTC',
      workflow: 'review',
      input: 'x',
    })
    await until('2026-01-01T10:00Z')
    const [run] = await orchestrator.runs.list()
    expect(run).toMatchObject({
      runId: 'weekly-20260101t090000z',
      name: 'review',
      status: 'succeeded',
      steps: 2,
    })
    let position = 0
    for await (const first of store.read('run/weekly-20260101t090000z', { limit: 1 }))
      position = first.position
    const causes = await orchestrator.history.why(position)
    expect(causes.map(({ fact }) => fact.type)).toEqual(['RunStarted', 'FiringAnnounced'])
  })

  test('is refused before anything is written if it can never fire', async () => {
    const { open, store } = scheduled('2026-01-01T00:00Z')
    const { schedules } = await open()
    await expect(schedules.add('s', { ...BERLIN, ...ASKS })).rejects.toThrow('No agent "a"')
    await expect(schedules.add('s', { cron: '0 0 30 2 *', ...ASKS })).rejects.toThrow('never comes')
    await expect(schedules.add('s', { ...BERLIN, workflow: 'gone', input: 'x' })).rejects.toThrow(
      'offers no "gone"',
    )
    await expect(schedules.add('s', { ...BERLIN, agent: 'a', input: 'x' })).rejects.toThrow('no place')
    await expect(schedules.add('s', { ...BERLIN, workflow: null as never, input: 'x' })).rejects.toThrow(
      'null',
    )
    await expect(schedules.add('s', { ...BERLIN })).rejects.toThrow('either an agent or a workflow')
    await expect(schedules.add('S', { ...BERLIN, ...ASKS })).rejects.toThrow('not a valid schedule id')
    await expect(schedules.pause('s')).rejects.toMatchObject({ _tag: 'ScheduleNotFoundError' })
    expect(await store.head()).toBe(0)
  })

  test('of a name that is taken is refused, until that one is removed', async () => {
    const { open } = scheduled('2026-01-01T00:00Z')
    const orchestrator = await open()
    await createAgent(orchestrator)
    const { schedules } = orchestrator
    await schedules.add('s', { ...BERLIN, ...ASKS })
    await expect(schedules.add('s', { ...BERLIN, ...ASKS })).rejects.toMatchObject({
      _tag: 'ScheduleExistsError',
    })
    await schedules.remove('s')
    await schedules.add('s', { cron: '@daily', timezone: 'UTC', ...ASKS })
    expect((await schedules.list()).map(({ cron }) => cron)).toEqual(['@daily'])
  })
})

describe('What no process was there for', () => {
  test('is made up for as the schedule says: once, not at all, or each time; and the log says what was missed', async () => {
    const week = [8, 9, 10, 11, 12, 13, 14].map(
      (day) => `2026-01-${String(day).padStart(2, '0')}T01:30:00.000Z`,
    )
    for (const [missed, made, skipped] of [
      ['once', week.slice(-1), 6],
      ['skip', [], 7],
      ['all', week, 0],
    ] as const) {
      const { open, until, fired, facts, tasks, clock } = scheduled('2026-01-07T00:00Z')
      const first = await open()
      await createAgent(first)
      await first.schedules.add('nightly', { ...BERLIN, ...ASKS, missed })
      await until('2026-01-07T12:00Z')
      await first.close()
      await clock.advance(7 * DAY_MS)
      const second = await open()
      await until('2026-01-14T12:30Z')
      expect((await fired('nightly')).slice(1)).toEqual(made)
      expect(await tasks('a')).toHaveLength(1 + made.length)
      const told = await facts('schedule/nightly', 'FiringsMissed')
      expect(told.map(({ from, count }) => [from, count])).toEqual(skipped === 0 ? [] : [[week[0], skipped]])
      expect((await second.schedules.list())[0]?.nextAt).toBe('2026-01-15T01:30:00.000Z')
    }
  })

  test('is bounded: of more than 100 firings, the last 100 are made up for, and the others are counted up to 1,000', async () => {
    const { open, until, fired, facts, clock } = scheduled('2026-01-01T00:00Z')
    const first = await open()
    await createAgent(first)
    await first.schedules.add('often', { cron: '* * * * *', timezone: 'UTC', ...ASKS, missed: 'all' })
    await first.close()
    await clock.advance(7 * DAY_MS - 1)
    const warnings: string[] = []
    const logger = { ...silentLogger, warn: (_: object, said: string) => void warnings.push(said) }
    await open({ logger, limits: { mailbox: 1000 } })
    await until('2026-01-08T00:00Z')
    const begun = await fired('often')
    expect([begun.length, begun[0]]).toEqual([101, '2026-01-07T22:20:00.000Z'])
    const [missed] = await facts('schedule/often', 'FiringsMissed')
    expect(missed).toMatchObject({
      from: '2026-01-01T00:01:00.000Z',
      to: '2026-01-07T22:19:00.000Z',
      count: 1000,
    })
    expect(warnings).toEqual(['firings were missed'])
  })
})

describe('Its owners', () => {
  test('fire an instant once, in turn and at the same time', async () => {
    const { open, until, fired, tasks } = scheduled('2026-01-01T00:00Z')
    const first = await open()
    await createAgent(first)
    await first.schedules.add('hourly', { cron: '@hourly', timezone: 'UTC', ...ASKS })
    await until('2026-01-01T02:00Z')
    await first.close()
    const second = await open()
    const third = await open()
    await until('2026-01-01T05:00Z')
    await third.close()
    await until('2026-01-01T06:00Z')
    await second.close()
    expect((await fired('hourly')).map((at) => at.slice(11, 13))).toEqual([
      '01',
      '02',
      '03',
      '04',
      '05',
      '06',
    ])
    expect(await tasks('a')).toHaveLength(6)
  })

  test('fire nothing by themselves on demand, nor once they are told to end', async () => {
    const { open, until, fired } = scheduled('2026-01-01T00:00Z')
    const first = await open({ resume: 'on-demand' })
    await createAgent(first)
    await first.schedules.add('hourly', { cron: '@hourly', timezone: 'UTC', ...ASKS })
    await until('2026-01-01T02:30Z')
    expect(await fired('hourly')).toEqual([])
    expect(await first.schedules.run('hourly')).toMatchObject({ taskId: 'hourly-run-1' })
    await first.close()
    const second = await open()
    await second.drain()
    await until('2026-01-01T05:00Z')
    expect(await fired('hourly')).toHaveLength(2)
  })

  test('lose and repeat nothing, whenever they crash', async () => {
    const scenario = async (orchestrator: Orchestrator) => {
      const known = (await orchestrator.agents()).length > 0
      if (!known) await createAgent(orchestrator)
      const workflow = { kind: 'agents', pattern: 'sequential', agents: ['a'], options: {} }
      // First, while no time passes: to load what builds a workflow takes a while.
      if ((await orchestrator.schedules.list()).every(({ name }) => name !== 'runs'))
        await orchestrator.schedules.add('runs', {
          cron: '30 1-3 * * *',
          timezone: 'UTC',
          workflow,
          input: 'Go',
        })
      if ((await orchestrator.schedules.list()).every(({ name }) => name !== 'asks'))
        await orchestrator.schedules.add('asks', {
          cron: '0 * * * *',
          timezone: 'UTC',
          ...ASKS,
          missed: 'all',
        })
      const asked: string[] = []
      const run = orchestrator.runs
      for await (const { type, data } of orchestrator.events()) {
        if (type === 'TaskAccepted' && !asked.includes(data.taskId)) asked.push(data.taskId)
        if (type === 'TaskAccepted' && data.taskId === 'asks-20260101t030000z') break
      }
      await (await orchestrator.agent('a')).reply('asks-20260101t030000z')
      const { success } = await run.result('runs-20260101t013000z')
      for (const { name } of await orchestrator.schedules.list()) await orchestrator.schedules.pause(name)
      return { success, asked: asked.filter((id) => id.startsWith('asks')) }
    }
    const { result, appends } = await crashSweep({ scenario })
    expect(result).toEqual({
      success: true,
      asked: ['asks-20260101t010000z', 'asks-20260101t020000z', 'asks-20260101t030000z'],
    })
    expect(appends).toBeGreaterThan(20)
  })
})

describe('A firing that fails', () => {
  test('is a fact, waits in the inbox until the next one, and is told to receivers', async () => {
    const { open, until, facts, store } = scheduled('2026-01-01T00:00Z')
    const orchestrator = await open()
    await createAgent(orchestrator)
    await orchestrator.schedules.add('hourly', { cron: '@hourly', timezone: 'UTC', ...ASKS })
    await orchestrator.removeAgent('a')
    await until('2026-01-01T01:30Z')
    expect(await facts('schedule/hourly', 'FiringFailed')).toMatchObject([
      { id: 'hourly-20260101t010000z', error: { tag: 'AgentNotFoundError' } },
    ])
    const failed = { id: 'schedule:hourly', kind: 'schedule', agent: 'a', prompt: 'What is new?' }
    expect(await orchestrator.inbox.list()).toMatchObject([
      { ...failed, since: '2026-01-01T01:00:00.000Z', command: 'claude-agents schedule run hourly' },
    ])
    expect((await orchestrator.schedules.list())[0]?.failure).toContain('No agent "a"')
    await expect(orchestrator.schedules.run('hourly')).rejects.toMatchObject({ _tag: 'AgentNotFoundError' })
    await expect(orchestrator.inbox.approve('schedule:hourly')).rejects.toThrow('needs more than an approval')

    const noteworthy = new Noteworthy(store)
    const told = []
    for await (const fact of store.readAll()) told.push(await noteworthy.notification(fact))
    expect(told.filter((each) => each !== null)).toMatchObject([
      {
        type: 'failed',
        reason: 'AgentNotFoundError',
        message: expect.stringMatching(/^Schedule "hourly" did not fire: /),
      },
      { type: 'failed' },
    ])

    await createAgent(orchestrator)
    await orchestrator.schedules.run('hourly')
    expect(await orchestrator.inbox.list()).toEqual([])
    await expect(orchestrator.inbox.deny('schedule:hourly')).rejects.toThrow('it has fired since')
  })

  test('of a workflow that is gone is one as well; denying it in the inbox pauses the schedule', async () => {
    const { open, until } = scheduled('2026-01-01T00:00Z')
    const first = await open({ workflows: { review: sequential(['a']) } })
    await createAgent(first)
    await first.schedules.add('hourly', { cron: '@hourly', timezone: 'UTC', workflow: 'review', input: 'x' })
    await first.close()
    const second = await open()
    await until('2026-01-01T02:30Z')
    const [entry] = await second.inbox.list()
    expect(entry?.question).toMatch(
      /^Schedule "hourly" did not fire at 2026-01-01T02:00:00.000Z: .*offers no "review"/,
    )
    await second.inbox.deny('schedule:hourly')
    expect((await second.schedules.list()).map(({ paused }) => paused)).toEqual([true])
    expect(await second.inbox.list()).toEqual([])
  })

  test('does not wait for a mailbox that is full', async () => {
    const { open, until, facts } = scheduled('2026-01-01T00:00Z')
    const orchestrator = await open({ limits: { mailbox: 1 } })
    const agent = await createAgent(orchestrator)
    await orchestrator.schedules.add('hourly', { cron: '@hourly', timezone: 'UTC', ...ASKS })
    await agent.accept('Wait', { approval: true })
    await until('2026-01-01T01:30Z')
    expect(await facts('schedule/hourly', 'FiringFailed')).toMatchObject([
      { error: { tag: 'MailboxFullError' } },
    ])
  })
})
