import { describe, expect, test } from 'vitest'
import { NoteConflictError, NoteNotFoundError } from '../../src/events/errors/actor.ts'
import { InvalidIdError, InvalidInputError } from '../../src/events/errors/usage.ts'
import { causesOf } from '../../src/history/causes.ts'
import { agent, gate, team } from '../messages/kit.ts'

describe('A note', () => {
  test('is written and read, with its versions and its writers, also after a restart', async () => {
    const { open, store } = team()
    const first = await open()
    await first.orchestrator.createAgent(agent('writer'))
    const written = await first.orchestrator.notes.write('plan', 'First the figures.', { by: 'ada' })
    expect(written).toMatchObject({ note: 'plan', version: 1, from: null, by: 'ada' })
    await first.orchestrator.notes.write('plan', 'Then the text.', { from: 'writer', expectedVersion: 1 })
    await first.orchestrator.close()
    const { orchestrator } = await open()
    expect(await orchestrator.notes.read('plan')).toMatchObject({
      ...{ version: 2, text: 'Then the text.', from: 'writer', by: null },
    })
    expect(await orchestrator.notes.read('plan', { version: 1 })).toEqual(written)
    expect((await orchestrator.notes.history('plan')).map(({ version, text }) => [version, text])).toEqual([
      [1, 'First the figures.'],
      [2, 'Then the text.'],
    ])
    expect(await orchestrator.notes.list()).toEqual([{ note: 'plan', version: 2, from: 'writer', bytes: 14 }])
    expect((await orchestrator.history.stateAt('notes/plan', 1)).state).toMatchObject({
      context: { text: 'First the figures.' },
    })
    expect((await orchestrator.history.verify()).divergences).toEqual([])
    expect(await store.head('notes/plan')).toBe(2)
  })

  test('that something else has written meanwhile is not overwritten', async () => {
    const { orchestrator } = await team().open()
    const write = (text: string) => orchestrator.notes.write('plan', text, { expectedVersion: 0 })
    const [one, other] = await Promise.allSettled([write('mine'), write('yours')])
    const texts = [one, other].map((outcome) =>
      outcome?.status === 'fulfilled' ? outcome.value.text : outcome?.reason,
    )
    expect(texts.filter((text) => typeof text === 'string')).toHaveLength(1)
    const conflict = texts.find((text) => text instanceof NoteConflictError)
    expect(conflict?.details).toEqual({ note: 'plan', expected: 0, actual: 1 })
    expect(conflict?.message).toContain('something else has written it')
    expect(await orchestrator.notes.history('plan')).toHaveLength(1)
  })

  test('written again with the same text over the same version is written once', async () => {
    const { orchestrator } = await team().open()
    const write = () => orchestrator.notes.write('plan', 'mine', { expectedVersion: 0 })
    expect(await write()).toEqual(await write())
    expect(await orchestrator.notes.history('plan')).toHaveLength(1)
  })

  test.each([
    ['a path', '../plan', InvalidIdError],
    ['an upper-case letter', 'Plan', InvalidIdError],
    ['nothing', '', InvalidIdError],
    ['a dot', 'plan.1', InvalidIdError],
    ['a line break', 'plan\n', InvalidIdError],
    ['another stream', 'plan/two', InvalidIdError],
  ])('whose name has %s is refused', async (_, name, error) => {
    const { open, store } = team()
    const { orchestrator } = await open()
    await expect(orchestrator.notes.write(name, 'text')).rejects.toThrow(error)
    await expect(orchestrator.notes.read(name)).rejects.toThrow(error)
    expect(await store.head()).toBe(0)
  })

  test('is at most 64 KiB, and there are at most a thousand', async () => {
    const { orchestrator } = await team().open()
    const { notes } = orchestrator
    await expect(notes.write('plan', 'ä'.repeat(32 * 1024 + 1))).rejects.toThrow(InvalidInputError)
    for (let at = 0; at < 1000; at++) await notes.write(`n${at}`, 'text')
    await expect(notes.write('plan', 'text')).rejects.toThrow('there are 1000 notes, which is the most')
    await notes.write('n0', 'more')
  })

  test('that is not there is named, with the one that was probably meant', async () => {
    const { orchestrator } = await team().open()
    await orchestrator.notes.write('figures', 'text')
    await expect(orchestrator.notes.read('figure')).rejects.toThrow('Did you mean "figures"?')
    await expect(orchestrator.notes.read('figures', { version: 2 })).rejects.toThrow(NoteNotFoundError)
    await expect(orchestrator.notes.history('plan')).rejects.toThrow(NoteNotFoundError)
  })

  test('leads from the answer that used it to the call that wrote it', async () => {
    const { open, store } = team()
    const work = gate<string>()
    const { orchestrator } = await open({
      reply: async ({ agent: at }) => {
        if (at === 'writer') await orchestrator.notes.write('plan', 'First.', { from: 'writer' })
        else for (let time = 0; time < 2; time++) await orchestrator.notes.read('plan', { reader: 'critic' })
        return at === 'writer' ? 'Written.' : work.opened
      },
    })
    for (const id of ['writer', 'critic']) await orchestrator.createAgent(agent(id))
    await orchestrator.sendTask('writer', 'Plan.')
    work.open('Fine.')
    await orchestrator.sendTask('critic', 'Read it.')
    const facts: { stream: string; type: string; position: number }[] = []
    for await (const { stream, type, position } of store.readAll({})) facts.push({ stream, type, position })
    const answer = facts.find(({ stream, type }) => stream === 'agent/critic' && type === 'CallSucceeded')
    const lines = await causesOf(store, answer?.position ?? 0)
    expect(lines.map(({ fact }) => `${fact.stream} ${fact.type}`)).toEqual(
      expect.arrayContaining(['notes/plan NoteWritten', 'agent/writer CallStarted']),
    )
    expect(facts.filter(({ type }) => type === 'NoteRead')).toHaveLength(1)
  })
})
