/** `agent open`: `claude` itself in this terminal, on a fork of an agent's session. */
import type { Command } from 'commander'
import { callSettings } from '../../actors/agent/call.ts'
import type { AgentRef } from '../../actors/agent/ref.ts'
import type { TerminalOptions } from '../../claude/terminal.ts'
import { AgentBusyError } from '../../events/errors/agent.ts'
import { shellWord } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollarsSpent, plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import { agentDirectories } from '../../workspaces/directories.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { startSimulation } from '../runner.ts'
import { isConversation } from '../session.ts'
import { terminal } from '../terminal/output.ts'
import { readAgent, withAgent } from './agents.ts'

export const openCommand = (agent: Command) =>
  agent
    .command('open <id>')
    .description(
      'talk to an agent in this terminal: claude itself, on a fork of its session, in its workspace',
    )
    .option('--take', 'afterwards, let the agent continue from what was said')
    .action(withGlobals(open))

async function open(globals: GlobalOptions, id: string, { take = false }: { readonly take?: boolean }) {
  const screen = terminal(globals)
  let options: TerminalOptions | undefined
  await readAgent(globals, id, async (agent, { orchestrator }) => {
    if (!process.stdin.isTTY || !screen.interactive || isConversation()) {
      const hint = `To ask from a script: claude-agents agent ask ${id} "..."`
      throw new InvalidInputError({ what: 'agent open', problem: 'it needs a terminal of its own', hint })
    }
    const { current } = agent.snapshot.context
    if (take && current !== null) {
      const held = (await agent.held()).find(({ taskId }) => taskId === current.taskId)
      throw new AgentBusyError({ agent: id, held })
    }
    options = await terminalOptions(agent, orchestrator.baseDir)
  })
  if (!options) return
  const { talkInTerminal } = await import('../../claude/terminal.ts')
  const model = globals.simulate ? await startSimulation(screen) : undefined
  try {
    const added = model?.environment
    const ended = await talkInTerminal({ ...options, ...defined({ path: globals.claude, added }) })
    process.exitCode = ended.exitCode
    const { path, sessionId } = ended
    if (path === null) return await ended.remove()
    if (!take)
      return screen.note(
        `What was said is a session of its own. An agent that continues it: claude-agents agent adopt ${shellWord(path)} --as NEW`,
      )
    const session = { path, sessionId, parentSessionId: options.parentSessionId }
    await withAgent(globals, id, async (agent) => {
      const { turns, spent } = await agent.take(session, { by: userName() })
      const cost = dollarsSpent(spent.costUsd, spent.estimated ? spent.costUsd : 0)
      screen.note(
        turns === 0
          ? `Nothing was said: ${id} stays where it was.`
          : `${id} continues from what was said: ${plural(turns, 'turn')}, ${cost}.`,
      )
    })
    await ended.remove()
  } finally {
    await model?.[Symbol.asyncDispose]()
  }
}

async function terminalOptions(agent: AgentRef, baseDir: string): Promise<TerminalOptions | undefined> {
  const { config, rules, session } = agent.snapshot.context
  if (config === null) return undefined
  const project = config.workspace && (await agent.files.project()).trust === 'trusted'
  // Its servers and its team are there for a call.
  const { mcpServers: _, ...settings } = callSettings(config, { rules, project })
  const directories = { ...agentDirectories(baseDir, agent.id), workspace: agent.workspace }
  return { agent: agent.id, parentSessionId: session, settings, directories }
}
