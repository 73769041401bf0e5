/** What is different between two values, path by path. */
import type { Json } from '../events/json.ts'

/** `before` is missing where something was added, `after` where it was removed. */
export interface StateChange {
  /** `context.queue[0].taskId` */
  readonly path: string
  readonly before?: Json
  readonly after?: Json
}

/** In the order of the fields. A part that is another kind of value altogether is one change. */
export function stateChanges(before: Json, after: Json, path = ''): readonly StateChange[] {
  if (before === after) return []
  if (isList(before) && isList(after)) return listChanges(before, after, path)
  if (!isObject(before) || !isObject(after)) return [{ path, before, after }]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
    partChanges(before[name], after[name], path === '' ? step(name).replace(/^\./, '') : path + step(name)),
  )
}

function partChanges(
  before: Json | undefined,
  after: Json | undefined,
  path: string,
): readonly StateChange[] {
  if (before === undefined) return after === undefined ? [] : [{ path, after }]
  if (after === undefined) return [{ path, before }]
  return stateChanges(before, after, path)
}

/** What is the same at both ends has not changed: taking the first of a queue is one change, and not one for each place. */
function listChanges(before: readonly Json[], after: readonly Json[], path: string): readonly StateChange[] {
  const shorter = Math.min(before.length, after.length)
  let same = 0
  while (same < shorter && isSame(before[same], after[same])) same++
  let tail = 0
  while (tail < shorter - same && isSame(before.at(-1 - tail), after.at(-1 - tail))) tail++
  const [left, right] = [before.slice(same, before.length - tail), after.slice(same, after.length - tail)]
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) =>
    partChanges(left[index], right[index], `${path}[${same + index}]`),
  ).flat()
}

const isSame = (one: Json | undefined, other: Json | undefined) =>
  one === other || JSON.stringify(one) === JSON.stringify(other)

const step = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
const isObject = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !isList(value)
