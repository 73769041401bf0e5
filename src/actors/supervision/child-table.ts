/** A supervisor's children as a persistent table of plain data: a changed table shares all but a small part with the old one. */

/**
 * Children by bucket of their id, then by id. Adding one to 10,000 copies about 200 entries, not 10,000. A persistent tree
 * would copy fewer, but its JSON would be unreadable.
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

/** All children, in start order. */
export function inStartOrder<C extends { readonly order: number }>(table: ChildTable<C>): readonly C[] {
  return Object.values(table)
    .flatMap((bucket) => Object.values(bucket))
    .sort((one, other) => one.order - other.order)
}

/** FNV-1a; any hash that is the same everywhere will do. The letter in front keeps it from being an array index. */
function bucketOf(id: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  return `b${(hash >>> 0) % BUCKETS}`
}
