/** In which worker of a cluster an agent lives, or why it lives in none. */
import { hasAll } from '../../cluster/labels/groups.ts'
import type { UnplacedAgents } from '../../cluster/worker-table.ts'
import { plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import type { GlobalOptions } from '../global-options.ts'

interface Placed {
  readonly id: string
  readonly requires?: readonly string[] | undefined
}

export interface Whereabouts {
  /** What --json says: null for an agent that lives in none at present. */
  readonly worker: string | null
  /** Whether no worker has the labels that it requires. */
  readonly isUnplaced: boolean
}

/** Of each agent; undefined where the log has no workers. */
export async function whereabouts({
  database,
}: Pick<GlobalOptions, 'database'>): Promise<((agent: Placed) => Whereabouts) | undefined> {
  if (database === undefined) return undefined
  const { WorkerTable } = await import('../../cluster/worker-table.ts')
  await using members = await WorkerTable.at(database)
  const workers = await members.list().catch(() => [])
  if (workers.length === 0) return undefined
  const places = new Map((await members.agents()).map(({ agent, worker }) => [agent, worker]))
  return ({ id, requires }) => {
    const isUnplaced = !workers.some(({ labels }) => hasAll(labels, requires))
    return { worker: (isUnplaced ? undefined : places.get(id)) ?? null, isUnplaced }
  }
}

/** As a field of what --json says: absent where the log has no workers. */
export const workerField = (found: Whereabouts | undefined) => defined({ worker: found?.worker })

export function livesInWords(found: Whereabouts | undefined, { requires = [] }: Placed): string | undefined {
  if (!found) return undefined
  if (found.isUnplaced) return `in no worker: none has ${requires.join(', ')}`
  return found.worker === null ? 'in no worker until it is used' : `in worker ${found.worker}`
}

/** What lists say of agents that wait for a worker; undefined if there are none. */
export function unplacedInWords(unplaced: readonly UnplacedAgents[]): string | undefined {
  const [one] = unplaced
  if (!one) return undefined
  const labels = unplaced.map(({ requires }) => requires.join(' and '))
  const count = unplaced.reduce((sum, { agents }) => sum + agents, 0)
  const which = count === 1 ? `agent ${one.first}` : plural(count, 'agent')
  return `no worker with ${labels.join(', or with ')}, which ${which} ${count === 1 ? 'requires' : 'require'}`
}
