/** A store that version 0.1.0 wrote replays to the same states today, at every version of every stream. */
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as Schema from 'effect/Schema'
import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { defineActor } from '../../src/actors/own/definition.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const FIXTURE = join(import.meta.dirname, '../store/fixtures/release-0.1.0')

const facts = { NoteWritten: Schema.Struct({ by: Schema.String, text: Schema.String }) }
const notebook = defineActor({
  kind: 'notebook',
  facts,
  machine: setup({
    types: {} as {
      context: { readonly notes: readonly { readonly by: string; readonly text: string }[] }
      events: FactsOf<typeof facts>
    },
  }).createMachine({
    id: 'notebook',
    context: { notes: [] },
    initial: 'open',
    states: {
      open: {
        on: {
          NoteWritten: {
            actions: assign(({ context, event }) => ({ notes: [...context.notes, event.data] })),
          },
        },
      },
    },
  }),
  decide: (text: string) => [{ type: 'NoteWritten', data: { by: 'me', text } }],
})

async function opened() {
  const baseDir = join(await temporaryDirectory(), 'store')
  await cp(FIXTURE, baseDir, { recursive: true })
  const runner = scriptedRunner({ reply: ({ prompt }) => `today: ${prompt}` })
  // The deadlines of its running tasks are from the day on which the store was made.
  const clock = virtualClock(Date.parse('2026-11-29T07:22:43Z'))
  return Orchestrator.open({ baseDir, runner, clock, serve: false, resume: 'on-demand', actors: [notebook] })
}

describe('a store of version 0.1.0', () => {
  test('replays without a difference in summaries, states or snapshots', async () => {
    await using orchestrator = await opened()
    const report = await orchestrator.history.verify()
    expect(report).toMatchObject({ ok: true, facts: 250, streams: 25, divergences: [], unknown: [] })
    expect(report.changed.map(({ kind, different, first }) => ({ kind, different, first }))).toEqual(
      report.changed.map(({ kind }) => ({ kind, different: 0, first: null })),
    )
  })

  test('has the states that it had then', async () => {
    await using orchestrator = await opened()
    const seen = JSON.parse(await readFile(`${FIXTURE}.json`, 'utf8')) as Record<string, object>
    for (const [stream, state] of Object.entries(seen))
      expect(await orchestrator.history.stateAt(stream)).toEqual(state)
  })

  test('resumes: running, queued, held and paused work ends today', async () => {
    await using orchestrator = await opened()
    await orchestrator.budgets.set({ usd: null, tokens: null }, { agent: 'spender' })
    await orchestrator.held.approve('waiting')
    await orchestrator.recover()
    const busy = await orchestrator.agent('busy')
    expect((await busy.reply('running')).text).toBe('today: for ever')
    expect((await busy.reply('queued')).text).toBe('today: later')
    expect((await (await orchestrator.agent('careful')).reply('waiting')).text).toBe('today: may I again?')
    expect((await (await orchestrator.agent('spender')).reply('too-dear')).text).toBe('today: not affordable')
    expect(await orchestrator.lateAnswers()).toMatchObject([{ agent: 'busy', taskId: 'cancelled' }])
  })
})
