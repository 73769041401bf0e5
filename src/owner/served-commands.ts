/** What an owner does for others: methods of its orchestrator, called by name, and tasks. */
import { InvalidInputError } from '../events/errors/usage.ts'
import { AGENT_COMMANDS, type CommandRequest, SYSTEM_COMMANDS, type TaskRequest } from './commands.ts'
import { errorLine, type LineWriter } from './wire.ts'

/** As much as is needed of an agent. */
export interface OwnedAgent {
  ask(task: never, options: object): PromiseLike<unknown> & AsyncIterable<unknown>
  cancel(taskId: string, reason: string): Promise<boolean>
}

/** As much as is needed of an orchestrator. */
export interface OwnedSystem {
  agent(id: string): Promise<OwnedAgent>
}

/** A reader that lets so much pile up does not read: the answer is kept for whoever asks for it again. */
const LARGEST_BACKLOG = 16 * 1024 * 1024

export class OwnerCommands {
  readonly #system: OwnedSystem
  /** Tasks that were asked for through the socket, by agent and id. */
  readonly #asked = new Map<string, AbortController>()

  constructor(system: OwnedSystem) {
    this.#system = system
  }

  async run({ agent, method, args }: CommandRequest): Promise<unknown> {
    const allowed = agent === null ? SYSTEM_COMMANDS : AGENT_COMMANDS
    if (!allowed.includes(method) || !Array.isArray(args))
      throw new InvalidInputError({ what: String(method), problem: 'it is not a command of this owner' })
    const calledOff = agent !== null && method === 'cancel' && this.#callOff(agent, args)
    const target = agent === null ? this.#system : await this.#system.agent(agent)
    const result = await call(target, method, args)
    return isPlain(result) ? calledOff || result : null
  }

  /** Asks, and passes on all that is said. The task goes on when nobody reads any more. */
  async ask({ agent: id, taskId, task, options }: TaskRequest, lines: LineWriter): Promise<void> {
    const stop = new AbortController()
    const key = `${id} ${taskId}`
    this.#asked.set(key, stop)
    try {
      const agent = await this.#system.agent(id)
      const pass = (line: object) => void lines.write(line)?.catch(() => {})
      const asked = agent.ask(task as never, {
        ...{ ...options, taskId, signal: stop.signal },
        onHeld: (held: object) => pass({ held }),
        onReleased: () => pass({ released: true }),
      })
      for await (const message of asked) {
        if (lines.backlog > LARGEST_BACKLOG) return lines.abandon()
        void lines.write({ message })?.catch(() => {})
      }
      await lines.write({ reply: await asked })
    } catch (error) {
      await lines.write(errorLine(error))
    } finally {
      if (this.#asked.get(key) === stop) this.#asked.delete(key)
    }
  }

  /** A task that was asked for here may not be in the log yet: then only its asker can call it off. */
  #callOff(agent: string, [taskId, reason]: readonly unknown[]): boolean {
    const asked = this.#asked.get(`${agent} ${String(taskId)}`)
    asked?.abort(reason)
    return asked !== undefined
  }
}

/** `runs.cancel` is the method `cancel` of the part `runs`. The path is one of a list, so it leads nowhere else. */
function call(target: object, path: string, args: readonly unknown[]): Promise<unknown> | undefined {
  const [method = '', part] = path.split('.').toReversed()
  const methods = (part === undefined ? target : Reflect.get(target, part)) as Methods
  return methods[method]?.(...args)
}

type Methods = Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>

const isPlain = (value: unknown) =>
  value === null ||
  typeof value !== 'object' ||
  Array.isArray(value) ||
  Object.getPrototypeOf(value) === Object.prototype
