/** An agent as the child of a supervisor: what counts as its end. */
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import { AgentDownError, AlreadySupervisedError } from '../../events/errors/supervision.ts'
import { crashedBy, Ending, type Exit, KILLED, type Supervised } from '../engine/exit.ts'
import type { AgentActor } from './environment.ts'

/** What is needed of an agent. */
interface Worker {
  readonly id: string
  halt(): Promise<void>
  refuse(reason: ClaudeAgentError): void
}

export interface SupervisedAgent<A> extends Supervised {
  /** Stays the same through all restarts: only what is behind it is loaded again. */
  readonly ref: A
  /** Nobody starts it again by himself. */
  released(): void
}

export class AgentSupervision {
  #supervisor: string | null = null
  #ending: Ending | undefined
  #halt: () => Promise<void> = async () => {}

  /** Whether it was not waited for, the last time that it ended. */
  get wasKilled(): boolean {
    return this.#ending?.exit?.reason === 'killed'
  }

  /** @returns `isAgain`: it has ended before, and must be loaded again. */
  begin<A extends Worker>(
    agent: A,
    supervisor: string,
  ): { readonly child: SupervisedAgent<A>; readonly isAgain: boolean } {
    if (this.#supervisor !== null && this.#ending?.exit === undefined)
      throw new AlreadySupervisedError({ agent: agent.id, supervisor: this.#supervisor })
    const isAgain = this.#ending !== undefined
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
    return { child, isAgain }
  }

  /** An effect of its failed for a reason that does not pass. Without a supervisor it goes on without that one. */
  crash(error: unknown): void {
    this.#end(crashedBy(error))
  }

  /** Its error state, and an end that somebody asked for, are the end of what its supervisor has started. */
  look(actor: AgentActor): void {
    actor.observe((_, { value, context }) => {
      if (value === 'error') this.#end({ reason: 'crashed', error: context.failure })
      if (value === 'stopped') this.#end({ reason: 'normal', error: null })
      if (value === 'absent')
        this.#end({
          ...crashedBy(new AgentNotFoundError({ agent: nameOf(actor), nearest: null })),
          reason: 'normal',
        })
    })
  }

  /** At once, before the state asks for its next effects. */
  #end(exit: Exit): void {
    if (!this.#ending || this.#ending.exit) return
    void this.#halt()
    this.#ending.end(exit)
  }
}

const nameOf = ({ stream }: AgentActor) => stream.slice('agent/'.length)
