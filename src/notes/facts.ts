/** What can happen to a shared note: it is written, as a whole. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from '../events/catalog.ts'
import { byPerson } from '../events/options/values.ts'

const definitions = {
  NoteWritten: fact(
    Schema.Struct({
      text: Schema.String,
      /** The agent, or the actor of your own, that wrote it; null for a person, or a program. */
      from: Schema.NullOr(Schema.String),
      ...byPerson,
    }),
  ),
}

/** A fact of a shared note. */
export type NoteFact = FactOf<typeof definitions>
export const noteFacts = factCatalog(definitions)
