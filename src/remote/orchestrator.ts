/** The orchestrator of another process: read here, through the owner's log, and commanded there. */
import { resolve } from 'node:path'
import type { Placement } from '../actors/agent/moving/placement.ts'
import { callProcesses } from '../claude/process/list.ts'
import type { AgentRunner } from '../claude/runner.ts'
import { systemClock } from '../clock.ts'
import { OwnerNotFound, OwnerOnly } from '../events/errors/owner.ts'
import { defined } from '../events/json.ts'
import { callableInbox } from '../inbox/stream.ts'
import { AGENT_OWNER_ONLY, LIFE_COMMANDS, OWNER_ONLY, SYSTEM_COMMANDS } from '../owner/commands.ts'
import type { ClusterPlacement } from '../patterns/runs/run.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { liveOwner } from '../store/level/lock.ts'
import { filesOperations } from '../workspaces/files/operations.ts'
import { askElsewhere, ownerWay, remoteAccept, remoteRequest } from './ask.ts'
import { connectOwner, type OwnerClient } from './client.ts'
import { remoteResume, remoteRun } from './run.ts'
import { remoteStore } from './store.ts'

type Methods = Readonly<Record<PropertyKey, (...args: never[]) => unknown>>

/** The class of orchestrators. It is passed in, because it can connect to an owner itself. */
interface OrchestratorClass<System> {
  open(options: {
    readonly baseDir: string
    readonly store: ChainedStore
    readonly runner: AgentRunner
    readonly resume: 'on-demand'
    readonly placement?: ClusterPlacement
  }): Promise<System>
}

/** What is replaced of an orchestrator. */
interface Facade {
  readonly runs: object
  readonly budgets: object
  readonly accounts: object
  readonly held: object
  readonly messages: object
  readonly notes: object
  readonly landings: object
  readonly schedules: object
}

/** The orchestrator of the owner of a base directory. Throws OwnerNotFound, and what connecting can throw. */
export async function connectedOrchestrator<System extends Facade>(
  type: OrchestratorClass<System>,
  baseDir: string,
): Promise<System> {
  const path = resolve(baseDir)
  const client = await connectOwner(path)
  if (client) return remoteOrchestrator(type, client)
  const silent = await liveOwner(path).catch(() => null)
  throw new OwnerNotFound({ path, silent })
}

/** The orchestrator of an owner. Closing it disconnects and leaves the owner running. */
export async function remoteOrchestrator<System extends Facade>(
  type: OrchestratorClass<System>,
  client: OwnerClient,
): Promise<System> {
  const store = remoteStore(client)
  const system = await readingOrchestrator(type, client.baseDir, store, ownerPlacement(client))
  const disconnect = async () => client.close()
  const forward =
    (method: string) =>
    (...args: unknown[]) =>
      client.command(null, method, args)
  const replaced: Methods = {
    ...Object.fromEntries(
      SYSTEM_COMMANDS.filter((path) => !LIFE_COMMANDS.includes(path)).map((path) => [path, forward(path)]),
    ),
    ...Object.fromEntries(Object.entries(OWNER_ONLY).map(([path, what]) => [path, refusal(client, what)])),
  }
  return withProperties(system, {
    ...replaced,
    run: (workflow: never, input: never, options: never) => remoteRun(client, workflow, input, options),
    runs: {
      ...system.runs,
      ...methodsOf('runs', replaced),
      resume: (id: string, workflow: never, options: never) => remoteResume(client, id, workflow, options),
    },
    budgets: { ...system.budgets, ...methodsOf('budgets', replaced) },
    accounts: { ...system.accounts, ...methodsOf('accounts', replaced) },
    held: { ...system.held, ...methodsOf('held', replaced) },
    messages: {
      ...system.messages,
      ...methodsOf('messages', replaced),
      ask: (request: never) => remoteRequest(client, request),
    },
    notes: { ...system.notes, ...methodsOf('notes', replaced) },
    landings: { ...system.landings, ...methodsOf('landings', replaced) },
    schedules: { ...system.schedules, ...methodsOf('schedules', replaced) },
    inbox: callableInbox(methodsOf('inbox', replaced) as never, () => store),
    close: disconnect,
    [Symbol.asyncDispose]: disconnect,
  })
}

/** All agents live in the owner. */
function ownerPlacement(client: OwnerClient): Placement {
  const refused = Object.entries(AGENT_OWNER_ONLY).map(([method, what]) => [method, refusal(client, what)])
  const methods: Methods = {
    ...Object.fromEntries(refused),
    ask: (id: string, task: never, options: never) => askElsewhere(ownerWay(client, id), id, task, options),
    accept: (id: string, task: never, options: never) => remoteAccept(client, id, task, options),
    drafts: (id: string, signal?: AbortSignal) => client.values('/drafts', { agent: id }, signal),
  }
  return {
    owns: () => false,
    call(agent, method, args) {
      const own = methods[method] as ((...args: unknown[]) => unknown) | undefined
      return own
        ? own(agent, ...args)
        : client.command(LIFE_COMMANDS.includes(method) ? null : agent, method, args)
    },
  }
}

const refusal = (client: OwnerClient, what: string) => () => {
  throw new OwnerOnly({ path: client.baseDir, pid: client.pid, what })
}

/** An orchestrator that only reads: it starts nothing and writes nothing. Closing it closes the store. */
export function readingOrchestrator<System>(
  type: OrchestratorClass<System>,
  baseDir: string,
  store: ChainedStore,
  placement?: ClusterPlacement,
): Promise<System> {
  const readOnly = { ...store, forReading: true }
  return type.open({
    baseDir,
    store: readOnly,
    runner: READER,
    resume: 'on-demand',
    ...defined({ placement }),
  })
}

/** Makes no call, but lists those whose processes are running. */
const READER: AgentRunner = {
  start() {
    throw new Error('the owner of the store makes the calls')
  },
  recover: async () => ({ outcome: 'unanswered' }),
  processes: ({ baseDir }) => callProcesses(baseDir),
  files: filesOperations(systemClock),
}

/** The methods of one part by name, from methods by path: `runs.cancel` is the method `cancel` of the part `runs`. */
function methodsOf(part: string, methods: Methods): Methods {
  const own = Object.entries(methods).filter(([path]) => path.startsWith(`${part}.`))
  return Object.fromEntries(own.map(([path, method]) => [path.slice(part.length + 1), method]))
}

/** A view of an object with some properties replaced. */
function withProperties<T extends object>(target: T, properties: Readonly<Record<PropertyKey, unknown>>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(properties, name)) return properties[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
