/** What can be wrong with the workers of a cluster. */
import { defineError } from './builder.ts'
import { didYouMean, quoted } from './phrases.ts'

/** Another worker of the cluster has this name. */
export class WorkerNameTaken extends defineError(
  'WorkerNameTaken',
  ({ worker, address }: { worker: string; address: string }) => ({
    message: `A worker at ${address} has the name ${quoted(worker, 80)}.`,
    hint: 'Give this one another name (--name), or end that one: claude-agents cluster drain WORKER',
  }),
) {}

/** No worker of the cluster has this name. */
export class WorkerNotFound extends defineError(
  'WorkerNotFound',
  ({ worker, nearest }: { worker: string; nearest: string | null }) => ({
    message: `The cluster has no worker ${quoted(worker, 80)}.${didYouMean(nearest)}`,
    hint: 'See which there are: claude-agents cluster workers',
  }),
) {}
