/** `demo`: three agents research a topic one after another, through the real `claude`, within a minute. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { shellWord } from '../../events/errors/phrases.ts'
import { dollars, plural } from '../../events/figures.ts'
import type { AgentOptions } from '../../events/options/agent.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { checkFolder, type OverwriteOptions, refuseToOverwrite } from '../overwriting.ts'
import { withSession } from '../session.ts'
import { inert } from '../terminal/text.ts'

export function demoCommand(command: Command): void {
  command
    .argument('[topic]')
    .option('--live', 'use the real model and your login instead of the simulated model')
    .option(
      '--output <file>',
      'where to write the report (default: research-report.md; numbered if that exists)',
    )
    .option('--force', 'overwrite an existing file')
    .action(withGlobals(demo))
}

interface DemoOptions extends OverwriteOptions {
  readonly live?: boolean
  readonly output?: string
}

const DEFAULT_TOPIC = 'event sourcing for teams of AI agents'

async function demo(
  globals: GlobalOptions,
  topic: string | undefined = DEFAULT_TOPIC,
  { live, output = freeName(), force }: DemoOptions,
) {
  // Before anything is asked: an answer that cannot be written has cost money all the same.
  await checkFolder('--output', output)
  refuseToOverwrite(output, force)
  const simulate = !live
  return withSession({ ...globals, simulate }, async ({ orchestrator, terminal, signal }) => {
    const { AgentFactory } = await import('../../workflows/agent-factory.ts')
    const ask = async (role: AgentOptions, doing: string, prompt: string) => {
      await ensureAgent(orchestrator, role)
      terminal.note(`${terminal.accent('cyan', role.id.padEnd(11))} ${doing} ...`)
      const agent = await orchestrator.agent(role.id)
      const reply = await agent.ask(prompt, { signal })
      const tokens = plural(reply.tokens, 'token')
      const figures = `${tokens}, ${dollars(reply.costUsd)}, session ${reply.sessionId}`
      terminal.note(`${terminal.accent('green', role.id.padEnd(11))} done: ${figures}`)
      return reply.text
    }

    terminal.note(`Topic: ${inert(topic)}`)
    const findings = await ask(
      AgentFactory.createResearcher(),
      'is researching the topic',
      `Research ${topic}.`,
    )
    const analysis = await ask(
      AgentFactory.createAnalyst(),
      'is analysing the findings',
      `Analyse these findings on ${topic}:\n\n${findings}`,
    )
    const report = await ask(
      AgentFactory.createWriter(),
      'is writing the report',
      `Write a report on ${topic}.\n\nFindings:\n${findings}\n\nAnalysis:\n${analysis}`,
    )

    await writeFile(output, `${report}\n`)
    const path = resolve(output)
    if (terminal.json)
      return terminal.value({ topic, report: path, agents: ['researcher', 'analyst', 'writer'] })
    terminal.line(`Report: ${path}`)
    terminal.note(nextSteps(globals.baseDir))
  })
}

/** Of the first report that is not there yet. */
function freeName(number = 1): string {
  const name = `research-report${number === 1 ? '' : `-${number}`}.md`
  return existsSync(name) ? freeName(number + 1) : name
}

async function ensureAgent(orchestrator: Orchestrator, role: AgentOptions): Promise<void> {
  const agents = await orchestrator.agents()
  if (!agents.some(({ id }) => id === role.id)) await orchestrator.createAgent(role)
}

function nextSteps(baseDir: string): string {
  const where = baseDir === '.claude-agents' ? '' : ` --base-dir ${shellWord(baseDir)}`
  return `
Everything that happened is in the log:
  npx claude-agents${where} log
  npx claude-agents${where} replay agent/writer
  npx claude-agents${where} agent sessions researcher
Continue the conversation:
  npx claude-agents${where} --simulate agent ask researcher "And what came after that?"`
}
