/** The values that options are made of, each with the message for a wrong one. */
import * as Schema from 'effect/Schema'
import { ID_PATTERN, ID_RULE } from '../ids.ts'

const wholeNumber = (least: number) =>
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(least)).annotate({
    problem: `is not a whole number of at least ${least}`,
  })

export const Text = Schema.String.check(Schema.isMinLength(1))
export const NotBlank = Text.check(Schema.makeFilter((text) => text.trim() !== '', { problem: 'is empty' }))
export const Count = wholeNumber(0)
export const Positive = wholeNumber(1)

/** Who decided it, if a person did so by hand: a name for those who read the log. */
export const byPerson = { by: Schema.optionalKey(Text) }

/** The id of an agent, a supervisor, a child: it becomes part of a path and of a key. */
export const idOf = (what: string) =>
  Text.check(Schema.isPattern(ID_PATTERN)).annotate({
    problem: `is not a valid ${what} id`,
    hint: `Use ${ID_RULE}.`,
  })
