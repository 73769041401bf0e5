/** A supervisor's children as plain data that never changes: another table shares all but a small part with it. */

/**
 * Children by a bucket of their id, then by their id. Adding one to 10,000 copies about 200 entries, not 10,000; a
 * persistent tree would copy fewer and be read by nobody.
 */
export type ChildTable<C> = Readonly<Record<string, Readonly<Record<string, C>>>>

const BUCKETS = 128

export const childIn = <C>(table: ChildTable<C>, id: string): C | undefined => table[bucketOf(id)]?.[id]

export function withChild<C>(table: ChildTable<C>, id: string, child: C): ChildTable<C> {
  const bucket = bucketOf(id)
  return { ...table, [bucket]: { ...table[bucket], [id]: child } }
}

export function withoutChild<C>(table: ChildTable<C>, id: string): ChildTable<C> {
  const bucket = bucketOf(id)
  const { [id]: _, ...others } = table[bucket] ?? {}
  if (Object.keys(others).length > 0) return { ...table, [bucket]: others }
  const { [bucket]: __, ...rest } = table
  return rest
}

/** All of them, in the order in which they start. */
export function inStartOrder<C extends { readonly order: number }>(table: ChildTable<C>): readonly C[] {
  return Object.values(table)
    .flatMap((bucket) => Object.values(bucket))
    .sort((one, other) => one.order - other.order)
}

/** FNV-1a: any spread that is the same everywhere will do. A letter in front keeps it from being an array's index. */
function bucketOf(id: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  return `b${(hash >>> 0) % BUCKETS}`
}
