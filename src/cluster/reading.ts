/** The cluster as a process sees it that only reads the log: it asks nothing of the workers, and knows who executes which run. */
import { localPlacement } from '../actors/agent/moving/placement.ts'
import type { ClusterPlacement } from '../patterns/runs/run.ts'
import { WorkerTable } from './worker-table.ts'

const refuse = async (): Promise<never> => {
  throw new Error('this process only reads the log')
}

export const readingPlacement = (database: string): ClusterPlacement => ({
  ...localPlacement,
  runs: {
    owns: () => true,
    execute: refuse,
    begin: refuse,
    cancel: refuse,
    async drivers() {
      await using workers = await WorkerTable.at(database)
      return await workers.drivers()
    },
  },
})
