/** A supervisor's whole life as one pure state machine. Its events are the log's facts. */
import { type SnapshotFrom, setup } from 'xstate'
import type { Identified } from '../../events/envelope.ts'
import { type SupervisorFact, supervisorFacts } from '../../events/supervisor-facts.ts'
import { defineKind, type Effect } from '../engine/definition.ts'
import { addRestart } from './restart-intensity.ts'
import { nobody, type SupervisorContext, supervisorChanges } from './state.ts'

const supervisor = setup({
  types: {} as { context: SupervisorContext; events: Identified<SupervisorFact> },
})

type Change = (context: SupervisorContext, data: SupervisorFact['data']) => SupervisorContext

const fold = supervisor.assign(({ context, event }) =>
  (supervisorChanges[event.type] as Change)(context, event.data),
)

/** A supervisor that has ended, or was about to, starts from scratch. */
const begin = supervisor.assign(({ event }) => (supervisorChanges[event.type] as Change)(nobody, event.data))

const exits = {
  ChildStarted: { actions: fold },
  ChildExited: { actions: fold },
  ChildStartFailed: { actions: fold },
  RestartCancelled: { actions: fold },
  ChildDeleted: { actions: fold },
  SupervisorStopped: { target: 'stopped', actions: fold },
} as const

export const supervisorMachine = supervisor.createMachine({
  id: 'supervisor',
  context: nobody,
  initial: 'absent',
  states: {
    absent: { on: { SupervisorStarted: { target: 'running', actions: begin } } },
    running: {
      on: {
        ...exits,
        /** Its process died with the children: they are started again. */
        SupervisorStarted: { actions: fold },
        ChildTerminated: { actions: fold },
        RestartScheduled: { actions: fold },
        ChildrenRestarted: { actions: fold },
        Escalated: { target: 'stopping', actions: fold },
        AutoShutdownBegun: { target: 'stopping', actions: fold },
      },
    },
    stopping: { on: { ...exits, SupervisorStarted: { target: 'running', actions: begin } } },
    stopped: { on: { SupervisorStarted: { target: 'running', actions: begin } } },
  },
})

/** A state of a supervisor: `value` is its status, `context` holds its children. */
export type SupervisorSnapshot = SnapshotFrom<typeof supervisorMachine>
/** What a supervisor is doing. */
export type SupervisorStatus = SupervisorSnapshot['value']

/** A supervisor has no effects: its children live in a process, and start when a process supervises them again. */
export const supervisorKind = defineKind<typeof supervisorMachine, Effect>(
  'supervisor',
  supervisorMachine,
  {
    facts: supervisorFacts,
    effects: () => [],
    summarize: ({ value, context: { parent, specs, running } }) => ({
      status: value,
      // A running tree must be started again. It may be large, so all of it is hashed only at rest.
      open: value === 'running' || value === 'stopping',
      info: { parent, children: specs, running },
    }),
    // Keeps the cost of snapshots proportional to the number of children.
    factsBetweenSnapshots: ({ context: { specs } }) => Math.max(100, specs),
  },
  [supervisorChanges, addRestart],
)
