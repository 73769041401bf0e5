/** `attach` and `wait`: an agent, a task or a run watched from outside, whichever process works on it. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { holdsTask } from '../../actors/agent/tasks/known-tasks.ts'
import type { Recorded } from '../../events/envelope.ts'
import { IdNotFoundError, NotEndedError } from '../../events/errors/history.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { EventStore } from '../../store/event-store.ts'
import { printAnswer, printFigures } from '../agent/ask.ts'
import { seconds, zeroOrMore } from '../arguments.ts'
import { hasStore, placeOfLog } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { listenForInterruption, untilEnough } from '../interruption.ts'
import { commandLogger } from '../logger.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert } from '../terminal/text.ts'
import { printOutcome, runOutcome } from '../workflow/run.ts'
import { waitingFor } from '../workflow/runs.ts'
import {
  endsTarget,
  factsOf,
  isTaskOver,
  type Target,
  type TargetKind,
  targetName,
  targetNamed,
  targetWords,
} from './target.ts'
import { type WatchView, watchView } from './watch-view.ts'
import type { OwnerPid } from './watched-store.ts'

const ofAgent = () => new Option('--agent <id>', 'agent of the task, if several agents have one with this id')

export function attachCommand(command: Command): void {
  command
    .argument('<target>')
    .description(
      'watch an agent, a task or a run: what it did, then what it does; ends with the task or the run, with its exit code; Ctrl-C stops watching, and nothing else',
    )
    .addOption(ofAgent())
    .option('-n, --tasks <n>', 'of an agent: how many of its latest tasks to start with', zeroOrMore, 10)
    .action(withGlobals(attach))
}

export function waitCommand(command: Command): void {
  command
    .argument('<task-or-run>')
    .description(
      'wait for a task or a run, and print what agent ask or workflow run would have printed, with its exit code',
    )
    .addOption(ofAgent())
    .option('--timeout <seconds>', 'exit with 124 if it has not ended by then', seconds)
    .action(withGlobals(wait))
}

/** How long an owner that has just begun may take to resume what it found. */
const SETTLES_MS = 2000
/** What a timer can hold. */
const LONGEST_MS = 2 ** 31 - 1

interface Named {
  readonly word: string
  readonly agent: string | undefined
  readonly kinds: readonly TargetKind[]
}

interface Watching {
  readonly store: EventStore
  readonly target: Target
  readonly screen: Terminal
  /** Aborts when the user leaves. */
  readonly signal: AbortSignal
  readonly reviewer: Reviewer
}

interface Reviewer {
  /** Says why the target does not continue, if it does not. */
  review(): void
  /** What it said last; null if nothing. */
  readonly told: string | null
}

function attach(
  globals: GlobalOptions,
  word: string,
  { agent, tasks }: { readonly agent?: string; readonly tasks: number },
): Promise<void> {
  const named = { word, agent, kinds: ['agent', 'task', 'run'] } as const
  return watching(globals, named, async ({ store, target, screen, signal, reviewer }) => {
    const name = targetName(target)
    screen.progress(screen.accent('dim', `${name} (Ctrl-C stops watching, and nothing else)`))
    const view = watchView(screen, target, store)
    const over = new AbortController()
    const drafts = showDrafts(globals, target, view, AbortSignal.any([signal, over.signal]))
    drafts.catch(() => {})
    try {
      for await (const recorded of factsOf(store, target, { signal, past: true, tasks })) {
        await view.show(recorded)
        // What is held is in the lines of its task.
        if (target.kind === 'run' && mayStand(recorded)) reviewer.review()
      }
    } finally {
      over.abort()
      view.stop()
      await drafts
    }
    if (signal.aborted)
      return screen.note(`Nothing was stopped. To watch it again: claude-agents attach ${name}`)
    const { isSuccess, print } = await outcomeOf(globals, target)
    if (!screen.json) print(screen, view.isAnswerShown)
    else if (!isSuccess) process.exitCode ??= 1
  })
}

/** Shows what is not in the log yet. It ends with the watching. */
async function showDrafts(
  globals: GlobalOptions,
  target: Target,
  { drafts }: WatchView,
  signal: AbortSignal,
): Promise<void> {
  if (!drafts || target.kind === 'run') return
  const { followDrafts } = await import('../../remote/live-log.ts')
  for await (const change of followDrafts(placeOfLog(globals), target.agent, signal)) drafts.take(change)
}

/** Whether a target may come to a standstill with this fact. */
const mayStand = (recorded: Recorded) => holdsTask(recorded) || recorded.type === 'RunPaused'

function wait(
  globals: GlobalOptions,
  word: string,
  { agent, timeout }: { readonly agent?: string; readonly timeout?: number },
): Promise<void> {
  const named = { word, agent, kinds: ['task', 'run'] } as const
  const expired = new AbortController()
  const expire = () => expired.abort()
  const timer = timeout === undefined ? undefined : setTimeout(expire, Math.min(timeout * 1000, LONGEST_MS))
  const work = async ({ store, target, screen, signal, reviewer }: Watching) => {
    const until = AbortSignal.any([signal, expired.signal])
    let isOver = false
    for await (const recorded of factsOf(store, target, { signal: until, past: false })) {
      isOver = endsTarget(recorded, target)
      if (mayStand(recorded)) reviewer.review()
    }
    if (signal.aborted) return
    if (!isOver) {
      const now = await looked(globals, (...now) => standstill(...now, target))
      // A person has read it; a program reads the error alone.
      const reason = !screen.json && now === reviewer.told ? null : now
      throw new NotEndedError({ what: targetWords(target), seconds: timeout ?? 0, reason })
    }
    const { print } = await outcomeOf(globals, target)
    print(screen)
  }
  return watching(globals, named, work).finally(() => clearTimeout(timer))
}

async function watching(
  globals: GlobalOptions,
  { word, agent, kinds }: Named,
  work: (watching: Watching) => Promise<void>,
): Promise<void> {
  if (!hasStore(globals)) throw new IdNotFoundError({ id: word, kinds, nearest: null })
  const { readingStore } = await import('../../remote/reading-store.ts')
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const over = new AbortController()
  const signal = untilEnough(interruption)
  let reviewer: Reviewer = { review: () => {}, told: null }
  const onOwner = (pid: number | null) => {
    if (pid === null) reviewer.review()
    else void settled(over.signal).then(() => reviewer.review())
  }
  try {
    await using store = await readingStore(placeOfLog(globals), {
      logger: await commandLogger(globals),
      onOwner,
    })
    const target = await targetNamed(store, word, kinds, agent)
    reviewer = reviewerOf(globals, { store, target, screen }, over.signal)
    await work({ store, target, screen, signal, reviewer })
  } finally {
    over.abort()
    interruption.stop()
  }
}

const settled = (signal: AbortSignal) => delay(SETTLES_MS, undefined, { signal }).catch(() => {})

/** Says why a target does not continue: once, until that changes. */
function reviewerOf(
  globals: GlobalOptions,
  { store, target, screen }: Pick<Watching, 'store' | 'target' | 'screen'>,
  over: AbortSignal,
): Reviewer {
  let told: string | null = null
  const look = async () => {
    const said = await looked(globals, (orchestrator, owner) => standstill(orchestrator, owner, target))
    const isOver = await isTaskOver(store, target)
    if (isOver || over.aborted || said === told) return
    told = said
    if (said !== null) screen.note(screen.accent('yellow', inert(asTyped(said))))
  }
  return {
    get told() {
      return told
    },
    // The owner may have gone meanwhile: then there is another look.
    review: () => void (over.aborted || look().catch(() => {})),
  }
}

/** Reads the store as it is now. */
async function looked<Result>(
  globals: GlobalOptions,
  read: (orchestrator: Orchestrator, owner: OwnerPid) => Promise<Result>,
): Promise<Result> {
  const { watchStore } = await import('./watched-store.ts')
  return watchStore(globals).look(read)
}

/** Why a target does not continue, and what to do about it; null if it does. */
export async function standstill(
  orchestrator: Orchestrator,
  owner: OwnerPid,
  target: Target,
): Promise<string | null> {
  const name = targetWords(target)
  if (target.kind === 'run') {
    const run = await orchestrator.runs.show(target.runId)
    const { status } = run
    const resume = `Resume it: claude-agents workflow resume ${target.runId}`
    if (status === 'paused') return `${name} is paused. ${resume}`
    if (status === 'held') return heldBy(name, await waitingFor(orchestrator, run))
    if (status === 'waiting' && typeof owner === 'number') return `No process works on it: ${name}. ${resume}`
    if (status !== 'waiting' || owner === undefined) return null
  }
  if (target.kind === 'task') {
    const held = await orchestrator.held.list({ agent: target.agent })
    const hold = held.find(({ taskId }) => taskId === target.taskId)
    if (hold) return `${hold.message}\n  ${hold.hint}`
  }
  return owner === null
    ? `No process works on it: ${name}. It continues when one does: claude-agents serve`
    : null
}

/** More are in the inbox. */
const MOST_NAMED = 3

function heldBy(name: string, holding: readonly InboxEntry[]): string {
  const told = holding.slice(0, MOST_NAMED).map(({ question, command }) => `\n  ${question}\n  ${command}`)
  const isAll = holding.length > 0 && holding.length <= MOST_NAMED
  return `${name} is held.${told.join('')}${isAll ? '' : '\n  All that waits: claude-agents inbox'}`
}

interface Outcome {
  readonly isSuccess: boolean
  /** @param isShown Whether its answer was shown before. */
  print(screen: Terminal, isShown?: boolean): void
}

/** What a target came to. Throws the error that ended it. */
function outcomeOf(globals: GlobalOptions, target: Target): Promise<Outcome> {
  return looked(globals, async (orchestrator): Promise<Outcome> => {
    if (target.kind === 'run') {
      const result = await orchestrator.runs.result(target.runId)
      const outcome = await runOutcome(orchestrator, result)
      return { isSuccess: result.success, print: (screen) => printOutcome(screen, outcome) }
    }
    if (target.kind === 'agent') return { isSuccess: true, print: () => {} }
    const reply = await (await orchestrator.agent(target.agent)).reply(target.taskId)
    return {
      isSuccess: true,
      print: (screen, isShown = false) => (isShown ? printFigures : printAnswer)(screen, reply),
    }
  })
}
