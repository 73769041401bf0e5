/** The built-in kinds of actors. Reading a log with them loads no worker. */
import { accountKind } from '../actors/admission/account-machine.ts'
import { budgetKinds } from '../actors/admission/budget.ts'
import { agentKind } from '../actors/agent/machine.ts'
import { type AnyKind, kindIn } from '../actors/engine/definition.ts'
import { supervisorKind } from '../actors/supervision/machine.ts'
import { landingKind } from '../landing/machine.ts'
import { topicKind } from '../messages/topics/machine.ts'
import { noteKind } from '../notes/machine.ts'
import { runKind } from '../patterns/runs/machine.ts'
import { scheduleKind } from '../schedules/machine.ts'

const ALL = [
  ...[agentKind, runKind, supervisorKind, accountKind, landingKind, scheduleKind, topicKind, noteKind],
  ...Object.values(budgetKinds),
]

export const KINDS = ALL as unknown as readonly AnyKind[]

/** The kind of a stream; undefined if it is none of these. */
export const kindOf = (stream: string, kinds: readonly AnyKind[] = KINDS): AnyKind | undefined =>
  kindIn(kinds, stream)
