/** `apply`: what the configuration file declares is written to the log, and nothing else is done. */
import type { Command } from 'commander'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import { withDefaults } from '../../events/options/agent.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { hasStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore, withSession } from '../session.ts'
import { terminal } from '../terminal/output.ts'

export function applyCommand(command: Command): void {
  command
    .description(
      'write the agents and the budget of the configuration file to the log: other commands do so before they change something, and workers never do',
    )
    .action(withGlobals(apply))
}

async function apply(globals: GlobalOptions): Promise<void> {
  const { agents = [], agentDefaults = {}, file } = globals.config
  if (agents.length === 0)
    throw new InvalidInputError({
      what: 'apply',
      problem: file === null ? 'there is no configuration file' : `${file} declares no agents`,
      hint: 'Declare them in claude-agents.yaml, under "agents:".',
    })
  const ids = agents.map(({ id }) => id)
  let before = new Map<string, number>()
  if (hasStore(globals))
    await readStore(globals, async ({ orchestrator }) => {
      before = await versions(orchestrator, ids)
    })
  await withSession(
    globals,
    async ({ orchestrator, owner }) => {
      await orchestrator.declared()
      const screen = terminal(globals)
      if (owner !== null) {
        for (const agent of agents) await orchestrator.declareAgent(withDefaults(agentDefaults, agent))
        await noteBudget(globals, orchestrator, owner)
      }
      for (const [agent, version] of await versions(orchestrator, ids)) {
        const known = before.get(agent) ?? 0
        const status = known === 0 ? 'created' : version > known ? 'changed' : 'unchanged'
        if (screen.json) screen.value({ agent, status })
        else screen.line(`${agent} ${status}`)
      }
    },
    'change',
  )
}

/** The budget of everything is that of the owner: it takes the one that is declared when it starts. */
async function noteBudget(globals: GlobalOptions, { budgets }: Orchestrator, owner: number): Promise<void> {
  const { budget } = globals.config
  if (!budget) return
  const { limit } = await budgets.show()
  if ((['usd', 'tokens'] as const).every((unit) => (budget[unit] ?? limit[unit]) === limit[unit])) return
  terminal(globals).note(
    `The budget of everything stays as it is: process ${owner} reads what is declared when it starts. To change it now: claude-agents budget set`,
  )
}

/** The number of facts of each agent. */
async function versions({ store }: Orchestrator, ids: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const id of ids) found.set(id, await store.head(streamName('agent', id)))
  return found
}
