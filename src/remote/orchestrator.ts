/** The orchestrator of another process: read here, through the owner's log, and commanded there. */
import type { Agent } from '../actors/agent/agent.ts'
import { callProcesses } from '../claude/process/list.ts'
import type { AgentRunner } from '../claude/runner.ts'
import { OwnerOnly } from '../events/errors/owner.ts'
import { Orchestrator } from '../orchestrator.ts'
import { AGENT_COMMANDS, OWNER_ONLY, SYSTEM_COMMANDS } from '../owner/commands.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { remoteAccept, remoteAsk } from './ask.ts'
import type { OwnerClient } from './client.ts'
import { remoteStore } from './store.ts'

type Methods = Readonly<Record<PropertyKey, (...args: never[]) => unknown>>

/** The orchestrator of an owner. Closing it disconnects and leaves the owner running. */
export async function remoteOrchestrator(client: OwnerClient): Promise<Orchestrator> {
  const store = remoteStore(client)
  const system = await view(client, store)
  const disconnect = async () => client.close()
  const forward =
    (method: string) =>
    (...args: unknown[]) =>
      client.command(null, method, args)
  const creating = (method: string) => async (options: { id: string }) => {
    await forward(method)(options)
    return remoteAgent(client, store, options.id)
  }
  const replaced: Methods = {
    ...Object.fromEntries(SYSTEM_COMMANDS.map((path) => [path, forward(path)])),
    ...Object.fromEntries(Object.entries(OWNER_ONLY).map(([path, what]) => [path, refusal(client, what)])),
  }
  return withProperties(() => system, {
    ...replaced,
    runs: { ...system.runs, ...methodsOf('runs', replaced) },
    budgets: { ...system.budgets, ...methodsOf('budgets', replaced) },
    accounts: { ...system.accounts, ...methodsOf('accounts', replaced) },
    held: { ...system.held, ...methodsOf('held', replaced) },
    agent: (id: string) => remoteAgent(client, store, id),
    createAgent: creating('createAgent'),
    declareAgent: creating('declareAgent'),
    async fork(id: string, options: { as: string }) {
      await forward('fork')(id, options)
      return remoteAgent(client, store, options.as)
    },
    async sendTask(id: string, task: never, options: never) {
      return (await remoteAsk(client, id, task, options)).text
    },
    async cleanupAll() {
      for (const { id } of await system.agents()) await forward('removeAgent')(id)
    },
    close: disconnect,
    [Symbol.asyncDispose]: disconnect,
  })
}

/** An agent as folded from the log. Each command goes to the owner, and the agent is folded again afterwards. */
async function remoteAgent(client: OwnerClient, store: ChainedStore, id: string): Promise<Agent> {
  const folded = async () => (await view(client, store)).agent(id)
  let agent = await folded()
  const forward =
    (method: string) =>
    async (...args: never[]) => {
      const result = await client.command(id, method, args)
      agent = await folded()
      return result
    }
  return withProperties(() => agent, {
    ...Object.fromEntries(AGENT_COMMANDS.map((method) => [method, forward(method)])),
    ask: (task: never, options: never) => remoteAsk(client, id, task, options),
    accept: (task: never, options: never) => remoteAccept(client, id, task, options),
  })
}

const refusal = (client: OwnerClient, what: string) => () => {
  throw new OwnerOnly({ path: client.baseDir, pid: client.pid, what })
}

/** A fresh fold of the owner's log. */
const view = ({ baseDir }: OwnerClient, store: ChainedStore) => readingOrchestrator(baseDir, store)

/** An orchestrator that only reads: it starts nothing and writes nothing. Closing it closes the store. */
export function readingOrchestrator(baseDir: string, store: ChainedStore): Promise<Orchestrator> {
  const readOnly = { ...store, forReading: true }
  return Orchestrator.open({ baseDir, store: readOnly, runner: READER, resume: 'on-demand' })
}

/** Makes no call, but lists those whose processes are running. */
const READER: AgentRunner = {
  start() {
    throw new Error('the owner of the store makes the calls')
  },
  recover: async () => ({ outcome: 'unanswered' }),
  processes: ({ baseDir }) => callProcesses(baseDir),
}

/** The methods of one part by name, from methods by path: `runs.cancel` is the method `cancel` of the part `runs`. */
function methodsOf(part: string, methods: Methods): Methods {
  const own = Object.entries(methods).filter(([path]) => path.startsWith(`${part}.`))
  return Object.fromEntries(own.map(([path, method]) => [path.slice(part.length + 1), method]))
}

/** A view of the object that `current` returns at each access, with some properties replaced. */
function withProperties<T extends object>(
  current: () => T,
  properties: Readonly<Record<PropertyKey, unknown>>,
): T {
  return new Proxy(current(), {
    get(_, name) {
      if (Object.hasOwn(properties, name)) return properties[name]
      const target = current()
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
