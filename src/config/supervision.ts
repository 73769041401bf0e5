/** The section `supervision:` of the configuration file: trees of supervisors over agents. */

import * as Schema from 'effect/Schema'
import { defined } from '../events/json.ts'
import { partial } from '../events/options/setting.ts'
import {
  AutoShutdown,
  BACKOFF,
  CHILD,
  type ChildTree,
  DEFAULT_INTENSITY,
  FIXED_STRATEGIES,
  INTENSITY,
  type SupervisorTree,
} from '../events/options/supervision.ts'
import { idOf } from '../events/options/values.ts'
import { inCode, inFile } from './names.ts'

const CHILD_FIELDS = partial({
  ...CHILD,
  agent: CHILD.agent.annotate({ description: 'The id of the supervised agent.' }),
})

const SUPERVISOR_FIELDS = {
  id: idOf('supervisor'),
  ...partial({
    strategy: Schema.Literals(FIXED_STRATEGIES),
    ...inFile(INTENSITY),
    backoff: Schema.Struct(partial(inFile(BACKOFF))),
    auto_shutdown: AutoShutdown,
  }),
}

export interface SupervisorEntry extends Schema.Struct.Type<typeof SUPERVISOR_FIELDS> {
  readonly children: readonly ChildEntry[]
}

export interface ChildEntry extends Schema.Struct.Type<typeof CHILD_FIELDS> {
  readonly supervisor?: SupervisorEntry
}

const Child = Schema.Struct({
  ...CHILD_FIELDS,
  supervisor: Schema.optionalKey(Schema.suspend((): Schema.Codec<SupervisorEntry> => SupervisorSection)),
})

/** One tree. Rules that concern several options are checked where trees are started. */
export const SupervisorSection: Schema.Codec<SupervisorEntry> = Schema.Struct({
  ...SUPERVISOR_FIELDS,
  children: Schema.Array(Child),
}).annotate({ identifier: 'Supervisor' })

/** A tree of the file, as `orchestrator.supervise` takes it. */
export interface DeclaredTree
  extends Pick<SupervisorTree, 'id' | 'strategy' | 'intensity' | 'backoff' | 'autoShutdown'> {
  readonly children: readonly DeclaredChild[]
}

/** A child in a supervision tree of the configuration file. */
export interface DeclaredChild
  extends Pick<ChildTree, 'id' | 'agent' | 'restart' | 'shutdown' | 'significant'> {
  readonly supervisor?: Omit<DeclaredTree, 'id'>
}

export function declaredTree(entry: SupervisorEntry): DeclaredTree {
  const { max_restarts, within_ms, backoff, children, ...rest } = entry
  const { maxRestarts, withinMs } = DEFAULT_INTENSITY
  return {
    ...inCode(rest),
    ...defined({
      intensity:
        (max_restarts ?? within_ms) === undefined
          ? undefined
          : { maxRestarts: max_restarts ?? maxRestarts, withinMs: within_ms ?? withinMs },
      backoff: backoff && inCode(backoff),
    }),
    children: children.map(declaredChild),
  }
}

function declaredChild({ supervisor, ...child }: ChildEntry): DeclaredChild {
  if (supervisor === undefined) return child
  const { id, ...tree } = declaredTree(supervisor)
  return { ...child, id, supervisor: tree }
}
