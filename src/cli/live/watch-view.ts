/** How `attach` shows facts: as JSON, or in the words in which `agent ask` and `workflow run` show their progress. */
import { taskSpending } from '../../actors/agent/tasks/known-tasks.ts'
import { bodiesIn } from '../../actors/engine/bodies.ts'
import { systemClock } from '../../clock.ts'
import { type AgentFact, agentFacts, type Hold } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { describeError } from '../../events/errors/base.ts'
import { dollars, duration, plural } from '../../events/figures.ts'
import { runFacts } from '../../events/run-facts.ts'
import { oneLine } from '../../events/secrets/redaction.ts'
import type { Body } from '../../events/task-input.ts'
import { RecordedStepEvents } from '../../patterns/runs/step-event.ts'
import type { EventStore } from '../../store/event-store.ts'
import { markdownStream } from '../terminal/markdown-stream.ts'
import type { Style, Terminal } from '../terminal/output.ts'
import { cut, fitting, inert } from '../terminal/text.ts'
import { eventLine, showProgress } from '../workflow/progress.ts'
import { DraftView } from './draft-view.ts'
import type { Target } from './target.ts'

export interface WatchView {
  show(recorded: Recorded): Promise<void>
  /** Shows answers while they are written; absent if it does not. */
  readonly drafts?: DraftView
  /** Whether the answer of the task was shown while it was written. */
  readonly isAnswerShown?: boolean
  stop(): void
}

/** In columns, where the output is not for a terminal. */
const LONGEST_LINE = 1000

export function watchView(screen: Terminal, target: Target, store: EventStore): WatchView {
  if (screen.json) return { show: async (recorded) => screen.value(recorded), stop: () => {} }
  return target.kind === 'run' ? runView(screen) : agentView(screen, target, store)
}

/** The lines of a run: on a terminal above those that say what each agent is doing. */
function runView(screen: Terminal): WatchView {
  const isDrawn = screen.interactive && process.stderr.isTTY
  const say = (line: string) => {
    if (isDrawn) screen.note(fitting(line, process.stderr.columns || 80))
    else screen.row(line)
  }
  const steps = new RecordedStepEvents()
  const progress = showProgress(screen, systemClock)
  return {
    async show(recorded) {
      const events = steps.take(recorded)
      for (const event of events) {
        progress.note(event, Date.parse(recorded.at))
        const isSaid =
          event.state !== 'held' && event.state !== 'released' && !(isDrawn && event.state === 'scheduled')
        if (isSaid && !isResumed(recorded)) say(eventLine(screen, event))
      }
      if (recorded.stream.startsWith('run/')) {
        const words = runNews(recorded)
        if (words !== null) say(screen.style('dim', words))
        return
      }
      const fact = agentFacts.read(recorded)
      const agent = 'taskId' in fact.data ? steps.stepOf(fact.data.taskId)?.agent : undefined
      const news = STEPS_SAY.has(fact.type) ? null : taskNews(fact)
      if (news && agent !== undefined) say(newsLine(screen, news, agent))
    },
    stop: () => progress.stop(),
  }
}

/** What the events of its step say of a task of a run. */
const STEPS_SAY = new Set<AgentFact['type']>(['TaskAccepted', 'CallSucceeded', 'TaskFailed', 'TaskCancelled'])

const isResumed = ({ type }: Recorded) => type === 'RunResumed'

function runNews(recorded: Recorded): string | null {
  const { type, data } = runFacts.read(recorded)
  if (type === 'RunResumed') return 'the run is resumed'
  if (type === 'RunPaused') return `the run is paused: ${cut(data.reason, LONGEST_LINE)}`
  return null
}

/** The lines of an agent's tasks, with the texts of the answers; of a task alone, that is how it ends. */
function agentView(screen: Terminal, target: Target, store: EventStore): WatchView {
  const bodies = bodiesIn(store)
  const read = (body: Body) => bodies.read(body).catch((error) => `(${describeError(error).message})`)
  const drafts = screen.interactive ? new DraftView(screen) : undefined
  let isAnswerShown = false
  const say = (news: News) => {
    drafts?.pause()
    screen.row(newsLine(screen, news))
  }
  return {
    ...(drafts && { drafts }),
    get isAnswerShown() {
      return isAnswerShown
    },
    async show(recorded) {
      const fact = agentFacts.read(recorded)
      if (ENDS.has(fact.type) && 'taskId' in fact.data)
        isAnswerShown = (await drafts?.end(fact.data.taskId)) ?? false
      if (target.kind === 'task' && ENDS.has(fact.type)) return
      if (fact.type === 'TaskAccepted') {
        const prompt = cut(await read(fact.data.prompt), LONGEST_LINE)
        return say(['working', `${prompt}  ${screen.style('dim', fact.data.taskId)}`])
      }
      if (fact.type === 'CallSucceeded') {
        if (!isAnswerShown) {
          const markdown = markdownStream(screen)
          screen.line(markdown.take(inert(await read(fact.data.text))) + markdown.end())
        }
        const { costUsd, tokens } = taskSpending(fact.data)
        return screen.row(screen.style('dim', `${plural(tokens, 'token')}, ${dollars(costUsd)}`))
      }
      const news = taskNews(fact)
      if (news) say(news)
      if (fact.type === 'CallStarted') drafts?.begin(fact.data.taskId)
    },
    stop: () => drafts?.pause(),
  }
}

const ENDS = new Set<AgentFact['type']>(['CallSucceeded', 'TaskFailed', 'TaskCancelled'])

type News = readonly [look: keyof typeof SIGNS, words: string]

const SIGNS = {
  working: ['▸', 'cyan'],
  held: ['‖', 'yellow'],
  trouble: ['!', 'yellow'],
  failed: ['✗', 'red'],
  cancelled: ['-', 'yellow'],
} as const satisfies Record<string, readonly [string, Style]>

function newsLine(screen: Terminal, [look, words]: News, agent?: string): string {
  const [sign, style] = SIGNS[look]
  return `${screen.style(style, sign)} ${agent === undefined ? '' : `${agent}  `}${words}`
}

/** What a fact means to a person who watches; null if it says nothing new. */
function taskNews({ type, data }: AgentFact): News | null {
  const said = (text: string) => cut(text, LONGEST_LINE)
  switch (type) {
    case 'TaskHeld':
      return ['held', said(`held: ${holdInWords(data.hold, data.taskId)}`)]
    case 'CallDeferred':
      return ['held', said(`waits for what you say to ${data.tool}: claude-agents inbox`)]
    case 'ToolDecided':
      return ['working', said(`${data.tool} was ${VERDICTS[data.verdict]}${data.by ? ` by ${data.by}` : ''}`)]
    case 'TaskApproved':
      return ['working', said(`approved${data.by ? ` by ${data.by}` : ''}`)]
    case 'CallStarted':
      return data.attempt > 1 ? ['working', `call ${data.attempt}`] : null
    case 'CallFailed':
      return ['trouble', said(`the call failed: ${data.error.message}`)]
    case 'CallOutcomeUnknown':
      return ['trouble', 'the outcome of the call is unknown: it may have been paid for']
    case 'RetryScheduled':
      return ['trouble', data.delayMs === undefined ? 'retries' : `retries in ${duration(data.delayMs)}`]
    case 'TaskFailed':
      return ['failed', said(`failed: ${data.error.message}`)]
    case 'TaskCancelled':
      return ['cancelled', said(`cancelled: ${data.reason}`)]
    case 'AgentStopped':
      return ['cancelled', said(`stopped: ${data.reason}`)]
    case 'SessionAdopted':
      return ['working', `continues session ${data.sessionId}${data.by ? `, taken back by ${data.by}` : ''}`]
    case 'AgentReset':
      return ['working', 'a new conversation']
    case 'AgentRemoved':
      return ['cancelled', 'removed']
    default:
      return null
  }
}

const VERDICTS = { allow: 'approved', deny: 'denied' } as const

function holdInWords(hold: Hold, taskId: string): string {
  if (hold.reason === 'approval')
    return `it needs approval${hold.note === null ? '' : ` (${oneLine(hold.note)})`}: claude-agents agent approve ${taskId}`
  if (hold.reason === 'account') return `${hold.said} (claude-agents account resume)`
  return `its next call (about ${dollars(hold.usd)}) does not fit into ${hold.budget}: claude-agents budget show`
}
