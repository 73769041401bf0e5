/** The agent as a kind of actor, beside its machine: enough to fold and replay it without running anything. */
import { agentFacts } from '../../events/agent-facts.ts'
import { defineKind } from '../engine/definition.ts'
import { type AgentEffect, agentEffects, summarizeAgent } from './decisions.ts'
import { agentMachine } from './machine.ts'
import { changes } from './state.ts'

export const agentKind = defineKind<typeof agentMachine, AgentEffect>(
  'agent',
  agentMachine,
  { facts: agentFacts, effects: agentEffects, summarize: summarizeAgent },
  [changes],
)
