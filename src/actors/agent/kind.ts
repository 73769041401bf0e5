/** The agent as a kind of actor: enough to fold and replay one, without the worker that runs its effects. */
import { agentFacts } from '../../events/agent-facts.ts'
import { defineKind } from '../engine/definition.ts'
import { type AgentEffect, agentEffects } from './decisions.ts'
import { summarizeAgent } from './list.ts'
import { agentMachine } from './machine.ts'
import { MAILBOX_FOLD } from './mailbox/unread.ts'
import { MOVING_FOLD } from './moving/stored.ts'
import { changes } from './state.ts'
import { DEFERRAL_FOLD } from './tasks/deferral.ts'
import { TOTALS_FOLD } from './totals.ts'

export const agentKind = defineKind<typeof agentMachine, AgentEffect>(
  'agent',
  agentMachine,
  {
    ...{ facts: agentFacts, effects: agentEffects, summarize: summarizeAgent },
    // Unread messages have those by which they came.
    holdsFactIds: ({ context: { unread = [] } }) => unread.length > 0,
  },
  [changes, TOTALS_FOLD, DEFERRAL_FOLD, MAILBOX_FOLD, MOVING_FOLD],
)
