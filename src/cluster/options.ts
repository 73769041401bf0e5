/** What a process of a cluster is opened with, and what a worker is to the program that opened it. */
import type { AgentRunner } from '../claude/runner.ts'
import { codeOf } from '../events/errors/phrases.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import type { AgentDefaults } from '../events/options/agent.ts'
import type { Limits } from '../events/options/limits.ts'
import type { Logger } from '../logger.ts'

/** Which cluster. */
export interface ClusterOptions {
  /** `postgresql://USER@HOST:5432/DATABASE` */
  readonly database: string
}

/** Options of `openWorker`. */
export interface WorkerOptions extends ClusterOptions {
  /** Where it listens for the others, `HOST:PORT`. Default: `127.0.0.1:0`, a port of this machine that is free. */
  readonly listen?: string
  /** Where the others reach it, if that is not where it listens. */
  readonly advertise?: string
  /** Lets it listen where other machines reach it. Nothing checks who connects, and who does can ask the agents. */
  readonly insecureListen?: boolean
  /**
   * Where it answers `/healthz`, `/readyz` and `/metrics`, `HOST:PORT`. Who reaches that learns how many agents live here, and
   * can ask for nothing else. Default: nowhere.
   */
  readonly health?: string
  /** No other worker of the cluster may have it. Default: where the others reach it. */
  readonly name?: string
  /** The directory of the agents' files and sessions. No other process uses it. Default: `.claude-agents`. */
  readonly baseDir?: string
  /**
   * Whether all workers have the same `baseDir`, on a file system that they share: nothing is copied when an agent moves.
   * Default: false.
   */
  readonly sharedDir?: boolean
  /**
   * What it has that agents can require (`requires`), such as `gpu`: at most four names. Those that require something else do
   * not live here. Default: none.
   */
  readonly labels?: readonly string[]
  /**
   * Runs the calls. It has to end a call within 10 s when that is not wanted any more: `graceMs` of `claudeCli` is to stay below
   * that. Default: the `claude` command.
   */
  readonly runner?: AgentRunner
  /** How long an agent that moves away may take to end its work, in ms. Default: 15 minutes. */
  readonly drainMs?: number
  /** The most agents that the log may have when one is made here. Default: 100. */
  readonly maxAgents?: number
  /** Limits on the agents that live here. */
  readonly limits?: Limits
  /** Defaults for the options of agents that are made here. */
  readonly agentDefaults?: AgentDefaults
  readonly logger?: Logger
}

/** A worker that serves. */
export interface ClusterWorker extends AsyncDisposable {
  readonly name: string
  readonly listen: string
  /** Where its health is asked for; undefined if nowhere. */
  readonly health: string | undefined
  /** How many agents live in it. */
  readonly agents: number
  /** Resolves when it is to end: with null where that was asked for, else with the reason. Then close it. */
  readonly ended: Promise<Error | null>
  /** Hands its agents over to the other workers, each once its work has ended; `now` ends their calls. Then closes. */
  close(options?: { readonly now?: boolean }): Promise<void>
}

/** A host, and a port on it. */
export interface Address {
  readonly host: string
  readonly port: number
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/

export const isLoopback = ({ host }: Address): boolean => LOOPBACK.test(host)

export const addressText = ({ host, port }: Address): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/** @throws InvalidInputError */
export function addressFrom(what: string, text: unknown): Address {
  const [, inBrackets, plain, port] =
    /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/i.exec(String(text)) ?? []
  const host = inBrackets ?? plain
  if (host !== undefined && Number(port) < 65_536) return { host, port: Number(port) }
  const hint = 'Write it as HOST:PORT, such as 127.0.0.1:7600.'
  throw new InvalidInputError({ what, problem: `${JSON.stringify(text)} is no address`, hint })
}

/** What an address that cannot be listened at comes to. */
export function listenError(what: 'listen' | 'health', error: unknown, address: string): unknown {
  const code = codeOf(error)
  if (!/^E(ADDR|ACCES)/.test(code)) return error
  const [problem, hint] =
    code === 'EADDRINUSE'
      ? ['another process listens there', `Choose another port: --${what} HOST:PORT`]
      : [`this machine cannot listen there (${code})`, `Name an address of this machine: --${what} HOST:PORT`]
  return new InvalidInputError({ what: `${what}: ${address}`, problem, hint }, { cause: error })
}
