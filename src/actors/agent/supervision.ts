/** An agent as the child of a supervisor: what counts as its exit. */
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import { AgentDownError, AlreadySupervisedError } from '../../events/errors/supervision.ts'
import { crashedBy, Ending, type Exit, KILLED, removedAgent, type Supervised } from '../engine/exit.ts'
import type { AgentLife } from './environment.ts'

/** What supervision needs from an agent. */
interface Worker {
  readonly id: string
  halt(): Promise<void>
  refuse(reason: ClaudeAgentError): void
}

export interface SupervisedAgent<A> extends Supervised {
  /** Stays the same through all restarts; only the actor behind it is reloaded. */
  readonly ref: A
  /** Its supervisor will not restart it: tasks are refused. */
  released(): void
}

export class AgentSupervision {
  #supervisor: string | null = null
  #ending: Ending | undefined
  #halt: () => Promise<void> = async () => {}

  /** Whether it is some supervisor's child, running or not. */
  get isSupervised(): boolean {
    return this.#supervisor !== null
  }

  /** Whether its last exit was a kill. */
  get wasKilled(): boolean {
    return this.#ending?.exit?.reason === 'killed'
  }

  /**
   * Makes the agent a child of a supervisor. Throws AlreadySupervisedError.
   *
   * @returns `hasEnded`: it ended as a child before and must be reloaded.
   */
  begin<A extends Worker>(
    agent: A,
    life: AgentLife,
    supervisor: string,
  ): { readonly child: SupervisedAgent<A>; readonly hasEnded: boolean } {
    if (this.#supervisor !== null && this.#ending?.exit === undefined)
      throw new AlreadySupervisedError({ agent: agent.id, supervisor: this.#supervisor })
    const hasEnded = this.#ending !== undefined
    if (!hasEnded) this.#observe(life)
    const ending = new Ending()
    this.#supervisor = supervisor
    this.#ending = ending
    this.#halt = () => agent.halt()
    const child: SupervisedAgent<A> = {
      ref: agent,
      watch: (ended) => ending.watch(ended),
      stop: async (reason = 'shutdown') => {
        await agent.halt()
        ending.end({ reason, error: null })
      },
      kill: async () => this.#end(KILLED),
      released: () => {
        // Another supervisor may have it by now.
        if (this.#ending !== ending) return
        this.#supervisor = null
        agent.refuse(new AgentDownError({ agent: agent.id, supervisor }))
      },
    }
    return { child, hasEnded }
  }

  /** One of its effects failed permanently. Without a supervisor, the agent continues without that effect. */
  crash(error: unknown): void {
    this.#end(crashedBy(error))
  }

  /** Its error state, a stop and a removal count as exits. */
  #observe(life: AgentLife): void {
    life.observe((_, { value, context }) => {
      if (value === 'error') this.#end({ reason: 'crashed', error: context.failure })
      if (value === 'stopped') this.#end({ reason: 'normal', error: null })
      if (value === 'absent') this.#end(removedAgent(nameOf(life)))
    })
  }

  /** Synchronous, so that the agent halts before its state asks for the next effects. */
  #end(exit: Exit): void {
    if (!this.#ending || this.#ending.exit) return
    void this.#halt()
    this.#ending.end(exit)
  }
}

const nameOf = ({ stream }: AgentLife) => stream.slice('agent/'.length)
