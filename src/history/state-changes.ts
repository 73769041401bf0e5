/** The differences between two values, path by path. */
import type { Json } from '../events/json.ts'

/** One difference. An added part has no `before`, a removed part no `after`. */
export interface StateChange {
  /** `context.queue[0].taskId` */
  readonly path: string
  readonly before?: Json
  readonly after?: Json
}

/** The changes, in the order of the fields. A part whose type differs is one change. */
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

/** Ignores the common start and end: taking the first item of a queue is one change, not one per item. */
function listChanges(before: readonly Json[], after: readonly Json[], path: string): readonly StateChange[] {
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && isSame(before[start], after[start])) start++
  let end = 0
  while (end < shorter - start && isSame(before.at(-1 - end), after.at(-1 - end))) end++
  const [left, right] = [before.slice(start, before.length - end), after.slice(start, after.length - end)]
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) =>
    partChanges(left[index], right[index], `${path}[${start + index}]`),
  ).flat()
}

const isSame = (one: Json | undefined, other: Json | undefined) =>
  one === other || JSON.stringify(one) === JSON.stringify(other)

const step = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`)

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
const isObject = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !isList(value)
