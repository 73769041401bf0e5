/** Facts of agents that move between machines: what the next machine needs is in blobs beside the log, and what came along. */
import * as Schema from 'effect/Schema'
import { fact } from '../catalog.ts'
import { Count } from './values.ts'

const NullableString = Schema.NullOr(Schema.String)

/** Where an agent lives: in which worker, on which machine, and in which base directory (null: not known). */
const Home = Schema.Struct({ worker: Schema.String, machine: NullableString, home: NullableString })
export type Home = typeof Home.Type

/** A blob. Exactly these two fields: references to blobs are found by them. */
const Part = Schema.Struct({ sha256: Schema.String, bytes: Count })

/** A text, in parts that follow each other. */
const StoredText = Schema.Struct({ name: Schema.String, parts: Schema.Array(Part) })
export type StoredText = typeof StoredText.Type

/** A pack of git, in base64, with what came after the pack before it. */
const StoredPack = Schema.Struct({
  commit: Schema.String,
  branch: Schema.optionalKey(Schema.String),
  parts: Schema.Array(Part),
  bytes: Count,
})
export type StoredPack = typeof StoredPack.Type

/** The newest snapshot of the files with its history, and what the agent's branch is at. */
const StoredFiles = Schema.Struct({
  commit: Schema.String,
  branch: Schema.optionalKey(Schema.String),
  packs: Schema.Array(StoredPack),
  /** Commits whose history is left out. */
  shallow: Schema.optionalKey(Schema.Array(Schema.String)),
})
export type StoredFiles = typeof StoredFiles.Type

/** What became of the files and of the sessions. `kept`: there was nothing to bring. */
const Outcome = Schema.Literals(['kept', 'restored', 'lost'])
export type Brought = typeof Outcome.Type

export const MOVING_FACTS = {
  /**
   * What another machine needs to continue the agent is in the store. What is absent is as it was before. `files` is null if
   * they could not be stored, and `sessions` has none that could not; `problems` says why.
   */
  AgentStored: fact(
    Schema.Struct({
      home: Home,
      files: Schema.optionalKey(Schema.NullOr(StoredFiles)),
      /** The transcripts of the tips of its conversations, by the ids of their sessions. */
      sessions: Schema.optionalKey(Schema.Array(StoredText)),
      /** What its home says of them, and of the inputs that were placed. */
      notes: Schema.optionalKey(Schema.Array(StoredText)),
      problems: Schema.optionalKey(Schema.Array(Schema.String)),
      /** The blobs were dropped when the log was compacted, because a later fact has what is needed. */
      dropped: Schema.optionalKey(Schema.Literal(true)),
    }),
  ),
  /** The agent has come to life in another worker. What came along, and why something did not. */
  AgentMoved: fact(
    Schema.Struct({
      from: Home,
      to: Home,
      workspace: Outcome,
      session: Outcome,
      problems: Schema.optionalKey(Schema.Array(Schema.String)),
    }),
  ),
}
