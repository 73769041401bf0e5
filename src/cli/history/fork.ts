/** `fork`: branches off an agent at a version, or a run at a step. */

import type { Command } from 'commander'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { withStore } from '../session.ts'

export function forkCommand(command: Command): void {
  command
    .argument('[agent]')
    .description('branch off an agent at a version, or a run at a step; the original is unchanged')
    .option('--at <place>', 'version of the agent (default: the latest), or step of the run')
    .option('--as <id>', 'id of the new agent or run')
    .option('--run <run>', 'run to branch off; answers before the step are reused')
    .action(withGlobals(fork))
}

interface ForkCommandOptions {
  readonly at?: string
  readonly as?: string
  readonly run?: string
}

function fork(
  globals: GlobalOptions,
  agent: string | undefined,
  { at, as, run }: ForkCommandOptions,
): Promise<void> {
  if (run !== undefined) {
    if (agent !== undefined) throw wrongUse('An agent and a run', 'only one can be forked at a time')
    if (at === undefined) throw wrongUse('--at', 'the step is missing')
    return forkRunAt(globals, run, at, as)
  }
  if (agent === undefined) throw wrongUse('What to fork', 'neither an agent nor a run is given')
  if (as === undefined) throw wrongUse('--as', 'the id of the new agent is missing')
  if (at !== undefined && !/^\d{1,15}$/.test(at))
    throw wrongUse('--at', `${JSON.stringify(at)} is not a version, which is a whole number`)
  return forkAgentAt(globals, agent, at === undefined ? null : Number(at), as)
}

const who = () => userName() || undefined

const wrongUse = (what: string, problem: string) =>
  new InvalidInputError({
    what,
    problem,
    hint: 'claude-agents fork AGENT --at VERSION --as NEW, or claude-agents fork --run RUN --at STEP --as NEW',
  })

function forkAgentAt(globals: GlobalOptions, agent: string, version: number | null, as: string) {
  return withStore(
    globals,
    async ({ orchestrator, terminal }) => {
      const made = await orchestrator.fork(agent, defined({ as, at: version ?? undefined, by: who() }))
      const { session, config, files } = made.snapshot.context
      const forkedFrom = { agent, version, sessionId: session }
      if (terminal.json) return terminal.value({ id: as, forkedFrom, model: config?.model ?? null })
      const begins = config?.workspace || files ? 'and begins with the files of that version' : 'and is empty'
      const where = version === null ? 'as it is now' : `at version ${version}`
      terminal.line(`Forked ${as} off ${agent} ${where}. Its workspace is its own, ${begins}.`)
      terminal.note(`Ask it something: claude-agents agent ask ${as} "..."`)
    },
    () => new AgentNotFoundError({ agent, nearest: null }),
    'change',
  )
}

function forkRunAt(globals: GlobalOptions, run: string, at: string, as: string | undefined) {
  return withStore(
    globals,
    async ({ orchestrator, terminal }) => {
      const forked = await orchestrator.runs.fork(run, defined({ at, as, by: who() }))
      if (terminal.json) return terminal.value(forked)
      const { runId, carried } = forked
      terminal.line(`Forked run ${runId} off ${run}, reusing ${plural(carried.length, 'answer')}.`)
      terminal.note(`Resume it: claude-agents workflow resume ${runId}`)
    },
    () => new RunNotFoundError({ runId: run }),
    'change',
  )
}
