/** Everything that can happen in the landing queue of a repository: the work of agents on its way to a branch. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { Count } from './options/values.ts'

const { String: Text } = Schema
const ofEntry = { entry: Text }
/** An attempt merges some entries, lets their gate judge the result, and moves the target to it. */
const ofAttempt = { attempt: Count }

const definitions = {
  /** The work of an agent is to be landed: what its branch held then. */
  LandingRequested: fact(
    Schema.Struct({
      ...ofEntry,
      agent: Text,
      /** The directory of the repository. */
      repo: Text,
      /** The branch of the agent, and the commit that it was at. */
      branch: Text,
      head: Text,
      /** The branch that the work is to land on. */
      target: Text,
      /** The command that has to succeed; null if there is none. */
      gate: Schema.NullOr(Text),
      /** Whether it becomes one commit. */
      squash: Schema.Boolean,
      /** The run that the work is part of: what fixing it costs counts there as well. */
      runId: Schema.optionalKey(Text),
    }),
  ),
  /**
   * These entries, in this order, are about to be merged on `onto`: the target, which is at `tip`, or what has landed beside
   * it and waits for the user.
   */
  MergeStarted: fact(
    Schema.Struct({ ...ofAttempt, entries: Schema.Array(Text), target: Text, tip: Text, onto: Text }),
  ),
  /** There was nothing to merge: the target has the work. */
  EntryContained: fact(Schema.Struct({ ...ofEntry, commit: Text })),
  /** Those that were merged without a conflict, each with its commit. The last commit is what the gate judges. */
  EntriesMerged: fact(
    Schema.Struct({
      ...ofAttempt,
      commits: Schema.Array(Schema.Struct({ ...ofEntry, commit: Text })),
    }),
  ),
  /** The first of them conflicts with the target. */
  MergeConflicted: fact(Schema.Struct({ ...ofAttempt, ...ofEntry, conflicts: Schema.Array(Text) })),
  /** Git could not do it. */
  MergeFailed: fact(Schema.Struct({ ...ofAttempt, problem: Text })),
  /** The target is about to be moved. */
  GatePassed: fact(Schema.Struct(ofAttempt)),
  /** `output`: the last of it; `file`: where all of it can be read. `exitCode`: null if it was killed. */
  GateFailed: fact(
    Schema.Struct({
      ...ofAttempt,
      exitCode: Schema.NullOr(Schema.Int),
      output: Text,
      file: Schema.optionalKey(Text),
    }),
  ),
  /** The entries have landed. If the target could not be moved, on another branch: `advice` says what the user can do. */
  TargetMoved: fact(Schema.Struct({ ...ofAttempt, branch: Text, advice: Schema.NullOr(Text) })),
  /** The target was moved meanwhile: the entries are merged again. */
  TargetMissed: fact(Schema.Struct(ofAttempt)),
  /** The target is about to be merged into the branch of the agent, which is then asked to fix its work. */
  MendingStarted: fact(
    Schema.Struct({
      ...ofEntry,
      taskId: Text,
      because: Schema.Literals(['conflict', 'gate']),
      /** The commit to merge. */
      onto: Text,
      /** What the agent is told: the conflicts, or the last output of the gate. */
      said: Text,
    }),
  ),
  /** The agent has the target in its files. `conflicts`: the files in which both versions are marked. */
  TargetMergedIn: fact(Schema.Struct({ ...ofEntry, taskId: Text, conflicts: Schema.Array(Text) })),
  /** Its branch is at `head` now: the entry waits again. */
  EntryMended: fact(Schema.Struct({ ...ofEntry, head: Text })),
  /** It does not land. */
  EntrySetAside: fact(Schema.Struct({ ...ofEntry, reason: Text })),
  LandingCancelled: fact(
    Schema.Struct({ ...ofEntry, by: Schema.optionalKey(Text), reason: Schema.optionalKey(Text) }),
  ),
}

/** A fact of a landing queue. */
export type LandingFact = FactOf<typeof definitions>
export const landingFacts = factCatalog(definitions)
