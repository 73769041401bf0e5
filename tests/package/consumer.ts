/** A user's program: it must type-check against the packed package, strictly. */
import {
  type AgentFact,
  AgentFactory,
  memoryStore,
  Orchestrator,
  type Recorded,
  type Reply,
} from 'claude-multi-agent'
import {
  answer,
  eventStoreContract,
  scriptedRunner,
  simulatedModel,
  virtualClock,
} from 'claude-multi-agent/testing'

export async function use(): Promise<string> {
  await using orchestrator = await Orchestrator.open({
    baseDir: '/tmp/x',
    maxAgents: 3,
    runner: scriptedRunner({ reply: (call) => call.prompt, clock: virtualClock() }),
    store: memoryStore(),
  })
  await orchestrator.createAgent(AgentFactory.createResearcher({ model: 'opus' }))
  const agent = await orchestrator.agent('researcher')
  const task = agent.ask({ prompt: 'x', textInput: 'y' }, { taskId: 't', signal: AbortSignal.timeout(1000) })
  for await (const message of task) if (message.type === 'text') message.text.toUpperCase()
  const reply: Reply = await task
  orchestrator
    .events({ after: reply.attempts })
    .subscribe((recorded: Recorded) => recorded.position.toFixed())
  for await (const { before, after } of orchestrator.history.replay('agent/researcher')) {
    if (before.value === 'busy' && after.matches('idle')) after.context.totals.costUsd.toFixed(2)
  }
  const status: 'absent' | 'idle' | 'busy' | 'retry' | 'error' | 'stopped' = agent.status
  const type: AgentFact['type'] = 'TaskAccepted'
  return orchestrator.sendTask('researcher', `${status} ${type}`)
}

export const cases: readonly { title: string; run: () => Promise<void> }[] = eventStoreContract(async () =>
  memoryStore(),
)
export const model = () => simulatedModel({ reply: [answer.text('hello')] })
