/** `demo`: the whole thing in a minute. Three agents, one after another, through the real `claude`. */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { AgentOptions } from '../events/options/agent.ts'
import type { Orchestrator } from '../orchestrator.ts'
import type { GlobalOptions } from './global-options.ts'
import { withSession } from './session.ts'
import { inert } from './terminal.ts'

export interface DemoOptions {
  readonly live?: boolean
  readonly output: string
}

const DEFAULT_TOPIC = 'event sourcing for teams of AI agents'

export function demo(globals: GlobalOptions, topic: string = DEFAULT_TOPIC, options: DemoOptions) {
  const simulate = !options.live
  return withSession({ ...globals, simulate }, async ({ orchestrator, terminal, signal }) => {
    const { AgentFactory } = await import('../workflows/agent-factory.ts')
    const ask = async (role: AgentOptions, doing: string, prompt: string) => {
      await ensureAgent(orchestrator, role)
      terminal.note(`${terminal.accent('cyan', role.id.padEnd(11))} ${doing} ...`)
      const agent = await orchestrator.agent(role.id)
      const reply = await agent.ask(prompt, { signal })
      const tokens = reply.usage.inputTokens + reply.usage.outputTokens
      terminal.note(
        `${terminal.accent('green', role.id.padEnd(11))} done: ${tokens} tokens, $${reply.costUsd.toFixed(4)}, session ${reply.sessionId}`,
      )
      return reply.text
    }

    terminal.note(`Topic: ${inert(topic)}`)
    const findings = await ask(AgentFactory.createResearcher(), 'looks into the topic', `Research ${topic}.`)
    const analysis = await ask(
      AgentFactory.createAnalyst(),
      'makes sense of the findings',
      `Analyse these findings on ${topic}:\n\n${findings}`,
    )
    const report = await ask(
      AgentFactory.createWriter(),
      'writes the report',
      `Write a report on ${topic}.\n\nFindings:\n${findings}\n\nAnalysis:\n${analysis}`,
    )

    await writeFile(options.output, `${report}\n`)
    const path = resolve(options.output)
    if (terminal.json)
      return terminal.value({ topic, report: path, agents: ['researcher', 'analyst', 'writer'] })
    terminal.line(`Report: ${path}`)
    terminal.note(nextSteps(globals.baseDir))
  })
}

async function ensureAgent(orchestrator: Orchestrator, role: AgentOptions): Promise<void> {
  const agents = await orchestrator.agents()
  if (!agents.some(({ id }) => id === role.id)) await orchestrator.createAgent(role)
}

function nextSteps(baseDir: string): string {
  const where = baseDir === '.claude-agents' ? '' : ` --base-dir ${baseDir}`
  return `
Everything that happened is in the log. Look at it:
  npx claude-agents${where} log
  npx claude-agents${where} replay agent/writer
  npx claude-agents${where} agent sessions researcher
Go on where the agents stopped:
  npx claude-agents${where} --simulate agent ask researcher "And what came after that?"`
}
