/** `replay` of actors defined by the user, with and without their definitions. */
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as Schema from 'effect/Schema'
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { defineActor } from '../../../src/actors/own/definition.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { commandLine } from '../command.ts'

const facts = { Added: Schema.Struct({ by: Schema.Int }) }
const counter = defineActor({
  kind: 'counter',
  facts,
  machine: setup({ types: {} as { context: { sum: number }; events: FactsOf<typeof facts> } }).createMachine({
    initial: 'open',
    context: { sum: 0 },
    states: {
      open: {
        on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
      },
    },
  }),
  decide: (by: number) => [{ type: 'Added', data: { by } }],
})

/** The same, in a module of the user. */
const MODULE = `
import { defineActor } from '${pathToFileURL(resolve(import.meta.dirname, '../../../dist/index.js'))}'
import * as Schema from '${import.meta.resolve('effect/Schema')}'
import { assign, createMachine } from '${import.meta.resolve('xstate')}'
export const counter = defineActor({
  kind: 'counter',
  facts: { Added: Schema.Struct({ by: Schema.Int }) },
  machine: createMachine({
    initial: 'open',
    context: { sum: 0 },
    states: { open: { on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } } } },
  }),
  decide: (by) => [{ type: 'Added', data: { by } }],
})
`

test('replay shows the states of an actor if a module exports its definition, and only its facts otherwise', async () => {
  const cli = await commandLine()
  const baseDir = join(cli.folder, '.claude-agents')
  const orchestrator = await Orchestrator.open({ store: await levelStore(baseDir), baseDir })
  const ref = await orchestrator.spawn(counter, 'visits')
  await ref.tell(2)
  await ref.tell(3)
  const supervisor = await orchestrator.supervise({
    id: 'top',
    children: [{ id: 'counter', start: () => orchestrator.spawn(counter, 'visits') }],
  })
  await supervisor.stop()
  await orchestrator.close()
  await writeFile(join(cli.folder, 'counter.mjs'), MODULE)

  const known = await cli.run(['replay', 'counter/visits', '--module', 'counter.mjs', '--json'])
  expect(known.values.map(({ type, after }) => [type, after])).toEqual([
    ['Added', { status: 'open', context: { sum: 2 } }],
    ['Added', { status: 'open', context: { sum: 5 } }],
  ])
  const unknown = await cli.run(['replay', 'counter/visits', '--json'])
  expect(unknown.values.map(({ data, after }) => [data, after])).toEqual([
    [{ by: 2 }, null],
    [{ by: 3 }, null],
  ])
  expect(unknown.exitCode).toBe(0)
  const people = await cli.run(['replay', 'counter/visits'])
  expect(people.stdout).toContain('{"by":3}')
  expect(people.stderr).toContain('Facts without states')
  const tree = await cli.run(['replay', 'supervisor/top'])
  expect(tree.stdout).toContain('running → stopped')
})
