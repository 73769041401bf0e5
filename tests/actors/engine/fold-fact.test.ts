/** A fact whose upcast or fold throws is named by everything that reads it. */
import { describe, expect, test } from 'vitest'
import { agentKind } from '../../../src/actors/agent/machine.ts'
import type { AnyKind } from '../../../src/actors/engine/definition.ts'
import { foldAt } from '../../../src/actors/engine/fold-at.ts'
import { foldStream, replaySteps } from '../../../src/actors/engine/history.ts'
import { catalogOf } from '../../../src/events/catalog.ts'
import type { Fact } from '../../../src/events/envelope.ts'
import { foldLog } from '../../../src/history/fold-log.ts'
import { hashStates } from '../../../src/history/state-hash.ts'
import { all } from '../../store/store-kit.ts'
import { ECHO, world } from '../world.ts'

const broken = (): never => {
  throw new Error('no such thing')
}

/** An agent's kind, except that its second fact cannot be folded. */
const brokenFold = {
  ...agentKind,
  fold: {
    ...agentKind.fold,
    // One that cannot be compiled.
    machine: { root: { type: 'parallel' } },
    transition: (state: never, fact: never) =>
      (fact as Fact<string, unknown>).type === 'TaskAccepted'
        ? broken()
        : agentKind.fold.transition(state, fact),
  },
} as unknown as typeof agentKind

/** An agent's kind whose facts of that type would be of a newer version. */
const brokenUpcast = {
  ...agentKind,
  facts: {
    ...agentKind.facts,
    read: catalogOf(
      new Map(
        agentKind.facts.types.map((type) => {
          const v = agentKind.facts.versions[type] ?? 1
          const check = (data: unknown) => data as never
          const upcasts = Array.from({ length: v }, () => broken)
          return [type, type === 'TaskAccepted' ? { v: v + 1, upcasts, check } : { v, upcasts, check }]
        }),
      ),
    ).read,
  },
} as unknown as typeof agentKind

describe.each([
  ['fold', brokenFold, 'folded'],
  ['upcast', brokenUpcast, 'upcast'],
])('a fact whose %s throws', (_what, kind, step) => {
  test('is named with its stream, version and type, whoever reads it', async () => {
    const { open, store } = await world()
    const { orchestrator } = await open({ reply: ({ prompt }) => prompt })
    await (await orchestrator.createAgent(ECHO)).ask('hello')
    await orchestrator.close()
    const any = kind as unknown as AnyKind
    const readers = [
      () => foldStream(kind, store, 'agent/echo'),
      () => foldAt(any, store, 'agent/echo'),
      () => all(replaySteps(kind, store, 'agent/echo')),
      () => foldLog(store, [any]),
      () => hashStates(store, [any]),
    ]
    for (const read of readers)
      await expect(read()).rejects.toMatchObject({
        _tag: 'UnreadableFactError',
        message: `The TaskAccepted at version 2 of agent/echo cannot be ${step}: no such thing. The log is intact. Correct the code that reads this fact, then try again.`,
        cause: { message: 'no such thing' },
      })
  })
})
