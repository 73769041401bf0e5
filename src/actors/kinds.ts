/** The kinds of actors that this package brings along, for whoever reads a log without running anything. */
import type { AnyStateMachine } from 'xstate'
import { agentKind } from './agent.ts'
import { budgetKinds } from './budget-machine.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { runKind } from './run-machine.ts'
import { supervisorKind } from './supervisor-machine.ts'

/** A kind of actor, whatever its machine. */
export type AnyKind = ActorDefinition<AnyStateMachine, Effect>

const ALL = [agentKind, runKind, supervisorKind, ...Object.values(budgetKinds)]

export const KINDS = ALL as unknown as readonly AnyKind[]

/** The kind that a stream is of; undefined where nobody here knows it. */
export function kindOf(stream: string, kinds: readonly AnyKind[] = KINDS): AnyKind | undefined {
  return kinds.find(({ kind }) => stream.startsWith(`${kind}/`))
}
