/** What can go wrong with an agent: it is unknown, taken, stopped, busy or full. */
import { plural } from '../figures.ts'
import { defineError } from './builder.ts'
import { didYouMean, NOTHING_WRITTEN, quoted, sentence } from './phrases.ts'

/** What a held task waits for, and how to decide it. */
interface HeldText {
  readonly message: string
  readonly hint: string
}

/** No agent has this id. `nearest` is the id that was probably meant, if there is one. */
export class AgentNotFoundError extends defineError(
  'AgentNotFoundError',
  ({
    agent,
    nearest,
    reason,
    orRun,
  }: {
    agent: string
    nearest: string | null
    reason?: string
    /** Whether it may as well have been the id of a run. */
    orRun?: boolean
  }) =>
    reason === undefined
      ? {
          message: `No agent ${quoted(agent)}${orRun ? ', and no run' : ''}.${didYouMean(nearest)}`,
          hint: `List them: claude-agents agent list${orRun ? ', or: claude-agents workflow list' : ''}`,
        }
      : {
          message: sentence(`No agent ${quoted(agent)}: ${reason}`),
          hint: `Create it: claude-agents agent create ${agent} "SYSTEM PROMPT"`,
        },
) {}

/** There is already an agent with this id. */
export class AgentExistsError extends defineError('AgentExistsError', ({ agent }: { agent: string }) => ({
  message: `Agent ${quoted(agent)} already exists.`,
  hint: `Change it (claude-agents agent edit ${agent}), or choose another id.`,
})) {}

/** The agent was stopped for good, and accepts tasks only after a reset. */
export class AgentStoppedError extends defineError('AgentStoppedError', ({ agent }: { agent: string }) => ({
  message: `Agent ${quoted(agent)} is stopped and accepts no tasks.`,
  hint: `Start it again with a new session chain: claude-agents agent reset ${agent}`,
})) {}

/** What was asked for needs an agent that is idle. `held`: what its task waits for. */
export class AgentBusyError extends defineError(
  'AgentBusyError',
  ({ agent, held }: { agent: string; held?: HeldText | undefined }) => ({
    details: { agent },
    message: held?.message ?? `Agent ${quoted(agent)} is working on a task.`,
    hint: held
      ? `Decide it: ${held.hint}. Or cancel the task first: claude-agents agent cancel ${agent}`
      : `Wait until it finishes, or cancel the task first: claude-agents agent cancel ${agent}`,
  }),
) {}

/** The agent has so much to do that it accepts no more. The tasks it has accepted are durable and will be done. */
export class MailboxFullError extends defineError(
  'MailboxFullError',
  ({ agent, mailbox }: { agent: string; mailbox: number }) => ({
    message: `Agent ${quoted(agent)} has ${mailbox} unfinished tasks and accepts no more. ${NOTHING_WRITTEN}`,
    hint: 'Ask again when some of them are done, spread the work over a pool, or raise limits.mailbox in the configuration file (in code: the option limits).',
    retryable: true,
  }),
) {}

/** One agent more would be over the limit. */
export class TooManyAgentsError extends defineError(
  'TooManyAgentsError',
  ({ maxAgents }: { maxAgents: number }) => ({
    message: `The limit of ${maxAgents} agents is reached.`,
    hint: 'Remove one: claude-agents agent remove ID. Or raise orchestrator.max_agents in the configuration file (in code: maxAgents).',
  }),
) {}

/**
 * The agent has tasks that wait for a person, for money or for an account, or messages that wait for a person, so it is not
 * removed.
 */
export class HeldTasksError extends defineError(
  'HeldTasksError',
  ({
    agent,
    held: tasks,
    messages = [],
  }: {
    agent: string
    held: readonly HeldText[]
    messages?: readonly HeldText[]
  }) => {
    const held = [...tasks, ...messages]
    const shown = held.slice(0, MOST_SHOWN)
    const more = held.length - shown.length
    const [only] = held.length === 1 ? held : []
    return {
      details: { agent, tasks: tasks.length, messages: messages.length },
      message: `Agent ${quoted(agent)} was not removed: that would drop ${whatIsHeld(tasks.length, messages.length)}. ${[
        ...shown.map(({ message }) => message),
        ...(more > 0 ? [`And ${more} more.`] : []),
      ].join(' ')}`,
      hint: `${only ? `Decide it: ${only.hint}` : 'See how to decide them: claude-agents inbox'}. Or remove the agent and drop what is held: claude-agents agent remove ${agent} --force (in code: { force: true }).`,
    }
  },
) {}

/** Of the tasks and the messages that are held. */
const MOST_SHOWN = 3

const whatIsHeld = (tasks: number, messages: number): string =>
  [
    ...(tasks > 0 ? [plural(tasks, 'held task')] : []),
    ...(messages > 0 ? [plural(messages, 'held message')] : []),
  ].join(' and ')

/** The agent has done work on a repository that is nowhere else, so it is not removed. */
export class UnlandedWorkError extends defineError(
  'UnlandedWorkError',
  ({ agent, repository, branch, commits, files, problem, held = 0, messages = 0 }: NotLanded) => {
    const lost = [
      ...(commits > 0 ? [`${plural(commits, 'commit')} that no other branch of ${repository} has`] : []),
      ...(files > 0 ? [`${plural(files, 'file')} that ${files === 1 ? 'is' : 'are'} in no commit`] : []),
    ].join(', and ')
    const what =
      problem === undefined
        ? `has work that is not landed: ${lost}`
        : `may have work that is not landed: ${problem}`
    return {
      message: `${sentence(`Agent ${quoted(agent)} was not removed. It ${what}`)}${held + messages > 0 ? ` It would also drop ${whatIsHeld(held, messages)}.` : ''}`,
      hint: `Look at it: claude-agents agent diff ${agent}. Merge its branch ${branch}, or keep the work under a ref and remove the agent: claude-agents agent remove ${agent} --force (in code: { force: true }). Do that as well if you have taken the work over in another form and changed it since.`,
    }
  },
) {}

interface NotLanded {
  readonly agent: string
  readonly repository: string
  readonly branch: string
  readonly commits: number
  readonly files: number
  /** How many of its tasks are held. */
  readonly held?: number
  /** How many of its messages are held. */
  readonly messages?: number
  /** Why the work cannot be told. */
  readonly problem?: string
}
