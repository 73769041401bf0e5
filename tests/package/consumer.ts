/** A user's program: it must type-check against the packed package, strictly. */
import {
  type AgentFact,
  AgentFactory,
  memoryStore,
  Orchestrator,
  ofType,
  type Recorded,
  type Reply,
  type WorkflowResult,
} from 'claude-multi-agent'
import { type Config, loadConfig } from 'claude-multi-agent/config'
import { StepNotFoundError } from 'claude-multi-agent/errors'
import { type InspectorOptions, inspector } from 'claude-multi-agent/inspect'
import { openExport, statistics, type VerifyReport, verifyStore } from 'claude-multi-agent/log'
import { type Pattern, sequential } from 'claude-multi-agent/patterns'
import { type PostgresStoreOptions, postgresStore } from 'claude-multi-agent/postgres'
import {
  answer,
  eventStoreContract,
  scriptedRunner,
  simulatedModel,
  virtualClock,
} from 'claude-multi-agent/testing'

export async function onPostgres(options: PostgresStoreOptions): Promise<Orchestrator> {
  return Orchestrator.open({ store: await postgresStore('postgresql://localhost/agents', options) })
}

export async function useAnother(): Promise<WorkflowResult> {
  await using team: Orchestrator = await Orchestrator.connect('/tmp/x')
  const text: string = await team.sendTask('researcher', 'x')
  const reply: Reply = await (await team.agent('researcher')).reply(text)
  return team.runs.result(reply.taskId)
}

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
  for await (const fact of orchestrator.events())
    if (fact.type === 'CallSucceeded') fact.data.costUsd.toFixed(2)
  orchestrator
    .events()
    .pipe(ofType('TaskFailed', 'RunFailed'))
    .subscribe((fact) => (fact.type === 'TaskFailed' ? fact.data.error.tag : fact.data.errors.length))
  for await (const fact of orchestrator.events<Recorded & { type: 'Counted'; data: { by: number } }>())
    if (fact.type === 'Counted') fact.data.by.toFixed()
  const run: Promise<WorkflowResult> = orchestrator.run(sequential(['researcher']), 'go')
  await run.catch(() => null).finally(() => {})
  for await (const { before, after } of orchestrator.history.replay('agent/researcher')) {
    if (before.value === 'busy' && after.matches('idle')) after.context.totals.costUsd.toFixed(2)
  }
  const status: 'absent' | 'idle' | 'busy' | 'retry' | 'held' | 'error' | 'stopped' = agent.status
  const type: AgentFact['type'] = 'TaskAccepted'
  return orchestrator.sendTask('researcher', `${status} ${type}`)
}

export async function past(orchestrator: Orchestrator): Promise<number> {
  const pattern: Pattern = sequential(['researcher', 'writer'])
  try {
    const forked = await orchestrator.runs.fork('r1', { at: 2 })
    await orchestrator.runs.resume(forked.runId, pattern)
  } catch (error) {
    if (!(error instanceof StepNotFoundError)) throw error
    error.details.runId.toUpperCase()
  }
  const { spent } = await orchestrator.budgets.set({ usd: 5 }, { agent: 'researcher' })
  for (const { taskId } of await orchestrator.held.list()) await orchestrator.held.approve(taskId)
  for (const { costUsd } of await orchestrator.lateAnswers()) costUsd.toFixed(2)
  const { version } = await orchestrator.history.stateAt('run/r1')
  return spent.usd + version
}

export async function log(): Promise<boolean> {
  const config: Config = await loadConfig()
  const { ok }: VerifyReport = await verifyStore(config.baseDir ?? '.claude-agents')
  await using store = await openExport('log.jsonl')
  const options: InspectorOptions = { port: 0 }
  await using served = await inspector(store, options)
  return ok && served.url !== '' && (await statistics(store, 'agent')).length > 0
}

export const cases: readonly { title: string; run: () => Promise<void> }[] = eventStoreContract(async () =>
  memoryStore(),
)
export const model = () => simulatedModel({ reply: [answer.text('hello')] })
