/** Simulates a whole world from one seed: agents, workflows, actors, supervision, budgets, and everything that goes wrong. */
import type { Recovered } from '../../claude/runner.ts'
import type { AgentOptions } from '../../events/options/agent.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { Pattern } from '../../patterns/pattern.ts'
import { answerOf } from './behaviour.ts'
import { generate } from './generate.ts'
import { type Played, play } from './play.ts'
import { scriptText } from './print.ts'
import { FAULTS, type FaultName, type Script } from './script.ts'
import { shrink } from './shrink.ts'
import { tally } from './tally.ts'
import type { Violation } from './violation.ts'
import type { SimulatedActor, Subject } from './world.ts'

/** What to simulate. Everything but the seed has a default. */
export interface SimulationOptions {
  /** Decides everything: the world, what happens in it, the order in which things go on, and every fault. */
  readonly seed: number
  /** How many things happen. Default: 40. */
  readonly steps?: number
  /** Which faults may occur. Default: all of them. */
  readonly faults?: readonly FaultName[]
  /** Your agents. Options that you leave out are chosen by the seed. Default: `a`, `b` and `c`. */
  readonly agents?: readonly AgentOptions[]
  /** Your workflows, by name. Default: random ones. */
  readonly workflows?: Readonly<Record<string, Pattern>>
  /** Your actors, by id. Default: one that adds up. */
  readonly actors?: Readonly<Record<string, SimulatedActor>>
  /** What an agent answers. *Contract:* depends on nothing but its arguments. Default: a short text. */
  readonly answer?: (agent: string, prompt: string) => string
  /** A law of your own: called when everything has come to rest, and throws if it does not hold. */
  readonly check?: (orchestrator: Orchestrator) => Promise<void> | void
  /** How many scripts to try in order to find a shorter one that breaks the same law. Default: 300; 0 for none. */
  readonly shrinkPlays?: number
}

/** What was simulated. */
export interface SimulationReport {
  readonly seed: number
  /** The facts of the log, as NDJSON. The same seed gives the same log, byte for byte. */
  readonly log: string
  readonly figures: {
    readonly facts: number
    readonly calls: number
    /** How often the log was opened. */
    readonly lives: number
    /** How many calls were in flight when their owner died, by what was found out about them. */
    readonly recovered: Readonly<Record<Recovered['outcome'], number>>
  }
}

/** A law did not hold. The message holds the shortest script that was found, as a person reads it. */
export class SimulationFailure extends Error {
  /** The law that did not hold, in a few words. */
  readonly law: string
  readonly seed: number
  /** The shortest script that breaks it, for {@link replayScript}. */
  readonly script: Script
  /** The log of that script, as NDJSON. */
  readonly log: string

  constructor(violation: Violation, script: Script, log: string) {
    super(`${violation.message}\n\n${scriptText(script)}`, { cause: violation })
    this.name = 'SimulationFailure'
    this.law = violation.law
    this.seed = script.seed
    this.script = script
    this.log = log
  }
}

/**
 * Plays a random world: agents and their tasks, nested workflows, actors of your own, supervision trees, budgets,
 * approvals, cancels, removals, forks, drains and closings, with a process that dies before and after appends, full disks,
 * clocks that jump, listeners that throw, and calls that end in every way. Time is virtual; nothing leaves the process.
 *
 * Throws a {@link SimulationFailure} if a law of this package does not hold (docs/testing.md lists them), or yours.
 *
 * @example
 * for (let seed = 1; seed <= 200; seed++) await simulate({ seed })
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const subject = subjectOf(options)
  const { seed, steps = 40, faults = FAULTS, agents, shrinkPlays = 300 } = options
  const script = generate({
    seed,
    steps,
    faults: new Set(faults),
    agents: agents ?? DEFAULT_AGENTS,
    workflows: Object.keys(subject.workflows),
    actors: Object.keys(subject.actors),
  })
  const played = await play(script, subject)
  if (!played.violation) return reportOf(played)
  const { law } = played.violation
  const { script: shortest } = await shrink(script, law, subject, shrinkPlays)
  throw await failureOf(shortest, subject)
}

/** Plays the script of a {@link SimulationFailure} again, with the same options. Throws it again while its law does not hold. */
export async function replayScript(
  script: Script,
  options: Omit<SimulationOptions, 'seed'> = {},
): Promise<SimulationReport> {
  checkArgument('The script', script, 'an object')
  checkArgument('The actions of the script', script.actions, 'a list')
  const subject = subjectOf(options)
  const played = await play(script, subject)
  if (!played.violation) return reportOf(played)
  throw new SimulationFailure(played.violation, script, await logOf(played))
}

/** A person decides tool calls of the last one. */
const DEFAULT_AGENTS: readonly AgentOptions[] = ['a', 'b', 'c'].map((id) => ({
  id,
  systemPrompt: `You are ${id}.`,
  ...(id === 'c' && { approveTools: ['Bash'], questions: true }),
}))

const DEFAULT_ACTORS: Readonly<Record<string, SimulatedActor>> = {
  tally: { kind: tally, command: (number) => ({ add: 1 + (number % 5), number }) },
}

function subjectOf({
  workflows = {},
  actors = DEFAULT_ACTORS,
  answer = answerOf,
  check,
}: Omit<SimulationOptions, 'seed'>): Subject {
  return { workflows, actors, answer, ...(check ? { check } : {}) }
}

async function failureOf(script: Script, subject: Subject): Promise<Error> {
  const played = await play(script, subject)
  if (played.violation) return new SimulationFailure(played.violation, script, await logOf(played))
  return new Error(`Seed ${script.seed} broke a law once, and not again: something is left to chance.`)
}

async function reportOf(played: Played): Promise<SimulationReport> {
  const { script, laws, calls, lives } = played.world
  const figures = { facts: laws.facts, calls: calls.all.size, lives, recovered: { ...calls.recovered } }
  return { seed: script.seed, log: await logOf(played), figures }
}

async function logOf({ world }: Played): Promise<string> {
  let log = ''
  for await (const recorded of world.store.readAll()) log += `${JSON.stringify(recorded)}\n`
  return log
}
