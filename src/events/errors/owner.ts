/** What can go wrong between processes: an owner that has a store open and one that works through it, or the workers of a cluster. */
import { defineError } from './builder.ts'
import { didYouMean, quoted, sentence, shellWord } from './phrases.ts'

/** The owner did not do what it was asked to: it has ended, has closed the store, or does not answer. */
export class OwnerUnavailable extends defineError(
  'OwnerUnavailable',
  ({ path, pid, problem, hint }: { path: string; pid: number; problem: string; hint?: string }) => ({
    details: { path, pid },
    message: sentence(`Process ${pid}, the owner of the store ${path}, ${problem}`),
    hint: hint ?? 'Try again: everything that was written is in the log.',
    retryable: true,
  }),
) {
  readonly pid = this.details.pid
}

/** The owner serves as many clients as it can. */
export class OwnerBusy extends defineError('OwnerBusy', ({ path, pid }: { path: string; pid: number }) => ({
  details: { path, pid },
  message: `Process ${pid}, which has the store ${path} open, takes no more clients at present.`,
  hint: 'Nothing was asked of it. Try again when some of them have ended.',
  retryable: true,
})) {}

/** The owner is about to end: it finishes its work and accepts no more. */
export class OwnerStopping extends defineError(
  'OwnerStopping',
  ({ path, pid }: { path: string; pid: number }) => ({
    details: { path, pid },
    message: `Process ${pid}, which has the store ${path} open, is stopping: it finishes its work and accepts no more. Nothing was asked.`,
    hint: 'Try again when it has ended: claude-agents serve status. To end it at once: claude-agents serve stop --now',
    retryable: true,
  }),
) {}

/** The owner speaks another version of the protocol. */
export class OwnerProtocolMismatch extends defineError(
  'OwnerProtocolMismatch',
  ({ path, pid, found, known }: { path: string; pid: number; found: number; known: number }) => ({
    message: `The store ${path} is in use by process ${pid}, which speaks version ${found} of the protocol; this program speaks version ${known}.`,
    hint:
      found > known
        ? 'Upgrade this program: npm install claude-multi-agent@latest'
        : `It is of an older version: end it (kill ${pid}), and start it again with this one. What is in the log stays.`,
  }),
) {}

/** The file that says how to reach the owner of a store is not one that an owner wrote: it is ignored. */
export class OwnerRecordRefused extends defineError(
  'OwnerRecordRefused',
  ({ file, problem }: { file: string; problem: string }) => ({
    details: { file },
    message: sentence(`${file} is not trusted: ${problem}`),
    hint: 'The process that has the store open did not write it. Find out what did, and remove it.',
  }),
) {}

/** The process that has the store open answers calls with another model than the command means: it was not asked. */
export class OtherRunnerError extends defineError(
  'OtherRunnerError',
  ({ path, pid, runner, simulate }: { path: string; pid: number; runner: string; simulate: boolean }) => ({
    details: { path, pid, runner },
    message: simulate
      ? `The store ${path} is in use by process ${pid}, which answers calls with ${RUNNERS[runner] ?? runner}, not with a simulated model. Nothing was asked.`
      : `The store ${path} is in use by process ${pid}, which answers calls with a simulated model. Nothing was asked.`,
    hint: simulate
      ? 'Stop that process first, try it in a directory of its own (--base-dir DIR), or leave out --simulate to work through that process.'
      : 'Stop that process first, or add --simulate to work through it.',
  }),
) {}

const RUNNERS: Readonly<Record<string, string>> = {
  claude: 'the real claude',
  command: 'a program',
  custom: 'a runner of its own',
}

/** The process that has the store open would run another workflow than the one that is meant: nothing was asked. */
export class OtherWorkflowError extends defineError(
  'OtherWorkflowError',
  (details: ({ path: string; pid: number } | { worker: string }) & { what: string }) => ({
    details,
    message: `${'worker' in details ? `Worker ${quoted(details.worker)}` : `Process ${details.pid}, which has the store ${details.path} open,`} sees another version of ${details.what}. Nothing was asked.`,
    hint:
      'worker' in details
        ? 'Have the same files on the machines of all workers, at the same paths, and the same release of the package.'
        : 'If it was just changed, try again. Otherwise that process sees other files (a container, another mount) or is of another version: end it first.',
  }),
) {}

/** What was interrupted continues, because others have asked for it as well. */
export class StillWantedError extends defineError(
  'StillWantedError',
  ({ what, end }: { what: string; end: string }) => ({
    details: { what },
    message: `${what} continues: others have asked for it as well.`,
    hint: `To end it for all of them: ${end}`,
  }),
) {}

/** No process serves the store; `silent` is the one that has it open and serves no other. */
export class OwnerNotFound extends defineError(
  'OwnerNotFound',
  ({ path, silent = null }: { path: string; silent?: { readonly pid: number | null } | null }) => ({
    details: { path },
    ...(silent === null
      ? {
          message: `No process has the store ${path} open.`,
          hint: 'Start one that serves it: claude-agents serve --detach (in code: or open it here, with Orchestrator.open)',
        }
      : {
          message: `${silent.pid === null ? 'Another process' : `Process ${silent.pid}`} has the store ${path} open, and serves no other process.`,
          hint: 'Wait until it ends (in code: let it serve others, by leaving out the option serve).',
        }),
  }),
) {}

/** An owner that was to run in the background ended before it served. */
export class OwnerNotStarted extends defineError(
  'OwnerNotStarted',
  ({ path, file, said }: { path: string; file: string; said: string }) => ({
    details: { path, file },
    message: `The process that was to serve ${path} has ended${said === '' ? '' : `, saying "${said}"`}.`,
    hint: `Its log is ${file}. To watch it start, run it in this terminal: claude-agents serve`,
  }),
) {}

/** Only the process that has the store open can do this. */
export class OwnerOnly extends defineError(
  'OwnerOnly',
  ({ path, pid, what, hint }: { path: string; pid: number; what: string; hint?: string }) => ({
    details: { path, pid, what },
    message: `The store ${path} is in use by process ${pid}, and ${what} does not work through another process.`,
    hint:
      hint ??
      'If it is claude-agents serve, end it first: claude-agents serve stop. Otherwise do it in that process, or use another store: --base-dir DIR',
  }),
) {}

/** Another worker of the cluster has this name. */
export class WorkerNameTaken extends defineError(
  'WorkerNameTaken',
  ({ worker, address }: { worker: string; address: string }) => ({
    message: `A worker at ${address} has the name ${quoted(worker, 80)}.`,
    hint: `Give this one another name (--name), or end that one: claude-agents cluster drain ${shellWord(worker)}`,
  }),
) {}

/** A worker of the cluster is of a release that this one does not understand. */
export class ClusterProtocolMismatch extends defineError(
  'ClusterProtocolMismatch',
  ({
    worker,
    protocol,
    release,
    known,
  }: {
    worker: string
    protocol: number
    release: string
    known: number
  }) => ({
    message: `The worker ${quoted(worker, 80)}${release === '' ? '' : ` is of release ${release}: it`} speaks version ${protocol} of the cluster's protocol; this program speaks version ${known}.`,
    hint:
      protocol > known
        ? 'Upgrade this program: npm install claude-multi-agent@latest'
        : `Drain all workers of that release, then start those of this one: claude-agents cluster drain ${worker}. Accepted tasks wait meanwhile.`,
  }),
) {}

/** No worker of the cluster has the labels that an agent requires. */
export class NoWorkerError extends defineError(
  'NoWorkerError',
  ({ agent, requires }: { agent: string; requires: readonly string[] }) => ({
    message: `Agent ${quoted(agent, 80)} requires ${requires.join(', ')}, and no worker has ${requires.length === 1 ? 'that label' : 'all of these labels'}.`,
    hint: `Start one: claude-agents worker${requires.map((label) => ` --label ${label}`).join('')} (which labels there are: claude-agents cluster workers)`,
    retryable: true,
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
