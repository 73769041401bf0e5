/** The tools for work: an agent is asked, a task or a run is awaited, or cancelled. */
import { randomUUID } from 'node:crypto'
import * as Schema from 'effect/Schema'
import type { Reply } from '../../actors/agent/tasks/ask.ts'
import type { HeldTask } from '../../actors/agent/tasks/held.ts'
import { holdsTask } from '../../actors/agent/tasks/known-tasks.ts'
import type { CallMessage } from '../../claude/runner.ts'
import { dollars } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { excerpt, shortened, type Tool, type ToolResult, textTo, wholeTo } from '../../mcp/tool.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { WorkflowResult } from '../../patterns/runs/workflow-result.ts'
import { standstill } from '../live/attach.ts'
import { endsTarget, factsOf, type TargetOf, targetNamed, targetWords } from '../live/target.ts'
import { agentId } from './agents.ts'
import { type ToolTeam, tool } from './team.ts'

/** In characters. */
export const LONGEST_INPUT = 500_000

export const DETACH = Schema.optionalKey(
  Schema.Boolean.annotate({
    description: 'Return at once with its id, and let it continue; call wait for the result. Default: false.',
  }),
)

/** What a task or a run is named by. */
const WORK = {
  id: textTo(160, 'The id of a task or of a run.'),
  agent: Schema.optionalKey(
    agentId.annotate({ description: 'The agent of the task, if several have one with this id.' }),
  ),
}

const workNamed = ({ store }: Orchestrator, { id, agent }: { id: string; agent?: string | undefined }) =>
  targetNamed(store, id, ['task', 'run'], agent)

const offset = Schema.optionalKey(
  wholeTo(100_000_000, 'Where in a long answer to begin: nextOffset of the piece before.'),
)

const askAgent = tool({
  name: 'ask_agent',
  title: 'Ask an agent',
  description:
    'Gives an agent a task and waits for its answer, which costs money and may take minutes. The agent remembers what it was asked before. Cancelling this call cancels the task. For long work set detach, and call wait.',
  effect: 'adds',
  fields: {
    agent: agentId,
    prompt: textTo(LONGEST_INPUT, 'What it is to do, with all that it has to know.'),
    fresh: Schema.optionalKey(
      Schema.Boolean.annotate({
        description:
          'Ask outside of its conversation: it remembers nothing, and will not remember this. Default: false.',
      }),
    ),
    task_id: Schema.optionalKey(
      textTo(128, 'An id of your own for the task. Asking again with the same id returns the same answer.'),
    ),
    detach: DETACH,
  },
  run({ agent: id, prompt, fresh, task_id: taskId = randomUUID(), detach }, { team, signal, progress }) {
    return team.work(async ({ orchestrator }) => {
      const agent = await orchestrator.agent(id)
      const session = fresh ? ('fresh' as const) : undefined
      if (detach) {
        await agent.accept({ prompt }, defined({ taskId, session }))
        return begun(`Task ${taskId} of ${id} has begun.`, { taskId, agent: id })
      }
      let hold: (held: HeldTask) => void = () => {}
      const held = new Promise<HeldTask>((resolve) => {
        hold = resolve
      })
      const task = agent.ask({ prompt }, { taskId, signal, onHeld: hold, ...defined({ session }) })
      void tell(task, id, progress)
      const end = await Promise.race([task, held])
      return 'text' in end ? answeredTask(end) : waits({ taskId, agent: id }, `${end.message}\n${end.hint}`)
    })
  },
})

/** Its failure is that of the task. */
async function tell(messages: AsyncIterable<CallMessage>, agent: string, progress: (text: string) => void) {
  try {
    for await (const message of messages) {
      if (message.type === 'tool') progress(`${agent} uses ${message.name}`)
      else if (message.type === 'text') progress(`${agent} writes`)
      else if (message.type === 'retry') progress(`claude retries: ${shortened(message.problem, 200)}`)
    }
  } catch {}
}

export const begun = (text: string, of: ToolResult['data']): ToolResult => {
  const next = 'Call wait for its result.'
  return { text: `${text} ${next}`, data: { ...of, status: 'running', next } }
}

export const waits = (of: ToolResult['data'], why: string): ToolResult => {
  const next = 'list_inbox has what waits for a person. Once it is decided, call wait.'
  return { text: `It is kept, and waits. ${why} ${next}`, data: { ...of, status: 'held', why, next } }
}

function answeredTask({ taskId, agent, text, costUsd, stopReason }: Reply, from = 0): ToolResult {
  const answer = excerpt(text, from)
  const cutOff = stopReason === 'max_tokens' ? 'The answer is incomplete: the model reached its limit.' : ''
  const next = lines(rest(answer, taskId), cutOff)
  return {
    text: lines(answer.text, next),
    data: { taskId, agent, status: 'answered', answer, costUsd, stopReason, next },
  }
}

const lines = (...given: readonly string[]) => given.filter((line) => line !== '').join('\n')

/** How to read what is left of a long answer. */
const rest = ({ length, nextOffset }: { length: number; nextOffset: number | null }, id: string) =>
  nextOffset === null
    ? ''
    : `This is a part of ${length} characters. For the next one call wait with id ${id} and offset ${nextOffset}.`

const MOST_ERRORS = 10

export function endedRun({ success, pattern, metadata, errors }: WorkflowResult, from = 0): ToolResult {
  const { runId, finalOutput, costUsd, steps } = metadata
  const output = excerpt(finalOutput, from)
  const failures = errors
    .slice(0, MOST_ERRORS)
    .map(({ agent, message }) => ({ agent, message: shortened(message, 500) }))
  const problems = failures.map(({ agent, message }) => `${agent === '' ? 'error' : agent}: ${message}`)
  const resume = success ? '' : 'resume_run asks again what failed, and keeps what was answered.'
  const next = lines(rest(output, runId), resume)
  const figures = `Run ${runId}: ${steps} steps, ${dollars(costUsd)}.`
  return {
    text: lines(output.text, ...problems, figures, next),
    data: {
      ...{ runId, status: success ? 'succeeded' : 'failed', pattern, output, steps, costUsd },
      ...{ errors: failures, next },
    },
  }
}

const waitFor = tool({
  name: 'wait',
  title: 'Wait for a task or a run',
  description:
    'Waits for a task or a run to end, and returns its answer or result. It returns earlier if the time is over, or if a person has to decide something first. Cancelling this call stops only the waiting.',
  effect: 'reads',
  fields: {
    ...WORK,
    timeout_seconds: Schema.optionalKey(wholeTo(3600, 'How long to wait. 0: only look. Default: 60.')),
    offset,
  },
  run({ timeout_seconds: seconds = 60, offset: from, ...named }, { team, signal, progress }) {
    return team.work(async ({ orchestrator, owner }) => {
      const target = await workNamed(orchestrator, named)
      const until = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)])
      const waiting = () => standstill(orchestrator, owner ?? process.pid, target)
      let why = await waiting()
      if (why === null) {
        for await (const recorded of factsOf(orchestrator.store, target, { signal: until, past: false })) {
          if (endsTarget(recorded, target)) return outcome(orchestrator, target, from)
          progress(`${recorded.stream}: ${recorded.type}`)
          if (holdsTask(recorded) || recorded.type === 'RunPaused') why = await waiting()
          if (why !== null) break
        }
      }
      const of = { ...(target.kind === 'run' ? { runId: target.runId } : target) }
      if (why !== null) return waits(of, why)
      return begun(`${targetWords(target)} has not ended within ${seconds} seconds, and continues.`, of)
    })
  },
})

async function outcome(
  orchestrator: Orchestrator,
  target: TargetOf<'task' | 'run'>,
  from = 0,
): Promise<ToolResult> {
  if (target.kind === 'run') return endedRun(await orchestrator.runs.result(target.runId), from)
  return answeredTask(await (await orchestrator.agent(target.agent)).reply(target.taskId), from)
}

const cancelWork = tool({
  name: 'cancel',
  title: 'Cancel a task or a run',
  description:
    'Cancels a task, waiting or running, or a run with all its steps. What was done stays in the log; a cancelled run cannot be resumed.',
  effect: 'ends',
  fields: {
    ...WORK,
    reason: Schema.optionalKey(textTo(1000, 'Why; it is recorded.')),
  },
  run({ reason = 'asked to', ...named }, { team }) {
    return team.work(async ({ orchestrator }) => {
      const target = await workNamed(orchestrator, named)
      let isCancelled = true
      if (target.kind === 'run') await orchestrator.runs.cancel(target.runId, reason)
      else isCancelled = await (await orchestrator.agent(target.agent)).cancel(target.taskId, reason)
      const said = isCancelled ? 'is cancelled' : 'had ended already; nothing was cancelled'
      return { text: `${targetWords(target)} ${said}.`, data: { id: named.id, cancelled: isCancelled } }
    })
  },
})

export const TASK_TOOLS: readonly Tool<ToolTeam>[] = [askAgent, waitFor, cancelWork]
