// One durable agent. Run it twice: the second time, the agent already exists and remembers.
import { AgentNotFoundError, Orchestrator } from 'claude-multi-agent'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })

const agent = await orchestrator.agent('guide').catch((error: unknown) => {
  if (!(error instanceof AgentNotFoundError)) throw error
  return orchestrator.createAgent({ id: 'guide', systemPrompt: 'You are a guide to the city of Lisbon.' })
})

const { text, sessionId, parentSessionId } = await agent.ask('What should I see in one day?')
console.log(text)
console.log(`session ${sessionId} continues ${parentSessionId ?? 'nothing: it is the first one'}`)
