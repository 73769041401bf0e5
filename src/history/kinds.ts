/** The kinds of actors that this package brings along: a log is read with them, and nothing is run. */
import { budgetKinds } from '../actors/admission/budget-machine.ts'
import { agentKind } from '../actors/agent/kind.ts'
import { type AnyKind, kindIn } from '../actors/engine/definition.ts'
import { supervisorKind } from '../actors/supervision/machine.ts'
import { runKind } from '../patterns/runs/machine.ts'

const ALL = [agentKind, runKind, supervisorKind, ...Object.values(budgetKinds)]

export const KINDS = ALL as unknown as readonly AnyKind[]

/** The kind of a stream; undefined where none of these has it. */
export const kindOf = (stream: string, kinds: readonly AnyKind[] = KINDS): AnyKind | undefined =>
  kindIn(kinds, stream)
