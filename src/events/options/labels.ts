/** Labels of workers in a cluster, and those that an agent requires of the worker in which it lives. */
import * as Schema from 'effect/Schema'
import { ID_PATTERN, ID_RULE } from '../ids.ts'
import { checkArgument, decodedInput } from './decoding.ts'
import { setting } from './setting.ts'
import { Text } from './values.ts'

/**
 * A worker serves each set of labels that it has, which are 15 for four of them, and each set has shards and locks of its own
 * in the database.
 */
export const MOST_LABELS = 4

const Label = Text.check(Schema.isPattern(ID_PATTERN)).annotate({
  problem: 'is not a label',
  hint: `Use ${ID_RULE}.`,
})

export const Labels = Schema.Array(Label).check(
  Schema.makeFilter((labels) => new Set(labels).size <= MOST_LABELS, {
    problem: `has more than ${MOST_LABELS} labels`,
    hint: 'Leave some out: one label can stand for several properties of a machine.',
  }),
)

/** Where an agent can live. One that can live anywhere has none of it in its facts. */
export const PLACING = {
  requires: setting(Labels, 'labels that a worker of a cluster must have for it to live there'),
}

/** The same set of labels is the same list. */
export const labelSet = (labels: readonly string[] = []): readonly string[] => [...new Set(labels)].sort()

/** The labels of a worker. Throws InvalidInputError. */
export function checkLabels(what: string, labels: unknown): readonly string[] {
  checkArgument(what, labels, 'a list')
  return labelSet(decodedInput(Labels, labels, { name: what }))
}
