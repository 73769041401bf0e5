/** What an owner does for other processes: it calls methods of its orchestrator by name, and runs tasks and workflows. */

import type { AgentSnapshot } from '../actors/agent/machine.ts'
import type { HoldListeners } from '../actors/agent/tasks/channel.ts'
import { OtherWorkflowError } from '../events/errors/owner.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import type { Run } from '../patterns/runs/run.ts'
import type { FiredSchedule } from '../schedules/schedules.ts'
import type { WorkflowReference } from '../workflows/pattern.ts'
import {
  AGENT_COMMANDS,
  type CommandRequest,
  callCommand,
  type InterruptRequest,
  isData,
  READING_COMMANDS,
  type RunRequest,
  SYSTEM_COMMANDS,
  type TaskRequest,
} from './commands.ts'
import { errorLine, type LineWriter } from './wire.ts'

/** The methods of an agent that tasks need. */
export interface OwnedAgent {
  readonly snapshot: AgentSnapshot
  ask(task: never, options: object): PromiseLike<unknown> & AsyncIterable<unknown>
  cancel(taskId: string, reason: string): Promise<boolean>
  reply(taskId: string, listeners: HoldListeners): Promise<unknown>
  drafts(signal: AbortSignal): AsyncIterable<unknown>
}

/** The methods of an orchestrator that are not called by name. */
export interface OwnedSystem {
  agent(id: string): Promise<OwnedAgent>
  run(workflow: never, input: never, options: object): Run
  readonly runs: { resume(runId: string, workflow: never, options: object): Run }
}

/** The process that owns the store, or a worker of a cluster, for its errors. */
type OwnerName = { readonly path: string; readonly pid: number } | { readonly worker: string }

/** The reader of an answer. */
type Lines = Pick<LineWriter, 'write' | 'backlog' | 'abandon'>

/** A task or a run that clients have asked for: it ends when the last of them interrupts it. */
interface Asked {
  readonly stop: AbortController
  askers: number
  run?: Run
}

/** What these begin continues without the client. */
const LEAVING: ReadonlySet<string> = new Set(['accept', 'landings.land', 'schedules.run'])

/** In bytes. A client this far behind has stopped reading: it is disconnected, and can ask again for the recorded reply. */
const LARGEST_BACKLOG = 16 * 1024 * 1024

export class OwnerCommands {
  readonly #system: OwnedSystem
  readonly #owner: OwnerName
  readonly #prepare: () => Promise<void>
  readonly #assertTaking: () => void
  readonly #assertServing: () => void
  readonly #isActive: (runId: string) => boolean
  /** What continues without a client that waits, until it ends. */
  readonly #left = new Set<Promise<unknown>>()
  /** The same, without what is held. None of these rejects. */
  readonly working = new Set<Promise<unknown>>()
  /** By request. */
  readonly #asks = new Map<string, Asked>()
  /** Unfinished tasks that were asked for through the socket, by agent and id. */
  readonly #tasks = new Map<string, Asked>()
  readonly #runs = new WeakMap<Run, Asked>()

  /**
   * @param is `assertTaking` throws OwnerStopping once nothing new is accepted, `assertServing` once nothing is done for others
   * any more; `isActive` tells which runs this process executes.
   */
  constructor(
    system: OwnedSystem,
    owner: OwnerName,
    {
      assertTaking,
      assertServing,
      isActive,
    }: {
      readonly assertTaking: () => void
      readonly assertServing: () => void
      readonly isActive: (runId: string) => boolean
    },
    prepare: () => Promise<void> = async () => {},
  ) {
    this.#system = system
    this.#owner = owner
    this.#prepare = prepare
    this.#assertTaking = assertTaking
    this.#assertServing = assertServing
    this.#isActive = isActive
  }

  /** Whether something that no client waits for has not ended. */
  get hasLeft(): boolean {
    return this.#left.size > 0
  }

  async command({ agent, method, args }: CommandRequest): Promise<unknown> {
    const allowed = agent === null ? SYSTEM_COMMANDS : AGENT_COMMANDS
    if (!allowed.includes(method) || !Array.isArray(args))
      throw new InvalidInputError({ what: String(method), problem: 'it is not a command of this owner' })
    this.#assertServing()
    if (LEAVING.has(method)) this.#assertTaking()
    if (!READING_COMMANDS.has(method)) await this.#prepare()
    const target = agent === null ? this.#system : await this.#system.agent(agent)
    const result = await callCommand(target, method, args)
    const aborted = agent !== null && method === 'cancel' && this.#abort(agent, args)
    if (method === 'accept') this.#leave((onHeld) => (target as OwnedAgent).reply(String(result), { onHeld }))
    if (method === 'landings.land')
      for (const { entry } of result as readonly { readonly entry: string }[])
        this.#leave(async () => callCommand(target, 'landings.settled', [entry]))
    if (method === 'schedules.run') this.#leave(this.#untilEnded(result as FiredSchedule))
    return isData(result) ? aborted || result : null
  }

  /** Runs a task and streams its messages and its reply. The task continues when the client disconnects. */
  ask({ ask, agent: id, taskId, task, options }: TaskRequest, lines: Lines, gone: AbortSignal) {
    const key = `${id} ${taskId}`
    const tell = async (own: Asked) => {
      const agent = await this.#system.agent(id)
      const { current, queue } = agent.snapshot.context
      // Left to this owner, or to an earlier one.
      const isOpen = [current, ...queue].some((open) => open?.taskId === taskId)
      const asked = this.#share(ask, own, this.#tasks.get(key), isOpen)
      this.#tasks.set(key, asked)
      const send = sender(lines)
      try {
        const handle = agent.ask(task as never, {
          ...options,
          taskId,
          signal: asked.stop.signal,
          onHeld: (held: object) => send({ held }),
          onReleased: () => send({ released: true }),
        })
        for await (const message of handle) if (!send({ message })) return
        send({ reply: await handle })
      } finally {
        if (this.#tasks.get(key) === asked) this.#tasks.delete(key)
      }
    }
    const left = async (onHeld: () => void) => (await this.#system.agent(id)).reply(taskId, { onHeld })
    return this.#told(ask, lines, gone, tell, () => left)
  }

  /**
   * Runs or resumes a workflow, and streams its steps and its result. The run continues when the client disconnects.
   *
   * @param begun The run, if the same was asked for before.
   */
  run(request: RunRequest, lines: Lines, gone: AbortSignal, begun?: Run): Promise<void> {
    const { ask, runId, workflow, input, options } = request
    let run = begun
    const tell = async (own: Asked) => {
      if (!begun) await this.#assertSame(request)
      const given = { ...options, signal: own.stop.signal }
      // Begun by this owner itself, which wants it as well.
      const isOpen = this.#isActive(runId)
      run ??=
        input === undefined
          ? this.#system.runs.resume(runId, (workflow ?? undefined) as never, given)
          : this.#system.run(workflow as never, input as never, { ...given, id: runId })
      // Its client may have gone.
      run.catch(() => {})
      const asked = this.#share(ask, own, this.#runs.get(run), isOpen)
      asked.run = run
      this.#runs.set(run, asked)
      await run.begun
      const send = sender(lines)
      send({ begun: run.agents })
      for await (const step of run) if (!send({ step })) return
      send({ result: await run })
    }
    return this.#told(ask, lines, gone, tell, () => run && untilHeld(run))
  }

  /** The run of a request that has not ended; undefined if there is none. */
  runOf(ask: string): Run | undefined {
    return this.#asks.get(ask)?.run
  }

  /** Waits for what a schedule has begun. */
  #untilEnded(fired: FiredSchedule): (onHeld: () => void) => Promise<unknown> {
    if ('runId' in fired) return async () => callCommand(this.#system, 'runs.result', [fired.runId])
    return async (onHeld) => (await this.#system.agent(fired.agent)).reply(fired.taskId, { onHeld })
  }

  /** Ends a task or a run, unless others have asked for it as well. Returns whether it ends. */
  interrupt({ ask, reason, forAll }: InterruptRequest): boolean {
    const asked = this.#asks.get(ask)
    if (!asked) return true
    asked.askers--
    if (asked.askers > 0 && !forAll) return false
    // The signal of a run that the owner itself began is not ours.
    if (forAll && asked.run) void asked.run.pause(reason)
    asked.stop.abort(reason)
    return true
  }

  /**
   * Tells a client what becomes of its request. The work continues without the client.
   *
   * @param left What it then waits for, once that is known: a function of what to call when it is held.
   */
  async #told(
    ask: string,
    lines: Lines,
    gone: AbortSignal,
    tell: (own: Asked) => Promise<void>,
    left: () => ((onHeld: () => void) => Promise<unknown>) | undefined,
  ): Promise<void> {
    const own: Asked = { stop: new AbortController(), askers: 1 }
    this.#asks.set(ask, own)
    const telling = (async () => {
      this.#assertTaking()
      await this.#prepare()
      await tell(own)
    })()
      .catch((error) => void sender(lines)(errorLine(error)))
      .finally(() => this.#asks.delete(ask))
    const disconnected = new Promise<void>((resolve) => {
      if (gone.aborted) resolve()
      gone.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([telling, disconnected])
    if (gone.aborted) this.#leave((onHeld) => left()?.(onHeld) ?? telling)
  }

  /** What a request asks for, together with the others that ask for the same. */
  #share(ask: string, own: Asked, other: Asked | undefined, isOpen: boolean): Asked {
    const asked = other ?? own
    if (other || isOpen) asked.askers++
    this.#asks.set(ask, asked)
    return asked
  }

  /** Throws OtherWorkflowError. */
  async #assertSame({ workflow, hash }: RunRequest): Promise<void> {
    if (workflow === null || hash === null) return
    const { sealWorkflow } = await import('../workflows/built-workflow.ts')
    const reference = workflow as WorkflowReference
    const seen = await sealWorkflow(reference)
    if (seen.hash === hash) return
    const what = 'file' in reference ? String(reference.file) : `the workflow ${nameOf(reference)}`
    throw new OtherWorkflowError({ ...this.#owner, what })
  }

  #leave(work: (onHeld: () => void) => Promise<unknown>): void {
    const working = new Promise<unknown>((resolve) => {
      const ended = work(() => resolve('held')).catch(() => {})
      this.#left.add(ended)
      void ended.then(() => this.#left.delete(ended)).then(resolve)
    })
    this.working.add(working)
    void working.then(() => this.working.delete(working))
  }

  /** A task that is not in the log yet can be cancelled only through the signal of its ask. */
  #abort(agent: string, [taskId, reason]: readonly unknown[]): boolean {
    const task = this.#tasks.get(`${agent} ${String(taskId)}`)
    task?.stop.abort(reason)
    return task !== undefined
  }
}

/** Sends lines without waiting for the client to read them; false if it has been disconnected because it reads none. */
const sender = (lines: Lines) => (line: object) => {
  if (lines.backlog > LARGEST_BACKLOG) {
    lines.abandon()
    return false
  }
  void lines.write(line)?.catch(() => {})
  return true
}

const nameOf = (reference: WorkflowReference) => ('name' in reference ? reference.name : reference.kind)

/** Waits for a run. `onHeld` is called when all its open steps are held. */
const untilHeld = (run: Run) => (onHeld: () => void) => {
  void run.rested().then(onHeld)
  return run.ended
}
