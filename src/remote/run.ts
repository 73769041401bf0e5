/** A run that the owner executes: its steps and its result come back through the socket. */
import { randomUUID } from 'node:crypto'
import { OwnerOnly } from '../events/errors/owner.ts'
import { checkId } from '../events/ids.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { checkTaskInput, type TaskInput } from '../events/task-input.ts'
import { CODE_ONLY, type RunRequest } from '../owner/commands.ts'
import type { Pattern } from '../patterns/pattern.ts'
import type { ResumeOptions, RunOptions } from '../patterns/runs/options.ts'
import { type Elsewhere, type InterruptionReason, Run } from '../patterns/runs/run.ts'
import type { StepEvent } from '../patterns/runs/step-event.ts'
import type { WorkflowResult } from '../patterns/runs/workflow-result.ts'
import type { WorkflowReference } from '../workflows/pattern.ts'
import { Asking, ownersFailure } from './asking.ts'
import type { OwnerClient } from './client.ts'

/** What is told of a run that another process executes. */
export type RunLine =
  | { readonly begun: readonly string[] }
  | { readonly step: StepEvent }
  | { readonly result: WorkflowResult }

type Reference = Pattern | string | WorkflowReference

/** Starts a run in the owner, or joins the one with this id. It outlives this process. */
export function remoteRun(
  client: OwnerClient,
  workflow: Reference,
  input: string | TaskInput,
  { id = randomUUID(), signal, ...options }: RunOptions = {},
): Run {
  checkId('run', id)
  // Resolved here: the owner may have another working directory.
  const task = checkTaskInput(input)
  const reference = dataOf(client, workflow)
  return begun(client, id, () => sealed(reference), { input: task, options }, signal)
}

/** Resumes a run in the owner, by default with the workflow that it recorded. */
export function remoteResume(
  client: OwnerClient,
  id: string,
  workflow: Reference | undefined,
  { signal, ...options }: ResumeOptions = {},
): Run {
  checkId('run', id)
  const reference = workflow === undefined ? undefined : dataOf(client, workflow)
  const seal = async () => (reference === undefined ? { workflow: null, hash: null } : sealed(reference))
  return begun(client, id, seal, { input: undefined, options }, signal)
}

function begun(
  client: OwnerClient,
  runId: string,
  seal: () => Promise<Sealed>,
  given: Pick<RunRequest, 'input' | 'options'>,
  signal: AbortSignal | undefined,
): Run {
  const asking = new Asking(client, '/runs')
  const hint = `The run resumes when the store is opened again. To see it: claude-agents workflow show ${runId}`
  const way: RunWay = {
    lines: (request) => asking.lines(request, signal) as AsyncGenerator<RunLine>,
    interrupt: ({ paused, reason }) =>
      paused
        ? asking.interrupt(reason, { forAll: true })
        : client.command(null, 'runs.cancel', [runId, reason]),
    failure: (error) => ownersFailure(client, 'the run', hint, error),
    unanswered: () => asking.unanswered(`Run ${runId}`, `claude-agents workflow cancel ${runId}`),
  }
  return new Run(runId, async () => followed(way, { runId, ...(await seal()), ...given }))
}

/** The way to a run that another process executes. */
export interface RunWay {
  /** What is told of it. Ends without a result if it was interrupted here and others want it. */
  lines(request: Omit<RunRequest, 'ask'>): AsyncGenerator<RunLine>
  interrupt(reason: InterruptionReason): Promise<unknown>
  /** The error to throw for one of the way. */
  failure(error: unknown): unknown
  unanswered(): Error
}

/** Begins a run where it is executed, and follows it. */
export async function followed(way: RunWay, request: Omit<RunRequest, 'ask'>): Promise<Elsewhere> {
  const lines = way.lines(request)
  const { value: first } = await lines.next().catch((error) => {
    throw way.failure(error)
  })
  if (first === undefined) throw way.unanswered()
  return {
    agents: 'begun' in first ? first.begun : [],
    async follow(notify, interruption) {
      const stop = () => void way.interrupt(interruption.reason as InterruptionReason).catch(() => {})
      interruption.addEventListener('abort', stop, { once: true })
      if (interruption.aborted) stop()
      try {
        if ('result' in first) return first.result
        for await (const line of lines) {
          if ('result' in line) return line.result
          if ('step' in line) notify(line.step)
        }
      } catch (error) {
        throw way.failure(error)
      } finally {
        interruption.removeEventListener('abort', stop)
      }
      throw way.unanswered()
    },
  }
}

/** Throws OwnerOnly: the code of this program is not in the owner. */
function dataOf(client: OwnerClient, workflow: Reference): WorkflowReference {
  if (typeof workflow === 'string') return { kind: 'program', name: workflow }
  if (typeof workflow !== 'function') return workflow
  const hint =
    'Give it as data, which the owner builds: a template, a workflow of the configuration file, or a module (--module FILE). Or run it where no other process has the store open.'
  throw new OwnerOnly({ path: client.baseDir, pid: client.pid, what: CODE_ONLY, hint })
}

type Sealed = Pick<RunRequest, 'workflow' | 'hash'>

/** The reference as any process finds it, with the hash of what it refers to. */
export async function sealed(reference: WorkflowReference): Promise<Sealed> {
  checkArgument('The workflow', reference, 'an object')
  const { sealWorkflow } = await import('../workflows/built-workflow.ts')
  return sealWorkflow(reference)
}
