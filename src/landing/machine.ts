/**
 * The landing queue of a repository as one pure state machine. Its events are the log's facts.
 *
 * L1. One attempt at a time: entries are merged on the target, their gate judges the result, and the target moves to it.
 * L2. The target moves only to a commit that its gate has judged as it is, and from the commit that this was merged on.
 * L3. An agent that has to fix its work holds up no other: its entry keeps its place, and the others proceed.
 */
import { type SnapshotFrom, setup } from 'xstate'
import { defineKind, type Effect } from '../actors/engine/definition.ts'
import type { Identified } from '../events/envelope.ts'
import { type LandingFact, landingFacts } from '../events/landing-facts.ts'

/** Where an entry stands. The last three are final. */
export type LandingStatus = 'queued' | 'merging' | 'gating' | 'mending' | 'landed' | 'set-aside' | 'cancelled'

/** The work of one agent on its way to a branch. */
export interface QueuedEntry {
  readonly entry: string
  readonly agent: string
  readonly repo: string
  readonly branch: string
  readonly head: string
  readonly target: string
  readonly gate: string | null
  readonly squash: boolean
  readonly runId?: string
  readonly status: LandingStatus
  /** As what it has landed. */
  readonly commit: string | null
  /** Why it stands where it stands, if there is something to say. */
  readonly reason: string | null
  /** How often its agent was asked to fix it. */
  readonly tries: number
  /** What its agent fixes, while it does. */
  readonly mending: Mending | null
}

export interface Mending extends Omit<DataOf<'MendingStarted'>, 'entry'> {
  /** The files in which both versions are marked, once the target is merged into them; null before. */
  readonly conflicts: readonly string[] | null
  /** The id of the fact that it began with. */
  readonly begun: string
}

/** What is being merged, judged or moved. */
export interface Attempt extends DataOf<'MergeStarted'> {
  /** Once they are merged: each entry with its commit. */
  readonly commits: readonly { readonly entry: string; readonly commit: string }[]
}

export interface LandingContext {
  /** First in, first out. Of those that have ended, the last ones. */
  readonly entries: readonly QueuedEntry[]
  readonly attempt: Attempt | null
  /** How many attempts were begun. */
  readonly attempts: number
  /** Entries whose gate failed together: they are tried in halves. */
  readonly suspects: readonly string[]
  /** What has landed beside a target that could not be moved, by target. */
  readonly beside: Readonly<Record<string, string | null>>
}

const LAST_LINES = 10
/** In characters. */
const LONGEST_END = 1_000

/** The end of what a gate has printed, as the end of a reason. */
export function endOf(output: string): string {
  const lines = output.trimEnd().slice(-LONGEST_END).split('\n').slice(-LAST_LINES)
  return lines.join('').trim() === '' ? '' : `:\n${lines.join('\n')}`
}

type DataOf<T extends LandingFact['type']> = Extract<LandingFact, { type: T }>['data']

const nothing: LandingContext = { entries: [], attempt: null, attempts: 0, suspects: [], beside: {} }

/** Entries that have ended are listed for a while. */
const MOST_ENDED = 100

const FINAL: readonly LandingStatus[] = ['landed', 'set-aside', 'cancelled']

export const hasEnded = ({ status }: Pick<QueuedEntry, 'status'>): boolean => FINAL.includes(status)

/** What was set aside waits for a person, who may give it up. */
export const mayBeCancelled = (entry: Pick<QueuedEntry, 'status'>): boolean =>
  !hasEnded(entry) || entry.status === 'set-aside'

/** Changes the entries of these names. */
function changed(
  { entries }: LandingContext,
  names: readonly string[],
  change: (entry: QueuedEntry) => Partial<QueuedEntry>,
): { readonly entries: readonly QueuedEntry[] } {
  const all = entries.map((entry) => (names.includes(entry.entry) ? { ...entry, ...change(entry) } : entry))
  const ended = all.filter(hasEnded).slice(0, -MOST_ENDED)
  return { entries: all.filter((entry) => !ended.includes(entry)) }
}

/** The attempt is over, and its entries wait again, except one of which the next fact tells. */
function over(context: LandingContext, culprit?: string): LandingContext {
  const names = (context.attempt?.entries ?? []).filter((entry) => entry !== culprit)
  return { ...context, ...changed(context, names, () => ({ status: 'queued' })), attempt: null }
}

/** Takes an entry out of the attempt, which is over without one. */
function without(context: LandingContext, entry: string): LandingContext {
  const { attempt } = context
  const entries = attempt?.entries.filter((one) => one !== entry) ?? []
  return {
    ...context,
    attempt: attempt && entries.length > 0 ? { ...attempt, entries } : null,
    suspects: context.suspects.filter((one) => one !== entry),
  }
}

/** One alone is at fault. */
function failed(context: LandingContext): LandingContext {
  const { entries } = context.attempt ?? { entries: [] }
  if (entries.length > 1) return { ...over(context), suspects: entries }
  return { ...over(context, entries[0]), suspects: [] }
}

/** How each fact changes the context, once the machine has accepted it. */
export const landingChanges: {
  readonly [T in LandingFact['type']]: (
    context: LandingContext,
    data: DataOf<T>,
    id: string,
  ) => Partial<LandingContext>
} = {
  LandingRequested: ({ entries }, data) => ({
    entries: [...entries, { ...data, status: 'queued', commit: null, reason: null, tries: 0, mending: null }],
  }),
  MergeStarted: (context, data) => ({
    ...changed(context, data.entries, () => ({ status: 'merging', reason: null })),
    attempt: { ...data, commits: [] },
    attempts: data.attempt,
    // The user has taken over what had landed beside the target, or has left it behind.
    beside: data.onto === data.tip ? { ...context.beside, [data.target]: null } : context.beside,
  }),
  EntryContained: (context, { entry, commit }) => {
    const { target = 'the target', onto, tip } = context.attempt ?? {}
    const reason =
      onto === tip ? `${target} has this work already` : `this work waits beside ${target} already`
    return {
      ...without(context, entry),
      ...changed(context, [entry], () => ({ status: 'landed', commit, reason })),
    }
  },
  EntriesMerged(context, { commits }) {
    const merged = commits.map(({ entry }) => entry)
    const left = context.attempt?.entries.filter((entry) => !merged.includes(entry)) ?? []
    const waiting = { ...context, ...changed(context, left, () => ({ status: 'queued' })) }
    return {
      ...changed(waiting, merged, ({ gate }) => (gate === null ? {} : { status: 'gating' })),
      attempt: context.attempt && { ...context.attempt, entries: merged, commits },
    }
  },
  MergeConflicted: (context, { entry }) => over(context, entry),
  MergeFailed: failed,
  GatePassed: () => ({}),
  GateFailed: failed,
  TargetMoved(context, { branch, advice }) {
    const { attempt } = context
    if (!attempt) return {}
    const commitOf = (entry: string) => attempt.commits.find((one) => one.entry === entry)?.commit ?? null
    const last = attempt.commits.at(-1)?.commit ?? null
    return {
      ...changed(context, attempt.entries, ({ entry }) => ({
        status: 'landed',
        commit: commitOf(entry),
        reason: advice,
      })),
      attempt: null,
      suspects: context.suspects.filter((entry) => !attempt.entries.includes(entry)),
      beside: { ...context.beside, [attempt.target]: branch === attempt.target ? null : last },
    }
  },
  TargetMissed: (context) => over(context),
  MendingStarted: (context, { entry, ...data }, begun) => ({
    ...without(context, entry),
    ...changed(context, [entry], ({ tries }) => ({
      status: 'mending',
      reason: data.because === 'gate' ? `the gate failed${endOf(data.said)}` : 'it conflicts with the target',
      tries: tries + 1,
      mending: { ...data, conflicts: null, begun },
    })),
  }),
  TargetMergedIn: (context, { entry, conflicts }) =>
    changed(context, [entry], ({ mending }) => ({ mending: mending && { ...mending, conflicts } })),
  EntryMended: (context, { entry, head }) =>
    changed(context, [entry], () => ({ status: 'queued', head, mending: null })),
  EntrySetAside: (context, { entry, reason }) => ({
    ...without(context, entry),
    ...changed(context, [entry], () => ({ status: 'set-aside', reason, mending: null })),
  }),
  LandingCancelled: (context, { entry, ...decision }) => {
    const others = context.attempt?.entries.includes(entry) ? over(context) : context
    const reason = decisionWords(decision) || null
    return {
      ...without(others, entry),
      ...changed(others, [entry], () => ({ status: 'cancelled', reason, mending: null })),
    }
  },
}

/** `by ada: not needed`; empty if neither is known. */
const decisionWords = ({ by, reason }: { readonly by?: string; readonly reason?: string }): string =>
  [...(by ? [`by ${by}`] : []), ...(reason ? [reason] : [])].join(': ')

const landing = setup({
  types: {} as { context: LandingContext; events: Identified<LandingFact> },
  guards: {
    isNew: ({ context, event }) => entryOf(context, event) === undefined,
    isMending: ({ context, event }) => entryOf(context, event)?.status === 'mending',
    mayEnd: ({ context, event }) => {
      const found = entryOf(context, event)
      return found !== undefined && !hasEnded(found) && !context.attempt?.entries.includes(found.entry)
    },
    mayBeCancelled: ({ context, event }) => {
      const found = entryOf(context, event)
      return found !== undefined && mayBeCancelled(found) && !context.attempt?.entries.includes(found.entry)
    },
    isInAttempt: ({ context, event }) =>
      'entry' in event.data && context.attempt?.entries.includes(event.data.entry) === true,
    isLastOfAttempt: ({ context, event }) =>
      'entry' in event.data && context.attempt?.entries.join() === event.data.entry,
    isNext: ({ context, event }) =>
      event.type === 'MergeStarted' && event.data.attempt === context.attempts + 1,
    isThis: ({ context, event }) =>
      'attempt' in event.data && event.data.attempt === context.attempt?.attempt,
    isWithoutGate: ({ context, event }) =>
      event.type === 'EntriesMerged' && gateOf(context, event.data.commits[0]?.entry) === null,
  },
})

const entryOf = ({ entries }: LandingContext, { data }: Identified<LandingFact>) =>
  'entry' in data ? entries.find(({ entry }) => entry === data.entry) : undefined

export const gateOf = ({ entries }: LandingContext, name: string | undefined): string | null =>
  entries.find(({ entry }) => entry === name)?.gate ?? null

const fold = landing.assign(({ context, event }) => {
  const change = landingChanges[event.type] as (
    context: LandingContext,
    data: LandingFact['data'],
    id: string,
  ) => Partial<LandingContext>
  return change(context, event.data, event.id)
})

/** What can happen whatever is being attempted. */
const always = {
  LandingRequested: { guard: 'isNew', actions: fold },
  TargetMergedIn: { guard: 'isMending', actions: fold },
  EntryMended: { guard: 'isMending', actions: fold },
  EntrySetAside: { guard: 'mayEnd', actions: fold },
  MendingStarted: { guard: 'mayEnd', actions: fold },
} as const
const cancels = [
  { guard: 'isInAttempt', target: 'idle', actions: fold },
  { guard: 'mayBeCancelled', actions: fold },
] as const
const ends = { guard: 'isThis', target: 'idle', actions: fold } as const

export const landingMachine = landing.createMachine({
  id: 'landing',
  context: nothing,
  initial: 'idle',
  states: {
    idle: {
      on: {
        ...always,
        MergeStarted: { guard: 'isNext', target: 'merging', actions: fold },
        LandingCancelled: { guard: 'mayBeCancelled', actions: fold },
      },
    },
    merging: {
      on: {
        ...always,
        EntryContained: [
          { guard: 'isLastOfAttempt', target: 'idle', actions: fold },
          { guard: 'isInAttempt', actions: fold },
        ],
        EntriesMerged: [
          { guard: 'isWithoutGate', target: 'moving', actions: fold },
          { guard: 'isThis', target: 'gating', actions: fold },
        ],
        MergeConflicted: ends,
        MergeFailed: ends,
        LandingCancelled: cancels,
      },
    },
    gating: {
      on: {
        ...always,
        GatePassed: { guard: 'isThis', target: 'moving', actions: fold },
        GateFailed: ends,
        MergeFailed: ends,
        LandingCancelled: cancels,
      },
    },
    /** The target may have moved already: nothing is taken back. */
    moving: {
      on: {
        ...always,
        TargetMoved: ends,
        TargetMissed: ends,
        MergeFailed: ends,
        LandingCancelled: { guard: 'mayBeCancelled', actions: fold },
      },
    },
  },
})

/** A state of a landing queue. */
export type LandingSnapshot = SnapshotFrom<typeof landingMachine>

/** What a queue does: its next step, or the next step towards fixing an entry. */
export type LandingEffect = Effect &
  (
    | { readonly does: 'start' | 'merge' | 'judge' | 'move' }
    | { readonly does: 'merge-in' | 'ask'; readonly entry: QueuedEntry; readonly mending: Mending }
  )

/** How many entries are merged and judged together. */
const MOST_TOGETHER = 16

/** The entries of the next attempt: first in, first out, as far as they have one target and one gate. */
export function nextEntries({ entries, suspects }: LandingContext): readonly QueuedEntry[] {
  const queued = entries.filter(({ status }) => status === 'queued')
  const suspected = queued.filter(({ entry }) => suspects.includes(entry))
  const [first] = suspected.length > 0 ? suspected : queued
  if (!first) return []
  if (suspected.length > 1) return suspected.slice(0, Math.ceil(suspected.length / 2))
  if (suspected.length === 1) return suspected
  return queued
    .filter(({ target, gate }) => target === first.target && gate === first.gate)
    .slice(0, MOST_TOGETHER)
}

const STEPS = { merging: 'merge', gating: 'judge', moving: 'move' } as const

function effectsOf({ value, context }: LandingSnapshot): readonly LandingEffect[] {
  const mended = context.entries.flatMap((entry): LandingEffect[] => {
    const { mending } = entry
    if (!mending) return []
    const does = mending.conflicts === null ? 'merge-in' : 'ask'
    return [{ key: `${does} ${mending.taskId}`, does, entry, mending }]
  })
  if (value !== 'idle') {
    const does = STEPS[value]
    return [{ key: `${does} ${context.attempts}`, does }, ...mended]
  }
  if (nextEntries(context).length === 0) return mended
  return [{ key: `start ${context.attempts + 1}`, does: 'start' }, ...mended]
}

export const landingKind = defineKind<typeof landingMachine, LandingEffect>(
  'landing',
  landingMachine,
  {
    facts: landingFacts,
    effects: effectsOf,
    summarize: ({ value, context: { entries } }) => ({
      status: value,
      open: !entries.every(hasEnded),
      info: { entries: entries.length, open: entries.filter((entry) => !hasEnded(entry)).length },
    }),
  },
  [landingChanges, changed, over, without, failed, endOf, hasEnded, FINAL, decisionWords],
)
