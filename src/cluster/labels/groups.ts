/**
 * Labels as groups of shards. The engine places each group on the workers that serve it; an agent is in the group of the
 * labels that it requires, and a worker serves the groups of all sets of labels that it has.
 *
 * L1. An agent is in one group, which its labels decide.
 * L2. A worker serves that group if and only if it has all of the labels.
 */
import { labelSet } from '../../events/options/labels.ts'

/** What requires no label: each worker serves it. */
export const EVERYWHERE = 'default'

/** As many as there are shards and locks for. What no worker serves is given to other labels. */
export const MOST_GROUPS = 60

/** The same in all processes, and `default` is the first of them in order: that decides the numbers of the engine's locks. */
export const GROUPS: readonly string[] = [
  EVERYWHERE,
  ...Array.from({ length: MOST_GROUPS }, (_, index) => groupName(index + 1)),
]

/** The group with a number of the table `label_groups`. */
export function groupName(number: number): string {
  return `labels-${String(number).padStart(2, '0')}`
}

/** A set of labels as the database has it. */
export const labelKey = (labels: readonly string[] = []): string => labelSet(labels).join(',')

export const labelsOfKey = (key: string): readonly string[] => (key === '' ? [] : key.split(','))

/** The sets of labels that a worker with these serves, but for the empty one. */
export function servedSets(labels: readonly string[]): readonly (readonly string[])[] {
  let sets: readonly (readonly string[])[] = [[]]
  for (const label of labelSet(labels)) sets = sets.concat(sets.map((set) => [...set, label]))
  return sets.slice(1)
}

/** Whether a worker with these labels has all that are required. */
export const hasAll = (labels: readonly string[], required: readonly string[] = []): boolean =>
  required.every((label) => labels.includes(label))

/** Agents and runs by group: the engine knows them by such an address. */
export const addressIn = (group: string, id: string): string => (group === EVERYWHERE ? id : `${group}/${id}`)

/** A group of shards, and what is in it. */
export interface GroupPlace {
  readonly group: string
  readonly id: string
}

export function groupPlace(address: string): GroupPlace {
  const slash = address.indexOf('/')
  if (slash < 0) return { group: EVERYWHERE, id: address }
  return { group: address.slice(0, slash), id: address.slice(slash + 1) }
}
