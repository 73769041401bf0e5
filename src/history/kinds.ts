/** The kinds of actors that this package brings along, for whoever reads a log without running anything. */
import type { AnyStateMachine } from 'xstate'
import { budgetKinds } from '../actors/admission/budget-machine.ts'
import { agentKind } from '../actors/agent/agent.ts'
import type { ActorDefinition, Effect } from '../actors/engine/definition.ts'
import { supervisorKind } from '../actors/supervision/machine.ts'
import { runKind } from '../patterns/runs/machine.ts'

/** A kind of actor, whatever its machine. */
export type AnyKind = ActorDefinition<AnyStateMachine, Effect>

const ALL = [agentKind, runKind, supervisorKind, ...Object.values(budgetKinds)]

export const KINDS = ALL as unknown as readonly AnyKind[]

/** The kind that a stream is of; undefined where nobody here knows it. */
export function kindOf(stream: string, kinds: readonly AnyKind[] = KINDS): AnyKind | undefined {
  return kinds.find(({ kind }) => stream.startsWith(`${kind}/`))
}
